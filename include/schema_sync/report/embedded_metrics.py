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

_COUNT, _MILLISECONDS = "Count", "Milliseconds"
_STATES = {
    OrganizationState.CLEAN: "OrganizationsClean",
    OrganizationState.DRIFTED: "OrganizationsDrifted",
    OrganizationState.PARTIAL: "OrganizationsPartial",
    OrganizationState.FAILED: "OrganizationsFailed",
    OrganizationState.EMPTY: "OrganizationsWithoutDatasets",
}


def embedded_metrics(
    result: RunResult, *, namespace: str, at: datetime, run_id: str, restricted: bool
) -> dict[str, Any]:
    """The members of one log event, plain JSON values only.

    Without a dimension: a metric costs money for every value of one. ``runId`` and ``restricted`` are members that are
    no metrics.

    :param namespace: CloudWatch namespace that the metrics go to.
    :param at: when the run ended; with time zone.
    :param restricted: the run checked some organizations only.
    """
    values = metric_values(result)
    return {
        "_aws": {
            "Timestamp": int(at.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [[]],
                    "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
                }
            ],
        },
        "runId": run_id,
        "restricted": restricted,
        **{name: value for name, (value, _) in values.items()},
    }


def metric_values(result: RunResult) -> dict[str, tuple[int, str]]:
    """{metric: (value, CloudWatch's unit)}, the same names whatever the run found."""
    of = result.organizations
    counts = {
        "Organizations": len(of),
        **{name: sum(1 for each in of if each.state is state) for state, name in _STATES.items()},
        "DiscrepanciesCritical": sum(each.critical for each in of),
        "DiscrepanciesWarning": sum(each.warnings for each in of),
        "DiscrepanciesInfo": sum(each.infos for each in of),
        "DatasetsChecked": sum(each.datasets_checked for each in of),
        "DatasetsUnchecked": sum(each.datasets_unchecked for each in of),
        "MessagesSent": sum(1 for each in of if each.notified),
        "MessagesFailed": sum(1 for each in of if each.notification_error is not None),
        "RunsFailed": 0 if result.success else 1,
    }
    return {
        **{name: (value, _COUNT) for name, value in counts.items()},
        "RunDuration": (result.execution_time_ms, _MILLISECONDS),
    }
