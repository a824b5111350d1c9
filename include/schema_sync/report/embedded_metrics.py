"""A run's totals as CloudWatch metrics inside a log line: the embedded metric format (pure).

CloudWatch Logs makes metrics of a JSON log event whose root has the member ``_aws``: it names members of the same root
as metrics. Other members are allowed and can be searched for with Logs Insights.
Source: CloudWatch's specification "Embedded metric format", with at most 100 metrics a directive.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..nouns.report import OrganizationState
from ..nouns.run import RunResult

_MILLISECONDS = ("ExecutionTime", "RunDuration")
_STATES = {
    OrganizationState.CLEAN: "OrganizationsClean",
    OrganizationState.DRIFTED: "OrganizationsDrifted",
    OrganizationState.PARTIAL: "OrganizationsPartial",
    OrganizationState.FAILED: "OrganizationsFailed",
    OrganizationState.EMPTY: "OrganizationsWithoutDatasets",
}


def embedded_metrics(
    result: RunResult, *, namespace: str, environment: str, at: datetime, run_id: str, restricted: bool
) -> dict[str, Any]:
    """The members of one log event; one dimension, because a metric costs money for every value of one.

    :param environment: which installation this is, such as production.
    :param at: when the run ended; with time zone.
    :param restricted: the run checked some organizations only.
    """
    counts = result.counts
    values = {
        # As the task that this one replaces named them: dashboards and alarms have been built on these.
        "OrganizationsProcessed": counts.organizations,
        "TotalDiscrepancies": counts.critical + counts.warnings,
        "CriticalIssues": counts.critical,
        "Warnings": counts.warnings,
        "NotificationsSent": counts.notified,
        "Errors": len(result.errors),
        "Organizations": counts.organizations,
        **{name: counts.by_state[state] for state, name in _STATES.items()},
        "DiscrepanciesCritical": counts.critical,
        "DiscrepanciesWarning": counts.warnings,
        "DiscrepanciesInfo": counts.infos,
        "DatasetsChecked": counts.datasets_checked,
        "DatasetsUnchecked": counts.datasets_unchecked,
        "MessagesSent": counts.notified,
        "MessagesFailed": counts.undelivered,
        "RunsFailed": 0 if result.success else 1,
        **dict.fromkeys(_MILLISECONDS, result.execution_time_ms),
    }
    return {
        "_aws": {
            "Timestamp": int(at.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [["Environment"]],
                    "Metrics": [
                        {"Name": name, "Unit": "Milliseconds" if name in _MILLISECONDS else "Count"} for name in values
                    ],
                }
            ],
        },
        "Environment": environment,
        "runId": run_id,
        "restricted": restricted,
        **values,
    }
