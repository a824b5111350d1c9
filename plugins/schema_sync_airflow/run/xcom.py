"""Every task id and every XCom key, once, and how the run reads what its mapped instances left.

Airflow keeps the XComs of instances that a cleared run has no more, and pulls those of all indexes in one answer that
does not say which is whose. So totals carry the index of the instance that wrote them, and an organization's are taken
only from the instance that has its batch now, once that has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.nouns.report import OrganizationTotals

DAG_ID = "schema_sync"
GROUP = "check_organization"
FETCH = "fetch_organizations"
INTROSPECT = f"{GROUP}.introspect"
DIFF = f"{GROUP}.diff"
NOTIFY = f"{GROUP}.notify"
SUMMARIZE = "summarize"
CHECKS = (INTROSPECT, DIFF, NOTIFY)

RETURN_VALUE = "return_value"
# of fetch_organizations
FETCH_ERROR = "error"  # why fetching failed, for the message to the data team
REFUSED = "refused"  # true: it failed because nobody can start such a run: a slip in the configuration, a backfill
DIRECTORY = "organizations"  # a text for each batch: ids, names and data sources of its organizations
SCHEDULED = "scheduled"  # true in runs that the schedule made; asked for by later ones
# of introspect
FAILURES = "failures"  # what is known of organizations when the task itself fails: whole reports
# of diff
TOTALS = "totals"  # the reports reduced to numbers
# of notify; pushed even before failing
OUTCOMES = "outcomes"  # each organization's totals and whether it was told
FIRST_SEEN = "first_seen"  # {organization id: {fingerprint: since when}}, for the results page
# of fetch_organizations and summarize
STARTED = "started"  # when the run began for the first time, ISO 8601; a clear resets Airflow's own

_INDEX = "map_index"
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_SPOKE = frozenset({"success", "failed"})
# Airflow may notice only at its next heartbeat (`[workers] min_heartbeat_interval`, five seconds) that a process which
# asked to be started again has exited. Queued before that, the task is taken for one that was changed from outside.
_AGAIN_AFTER_S = 20

States = Mapping[tuple[str, int | None], str]


def push_totals(context: Context, key: str, values: Iterable[dict[str, Any]]) -> None:
    """Push totals, or whole reports, of the organizations of this instance."""
    ti = context["ti"]
    ti.xcom_push(key=key, value=[{**value, _INDEX: ti.map_index} for value in values])


def pull_totals(context: Context, task: str, key: str, states: States) -> dict[tuple[int, str], OrganizationTotals]:
    """What the instances of a task that have ended left, in one request: {(map index, organization id): totals}."""
    from include.schema_sync.nouns.wire import report_from_json, totals_from_json

    pulled: Iterable[list[dict[str, Any]] | None] = context["ti"].xcom_pull(task_ids=[task], key=key) or []
    found: dict[tuple[int, str], OrganizationTotals] = {}
    for value in (value for values in pulled for value in values or []):
        index: int = value.get(_INDEX, -1)
        if states.get((task, index)) in _SPOKE:
            totals = report_from_json(value).totals if key == FAILURES else totals_from_json(value)
            found[index, totals.organization_id] = totals
    return found


def instance_states(context: Context) -> States:
    """{(task of the mapped group, map index): state} of every instance that the run has now, in one request."""
    run_id = context["run_id"]
    states = context["ti"].get_task_states(dag_id=DAG_ID, task_group_id=GROUP, run_ids=[run_id]).get(run_id, {})
    found: dict[tuple[str, int | None], str] = {}
    for name, state in states.items():
        task, _, index = name.rpartition("_")
        if index.isdecimal() and state != "removed":  # without a number: not expanded yet
            found[task, int(index)] = str(state or "none")
    return found


def wait_until_ended(
    context: Context, instances: Iterable[tuple[str, int | None]], states: States | None = None
) -> None:
    """Airflow starts instances that a cleared run's longer list adds before what they depend on has ended.

    :raises AirflowRescheduleException: the scheduler starts this task again, by its trigger rule; no try is used up.
    """
    from datetime import UTC, datetime, timedelta

    from schema_sync_airflow.airflow_versions import AirflowRescheduleException

    states = instance_states(context) if states is None else states
    if any(states.get(instance) not in _ENDED for instance in instances):
        raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=_AGAIN_AFTER_S))  # type: ignore[no-untyped-call]


def pull_own(context: Context, task: str, key: str = RETURN_VALUE) -> Any:
    """What the instance of a task that has this one's index left until now; None: nothing.

    An argument is read when its task starts: of one that came as None, the task before may have ended since.
    """
    ti = context["ti"]
    return ti.xcom_pull(task_ids=task, key=key, map_indexes=ti.map_index)
