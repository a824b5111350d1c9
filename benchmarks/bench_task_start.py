"""What of a task's start is ours: CPU seconds on top of a process that has imported Airflow's task runner.

Run: PYTHONPATH=.:plugins .venv/bin/python benchmarks/bench_task_start.py
Bar: plugin and DAG file together under 0.2 s. Each round is a process of its own: a second import costs nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
START = """
import resource, runpy
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
import airflow.sdk
from airflow.sdk import Asset, AssetAlias, BaseHook, BaseOperator, Connection, Param, dag, task, task_group
from airflow.sdk.execution_time import task_runner
import airflow.dag_processing.dagbag
times = [cpu()]
runpy.run_path("plugins/schema_sync_results.py"); times.append(cpu())
runpy.run_path("dags/schema_sync.py"); times.append(cpu())
import schema_sync_airflow.connections
import include.schema_sync.introspect.organizations, include.schema_sync.compare.organization
import include.schema_sync.notify.tell; times.append(cpu())
from airflow.providers.postgres.hooks.postgres import PostgresHook; times.append(cpu())
print(*(after - before for before, after in zip(times, times[1:])))
"""
PARTS = ("the plugin", "the DAG file", "all that the three tasks import of ours", "Airflow's own PostgresHook")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        path = f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"
        environment = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": path}
        rounds = [
            [float(each) for each in subprocess.run(
                [sys.executable, "-W", "ignore", "-c", START],
                cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
            ).stdout.split()[-len(PARTS) :]]
            for _ in range(ROUNDS)
        ]  # fmt: skip
    for part, times in zip(PARTS, zip(*rounds, strict=True), strict=True):
        print(f"{part}: median {statistics.median(times):.3f} s CPU, best {min(times):.3f} s of {ROUNDS}")


if __name__ == "__main__":
    main()
