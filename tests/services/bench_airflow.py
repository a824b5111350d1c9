"""What a run costs beside a DAG of the same shape that does nothing, with the real scheduler and LocalExecutor.

Run from the repository's root, on an idle machine (a quarter of an hour on two cores):

    SCHEMA_SYNC_BENCH_ORGANIZATIONS=100 \\
        .venv/bin/python -m pytest -n 0 -s -o python_functions=bench tests/services/bench_airflow.py

It is no test (its name says so to pytest). Told is the time between a run's start and end as Airflow has it, for one
mapped instance an organization and for ten batches in all (``SCHEMA_SYNC_MAX_MAPPED``), each beside the empty DAG.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from typing import Any

import pytest

from tests.services.running_airflow import CLEAN, DRIFTED, ORDERS, running_airflow

ORGANIZATIONS = int(os.environ.get("SCHEMA_SYNC_BENCH_ORGANIZATIONS", "100"))
LONGEST_S = 3_600.0
NOTHING = """
from airflow.sdk import dag, task, task_group

@dag(dag_id="nothing", schedule=None, params={"instances": 1})
def nothing():
    @task
    def fetch_organizations(params=None):
        return list(range(params["instances"]))

    @task
    def introspect(batch):
        return batch

    @task
    def diff(snapshot):
        return snapshot

    @task(trigger_rule="all_done")
    def notify(batch):
        return batch

    @task_group
    def check_organization(batch):
        diff(introspect(batch)) >> notify(batch)

    @task(trigger_rule="all_done")
    def summarize():
        return None

    check_organization.expand(batch=fetch_organizations()) >> summarize()

nothing()
"""


@pytest.mark.parametrize("most_mapped", [ORGANIZATIONS, 10])
def bench(
    most_mapped: int, installation: Any, create_metadata_database: Any, programs: Any, wait_until: Any,
    plain_environment: Any, project_root: Any, tmp_path: Any,
) -> None:  # fmt: skip
    for number in range(ORGANIZATIONS):
        installation.customer(f"Customer {number}", ORDERS, DRIFTED if number % 20 == 0 else CLEAN)
    folder = tmp_path / "dags"
    shutil.copytree(project_root / "dags", folder)
    (folder / "nothing.py").write_text(NOTHING)
    home = tmp_path / "airflow"
    home.mkdir()
    environment = {
        **plain_environment,
        **installation.environment,
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
        "SCHEMA_SYNC_MAX_MAPPED": str(most_mapped),
        "SCHEMA_SYNC_TASK_TIMEOUT_MINUTES": "60",
    }
    with running_airflow(
        home=home, project_root=project_root, metadata_uri=create_metadata_database(), environment=environment,
        programs=programs, wait_until=wait_until, installation=installation,
    ) as airflow:  # fmt: skip
        wait_until(lambda: airflow.client.get("/dags/nothing").status_code == 200, "it is parsed", timeout_s=60)
        seconds = {}
        for dag, conf in (("nothing", {"instances": min(most_mapped, ORGANIZATIONS)}), ("schema_sync", {})):
            runs = f"/dags/{dag}/dagRuns"
            airflow.client.patch(f"/dags/{dag}", json={"is_paused": False}).raise_for_status()
            asked = {"dag_run_id": "bench", "logical_date": None, "conf": conf}
            airflow.client.post(runs, json=asked).raise_for_status()

            def ended(path: str = f"{runs}/bench") -> Any:
                facts = airflow.client.get(path).raise_for_status().json()
                return facts if facts["state"] in ("success", "failed") else None

            facts = wait_until(ended, f"{dag} ends", timeout_s=LONGEST_S)
            assert facts["state"] == "success"
            moments = [datetime.fromisoformat(facts[key]) for key in ("start_date", "end_date")]
            seconds[dag] = (moments[1] - moments[0]).total_seconds()
            airflow.client.patch(f"/dags/{dag}", json={"is_paused": True}).raise_for_status()
    print(  # noqa: T201
        f"\n{ORGANIZATIONS} organizations in {min(most_mapped, ORGANIZATIONS)} mapped instances: "
        f"{seconds['schema_sync']:.0f} s, the empty DAG {seconds['nothing']:.0f} s, "
        f"ratio {seconds['schema_sync'] / seconds['nothing']:.2f}"
    )
