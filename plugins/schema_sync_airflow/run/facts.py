"""Facts of the current DAG run that messages and results name, and what kind of run it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from schema_sync_airflow.run.params import DRY_RUN
from schema_sync_airflow.run.xcom import DAG_ID, FETCH, SCHEDULED, STARTED, SUMMARIZE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.nouns.run import RunFacts
    from include.schema_sync.settings import Settings

# True while ``airflow dags test`` runs: whoever typed it reads in the same place what was wrong with it.
from_terminal = False


def run_facts(run_id: str, run: Any) -> RunFacts:
    """The run's id, its time and the link to it in the UI (None where Airflow's ``base_url`` is not set)."""
    from include.schema_sync.nouns.run import RunFacts
    from include.schema_sync.settings import results_url
    from schema_sync_airflow.airflow_versions import airflow_setting

    base_url = airflow_setting("api", "base_url").rstrip("/")
    return RunFacts(
        run_id=run_id,
        timestamp=run_timestamp(run, run.start_date),
        run_url=f"{base_url}/dags/{DAG_ID}/runs/{quote(run_id, safe='')}" if base_url else None,
        as_of=run.run_after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        results_url=results_url() or (f"{base_url}/schema-sync" if base_url else None),
    )


def run_timestamp(run: Any, started: datetime | None) -> str:
    """The run's logical date, or its start where it has none (a REST trigger), in UTC: ``2026-01-15T07:00:00Z``."""
    moment: datetime = run.logical_date or started or run.run_after
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def first_start(context: Context) -> datetime:
    """When the run began for the first time. A clear resets Airflow's own date, so the last word of the run's first
    or last task counts: of the two one is still there, whichever was cleared.
    """
    ti, run = context["ti"], context["dag_run"]
    said = [ti.xcom_pull(task_ids=task, key=STARTED) for task in (FETCH, SUMMARIZE)] if run.clear_number else []
    moments = [datetime.fromisoformat(text) for text in said if isinstance(text, str)]
    return min([*moments, run.start_date or datetime.now(UTC)])


def remember_start(context: Context, started: datetime) -> None:
    context["ti"].xcom_push(key=STARTED, value=started.isoformat())


def elapsed_ms(started: datetime) -> int:
    """Milliseconds since then; none where this worker's clock is behind that of the one that started."""
    return max(0, int((datetime.now(UTC) - started).total_seconds() * 1000))


def is_dry(asked: Mapping[str, Any] | None, settings: Settings) -> bool:
    """:param asked: the run's params, or its configuration where there are none."""
    return settings.dry_run or bool((asked or {}).get(DRY_RUN))


def is_first_and_late(context: Context, started: datetime, settings: Settings) -> bool:
    """The DAG was just switched on: nothing that the schedule made has run before, and it is long past its time.

    Runs that somebody started by hand before are tests; they do not count.
    """
    ti, run = context["ti"], context["dag_run"]
    if run.run_type != "scheduled":
        return False
    # Of this run and of all before; this run's own went when its task started.
    before = ti.xcom_pull(task_ids=FETCH, key=SCHEDULED, include_prior_dates=True)
    ti.xcom_push(key=SCHEDULED, value=True)
    late = started - run.run_after > timedelta(minutes=settings.quiet_start_after_min)
    if not late or before is not None:
        return False
    previous = ti.get_previous_dagrun()
    return previous is None or previous.run_type != "scheduled"
