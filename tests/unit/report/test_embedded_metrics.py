"""The line for CloudWatch against the rules of its embedded metric format."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from include.schema_sync.notify.messages.summary import run_result
from include.schema_sync.nouns.report import OrganizationTotals, UncheckedSource
from include.schema_sync.report.embedded_metrics import embedded_metrics

AT = datetime(2026, 1, 15, 7, 0, 45, 123_000, tzinfo=UTC)
UNREACHABLE = UncheckedSource("s1", "Shop", 2, "refused")
ORGANIZATIONS = [
    OrganizationTotals("a", "Acme", datasets_checked=3),
    OrganizationTotals("b", "Bluebird", datasets_checked=4, critical=2, warnings=1, infos=5, notified=True),
    OrganizationTotals("c", "Cat", datasets_checked=1, datasets_unchecked=2, unchecked=(UNREACHABLE,)),
    OrganizationTotals("d", "Dune", datasets_unchecked=2, error="gone", notification_error="channel_not_found"),
    OrganizationTotals("e", "Empty"),
]


def line(organizations=ORGANIZATIONS, **facts):
    result = run_result(organizations, timestamp="2026-01-15T07:00:00Z", execution_time_ms=45_000)
    return embedded_metrics(
        result,
        **{
            "namespace": "BusterSchemaSyncTask",
            "environment": "staging",
            "at": AT,
            "run_id": "r1",
            "restricted": False,
            **facts,
        },
    )


def test_every_number_of_the_run_is_a_metric_at_the_root():
    document = line()
    assert {key: value for key, value in document.items() if key != "_aws"} == {
        "runId": "r1",
        "restricted": False,
        "Environment": "staging",
        "OrganizationsProcessed": 5,
        "TotalDiscrepancies": 3,
        "CriticalIssues": 2,
        "Warnings": 1,
        "NotificationsSent": 1,
        "ExecutionTime": 45_000,
        "Errors": 2,
        "Organizations": 5,
        "OrganizationsClean": 1,
        "OrganizationsDrifted": 1,
        "OrganizationsPartial": 1,
        "OrganizationsFailed": 1,
        "OrganizationsWithoutDatasets": 1,
        "DiscrepanciesCritical": 2,
        "DiscrepanciesWarning": 1,
        "DiscrepanciesInfo": 5,
        "DatasetsChecked": 8,
        "DatasetsUnchecked": 4,
        "MessagesSent": 1,
        "MessagesFailed": 1,
        "RunsFailed": 0,
        "RunDuration": 45_000,
    }


def test_the_line_obeys_the_rules_of_the_format():
    """Each rule is one that CloudWatch drops a metric or the whole event for."""
    document = json.loads(json.dumps(line()))
    metadata = document["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert metadata["Timestamp"] == 1_768_460_445_123  # milliseconds; CloudWatch takes two weeks of the past
    assert isinstance(metadata["CloudWatchMetrics"], list)
    for directive in metadata["CloudWatchMetrics"]:
        assert re.fullmatch(r"[^\s]{1,255}", directive["Namespace"])
        assert directive["Dimensions"]
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) <= 30
            assert all(isinstance(document[name], str) for name in dimensions)
        assert 0 < len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert metric["Unit"] in {"Count", "Milliseconds"}
            value = document[metric["Name"]]
            assert isinstance(value, int)
            assert not isinstance(value, bool)
    names = [metric["Name"] for directive in metadata["CloudWatchMetrics"] for metric in directive["Metrics"]]
    assert len(set(names)) == len(names)
    assert not set(names) & {"runId", "restricted", "_aws", "Environment"}
    assert [directive["Dimensions"] for directive in metadata["CloudWatchMetrics"]] == [[["Environment"]]]


def test_a_run_without_organizations_reports_zeros_so_that_an_alarm_sees_it():
    document = line([])
    assert (document["Organizations"], document["DatasetsChecked"]) == (0, 0)
    assert len(document) == len(line())


def test_the_line_stays_small_whatever_the_number_of_organizations():
    many = [OrganizationTotals(str(number), "x" * 200, critical=10**6) for number in range(5_000)]
    assert len(json.dumps(line(many))) < 2_000
