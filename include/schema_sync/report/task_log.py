"""What a person reads in a task's log: plain text tables that survive any name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from ..nouns.discrepancy import Discrepancy
from ..nouns.report import OrganizationReport, OrganizationTotals, SuggestedPatch
from ..text import visible

_MOST_ROWS = 200
_WIDTH = 200
_LONGEST_LINE = 10_000


def discrepancy_table(discrepancies: Sequence[Discrepancy]) -> str:
    """One row a discrepancy, most severe first; what does not fit is counted below the table."""
    rows = [
        (
            f"{discrepancy.severity.sign} {discrepancy.type}",
            discrepancy.dataset_name or "",
            ".".join(part for part in (discrepancy.database, discrepancy.schema, discrepancy.table) if part),
            discrepancy.column or "",
            discrepancy.declared or "",
            discrepancy.actual or "",
            discrepancy.suggestion or "",
            str(discrepancy.line or ""),
            f"{len(discrepancy.users)}: {', '.join(discrepancy.users)}" if discrepancy.users else "",
        )
        for discrepancy in discrepancies[:_MOST_ROWS]
    ]
    table = text_table(
        ("what", "dataset", "table", "column", "YML says", "warehouse has", "did you mean", "line", "breaks"), rows
    )
    left = len(discrepancies) - len(rows)
    return f"{table}\n…and {left} more, all of them in this task's XCom." if left else table


def patch_text(patch: SuggestedPatch) -> str:
    """A suggested patch as it is to be copied from a log: line by line, what cannot be seen made visible."""
    return "\n".join(visible(line, _LONGEST_LINE) for line in patch.diff.removesuffix("\n").split("\n"))


def report_line(report: OrganizationReport) -> str:
    """One organization in one line, findable by ``schema-sync``."""
    totals = report.totals
    return (
        f"schema-sync organization={totals.organization_name!r} id={totals.organization_id} "
        f"state={totals.state.replace(' ', '-')} checked={totals.datasets_checked} "
        f"unchecked={totals.datasets_unchecked} critical={totals.critical} warnings={totals.warnings} "
        f"infos={totals.infos} ignored={totals.ignored}"
    )


def totals_table(organizations: Sequence[OrganizationTotals]) -> str:
    """One row an organization: what the demo ends with."""
    rows = [
        (
            totals.organization_name,
            str(totals.state),
            str(totals.datasets_checked),
            str(totals.datasets_unchecked),
            str(totals.critical),
            str(totals.warnings),
            str(totals.infos),
            "yes" if totals.notified else f"not told: {totals.untold}" if totals.untold else "no",
        )
        for totals in organizations
    ]
    return text_table(
        ("organization", "state", "checked", "unchecked", "critical", "warnings", "infos", "notified"), rows
    )


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table with rich; names from outside are shown harmlessly (no markup, no control characters)."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in header:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    output = StringIO()
    Console(file=output, width=_WIDTH, color_system=None, legacy_windows=False).print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()).strip("\n")
