"""Metrics of whole runs, as a StatsD server receives them from the real DAG."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.airflow_names import VERSION

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

ORDERS = "CREATE TABLE orders (order_id bigint, status text)"
CLEAN = "name: orders\ndimensions: [{name: status, type: text}]\nmeasures: [{name: order_id}]"
DRIFTED = "name: orders\ndimensions: [{name: state, type: text}, {name: order_id, type: text}]"
LINE = re.compile(r"airflow\.(schema_sync\.[\w.]+):([\d.]+)\|(c|g|ms)")


@dataclass
class Received:
    """``timings`` counts, because how long something took is nobody's to foretell."""

    gauges: dict[str, float] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    timings: Counter[str] = field(default_factory=Counter)
    milliseconds: dict[str, float] = field(default_factory=dict)


@pytest.fixture
def statsd(monkeypatch):
    """A StatsD server; returns what it has received since the last call."""
    pytest.importorskip("statsd", reason="Airflow's extra `statsd` is not installed")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(server.getsockname()[1]))
        _initialize()

        def received() -> Received:
            found = Received()
            while True:
                try:
                    packet = server.recv(65_535).decode()
                except TimeoutError:
                    return found
                for name, value, kind in LINE.findall(packet):
                    if kind == "g":
                        found.gauges[name] = float(value)
                    elif kind == "c":
                        found.counters[name] += int(value)
                    else:
                        found.timings[name] += 1
                        found.milliseconds[name] = float(value)

        yield received
    monkeypatch.undo()
    _initialize()


def _initialize() -> None:
    """As Airflow does at the start of a task's process; here all tasks share the test's."""
    if VERSION < (3, 2):
        from airflow.configuration import conf
        from airflow.metrics.base_stats_logger import NoStatsLogger
        from airflow.metrics.statsd_logger import get_statsd_logger

        on = conf.getboolean("metrics", "statsd_on")
        _measure_with((lambda: get_statsd_logger(type(import_module("airflow.stats").Stats))) if on else NoStatsLogger)
        return
    stats = import_module("airflow.sdk.observability.stats")
    get_stats_factory = import_module("airflow.sdk.observability.metrics.stats_utils").get_stats_factory
    _measure_with(get_stats_factory(stats.Stats) if VERSION < (3, 3) else get_stats_factory())


def _measure_with(factory: Callable[[], Any]) -> None:
    """Let Airflow make its metrics client by this."""
    if VERSION < (3, 2):
        client = import_module("airflow.stats").Stats
        type(client).factory = staticmethod(factory)
        client.instance = None
    elif VERSION < (3, 3):
        import_module("airflow.sdk.observability.stats").Stats.initialize(factory=factory)
    else:
        import_module("airflow.sdk.observability.stats").initialize(factory=factory, export_legacy_names=True)


def documented_names() -> set[str]:
    """Of the table in docs/operations.md; ``.group.duration`` beside a name stands for the same with another end."""
    names = set()
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    for cell in re.findall(r"^\| (`schema_sync\.[^|]*)", text, re.MULTILINE):
        first, *others = re.findall(r"`([\w.]+)`", cell)
        names |= {first, *(".".join(first.split(".")[: -other.count(".")]) + other for other in others)}
    return names


@pytest.fixture
def customers(world, refused_uri) -> dict[str, str]:
    ids = {
        "Acme": world.customer("Acme", ORDERS, CLEAN),
        "Bluebird": world.customer("Bluebird", ORDERS, DRIFTED),
        "Empty": world.customer("Empty", ORDERS),
    }
    ids["Dune"] = world.organization("Dune")
    world.dataset(world.source(ids["Dune"], refused_uri), CLEAN)
    return ids


def test_a_full_run_sends_exactly_the_documented_names_and_the_runs_totals(world, customers, statsd):
    result = world.run().result["result"]
    assert result["datasetsChecked"] == 2
    sent = statsd()
    assert sent.gauges == {
        "schema_sync.organizations.clean": 1,
        "schema_sync.organizations.drifted": 1,
        "schema_sync.organizations.partial": 0,
        "schema_sync.organizations.failed": 1,
        "schema_sync.organizations.no_datasets": 1,
        "schema_sync.discrepancies.critical": result["criticalIssues"],
        "schema_sync.discrepancies.warning": result["warnings"],
        "schema_sync.discrepancies.info": result["infos"],
        "schema_sync.datasets.checked": 2,
        "schema_sync.datasets.unchecked": 1,
    }
    assert (result["criticalIssues"], result["warnings"]) == (1, 1)
    assert sent.counters == {
        "schema_sync.runs.succeeded": 1,
        "schema_sync.messages.sent": result["notificationsSent"],
        "schema_sync.introspect.groups.unchecked": 2,  # Dune's, and again at the retry
    }
    assert sent.timings == {
        "schema_sync.run.duration": 1,
        "schema_sync.introspect.source.duration": 4,
        "schema_sync.introspect.group.duration": 4,
    }
    assert sent.milliseconds["schema_sync.run.duration"] == result["executionTimeMs"]
    documented = documented_names()
    only_after_failures = {"schema_sync.runs.failed", "schema_sync.messages.failed"}
    assert documented == {*sent.gauges, *sent.counters, *sent.timings, *only_after_failures}


def test_a_run_of_some_organizations_leaves_the_gauges_of_all_alone(world, customers, statsd):
    world.run({"organization_ids": [customers["Bluebird"]]})
    sent = statsd()
    assert sent.gauges == {}
    assert sent.counters["schema_sync.runs.succeeded"] == 1


def test_a_failed_run_is_counted_as_failed(world, customers, statsd):
    run = world.run({"organisation_ids": []})
    assert run.state == "failed"
    assert statsd().counters == {"schema_sync.runs.failed": 1}


def test_a_metrics_server_that_cannot_be_used_fails_nothing(world, customers, statsd, monkeypatch):
    def broken() -> NoReturn:
        raise RuntimeError("no metrics today")

    _measure_with(broken)
    from schema_sync_airflow.run.metrics import record_run

    from include.schema_sync.notify.messages.summary import run_result

    record_run(run_result([], timestamp="2026-01-15T07:00:00Z", execution_time_ms=1), restricted=False)
    assert "schema-sync metrics: not recorded, nothing else is affected" in world.records.text


def test_a_run_without_a_metrics_server_sends_nothing_and_costs_next_to_nothing(customers):
    import time

    from schema_sync_airflow.run.metrics import record_run

    from include.schema_sync.notify.messages.summary import run_result
    from include.schema_sync.nouns.report import OrganizationTotals

    _initialize()
    totals = [OrganizationTotals(str(number), "x") for number in range(1_000)]
    result = run_result(totals, timestamp="2026-01-15T07:00:00Z", execution_time_ms=1)
    record_run(result, restricted=False)  # Airflow reads its table of names at the first metric
    started = time.process_time()
    for _ in range(10):
        record_run(result, restricted=False)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("drift", [False, True])
def test_asset_events_tell_of_a_check_and_of_drift_only_when_there_is_some(world, drift):
    world.customer("Acme", ORDERS, DRIFTED if drift else CLEAN)
    run = world.run()
    events = _asset_events(run.run_id)
    assert set(events) == {"schema_sync_checked", *(["schema_sync_drift_found"] if drift else [])}
    totals = {key: value for key, value in run.result["result"].items() if key != "errors"}
    for extra in events.values():
        assert extra == {
            **totals,
            "errorCount": 0,
            "timestamp": run.result["timestamp"],
            "runId": run.run_id,
            "restricted": False,
        }


def test_a_restricted_run_says_so_and_a_dry_run_and_a_failed_run_are_no_events(world):
    acme = world.customer("Acme", ORDERS, DRIFTED)
    assert _asset_events(world.run({"organization_ids": [acme]}).run_id)["schema_sync_checked"]["restricted"] is True
    assert _asset_events(world.run({"dry_run": True}).run_id) == {}
    assert _asset_events(world.run({"organisation_ids": []}).run_id) == {}


def _asset_events(run_id: str) -> dict[str, dict[str, object]]:
    """{asset: extra} of one run, from Airflow's own tables."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run_id)).all()
        assert len({event.asset.name for event in found}) == len(found)
        return {event.asset.name: event.extra for event in found}


def test_cloudwatchs_handler_sends_the_metrics_at_the_root_of_the_event(world, monkeypatch):
    """What Airflow's CloudWatch logging makes of the line, up to the text that goes to AWS."""
    watchtower = pytest.importorskip("watchtower")
    import structlog

    monkeypatch.setenv("SCHEMA_SYNC_EMF_NAMESPACE", "SchemaSync")
    world.customer("Acme", ORDERS, CLEAN)
    with structlog.testing.capture_logs() as lines:
        world.run()
    (event,) = [line for line in lines if "_aws" in line]
    record = logging.makeLogRecord({"msg": event})
    document = json.loads(watchtower.CloudWatchLogFormatter().format(record))
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"] for metric in directive["Metrics"]} <= set(document)
    assert document["OrganizationsClean"] == 1


def test_without_a_namespace_there_is_no_line_for_cloudwatch(world):
    import structlog

    world.customer("Acme", ORDERS, CLEAN)
    with structlog.testing.capture_logs() as lines:
        world.run()
    assert [line for line in lines if "_aws" in line] == []
