"""The DAG as it runs in production: scheduler, API server and DAG processor as separate processes.

Two runs serve all tests: one that the scheduler creates by itself, and one that a person triggers over the REST API.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.services.running_airflow import (
    CHECKS,
    CLEAN,
    DAG,
    DRIFTED,
    ORDERS,
    RUN_TIMEOUT_S,
    Run,
    printed,
    running_airflow,
)

pytestmark = [pytest.mark.services, pytest.mark.airflow, pytest.mark.postgres]


@pytest.fixture(scope="module")
def customers(installation) -> dict[str, str]:
    """Who is there when the services start; ids by name."""
    return {
        "Acme": installation.customer("Acme", ORDERS, CLEAN, vault=False),
        "Bluebird": installation.customer("Bluebird", ORDERS, DRIFTED),
        "Dune": installation.customer("Dune", ORDERS, CLEAN, reachable=False),
    }


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
        },
        programs=programs,
        wait_until=wait_until,
        installation=installation,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def scheduled_run(airflow) -> Run:
    """What the scheduler does by itself as soon as the DAG is switched on."""
    airflow.client.patch(DAG, json={"is_paused": False}).raise_for_status()

    def newest() -> Any:
        airflow.assert_running()
        runs = airflow.get("/dagRuns", run_type="scheduled", order_by="run_after")["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    return airflow.ended(airflow.wait_until(newest, "the scheduler creates a run", timeout_s=RUN_TIMEOUT_S))


@pytest.fixture(scope="module")
def newcomers(airflow, scheduled_run, installation) -> dict[str, str]:
    """Customers who came after the services had started, so everything about them is in the vault; ids by name."""
    return {
        "Ember": installation.customer("Ember", ORDERS, DRIFTED),
        "Fjord & <Sons>": installation.customer("Fjord & <Sons>", ORDERS, CLEAN),
    }


@pytest.fixture(scope="module")
def triggered_run(airflow, newcomers) -> Run:
    answer = airflow.trigger({"organization_ids": list(newcomers.values()), "min_severity": "info"})
    return airflow.ended(answer.raise_for_status().json()["dag_run_id"])


def test_airflow_finds_nothing_wrong_with_the_dag_and_the_same_dag_at_every_parse(airflow, triggered_run):
    for problems in ("importErrors", "dagWarnings"):
        assert airflow.client.get(f"/{problems}").raise_for_status().json()["total_entries"] == 0
    assert airflow.get("/dagVersions")["total_entries"] == 1


def test_the_next_run_is_due_at_seven_utc(airflow, scheduled_run):
    facts = airflow.get("")
    assert facts["timetable_summary"] == "0 7 * * *"
    assert datetime.fromisoformat(facts["next_dagrun_run_after"]).strftime("%H:%M:%S %Z") == "07:00:00 UTC"
    assert datetime.fromisoformat(facts["next_dagrun_run_after"]) > datetime.fromisoformat(
        scheduled_run.facts["run_after"]
    )


def test_the_scheduler_runs_the_latest_seven_oclock_and_none_before(airflow, scheduled_run):
    due = datetime.fromisoformat(scheduled_run.facts["logical_date"])
    assert due.strftime("%H:%M:%S %Z") == "07:00:00 UTC"
    assert (datetime.now(UTC) - due).days == 0
    earlier = airflow.get("/dagRuns", logical_date_lt=due.isoformat())
    assert earlier["total_entries"] == 0
    assert scheduled_run.result["timestamp"] == due.strftime("%Y-%m-%dT07:00:00Z")


def test_an_unreachable_organization_is_red_beside_good_ones_in_a_green_run(scheduled_run):
    assert scheduled_run.facts["state"] == "success"
    assert scheduled_run.states() == {
        ("fetch_organizations", -1): "success",
        **{(task, index): "success" for task in CHECKS for index in (0, 1)},
        ("check_organization.introspect", 2): "failed",
        ("check_organization.diff", 2): "upstream_failed",
        ("check_organization.notify", 2): "success",
        ("summarize", -1): "success",
    }
    assert scheduled_run.instances["check_organization.introspect", 2]["rendered_map_index"] == "Dune"


def test_the_uis_grid_shows_the_red_instance(airflow, scheduled_run):
    answer = airflow.client.get(
        f"{airflow.url}/ui/grid/ti_summaries/schema_sync", params={"run_ids": scheduled_run.facts["dag_run_id"]}
    ).raise_for_status()
    (run,) = [json.loads(line) for line in answer.text.splitlines()]
    shown = {each["task_id"]: each for each in run["task_instances"]}
    assert shown["check_organization"]["child_states"] == {"success": 7, "failed": 1, "upstream_failed": 1}
    assert shown["check_organization.introspect"]["state"] == "failed"
    assert shown["summarize"]["state"] == "success"


def test_the_scheduler_tries_the_unreachable_organization_again_and_only_that(scheduled_run):
    tries = {key: instance["try_number"] for key, instance in scheduled_run.instances.items()}
    assert tries["check_organization.introspect", 2] == 2
    assert {number for key, number in tries.items() if key[1] != 2} == {1}
    first, second = (scheduled_run.log("check_organization.introspect", 2, number) for number in (1, 2))
    assert "The task is tried again." in first
    assert "No data source of this task's organizations could be reached" in second


def test_the_scheduled_run_tells_each_organization_and_the_data_team(scheduled_run, customers, installation):
    channels = {name: installation.channel(organization_id) for name, organization_id in customers.items()}
    assert installation.messages(channels["Acme"]) == []
    (alert,) = installation.messages(channels["Bluebird"])
    (notice,) = installation.messages(channels["Dune"])
    assert (alert["workspace"], notice["workspace"]) == ("Bluebird", "Dune")
    assert installation.tracked(channels["Bluebird"]) == [("schema_sync", alert["ts"])]
    assert installation.tracked(channels["Dune"]) == [("schema_sync_error", notice["ts"])]
    assert ("schema_sync_summary", installation.messages("C0DATATEAM")[0]["ts"]) in installation.tracked("C0DATATEAM")
    assert scheduled_run.result["result"] | {"executionTimeMs": 0, "errors": []} == {
        "success": True,
        "executionTimeMs": 0,
        "organizationsProcessed": 3,
        "totalDiscrepancies": 1,
        "criticalIssues": 1,
        "warnings": 0,
        "infos": 1,
        "datasetsChecked": 2,
        "datasetsUnchecked": 1,
        "notificationsSent": 1,
        "errors": [],
    }
    assert {error["organizationId"] for error in scheduled_run.result["result"]["errors"]} == {customers["Dune"]}


def test_a_triggered_run_checks_the_named_organizations_and_labels_them_in_the_grid(triggered_run, newcomers):
    assert (triggered_run.facts["state"], triggered_run.facts["run_type"]) == ("success", "manual")
    assert triggered_run.states() == {
        ("fetch_organizations", -1): "success",
        **{(task, index): "success" for task in CHECKS for index in (0, 1)},
        ("summarize", -1): "success",
    }
    for task in CHECKS:
        labels = [triggered_run.instances[task, index]["rendered_map_index"] for index in (0, 1)]
        assert labels == list(newcomers)


def test_a_triggered_run_returns_the_whole_result_though_it_has_no_logical_date(triggered_run):
    assert triggered_run.facts["logical_date"] is None
    result = triggered_run.result
    took_ms = result["result"]["executionTimeMs"]
    started = datetime.fromisoformat(triggered_run.facts["start_date"])
    assert result["timestamp"] == started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert took_ms > 0
    assert result == {
        "success": True,
        "timestamp": result["timestamp"],
        "result": {
            "success": True,
            "executionTimeMs": took_ms,
            "organizationsProcessed": 2,
            "totalDiscrepancies": 1,
            "criticalIssues": 1,
            "warnings": 0,
            "infos": 1,
            "datasetsChecked": 2,
            "datasetsUnchecked": 0,
            "notificationsSent": 1,
            "errors": [],
        },
    }


def test_a_triggered_run_writes_to_slack_with_the_organizations_own_token_and_links_to_itself(
    airflow, triggered_run, newcomers, installation
):
    channel = installation.channel(newcomers["Ember"])
    (alert,) = installation.messages(channel)
    assert alert["workspace"] == "Ember"
    shown = json.dumps(alert["blocks"], ensure_ascii=False)
    assert "`state`" in shown
    assert "`status`" in shown  # an info: min_severity came through
    assert f"{airflow.url}/schema-sync/organizations/{newcomers['Ember']}" in shown  # the button, to the page
    assert installation.tracked(channel) == [("schema_sync", alert["ts"])]
    assert installation.messages(installation.channel(newcomers["Fjord & <Sons>"])) == []
    assert installation.tracked("C0DATATEAM")[-1] == (
        "schema_sync_summary",
        installation.messages("C0DATATEAM")[-1]["ts"],
    )


def test_the_log_of_introspect_shows_the_query_and_how_long_it_took(triggered_run):
    log = triggered_run.log("check_organization.introspect", 0)
    assert "FROM pg_catalog.pg_namespace" in log
    (group,) = [line for line in log.splitlines() if "schema-sync group " in line]
    assert "organization='Ember'" in group
    assert "1 table asked for, 1 table found, 3 columns; 1 statement(s)" in group
    assert group.endswith(" ms")


def test_the_ui_streams_the_same_log(airflow, triggered_run):
    task, run_id = "check_organization.introspect", triggered_run.facts["dag_run_id"]
    answer = airflow.client.get(
        f"{DAG}/dagRuns/{run_id}/taskInstances/{task}/logs/1",
        params={"map_index": 0},
        headers={"Accept": "application/x-ndjson"},
    ).raise_for_status()
    lines = [printed(json.loads(line)) for line in answer.text.splitlines()]
    assert lines == triggered_run.logs[task, 0, 1]


def test_the_log_of_diff_shows_what_differs_as_a_table(triggered_run):
    log = triggered_run.log("check_organization.diff", 0)
    (row,) = [line for line in log.splitlines() if "missing_column" in line]
    assert {"orders", "state", "text"} <= set(row.split())  # dataset, column, declared type
    assert "status" not in row  # another word is no hint
    assert "YML says" in log
    assert "missing_column" not in triggered_run.log("check_organization.diff", 1)


def test_the_log_of_summarize_holds_the_result_as_one_line_of_json(triggered_run):
    (line,) = [line for line in triggered_run.logs["summarize", -1, 1] if "schema-sync result " in line]
    assert json.loads(line.split("schema-sync result ", 1)[1]) == triggered_run.result


def test_an_id_that_is_none_is_refused_before_there_is_a_run(airflow):
    before = airflow.get("/dagRuns")["total_entries"]
    answer = airflow.trigger({"organization_ids": ["acme"]})
    assert 400 <= answer.status_code < 500
    assert "acme" in answer.json()["detail"]
    assert airflow.get("/dagRuns")["total_entries"] == before


def test_a_typo_in_the_configuration_fails_and_says_which_keys_there_are(
    airflow, scheduled_run, customers, installation
):
    before = len(installation.slack.messages)
    answer = airflow.trigger({"organisation_ids": [customers["Bluebird"]]})
    run = airflow.ended(answer.raise_for_status().json()["dag_run_id"])
    assert run.facts["state"] == "failed"
    assert run.states()["fetch_organizations", -1] == "failed"
    assert run.instances["fetch_organizations", -1]["try_number"] == 1
    log = run.log("fetch_organizations")
    assert "'organisation_ids', did you mean 'organization_ids'?" in log
    assert "organization_ids, dry_run, min_severity" in log
    (told,) = installation.slack.messages[before:]
    assert told["channel"] == "C0DATATEAM"


@pytest.fixture
def full_disk(airflow, scheduled_run) -> Iterator[tuple[str, ExitStack]]:
    """The id of a run whose logs have a disk of their own, which is full; closing the stack makes room."""
    run_id = "full-disk"
    folder = airflow.home / "logs" / "dag_id=schema_sync" / f"run_id={run_id}"
    folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    with ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        (folder / "all there is").write_bytes(b"x" * 4096)
        yield run_id, stack


def test_a_full_disk_under_airflows_logs_is_a_red_run_and_cleared_it_tells_everybody_once(
    airflow, full_disk, installation
):
    """Airflow fails each task that it cannot log: the run must not pass for a check."""
    run_id, disk = full_disk
    ids = [installation.customer(name, ORDERS, yml) for name, yml in (("Gale", DRIFTED), ("Hill", CLEAN))]
    before = len(installation.slack.messages)
    conf = {"organization_ids": ids}
    answer = airflow.client.post(f"{DAG}/dagRuns", json={"dag_run_id": run_id, "logical_date": None, "conf": conf})
    run = airflow.ended(answer.raise_for_status().json()["dag_run_id"])
    assert (run.facts["state"], run.states()["fetch_organizations", -1]) == ("failed", "failed")
    airflow.wait_until(lambda: len(installation.slack.messages) > before, "the data team is told", timeout_s=60)
    disk.close()
    airflow.client.post(f"{DAG}/dagRuns/{run_id}/clear", json={"dry_run": False}).raise_for_status()
    again = airflow.ended(run_id)
    assert again.facts["state"] == "success"
    result = again.result["result"]
    assert (result["organizationsProcessed"], result["criticalIssues"], result["notificationsSent"]) == (2, 1, 1)
    assert [len(installation.messages(installation.channel(each))) for each in ids] == [1, 0]
    # The scheduler had the callback of the failed run tell the data team: that needs no task's log.
    notice, summary = [each for each in installation.slack.messages[before:] if each["channel"] == "C0DATATEAM"]
    assert "the run failed and has no summary" in notice["text"]
    assert "drift in 1 of 2 organizations" in summary["text"]


def test_secrets_are_seen_in_no_answer_of_the_api_and_in_no_log_file(
    airflow, scheduled_run, triggered_run, installation
):
    assert len(installation.secrets) >= 6
    for run in (scheduled_run, triggered_run):
        assert '"rendered_fields"' in run.everything
        assert installation.leaks(run.everything) == set()
    assert installation.leaks(json.dumps(installation.slack.messages)) == set()
    files = [path for path in (airflow.home / "logs").rglob("*") if path.is_file()]
    assert any(path.name.startswith("attempt=") for path in files)
    for path in [*files, *airflow.programs.folder.iterdir()]:
        assert installation.leaks(path.read_text(errors="replace")) == set(), path
