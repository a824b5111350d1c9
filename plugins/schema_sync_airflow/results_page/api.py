"""What the page shows, for programs: JSON and CSV rows, whose keys ``docs/results-page.md`` lists. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from schema_sync_airflow.results_page import reading, stored
from schema_sync_airflow.results_page.findings import Hit
from schema_sync_airflow.results_page.overview import Line

Row = dict[str, Any]


def run_row(run: stored.Run) -> Row:
    return {
        "runId": run.run_id,
        "state": run.state,
        "timestamp": run.timestamp,
        "restricted": run.is_restricted,
        "result": None if run.counts is None else asdict(run.counts),
    }


def organization_row(line: Line) -> Row:
    of, (told, reason) = line.totals, line.told
    return {
        "id": of.organization_id,
        "name": of.organization_name,
        "state": line.state,
        "critical": of.critical,
        "warnings": of.warnings,
        "infos": of.infos,
        "datasetsChecked": of.datasets_checked,
        "datasetsUnchecked": of.datasets_unchecked,
        "new": of.new,
        "ongoing": of.ongoing,
        "resolved": of.resolved,
        "told": told,
        "notToldBecause": reason,
        "error": of.error,
        "unchecked": [{"dataSource": each.data_source_name, "reason": each.error} for each in of.unchecked],
        "asOf": line.run.timestamp,
        "runId": line.run.run_id,
    }


def finding_row(finding: reading.Finding) -> Row:
    return {**asdict(finding), "severity": str(finding.severity)}


def hit_row(hit: Hit) -> Row:
    of = hit.line.totals
    return {"organizationId": of.organization_id, "organization": of.organization_name, "new": hit.is_new,
            "told": hit.line.told[0], **finding_row(hit.finding)}  # fmt: skip


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """RFC 4180, with a heading. Nothing in it is a formula to a spreadsheet, whatever the names."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(rows[0] if rows else ())
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = "; ".join(": ".join(map(str, each.values())) if isinstance(each, dict) else str(each) for each in value)
    elif isinstance(value, dict):
        value = ", ".join(f"{each} {key}" for key, each in value.items() if isinstance(each, int) and each)
    # https://owasp.org/www-community/attacks/CSV_Injection
    return f"'{value}" if isinstance(value, str) and re.match(r"[=+\-@\t\r]", value) else value
