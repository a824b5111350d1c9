"""For a pull request on GitHub: annotations beside the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...nouns.discrepancy import Severity
from .wording import files_against, message, title, totals

if TYPE_CHECKING:
    from ..run import CheckResult

_COMMANDS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def github_report(result: CheckResult) -> str:
    """Workflow commands, one a line, that annotate a pull request's files.

    Source: GitHub, "Workflow commands for GitHub Actions"; escapes as in its toolkit's ``command.ts``.
    """
    lines = [
        _command(
            _COMMANDS[finding.discrepancy.severity],
            {
                "file": result.in_repository(finding.path),
                "line": str(finding.line),
                "title": f"Schema Sync: {title(finding.discrepancy)}",
            },
            message(finding.discrepancy),
        )
        for finding in result.findings
    ]
    lines += [
        _command(
            "error",
            {"file": result.in_repository(note.path), "line": "1", "title": "Schema Sync: not checked"},
            note.text,
        )
        for note in result.unchecked
    ]
    return "\n".join([*lines, f"{files_against(result)}: {totals(result)}."])


def _command(name: str, properties: dict[str, str], message: str) -> str:
    shown = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{name} {shown}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    for mark in f"%\r\n{more}":
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text
