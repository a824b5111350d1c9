"""What Schema Sync counts, through Airflow's own metrics: StatsD, Datadog or OpenTelemetry, whichever is switched on.

docs/operations.md has the table of names. State and severity are part of the name, not a tag: plain StatsD has no tags,
and a gauge would overwrite its sister. For the same reason nothing is counted per organization or per data source: the
log lines and the run result tell that. A run that was restricted to some organizations leaves the gauges as the last
full run set them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from schema_sync_airflow.airflow_versions import metrics

if TYPE_CHECKING:
    from include.schema_sync.introspect.organizations import Introspection
    from include.schema_sync.nouns.run import RunResult
    from include.schema_sync.settings import Settings

log = logging.getLogger(__name__)

_PREFIX = "schema_sync"


@contextmanager
def _harmless() -> Iterator[None]:
    """Numbers are never worth a run: whatever goes wrong here is a warning."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (a metrics client raises what it likes)
        log.warning(
            "schema-sync metrics: not recorded, nothing else is affected (%s: %s). Check [metrics] of Airflow.",
            type(error).__name__,
            error,
        )


@_harmless()
def record_run(result: RunResult, *, restricted: bool) -> None:
    """Count a run when it ends. :param restricted: the run checked some organizations only."""
    stats, counts = metrics(), result.counts
    if not restricted:
        gauges = {
            **{f"organizations.{state.replace(' ', '_')}": number for state, number in counts.by_state.items()},
            "discrepancies.critical": counts.critical,
            "discrepancies.warning": counts.warnings,
            "discrepancies.info": counts.infos,
            "datasets.checked": counts.datasets_checked,
            "datasets.unchecked": counts.datasets_unchecked,
        }
        for name, value in gauges.items():
            stats.gauge(f"{_PREFIX}.{name}", value)
    counters = {
        "runs.succeeded": int(result.success),
        "runs.failed": int(not result.success),
        "messages.sent": counts.notified,
        "messages.failed": counts.undelivered,
    }
    for name, value in counters.items():
        if value:
            stats.incr(f"{_PREFIX}.{name}", value)
    stats.timing(f"{_PREFIX}.run.duration", result.execution_time_ms)


@_harmless()
def record_introspection(introspection: Introspection) -> None:
    """Time every data source and group that was asked, on every try."""
    stats, unchecked = metrics(), 0
    for result in introspection.results:
        if result.snapshot.elapsed_ms:
            stats.timing(f"{_PREFIX}.introspect.source.duration", result.snapshot.elapsed_ms)
        for outcome in result.outcomes:
            stats.timing(f"{_PREFIX}.introspect.group.duration", outcome.elapsed_s * 1000)
            unchecked += outcome.snapshot.error is not None
    if unchecked:
        stats.incr(f"{_PREFIX}.introspect.groups.unchecked", unchecked)


@_harmless()
def write_embedded_metrics(result: RunResult, *, settings: Settings, run_id: str, restricted: bool) -> None:
    """Write the run's totals as one log line that CloudWatch makes metrics of, where there is an ``emf_namespace``.

    Airflow writes a task's log as one JSON object a line, and its CloudWatch handler sends the same object: what is
    logged as key and value is a member of its root, where the embedded metric format wants ``_aws``. A text, however
    it is printed, would be the value of the member ``event``, where CloudWatch does not look.
    """
    import structlog

    from include.schema_sync.report.embedded_metrics import embedded_metrics

    if settings.emf_namespace is None:
        return
    members = embedded_metrics(
        result,
        namespace=settings.emf_namespace,
        environment=settings.environment,
        at=datetime.now(UTC),
        run_id=run_id,
        restricted=restricted,
    )
    structlog.get_logger(__name__).info("schema-sync metrics", **members)
