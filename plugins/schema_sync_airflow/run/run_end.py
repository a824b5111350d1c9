"""What the world outside Slack learns of a run that ends: metrics, a line for CloudWatch, asset events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schema_sync_airflow.run.assets import add_asset_events
from schema_sync_airflow.run.metrics import record_run, write_embedded_metrics
from schema_sync_airflow.run.params import ORGANIZATION_IDS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.nouns.run import RunResult
    from include.schema_sync.settings import Settings


def publish(found: RunResult, value: dict[str, Any], settings: Settings, context: Context) -> None:
    """Call once, when the run result is final.

    :param value: the same result in the contract's words.
    """
    restricted = context["params"][ORGANIZATION_IDS] is not None
    record_run(found, restricted=restricted)
    if settings.emf_namespace is not None:
        write_embedded_metrics(found, namespace=settings.emf_namespace, run_id=context["run_id"], restricted=restricted)
    add_asset_events(value, context)
