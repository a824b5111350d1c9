"""For scripts: JSON whose keys stay."""

from __future__ import annotations

import json
from typing import Any

from ...nouns.discrepancy import Severity
from ..run import CheckResult, Finding

JSON_VERSION = 1
_AS_FOUND = ("database", "schema", "table", "column", "declared", "actual", "suggestion")


def json_report(result: CheckResult) -> str:
    """For scripts. A key is never removed or given another meaning without a new ``version``; docs/command-line.md
    lists them."""
    return json.dumps(
        {
            "version": JSON_VERSION,
            "warehouse": result.warehouse,
            "summary": {
                "files": len(result.files),
                **{str(severity): result.count(severity) for severity in Severity},
                "ignored": result.ignored,
                "known": result.known,
                "unchecked": len(result.unchecked),
            },
            "findings": [_finding(finding) for finding in result.findings],
            **{
                key: [{"file": note.path, "reason": note.text} for note in notes]
                for key, notes in (("unchecked", result.unchecked), ("skipped", result.skipped))
            },
            "stale": [{"file": note.path, "finding": note.text} for note in result.stale],
            "patches": [
                {"diff": patch.diff, "fixes": list(patch.fixes), "probable": patch.probable, "compiled": patch.compiled}
                for patch in result.patches
            ],
        },
        indent=2,
    )


def _finding(finding: Finding) -> dict[str, Any]:
    found = finding.discrepancy
    return {
        "file": finding.path,
        "line": finding.line,
        "type": str(found.type),
        "severity": str(found.severity),
        "message": found.message,
        "dataset": finding.dataset or found.dataset_name,
        **{key: getattr(found, key) for key in _AS_FOUND},
        "users": list(found.users),
        "impact": None,  # only the daily run knows charts, and what was there before
        "changed": None,
        "fingerprint": found.fingerprint,
    }
