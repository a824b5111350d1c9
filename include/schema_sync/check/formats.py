"""A check's result in the words of its readers: people, scripts, code scanners, GitHub. Pure.

Names and texts come from files and warehouses: each format escapes them its own way.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from ..nouns.discrepancy_names import DISCREPANCY_NAMES
from ..text import visible

if TYPE_CHECKING:
    from rich.text import Text

    from .run import CheckResult, Finding

JSON_VERSION = 1


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def text_report(result: CheckResult, *, with_patches: bool = True) -> Text:
    """For a terminal: each file's findings, what was not checked, the sum, and the suggested patches below.

    :return: text with styles; control and direction characters of names are escaped.
    """
    from rich.text import Text

    out = Text()
    path = None
    for finding in result.findings:
        if finding.path != path:
            path = finding.path
            out.append(f"{visible(path, 500)}\n", style="bold")
        found = finding.discrepancy
        out.append(f"  {visible(path, 500)}:{finding.line}: ")
        out.append(f"{found.severity}", style=_STYLES[found.severity])
        out.append(f" {found.type} {visible(_place(found), 500)}\n      {_message(found)}\n")
    for note in result.unchecked:
        out.append("NOT CHECKED ", style="bold red")
        out.append(f"{visible(note.path, 500)}: {visible(note.text, 1_000)}\n")
    out.append(f"{_sum(result)}\n", style="bold")
    for patch in result.patches if with_patches else ():
        out.append(f"\nSuggested patch, repairs {len(patch.fixes)} of the above (apply with `patch -p1`):\n", "bold")
        for line in patch.diff.split("\n"):
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            out.append(f"{_visible_line(line)}\n", style=style)
    return out


def json_report(result: CheckResult) -> str:
    """For scripts. A key is never removed or given another meaning without a new ``version``; README.md lists them."""
    return json.dumps(
        {
            "version": JSON_VERSION,
            "warehouse": result.warehouse,
            "summary": {
                "files": len(result.files),
                "critical": result.count(Severity.CRITICAL),
                "warning": result.count(Severity.WARNING),
                "info": result.count(Severity.INFO),
                "ignored": result.ignored,
                "unchecked": len(result.unchecked),
            },
            "findings": [_finding(finding) for finding in result.findings],
            "unchecked": [{"file": note.path, "reason": note.text} for note in result.unchecked],
            "skipped": [{"file": note.path, "reason": note.text} for note in result.skipped],
            "patches": [{"diff": patch.diff, "fixes": list(patch.fixes)} for patch in result.patches],
        },
        indent=2,
    )


def sarif_report(result: CheckResult) -> str:
    """For code scanning: SARIF 2.1.0, one rule a discrepancy type, with fingerprints that survive moved lines.

    Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    kinds = list(DiscrepancyType)
    return json.dumps(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "Schema Sync",
                            "rules": [
                                {
                                    "id": str(kind),
                                    "shortDescription": {"text": DISCREPANCY_NAMES[kind].rule},
                                    "defaultConfiguration": {"level": _LEVELS[kind.severity]},
                                }
                                for kind in kinds
                            ],
                        }
                    },
                    "columnKind": "unicodeCodePoints",
                    "invocations": [
                        {
                            "executionSuccessful": not result.unchecked,
                            "toolExecutionNotifications": [
                                {
                                    "level": "error",
                                    "message": {"text": f"Not checked: {visible(note.text, 1_000)}"},
                                    "locations": [_location(note.path, 1)],
                                }
                                for note in result.unchecked
                            ],
                        }
                    ],
                    "results": [
                        {
                            "ruleId": str(finding.discrepancy.type),
                            "ruleIndex": kinds.index(finding.discrepancy.type),
                            "level": _LEVELS[finding.discrepancy.severity],
                            "message": {"text": _message(finding.discrepancy)},
                            "locations": [_location(finding.path, finding.line)],
                            "partialFingerprints": {"schemaSync/v1": finding.discrepancy.fingerprint},
                        }
                        for finding in result.findings
                    ],
                }
            ],
        },
        indent=2,
    )


def github_report(result: CheckResult) -> str:
    """Workflow commands, one a line, that annotate a pull request's files.

    Source: GitHub, "Workflow commands for GitHub Actions"; escapes as in its toolkit's ``command.ts``.
    """
    lines = [
        _command(
            _COMMANDS[finding.discrepancy.severity],
            {"file": finding.path, "line": str(finding.line), "title": f"Schema Sync: {finding.discrepancy.type}"},
            _message(finding.discrepancy),
        )
        for finding in result.findings
    ]
    lines += [
        _command("error", {"file": note.path, "line": "1", "title": "Schema Sync: not checked"}, note.text)
        for note in result.unchecked
    ]
    return "\n".join([*lines, _sum(result)])


_STYLES = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
_LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_COMMANDS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def _finding(finding: Finding) -> dict[str, Any]:
    found = finding.discrepancy
    return {
        "file": finding.path,
        "line": finding.line,
        "type": str(found.type),
        "severity": str(found.severity),
        "message": found.message,
        "dataset": found.dataset_name,
        "database": found.database,
        "schema": found.schema,
        "table": found.table,
        "column": found.column,
        "declared": found.declared,
        "actual": found.actual,
        "suggestion": found.suggestion,
        "users": list(found.users),
        "fingerprint": found.fingerprint,
    }


def _location(path: str, line: int) -> dict[str, Any]:
    """Relative paths are seen from the repository's root; absolute ones (outside of it) are ``file`` URIs."""
    absolute = path.startswith("/")
    artifact = {"uri": f"file://{quote(path)}"} if absolute else {"uri": quote(path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": line}}}


def _message(found: Discrepancy) -> str:
    hint = f" Did you mean `{found.suggestion}`?" if found.suggestion else ""
    return visible(f"{found.message}{hint}", 2_000)


def _place(found: Discrepancy) -> str:
    return ".".join(part for part in (found.database, found.schema, found.table, found.column) if part)


def _sum(result: CheckResult) -> str:
    counts = ", ".join(f"{result.count(severity)} {severity}" for severity in Severity)
    files = f"{len(result.files)} file{'' if len(result.files) == 1 else 's'}"
    ignored = f", {result.ignored} ignored" if result.ignored else ""
    unchecked = f", {len(result.unchecked)} NOT CHECKED" if result.unchecked else ""
    return f"{files} against {result.warehouse}: {counts}{ignored}{unchecked}."


def _visible_line(line: str) -> str:
    """A patch's line as it is, but for what would act on a terminal; a copy of it is for reading, not for applying."""
    return "".join(mark if mark.isprintable() or mark == "\t" else visible(mark) for mark in line.removesuffix("\r"))


def _command(name: str, properties: dict[str, str], message: str) -> str:
    shown = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{name} {shown}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    for mark in f"%\r\n{more}":
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text
