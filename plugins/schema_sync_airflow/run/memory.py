"""What earlier runs saw: their ``introspect`` XComs are this run's memory, and there is no other.

Runs are walked back from this one until every place that was read now was read once, or a few have been looked at. Runs
of some organizations only, and dry runs, are somebody's tests: they are passed over. An organization is found by its id
in the batches that the run had then. What is gone, cannot be read, or has another release's shape is no memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.run.params import DRY_RUN, ORGANIZATION_IDS
from schema_sync_airflow.run.xcom import DAG_ID, FETCH, INTROSPECT

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.nouns.snapshot import OrganizationSnapshot

log = logging.getLogger(__name__)

_MOST_RUNS = 10  # an outage that lasts longer costs the memory of what it hid


def with_memory(snapshots: Sequence[OrganizationSnapshot], context: Context) -> list[OrganizationSnapshot]:
    """These snapshots with what changed since the last good run. Never fails: without memory they are as they were."""
    from include.schema_sync.compare.history import Memory, is_remembered, remember

    reached = [each for each in snapshots if each.reached]
    memories: dict[str, list[Memory]] = {each.organization_id: [] for each in reached}
    try:
        for since, run_id in _earlier_runs(context):
            wanted = [each for each in reached if not is_remembered(each, memories[each.organization_id])]
            if not wanted:
                break
            for found in _snapshots_of(run_id, {each.organization_id for each in wanted}, context):
                memories[found.organization_id].append(Memory(since, found))
        return [remember(each, memories.get(each.organization_id, ())) for each in snapshots]
    except Exception as error:  # noqa: BLE001 - whatever Airflow or its XCom backend raises: the check goes on without
        log.warning("schema-sync memory: earlier runs cannot be read (%s), so nothing is said of changes", error)
        return list(snapshots)


def _earlier_runs(context: Context) -> Iterator[tuple[str, str]]:
    """(timestamp, run id) of runs that are memory, newest first."""
    from airflow.sdk.execution_time.comms import GetPreviousDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    run = context["dag_run"]
    moment = run.logical_date or run.run_after
    for _ in range(_MOST_RUNS):
        answer: Any = SUPERVISOR_COMMS.send(GetPreviousDagRun(dag_id=DAG_ID, logical_date=moment))
        previous = getattr(answer, "dag_run", None)
        if previous is None or previous.logical_date is None:
            return
        moment = previous.logical_date
        asked = previous.conf or {}
        if not asked.get(DRY_RUN) and asked.get(ORGANIZATION_IDS) is None:
            yield moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), previous.run_id


def _snapshots_of(run_id: str, organization_ids: set[str], context: Context) -> Iterator[OrganizationSnapshot]:
    from include.schema_sync.nouns.wire import snapshot_from_json

    ti = context["ti"]
    batches = ti.xcom_pull(task_ids=FETCH, run_id=run_id, map_indexes=-1) or []
    for index, batch in enumerate(batches):
        if organization_ids.isdisjoint(str(batch["organizations"]).split()):
            continue
        for value in ti.xcom_pull(task_ids=INTROSPECT, run_id=run_id, map_indexes=index) or []:
            if value["organization_id"] in organization_ids:
                try:
                    yield snapshot_from_json(value)
                except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                    log.info("schema-sync memory: what run %s saw has another release's shape", run_id)
