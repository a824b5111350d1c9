"""How long the results page takes to answer, in Airflow's own API application, without the network.

Run: PYTHONPATH=.:plugins .venv/bin/python benchmarks/bench_results_page.py
Bar: under 1 s for 2 000 organizations with 20 discrepancies each. SQLite; thirty runs of all of them are in the strip.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORGANIZATIONS, DISCREPANCIES, RUNS, ROUNDS = 2_000, 20, 30, 9


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(
            AIRFLOW_HOME=home,
            AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
            AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
            AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        )
        measure()


def measure() -> None:
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.settings import engine
    from airflow.utils.db import initdb
    from fastapi.testclient import TestClient

    from tests.page import seeding

    initdb()
    reports, older = (seeding.many(ORGANIZATIONS, findings=findings) for findings in (DISCREPANCIES, 3))
    with engine.connect() as connection:
        for day in range(RUNS - 2):  # of older runs only the result is read: how many findings they have is no matter
            seeding.seed_run(connection, older, day=day)
        partly = seeding.seed_run(connection, reports, day=RUNS - 2, run_id="in progress", state="running", done=100)
        seeding.seed_run(connection, reports, day=RUNS - 1)
    app = create_app(apps="core")
    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="somebody", role="VIEWER"))
    client = TestClient(app, headers={"Authorization": f"Bearer {token}"})
    one = reports[ORGANIZATIONS // 2]
    for what, path in (
        ("overview of a run that has ended", "/schema-sync/"),
        ("search in it", "/schema-sync/?q=1234"),
        ("overview of a run in progress", f"/schema-sync/?run={partly.run_id}"),
        ("one organization", f"/schema-sync/organizations/{one.organization_id}"),
    ):
        report(what, lambda path=path: len(client.get(path).raise_for_status().content))  # type: ignore[misc]
    print(f"bar: 1000 ms for {ORGANIZATIONS} organizations x {DISCREPANCIES} discrepancies")


def report(what: str, answer: Callable[[], int]) -> None:
    size, times = answer(), []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer()
        times.append((time.perf_counter() - started) * 1000)
    print(
        f"{what}: median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms of {ROUNDS}; {size // 1024} KiB"
    )


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]
    main()
