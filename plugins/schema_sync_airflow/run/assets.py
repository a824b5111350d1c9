"""Assets that other DAGs can be scheduled on: "schemas were checked", "drift was found".

    @dag(schedule=Asset("schema_sync_drift_found"))

An asset that a task declares as its outlet gets an event whenever that task succeeds. Here most runs have no drift and
a dry run is no news, so ``summarize`` declares the alias, and adds events to it only when there is something to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from schema_sync_airflow.run.params import ORGANIZATION_IDS

if TYPE_CHECKING:
    from airflow.sdk import Context

RUN_EVENTS = AssetAlias("schema_sync_run", group="schema_sync")
CHECKED = Asset("schema_sync_checked", group="schema_sync")
DRIFT_FOUND = Asset("schema_sync_drift_found", group="schema_sync")


def add_asset_events(result: dict[str, Any], context: Context) -> None:
    """Tell of a run that succeeded; Airflow publishes the events together with the task's success.

    A run that checked some organizations only is news too: who is scheduled on it knows whether it matters to them.

    :param result: the run result (contract, section 2).
    """
    if not result["success"]:
        return
    totals = result["result"]
    extra = {
        **{key: value for key, value in totals.items() if key != "errors"},
        "errorCount": len(totals["errors"]),
        "timestamp": result["timestamp"],
        "runId": context["run_id"],
        "restricted": context["params"][ORGANIZATION_IDS] is not None,
    }
    events = context["outlet_events"][RUN_EVENTS]
    events.add(CHECKED, extra=extra)
    if totals["totalDiscrepancies"]:
        events.add(DRIFT_FOUND, extra=extra)
