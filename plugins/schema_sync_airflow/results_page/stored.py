"""All SQL of the page, on Airflow's own database: runs, and the XComs that the tasks of a run left there.

Statements are counted, not rows: whatever the number of organizations, a page takes two or three.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import Row, Select, Text, and_, cast, or_, select

from schema_sync_airflow.run import xcom
from schema_sync_airflow.run.params import ORGANIZATION_IDS
from schema_sync_airflow.run.xcom import CHECKS, DAG_ID, DIFF, FETCH, INTROSPECT, NOTIFY, RETURN_VALUE, SUMMARIZE

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SHOWN_RUNS = 30

# (task, key) of what the pages read.
Source = tuple[str, str]
BATCHES: tuple[Source, Source] = ((FETCH, xcom.DIRECTORY), (FETCH, RETURN_VALUE))  # earlier releases: the second
ERROR_OF_FETCH: Source = (FETCH, xcom.FETCH_ERROR)
FAILED_REPORTS: Source = (INTROSPECT, xcom.FAILURES)
REPORTS: Source = (DIFF, RETURN_VALUE)
TOTALS_OF_REPORTS: Source = (DIFF, xcom.TOTALS)
NOTIFIED: Source = (NOTIFY, xcom.OUTCOMES)
FIRST_SEEN: Source = (NOTIFY, xcom.FIRST_SEEN)

# One XCom: (position of the batch in what ``fetch_organizations`` returned, or -1; content).
Value = tuple[int, Any]

_NUMBERS = ("organizationsProcessed", "criticalIssues", "warnings", "datasetsUnchecked")  # as Counts has them


class UnreadableError(Exception):
    """What a task left cannot be read here; the message is for the person at the page."""


@dataclass(frozen=True, slots=True)
class Counts:
    """As ``summarize`` returned them."""

    organizations: int
    critical: int
    warnings: int
    datasets_unchecked: int


@dataclass(frozen=True, slots=True)
class Run:
    """:ivar state: Airflow's word: queued, running, success or failed.

    :ivar moment: logical date, or where it has none the start or when it could start; UTC.
    :ivar counts: None until ``summarize`` has spoken, and where its XCom is kept outside of the database.
    """

    key: int
    run_id: str
    state: str
    moment: datetime
    conf: Mapping[str, Any]
    counts: Counts | None

    @property
    def is_restricted(self) -> bool:
        return bool(self.conf.get(ORGANIZATION_IDS))

    def may_know(self, organization_id: str) -> bool:
        asked = self.conf.get(ORGANIZATION_IDS)
        return not asked or not isinstance(asked, list) or organization_id in asked

    @property
    def in_progress(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def timestamp(self) -> str:
        """As the tasks write it into results: ``2026-01-15T07:00:00Z``."""
        return self.moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def recent_runs(session: Session, most: int = SHOWN_RUNS) -> list[Run]:
    """Newest first: one statement."""
    newest = _runs().order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(most)
    return [_run(row) for row in session.execute(newest)]


def run_by_id(session: Session, run_id: str) -> Run | None:
    """One statement."""
    row = session.execute(_runs().where(DagRun.run_id == run_id)).one_or_none()
    return None if row is None else _run(row)


def values(
    session: Session, run: Run, sources: Collection[Source], *, containing: str = ""
) -> dict[Source, list[Value]]:
    """What the tasks of a run left, of every mapped instance: one statement.

    :param containing: values without this text may be left out, whatever its letter case.
    :return: an entry for each of ``sources``, in order of map index.
    :raises UnreadableError: the deployment's XCom backend did not hand out a value.
    """
    statement = (
        select(XComModel.task_id, XComModel.key, XComModel.map_index, XComModel.value)
        .join(
            TaskInstance,
            and_(
                TaskInstance.dag_id == DAG_ID,
                TaskInstance.run_id == run.run_id,
                TaskInstance.task_id == XComModel.task_id,
                TaskInstance.map_index == XComModel.map_index,
            ),
        )
        .where(XComModel.dag_run_id == run.key, _is_one_of(sources))
        .where(TaskInstance.state.is_distinct_from("removed"))  # of a longer list, before the run was cleared
        .order_by(XComModel.map_index)
    )
    if re.fullmatch(r"[A-Za-z0-9_ .-]+", containing) and _is_in_database():  # what JSON writes as it is
        statement = statement.where(cast(XComModel.value, Text).icontains(containing, autoescape=True))
    found: dict[Source, list[Value]] = {source: [] for source in sources}
    for row in session.execute(statement):
        found[row.task_id, row.key].append((row.map_index, content_of(row)))
    return found


def instance(
    session: Session, run: Run, map_index: int, sources: Collection[Source]
) -> tuple[dict[str, str], dict[Source, Any]]:
    """One mapped instance of the group: one statement.

    :return: ({task: Airflow's state or ``""``}, {source: content}).
    :raises UnreadableError: as :func:`values`.
    """
    statement = (
        select(TaskInstance.task_id, TaskInstance.state, XComModel.key, XComModel.map_index, XComModel.value)
        .outerjoin(
            XComModel,
            and_(
                XComModel.dag_run_id == run.key,
                XComModel.task_id == TaskInstance.task_id,
                XComModel.map_index == TaskInstance.map_index,
                _is_one_of(sources),
            ),
        )
        .where(
            TaskInstance.dag_id == DAG_ID,
            TaskInstance.run_id == run.run_id,
            TaskInstance.map_index == map_index,
            TaskInstance.task_id.in_(CHECKS),
        )
    )
    states: dict[str, str] = {}
    contents: dict[Source, Any] = {}
    for row in session.execute(statement):
        states[row.task_id] = str(row.state or "")
        if row.key is not None:
            contents[row.task_id, row.key] = content_of(row)
    return states, contents


def _runs() -> Select[Any]:
    of = (DagRun.id, DagRun.run_id, DagRun.state, DagRun.logical_date, DagRun.run_after, DagRun.start_date, DagRun.conf)
    # Picked out by the database, because a result that names thousands of errors is big.
    numbers = (XComModel.value[("result", key)].as_integer().label(key) for key in _NUMBERS)
    return (
        select(*of, *numbers)
        .outerjoin(
            XComModel,
            and_(
                XComModel.dag_run_id == DagRun.id,
                XComModel.task_id == SUMMARIZE,
                XComModel.map_index == -1,
                XComModel.key == RETURN_VALUE,
            ),
        )
        .where(DagRun.dag_id == DAG_ID)
    )


def _run(row: Row[Any]) -> Run:
    moment = row.logical_date or row.start_date or row.run_after
    organizations, *others = (getattr(row, key) for key in _NUMBERS)
    counts = None if organizations is None else Counts(organizations, *(number or 0 for number in others))
    return Run(
        key=row.id,
        run_id=row.run_id,
        state=str(row.state),
        moment=moment.astimezone(UTC),
        conf=row.conf if isinstance(row.conf, dict) else {},
        counts=counts,
    )


def _is_one_of(sources: Collection[Source]) -> Any:
    return or_(*(and_(XComModel.task_id == task, XComModel.key == key) for task, key in sources))


def _is_in_database() -> bool:
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time.xcom import XCom

    return XCom is BaseXCom


def content_of(row: Row[Any]) -> Any:
    """As the task pushed it; a backend of the deployment's own may keep only a reference in the database."""
    from airflow.sdk.execution_time.xcom import XCom

    if _is_in_database():
        return XComModel.deserialize_value(row)
    try:
        return XCom.deserialize_value(row)
    except Exception as error:
        raise UnreadableError(
            f"The XCom backend {XCom.__name__} did not hand out `{row.key}` of {row.task_id} ({type(error).__name__}). "
            "The API server needs the same access to the object store as the workers; its log has the details."
        ) from error
