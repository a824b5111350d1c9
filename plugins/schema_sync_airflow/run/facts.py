"""Facts of the current DAG run that messages and results name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.nouns.run import RunFacts

DAG_ID = "schema_sync"


def run_facts(context: Context) -> RunFacts:
    """The run's id, its time and the link to it in the UI (None where Airflow's ``base_url`` is not set)."""
    from airflow.sdk.configuration import conf

    from include.schema_sync.nouns.run import RunFacts

    base_url = conf.get("api", "base_url", fallback="")
    run_id = context["run_id"]
    return RunFacts(
        run_id=run_id,
        timestamp=run_timestamp(context),
        run_url=f"{base_url.rstrip('/')}/dags/{DAG_ID}/runs/{quote(run_id, safe='')}" if base_url else None,
        as_of=context["dag_run"].run_after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    )


def run_timestamp(context: Context) -> str:
    """The run's logical date, or its start where it has none (a REST trigger), in UTC: ``2026-01-15T07:00:00Z``."""
    run = context["dag_run"]
    moment = run.logical_date or run.start_date or run.run_after
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def elapsed_ms(context: Context) -> int:
    """Milliseconds since the run started."""
    started = context["dag_run"].start_date
    return 0 if started is None else int((datetime.now(UTC) - started).total_seconds() * 1000)
