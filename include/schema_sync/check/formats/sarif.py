"""For code scanning."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from ...nouns.discrepancy import DiscrepancyType, Severity
from ...text import visible
from ..run import CheckResult
from .wording import message

_LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif_report(result: CheckResult) -> str:
    """For code scanning: SARIF 2.1.0, one rule a discrepancy type, with fingerprints that survive moved lines.

    Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    kinds = list(DiscrepancyType)
    rules = [
        {
            "id": str(kind),
            "shortDescription": {"text": kind.rule},
            "defaultConfiguration": {"level": _LEVELS[kind.severity]},
        }
        for kind in kinds
    ]
    unchecked = [
        {
            "level": "error",
            "message": {"text": f"Not checked: {visible(note.text, 1_000)}"},
            "locations": [_location(result.in_repository(note.path), 1)],
        }
        for note in result.unchecked
    ]
    results = [
        {
            "ruleId": str(finding.discrepancy.type),
            "ruleIndex": kinds.index(finding.discrepancy.type),
            "level": _LEVELS[finding.discrepancy.severity],
            "message": {"text": message(finding.discrepancy)},
            "locations": [_location(result.in_repository(finding.path), finding.line)],
            "partialFingerprints": {"schemaSync/v1": finding.discrepancy.fingerprint},
        }
        for finding in result.findings
    ]
    run = {
        "tool": {"driver": {"name": "Schema Sync", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not result.unchecked, "toolExecutionNotifications": unchecked}],
        "results": results,
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def _location(path: str, line: int) -> dict[str, Any]:
    """Relative paths are seen from the repository's root; absolute ones (outside of it) are ``file`` URIs."""
    absolute = path.startswith("/")
    artifact = {"uri": f"file://{quote(path)}"} if absolute else {"uri": quote(path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": line}}}
