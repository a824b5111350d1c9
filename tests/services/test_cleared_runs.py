"""Runs that are cleared while the list of organizations changes, with the real scheduler: what Airflow keeps of the
instances of before must not count, and what it starts too early must wait.

One run is started, cleared with fewer organizations, and cleared again with more of them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.running_airflow import CLEAN, DAG, DRIFTED, ORDERS, RUN_TIMEOUT_S, Run, running_airflow
from tests.slack_stand_in import Fault

pytestmark = [pytest.mark.services, pytest.mark.airflow, pytest.mark.postgres]

DATA_TEAM = "C0DATATEAM"


@pytest.fixture(scope="module")
def customers(installation) -> dict[str, str]:
    """In the order of their names, which is that of the mapped instances."""
    return {name: installation.customer(name, ORDERS, CLEAN) for name in ("Aster", "Birch", "Cedar")}


@pytest.fixture(scope="module")
def airflow(
    installation,
    customers,
    create_metadata_database,
    programs,
    wait_until,
    plain_environment,
    project_root,
    tmp_path_factory,
):
    with running_airflow(
        home=tmp_path_factory.mktemp("airflow"),
        project_root=project_root,
        metadata_uri=create_metadata_database(),
        environment={
            **plain_environment,
            **installation.environment,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "SCHEMA_SYNC_QUIET_START_AFTER_MINUTES": "0",  # the first scheduled run is late at any hour of the day
            "SCHEMA_SYNC_RETRIES": "0",  # waiting must not cost a try
        },
        programs=programs,
        wait_until=wait_until,
        installation=installation,
    ) as running:
        yield running


def cleared(airflow: Any, run_id: str, **what: Any) -> Run:
    """Clear tasks of a run that has ended, and wait for its next end."""
    body = {"dry_run": False, "only_failed": False, "reset_dag_runs": True, "dag_run_id": run_id, **what}
    airflow.client.post(f"{DAG}/clearTaskInstances", json=body).raise_for_status()
    airflow.wait_until(
        lambda: airflow.get(f"/dagRuns/{run_id}")["state"] in ("queued", "running"),
        "the cleared run starts", timeout_s=60,
    )  # fmt: skip
    return airflow.ended(run_id)


@pytest.fixture(scope="module")
def first_scheduled(airflow, installation, customers) -> Run:
    """The DAG is switched on long after seven o'clock, with drift that somebody would be told of."""
    installation.execute("UPDATE datasets SET yml_file = %s WHERE organization_id = %s", DRIFTED, customers["Birch"])
    airflow.client.patch(DAG, json={"is_paused": False}).raise_for_status()

    def newest() -> Any:
        runs = airflow.get("/dagRuns", run_type="scheduled", order_by="run_after")["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    run = airflow.ended(airflow.wait_until(newest, "the scheduler creates a run", timeout_s=RUN_TIMEOUT_S))
    installation.execute("UPDATE datasets SET yml_file = %s WHERE organization_id = %s", CLEAN, customers["Birch"])
    return run


@pytest.fixture(scope="module")
def triggered(airflow, first_scheduled) -> Run:
    """Everybody is clean."""
    return airflow.ended(airflow.trigger({}).raise_for_status().json()["dag_run_id"])


@pytest.fixture(scope="module")
def shortened(airflow, triggered, installation, customers) -> Run:
    """The same run again: Aster is gone, so that Cedar's batch has another index; and Cedar has drifted."""
    installation.execute("UPDATE organizations SET deleted_at = now() WHERE id = %s", customers["Aster"])
    installation.execute("UPDATE datasets SET yml_file = %s WHERE organization_id = %s", DRIFTED, customers["Cedar"])
    return cleared(airflow, triggered.facts["dag_run_id"])


@pytest.fixture(scope="module")
def newcomers(shortened, installation) -> dict[str, str]:
    return {name: installation.customer(name, ORDERS, DRIFTED) for name in ("Dogwood", "Elm", "Fir")}


@pytest.fixture(scope="module")
def lengthened(airflow, shortened, newcomers) -> Run:
    """And once more, with instances that Airflow adds while the run goes on."""
    return cleared(airflow, shortened.facts["dag_run_id"])


def test_switching_on_tells_nobody_but_the_data_team(first_scheduled, customers, installation):
    assert first_scheduled.facts["state"] == "success"
    assert first_scheduled.result["result"]["criticalIssues"] == 1
    assert first_scheduled.result["result"]["notificationsSent"] == 0
    assert installation.messages(installation.channel(customers["Birch"])) == []
    summary = json.dumps(installation.messages(DATA_TEAM)[0], ensure_ascii=False)
    assert "Schema Sync was just switched on, so no organization was told" in summary
    assert "1 organization would have got a message" in summary
    assert "trigger the DAG by hand" in summary


def test_a_shorter_list_counts_what_the_run_has_now(shortened, customers, installation):
    assert shortened.facts["state"] == "success"
    result = shortened.result["result"]
    assert (result["organizationsProcessed"], result["criticalIssues"], result["notificationsSent"]) == (2, 1, 1)
    (alert,) = installation.messages(installation.channel(customers["Cedar"]))
    assert "`state`" in json.dumps(alert["blocks"], ensure_ascii=False)


def test_the_results_page_counts_the_same(airflow, shortened):
    run = {"run": shortened.facts["dag_run_id"]}
    page = airflow.client.get(f"{airflow.url}/schema-sync/", params=run).raise_for_status().text
    assert "Cedar" in page
    assert "Aster" not in page


def test_the_data_teams_message_reads_as_the_cleared_run(shortened, triggered, installation):
    messages = [each for each in installation.messages(DATA_TEAM) if triggered.facts["dag_run_id"] in json.dumps(each)]
    assert len(messages) == 1
    assert "drift in 1 of 2 organizations" in messages[0]["text"]


def test_a_longer_list_waits_for_its_own_upstream_and_reports_no_failure(lengthened, newcomers, installation):
    assert lengthened.facts["state"] == "success"
    assert set(lengthened.states().values()) == {"success"}
    result = lengthened.result["result"]
    assert (result["organizationsProcessed"], result["criticalIssues"], result["errors"]) == (5, 4, [])
    for organization_id in newcomers.values():
        channel = installation.channel(organization_id)
        assert [kind for kind, _ in installation.tracked(channel)] == ["schema_sync"]


def test_the_time_of_a_cleared_run_counts_from_its_first_try(triggered, lengthened):
    began = triggered.facts["start_date"]
    assert lengthened.facts["start_date"] > began  # Airflow's own starts anew
    assert lengthened.result["timestamp"] == f"{began[:19]}Z"
    assert lengthened.result["result"]["executionTimeMs"] > triggered.result["result"]["executionTimeMs"]


def test_after_the_notice_that_there_is_no_summary_clearing_summarize_sends_it(airflow, lengthened, installation):
    before = len(installation.messages(DATA_TEAM))
    installation.slack.fail("chat.postMessage", Fault(error="invalid_blocks"))
    run = airflow.ended(airflow.trigger({"organization_ids": [lengthened_id(lengthened)]}).json()["dag_run_id"])
    assert run.facts["state"] == "failed"
    assert run.result["error"]["code"] == "SCHEMA_SYNC_FAILED"
    airflow.wait_until(lambda: len(installation.messages(DATA_TEAM)) > before, "the notice", timeout_s=60)
    assert "has no summary" in installation.messages(DATA_TEAM)[-1]["text"]
    again = cleared(airflow, run.facts["dag_run_id"], task_ids=["summarize"])
    assert again.facts["state"] == "success"
    assert len(installation.messages(DATA_TEAM)) == before + 2
    assert "no drift in 1 organization" in installation.messages(DATA_TEAM)[-1]["text"]


def lengthened_id(run: Run) -> str:
    """A clean organization of the run: nothing but the summary is posted for it."""
    outcomes = [value for (task, _, key), values in run.xcoms.items() if key == "outcomes" for value in values]
    return next(each["organization_id"] for each in outcomes if each["organization_name"] == "Birch")


def test_a_backfill_is_refused(airflow, first_scheduled):
    before = airflow.get("/dagRuns")["total_entries"]
    answer = airflow.client.post(
        "/backfills",
        json={"dag_id": "schema_sync", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-03T00:00:00Z"},
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert "backfill" in answer.text.lower()
    assert airflow.get("/dagRuns")["total_entries"] == before
