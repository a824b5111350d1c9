"""Who hears of a run that is late, or over without a summary. Airflow's part: tests/services/test_celery.py."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from schema_sync_airflow.run.data_team_channel import tell_data_team
from schema_sync_airflow.run.deadline import late_run_alert, tell_of_late_run, tell_of_run_without_summary

from include.schema_sync.notify.delivery.outgoing import Occasion
from include.schema_sync.notify.messages.blocks import section
from include.schema_sync.notify.messages.layout import Message, MessageKind
from include.schema_sync.settings import Settings
from tests.airflow_names import VERSION

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

DATA_TEAM = "C0DATATEAM"
ORDERS = "CREATE TABLE orders (order_id bigint)"
CLEAN = "name: orders\nmeasures: [{name: order_id}]"


def missed(**facts: Any) -> dict[str, Any]:
    """What Airflow gives a callback, of a run that is still going."""
    run = {
        "dag_run_id": "scheduled__1",
        "state": "running",
        "conf": {},
        "logical_date": "2026-01-15T07:00:00Z",
        "start_date": "2026-01-15T07:00:05Z",
        "run_after": "2026-01-15T07:00:00Z",
    }
    return {"dag_run": {**run, **facts}, "deadline": {"id": "1", "deadline_time": "2026-01-15T07:45:00Z"}}


with_deadlines = pytest.mark.skipif(VERSION < (3, 2), reason="3.1 has no deadlines (docs/deploy.md)")


@with_deadlines
def test_a_run_is_late_three_quarters_into_its_time_and_the_callback_can_be_imported(dag):
    (alert,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
    # Airflow 3.3.2 cannot clear a failed run whose deadline has a timedelta; 3.2 wants one.
    assert alert.interval in (45 * 60, timedelta(minutes=45))
    assert alert.callback.path == "schema_sync_airflow.run.deadline.tell_of_late_run"


def test_no_minutes_mean_no_deadline():
    assert late_run_alert(0) is None


@with_deadlines
def test_dags_test_works_with_a_deadline_and_leaves_it_where_it_was(world):
    before = world.dag.deadline
    assert before
    assert world.run().state == "success"
    assert world.dag.deadline == before


def test_a_late_run_is_told_once_with_a_link(world):
    for _ in range(2):
        assert asyncio.run(tell_of_late_run(context=missed())) == "The data team was told."
    (message,) = world.messages(DATA_TEAM)
    assert "has not finished after 45 minutes" in message["text"]
    assert "https://airflow.example.com/dags/schema_sync/runs/scheduled__1" in str(message["blocks"])
    assert [row[0] for row in world.tracked()] == ["schema_sync_error"]


@pytest.mark.parametrize("facts", [{"state": "failed"}, {"state": "success"}, {"conf": {"dry_run": True}}])
def test_a_run_that_is_over_or_dry_is_not_called_late(world, facts):
    assert "nothing is said" in asyncio.run(tell_of_late_run(context=missed(**facts)))
    assert world.messages(DATA_TEAM) == []


def test_a_triggered_run_without_a_logical_date_can_be_late_too(world):
    asyncio.run(tell_of_late_run(context=missed(logical_date=None, conf=None)))
    assert "<!date^1768460405^" in str(world.messages(DATA_TEAM)[0]["blocks"])


def over(run_id: str, reason: str, **conf: Any) -> Any:
    moment = datetime(2026, 1, 15, 7, tzinfo=UTC)
    run = SimpleNamespace(logical_date=moment, start_date=moment, run_after=moment, conf=conf)
    return {"run_id": run_id, "reason": reason, "dag_run": run}


def test_a_stopped_run_is_told_once_and_its_summary_can_still_be_sent(world):
    for _ in range(2):
        tell_of_run_without_summary(over("scheduled__1", "timed_out"))
    (message,) = world.messages(DATA_TEAM)
    assert "the run was stopped after 60 minutes" in message["text"]
    assert [row[0] for row in world.tracked()] == ["schema_sync_error"]
    summary = Message("the summary", (section("after somebody cleared the task"),))
    tell_data_team(summary, Occasion(MessageKind.SCHEMA_SYNC_SUMMARY, "scheduled__1"), Settings.from_environment())
    assert len(world.messages(DATA_TEAM)) == 2
    assert sorted(row[0] for row in world.tracked()) == ["schema_sync_error", "schema_sync_summary"]


def test_a_run_whose_summary_was_delivered_is_not_told_of_again(world):
    world.customer("Acme", ORDERS, CLEAN)
    run = world.run()
    assert len(world.messages(DATA_TEAM)) == 1
    tell_of_run_without_summary(over(run.run_id, "task_failure"))
    assert len(world.messages(DATA_TEAM)) == 1
    assert "The data team was told before: nothing is sent" in world.records.text


def test_a_run_that_died_before_its_summary_names_the_task_to_clear(world):
    tell_of_run_without_summary(over("scheduled__1", "task_failure"))
    assert "The log of the task `summarize` says why" in world.messages(DATA_TEAM)[0]["text"]


def test_airflow_may_know_nothing_of_the_run_but_its_id(world):
    tell_of_run_without_summary({"run_id": "scheduled__1", "reason": "timed_out"})
    assert len(world.messages(DATA_TEAM)) == 1


def test_a_dry_run_ends_in_silence(world):
    tell_of_run_without_summary(over("manual__1", "timed_out", dry_run=True))
    assert world.messages(DATA_TEAM) == []


def test_slack_being_down_is_logged_and_raises_nothing_in_the_dag_processor(world, monkeypatch):
    monkeypatch.setenv("SCHEMA_SYNC_SLACK_BASE_URL", "http://127.0.0.1:9/api/")
    tell_of_run_without_summary(over("scheduled__1", "timed_out"))
    assert "has no summary, and the data team could not be told" in world.records.text
