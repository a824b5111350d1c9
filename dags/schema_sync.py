"""# Schema Sync

Every day at 07:00 UTC: compare every organization's warehouses with its dataset YML, alert the organization
in Slack, record every message, post one summary to the data team.

* **One column of the grid is one organization** (or one batch of them, when there are very many).
* **introspect** reads what the warehouses hold, **diff** compares, **notify** tells the organization.
* A failed organization is red in the grid and named in the summary; the others are not touched by it.
* Trigger with a configuration to check some organizations only, or as a dry run.

docs/ of the project explains states, settings and what to do when something fails.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import dag, get_current_context, task, task_group
from schema_sync_airflow.airflow_versions import run_types_but_backfill, terminal_errors_fail_at_once, when_to_retry
from schema_sync_airflow.run.assets import RUN_EVENTS
from schema_sync_airflow.run.deadline import late_run_alert, tell_of_run_without_summary, testable
from schema_sync_airflow.run.params import run_params
from schema_sync_airflow.run.xcom import DAG_ID
from schema_sync_airflow.tasks.diff import DatasetYmlDiffOperator
from schema_sync_airflow.tasks.fetch import fetch_batches
from schema_sync_airflow.tasks.introspect import SchemaIntrospectionOperator
from schema_sync_airflow.tasks.notify import notify_organizations
from schema_sync_airflow.tasks.summarize import summarize_run

from include.schema_sync.settings import DagSettings

LABEL = "{{ task.batch['label'] }}"
SETTINGS = DagSettings.from_environment()


@task(show_return_value_in_logs=False)
def fetch_organizations() -> list[dict[str, Any]]:
    """Which organizations are active, in batches: ids and names, never YML, never credentials."""
    with terminal_errors_fail_at_once():
        return fetch_batches(get_current_context())


@task(
    trigger_rule="all_done",
    map_index_template="{{ task.op_kwargs['batch']['label'] }}",
    show_return_value_in_logs=False,
)
def notify(batch: dict[str, Any], reports: Any) -> None:
    """Tell each organization: a drift alert, or an error notice after a failure."""
    with terminal_errors_fail_at_once():
        notify_organizations(batch, reports, get_current_context())


@task(trigger_rule="all_done", multiple_outputs=False, show_return_value_in_logs=False, outlets=[RUN_EVENTS])
def summarize(batches: Any) -> dict[str, Any]:
    """Tell the data team, and return the run result; runs whatever happened before."""
    with terminal_errors_fail_at_once():
        return summarize_run(batches, get_current_context())


@task_group
def check_organization(batch: Any) -> None:
    """One organization (or batch) from warehouse to message."""
    introspect = SchemaIntrospectionOperator(task_id="introspect", batch=batch, map_index_template=LABEL)
    diff = DatasetYmlDiffOperator(task_id="diff", batch=batch, snapshots=introspect.output, map_index_template=LABEL)
    notify(batch=batch, reports=diff.output)  # by name: the label looks for op_kwargs


@dag(
    dag_id=DAG_ID,
    schedule="0 7 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    **run_types_but_backfill(),
    dagrun_timeout=timedelta(minutes=SETTINGS.run_timeout_min),
    deadline=late_run_alert(SETTINGS.late_after_min),
    on_failure_callback=tell_of_run_without_summary,
    params=run_params(),
    default_args={
        "owner": "data-team",
        "retries": SETTINGS.retries,
        **when_to_retry(SETTINGS.retry_delay_s),
        "execution_timeout": timedelta(minutes=SETTINGS.task_timeout_min),
        "pool": SETTINGS.pool,
    },
    doc_md=__doc__,
    tags=["schema-sync"],
)
def schema_sync() -> None:
    batches = fetch_organizations()
    check_organization.expand(batch=batches) >> summarize(batches)


testable(schema_sync())
