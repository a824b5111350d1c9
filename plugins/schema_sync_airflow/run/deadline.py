"""A run never ends in silence: the data team hears when it is late, and when it is over without a summary.

Two mechanisms, neither of which needs a free worker:

- late: a deadline alert of Airflow (3.3 calls them experimental), run by the **triggerer**. Airflow removes the
  deadline of a run that succeeds in time, but not of one that fails, so a missed deadline of a run that is over says
  nothing: such a run has told already.
- over without a summary, because ``dagrun_timeout`` stopped it or because ``summarize`` died: the DAG's failure
  callback, run by the **DAG processor**. Whoever was told the summary is not told this. It has an id of its own, so
  that the summary can still be sent once somebody has cleared the task.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MethodType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.airflow_versions import late_alert
from schema_sync_airflow.run import facts
from schema_sync_airflow.run.facts import is_dry, run_facts

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

log = logging.getLogger(__name__)


def late_run_alert(late_after_min: int) -> Any:
    """The DAG's deadline, None for 0 minutes."""
    return late_alert(timedelta(minutes=late_after_min), tell_of_late_run) if late_after_min else None


def testable(dag: DAG) -> DAG:
    """Let ``airflow dags test`` run a DAG that has a deadline: without it, for such a run has nobody to be late for.

    Up to 3.3.2 it fails at the end of every run that succeeded: the copy of the DAG that it schedules by holds
    deadlines in full, where ids of the database are looked up (apache/airflow#73428).
    """
    dag.test = MethodType(_test_without_deadline, dag)  # type: ignore[method-assign]
    return dag


def _test_without_deadline(dag: DAG, *args: Any, **kwargs: Any) -> Any:
    deadline, dag.deadline = dag.deadline, None
    facts.from_terminal = True
    try:
        return type(dag).test(dag, *args, **kwargs)
    finally:
        dag.deadline = deadline
        facts.from_terminal = False


async def tell_of_late_run(context: Mapping[str, Any]) -> str:
    """Called by the triggerer, once a run and deadline.

    :param context: ``{"dag_run": run as the REST API gives it, as of the missed deadline, "deadline": …}``.
    :return: what was done; Airflow keeps it beside the callback.
    """
    from asgiref.sync import sync_to_async

    # In a thread, because it talks to servers and would hold up all other triggers.
    return await sync_to_async(_tell_of_late_run, thread_sensitive=False)(context["dag_run"])


def tell_of_run_without_summary(context: Context) -> None:
    """Called by the DAG processor for every run that failed; says nothing when the summary was delivered."""
    from include.schema_sync.errors import SchemaSyncError
    from include.schema_sync.notify.delivery.outgoing import Occasion
    from include.schema_sync.notify.messages.layout import MessageKind
    from include.schema_sync.notify.messages.run_alerts import ended_without_summary_message
    from include.schema_sync.settings import DagSettings, Settings
    from schema_sync_airflow.run.data_team_channel import tell_data_team

    run_id = context["run_id"]
    dag_run = context.get("dag_run")  # Airflow leaves it out when it knows of no task of the run
    settings = Settings.from_environment()
    if facts.from_terminal or (dag_run is not None and is_dry(dag_run.conf, settings)):
        log.info("schema-sync run %s failed; it was a dry run, or one from a terminal: nobody is told", run_id)
        return
    message = ended_without_summary_message(
        timed_out=context.get("reason") == "timed_out",
        run_timeout_min=DagSettings.from_environment().run_timeout_min,
        run=run_facts(run_id, dag_run or _moments({})),
    )
    try:
        occasion = Occasion(MessageKind.SCHEMA_SYNC_ERROR, run_id, "no summary")
        tell_data_team(message, occasion, settings, unless=Occasion(MessageKind.SCHEMA_SYNC_SUMMARY, run_id))
    except SchemaSyncError as error:
        log.warning("schema-sync run %s has no summary, and the data team could not be told: %s", run_id, error)


def _tell_of_late_run(dag_run: Mapping[str, Any]) -> str:
    from include.schema_sync.notify.delivery.outgoing import Occasion
    from include.schema_sync.notify.messages.layout import MessageKind
    from include.schema_sync.notify.messages.run_alerts import late_message
    from include.schema_sync.settings import DagSettings, Settings
    from schema_sync_airflow.run.data_team_channel import tell_data_team

    run_id, settings = str(dag_run["dag_run_id"]), Settings.from_environment()
    if dag_run["state"] in ("success", "failed"):
        return f"The run is over ({dag_run['state']}): nothing is said."
    if is_dry(dag_run.get("conf"), settings):
        return "A dry run: nothing is said."
    limits = DagSettings.from_environment()
    run = run_facts(run_id, _moments(dag_run))
    message = late_message(late_after_min=limits.late_after_min, run_timeout_min=limits.run_timeout_min, run=run)
    occasion = Occasion(MessageKind.SCHEMA_SYNC_ERROR, run_id, "late")
    told = tell_data_team(message, occasion, settings)
    return "The data team was told." if told else "Nobody is set up to be told; the triggerer's log has the message."


def _moments(dag_run: Mapping[str, str | None]) -> SimpleNamespace:
    """What :func:`run_facts` asks of a run."""
    moments = {
        name: datetime.fromisoformat(text) if (text := dag_run.get(name)) else None
        for name in ("logical_date", "start_date", "run_after")
    }
    return SimpleNamespace(**moments | {"run_after": moments["run_after"] or datetime.now(UTC)})
