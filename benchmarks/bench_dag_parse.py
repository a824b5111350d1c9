"""What importing the DAG file adds to a process that has already imported airflow.sdk.

Run: PYTHONPATH=.:plugins .venv/bin/python benchmarks/bench_dag_parse.py
Bar: under 150 ms. Each round is a process of its own, because a second import costs nothing. Most of it is Airflow's
own TaskFlow and cron, which airflow.sdk imports when they are first used; an empty DAG of that kind tells how much.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 7
PARSE = """
import runpy, sys, time
import airflow.sdk
from airflow.sdk import BaseOperator
started = time.perf_counter()
runpy.run_path(sys.argv[1])
print((time.perf_counter() - started) * 1000)
"""
EMPTY_DAG = """
from airflow.sdk import TriggerRule, dag, get_current_context, task, task_group

@task
def fetch():
    return []

@task(trigger_rule=TriggerRule.ALL_DONE)
def work(item):
    return get_current_context()

@task_group
def group(item):
    work(item)

@dag(schedule="0 7 * * *")
def empty():
    group.expand(item=fetch())

empty()
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        empty = Path(home) / "empty.py"
        empty.write_text(EMPTY_DAG)
        environment = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
        files = {"an empty TaskFlow DAG": empty, "dags/schema_sync.py": ROOT / "dags" / "schema_sync.py"}
        times: dict[str, list[float]] = {name: [] for name in files}
        for _ in range(ROUNDS):
            for name, path in files.items():
                command = [sys.executable, "-c", PARSE, str(path)]
                output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
                times[name].append(float(output.splitlines()[-1]))
    for name, own in times.items():
        print(f"{name}: median {statistics.median(own):.0f} ms, best {min(own):.0f} ms of {ROUNDS}")
    print("bar for dags/schema_sync.py: 150 ms")


if __name__ == "__main__":
    main()
