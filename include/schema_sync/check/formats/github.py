"""For a pull request on GitHub: annotations beside the lines."""

from __future__ import annotations

from ...nouns.discrepancy import Severity
from ..run import CheckResult
from .wording import files_against, message, totals

_COMMANDS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def github_report(result: CheckResult) -> str:
    """Workflow commands, one a line, that annotate a pull request's files.

    Source: GitHub, "Workflow commands for GitHub Actions"; escapes as in its toolkit's ``command.ts``.
    """
    lines = [
        _annotation(
            _COMMANDS[finding.discrepancy.severity], result.in_repository(finding.path), finding.line,
            finding.discrepancy.type.heading, message(finding.discrepancy),
        )
        for finding in result.findings
    ]  # fmt: skip
    lines += [
        _annotation("error", result.in_repository(note.path), 1, "not checked", note.text) for note in result.unchecked
    ]
    return "\n".join([*lines, f"{files_against(result)}: {totals(result)}."])


def _annotation(command: str, path: str, line: int, heading: str, text: str) -> str:
    title = f"Schema Sync: {heading}"
    return f"::{command} file={_escaped(path, ':,')},line={line},title={_escaped(title, ':,')}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for mark in f"%\r\n{more}":
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text
