"""Over the runs that Airflow still has: what changed in an organization's tables, and how much drift a day had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.models.xcom import XComModel
from sqlalchemy import and_, or_, select

from include.schema_sync.compare.history import words
from include.schema_sync.nouns.discrepancy import ChangeKind
from include.schema_sync.nouns.snapshot import ColumnChange
from schema_sync_airflow.results_page import stored
from schema_sync_airflow.run.params import DRY_RUN, ORGANIZATION_IDS
from schema_sync_airflow.run.xcom import DIFF, FETCH, RETURN_VALUE

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

REMEMBERED_RUNS = 90
_HEIGHT, _WIDTH = 60, 16  # of the chart, and of a day in it, in SVG's units


class TableNews(NamedTuple):
    """What one run was the first to see of one table. :ivar said: in words."""

    run: stored.Run
    place: str
    said: str


class Bar(NamedTuple):
    """One day of the chart, in SVG's units from its upper left corner."""

    day: date
    critical: int
    warnings: int
    x: int
    critical_height: float
    warning_height: float


def table_history(session: Session, runs: Sequence[stored.Run], organization_id: str) -> list[TableNews]:
    """Newest first; each change once, under the first run that saw it: two statements.

    :param runs: newest first.
    :raises UnreadableError: as :func:`stored.values`.
    """
    by_key = {run.key: run for run in runs}
    batches = _values(session, and_(XComModel.task_id == FETCH, XComModel.dag_run_id.in_(by_key)))
    places = [
        and_(XComModel.dag_run_id == key, XComModel.map_index == index)
        for (key, _), content in batches.items()
        for index, batch in enumerate(content if isinstance(content, list) else ())
        if isinstance(batch, dict) and organization_id in str(batch.get("organizations")).split()
    ]
    reports = _values(session, and_(XComModel.task_id == DIFF, or_(*places))) if places else {}
    found: list[TableNews] = []
    seen: set[tuple[str, ColumnChange]] = set()
    for (key, _), content in sorted(reports.items(), key=lambda item: by_key[item[0][0]].moment):
        for place, changes in _changes(content, organization_id):
            fresh = [each for each in changes if (place, each) not in seen]
            seen |= {(place, each) for each in fresh}
            if fresh:
                found.append(TableNews(by_key[key], place, words(fresh)))
    return found[::-1]


def bars(runs: Sequence[stored.Run]) -> list[Bar]:
    """Days, oldest first: of each the last run over everybody that ended with a result.

    :param runs: newest first.
    """
    days: dict[date, stored.Counts] = {}
    for run in runs:
        if run.counts is not None and not run.conf.get(ORGANIZATION_IDS) and not run.conf.get(DRY_RUN):
            days.setdefault(run.moment.date(), run.counts)
    most = max((counts.critical + counts.warnings for counts in days.values()), default=0) or 1
    first = min(days, default=date.min)
    scale = _HEIGHT / most
    return [
        Bar(
            day,
            of.critical,
            of.warnings,
            (day - first).days * _WIDTH,
            round(of.critical * scale, 1),
            round(of.warnings * scale, 1),
        )
        for day, of in sorted(days.items())
    ]


def _values(session: Session, which: Any) -> dict[tuple[int, int], Any]:
    statement = select(
        XComModel.dag_run_id, XComModel.map_index, XComModel.task_id, XComModel.key, XComModel.value
    ).where(which, XComModel.key == RETURN_VALUE)
    return {(row.dag_run_id, row.map_index): stored.content_of(row) for row in session.execute(statement)}


def _changes(content: Any, organization_id: str) -> Iterator[tuple[str, list[ColumnChange]]]:
    """({database.schema.table}, its changes) of a batch's reports; what has another shape is left out."""
    for report in content if isinstance(content, list) else ():
        if not isinstance(report, dict) or report.get("organization_id") != organization_id:
            continue
        for entry in report.get("changes") or ():
            try:
                _, database, schema, table, columns = entry
                changes = [ColumnChange(str(name), ChangeKind(kind), *rest) for name, kind, *rest in columns]
            except (TypeError, ValueError):
                continue
            yield ".".join(str(part) for part in (database, schema, table) if part), changes
