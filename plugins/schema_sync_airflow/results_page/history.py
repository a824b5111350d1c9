"""Over the runs that Airflow still has: what changed in an organization's tables, and how much drift a day had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.models.xcom import XComModel
from sqlalchemy import and_, or_, select

from include.schema_sync.compare.history import words
from include.schema_sync.nouns.discrepancy import ChangeKind
from include.schema_sync.nouns.snapshot import ColumnChange
from schema_sync_airflow.results_page import reading, stored
from schema_sync_airflow.run.params import DRY_RUN
from schema_sync_airflow.run.xcom import DIFF, FETCH, RETURN_VALUE

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

REMEMBERED_RUNS = 90

News = tuple[stored.Run, str, str]  # run, table, and in words what it was the first to see of it


def table_history(session: Session, runs: Sequence[stored.Run], organization_id: str) -> list[News]:
    """Newest first; each change once, under the first run that saw it: two statements."""
    by_key = {run.key: run for run in runs}
    batches = _values(session, and_(XComModel.task_id == FETCH, XComModel.dag_run_id.in_(by_key)))
    places = [
        and_(XComModel.dag_run_id == key, XComModel.map_index == index)
        for (key, _), content in batches.items()
        for index, batch in enumerate(content if isinstance(content, list) else ())
        if isinstance(batch, dict) and organization_id in str(batch.get("organizations")).split()
    ]
    reports = _values(session, and_(XComModel.task_id == DIFF, or_(*places))) if places else {}
    found: list[News] = []
    seen: set[tuple[str, ColumnChange]] = set()
    for (key, _), content in sorted(reports.items(), key=lambda item: by_key[item[0][0]].moment):
        for place, changes in _changes(content, organization_id):
            fresh = [each for each in changes if (place, each) not in seen]
            seen |= {(place, each) for each in fresh}
            if fresh:
                found.append((by_key[key], place, words(fresh)))
    return found[::-1]


def days(runs: Sequence[stored.Run]) -> list[tuple[date, stored.Counts]]:
    """Oldest first: of each day the last run over everybody that ended with a result. :param runs: newest first."""
    found: dict[date, stored.Counts] = {}
    for run in runs:
        if run.counts is not None and not run.is_restricted and not run.conf.get(DRY_RUN):
            found.setdefault(run.moment.date(), run.counts)
    return sorted(found.items(), key=lambda item: item[0])


def _values(session: Session, which: Any) -> dict[tuple[int, int], Any]:
    read = (XComModel.dag_run_id, XComModel.map_index, XComModel.task_id, XComModel.key, XComModel.value)
    statement = select(*read).where(which, XComModel.key == RETURN_VALUE)
    return {(row.dag_run_id, row.map_index): stored.content_of(row) for row in session.execute(statement)}


def _changes(content: Any, organization_id: str) -> Iterator[tuple[str, list[ColumnChange]]]:
    """({database.schema.table}, its changes) of a batch's reports; what has another shape is left out."""
    mine = (report for report in reading.objects(content) if report.get("organization_id") == organization_id)
    for report in mine:
        for entry in report.get("changes") or ():
            try:
                _, database, schema, table, columns = entry
                changes = [ColumnChange(str(name), ChangeKind(kind), *rest) for name, kind, *rest in columns]
            except (TypeError, ValueError):
                continue
            yield ".".join(str(part) for part in (database, schema, table) if part), changes
