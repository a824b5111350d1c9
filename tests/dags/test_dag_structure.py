"""The DAG as Airflow parses it: its shape, its rules, and what parsing must not import."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from tests.airflow_names import airflow_name, dag_bag

pytestmark = pytest.mark.airflow

HEAVY = (
    "sqlglot",
    "slack_sdk",
    "psycopg",
    "psycopg2",
    "rapidfuzz",
    "rich",
    "yaml.cyaml",
    "airflow.providers",
    "pandas",
)

PARSE = """
import json, runpy, sys
import airflow.sdk
from airflow.sdk import BaseOperator, Param, TriggerRule, dag, task, task_group

@dag
def empty():
    @task
    def nothing(each): ...
    nothing.expand(each=[1])

empty()  # whatever any DAG of this shape costs
before = set(sys.modules)
runpy.run_path(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_parsing_imports_no_driver_no_provider_and_no_slack(project_root):
    import json

    path = os.pathsep.join([str(project_root), str(project_root / "plugins")])
    outcome = subprocess.run(
        [sys.executable, "-c", PARSE, str(project_root / "dags" / "schema_sync.py")],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = json.loads(outcome.stdout.splitlines()[-1])
    assert "schema_sync_airflow.tasks.introspect" in imported
    assert [name for name in imported if name.startswith(HEAVY)] == []


def test_the_dag_folder_holds_exactly_this_dag(dag):
    bag = dag_bag()
    assert bag.import_errors == {}
    assert set(bag.dags) == {"schema_sync"}


def test_tasks_trigger_rules_and_schedule_are_the_contracts(dag):
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks}
    assert rules == {
        "fetch_organizations": "all_success",
        "check_organization.introspect": "all_success",
        "check_organization.diff": "all_success",
        "check_organization.notify": "all_done",
        "summarize": "all_done",
    }
    assert dag.schedule == "0 7 * * *"
    assert str(dag.timezone) == "UTC"
    assert (dag.catchup, dag.max_active_runs, dag.dagrun_timeout) == (False, 1, timedelta(hours=1))
    assert [task.task_id for task in dag.tasks if not task.downstream_task_ids] == ["summarize"]


def test_params_are_optional_and_typed(dag):
    assert dag.params.dump() == {"organization_ids": None, "dry_run": False, "min_severity": "warning"}


@pytest.mark.parametrize(
    "conf",
    [
        {"organization_ids": ["not-a-uuid"]},
        {"organization_ids": "b5b1a1a6-6f8e-4f7e-9a51-1b8d0a3f6c2e"},
        {"organization_ids": []},
        {"dry_run": "yes"},
        {"min_severity": "fatal"},
    ],
)
def test_malformed_values_are_refused_before_anything_runs(dag, conf):
    ParamValidationError = airflow_name("ParamValidationError", "airflow.sdk.exceptions", "airflow.exceptions")  # noqa: N806

    ((key, value),) = conf.items()
    with pytest.raises(ParamValidationError, match=key):
        dag.params.update({key: value})


def test_the_dag_file_gives_the_same_dag_at_every_parse(project_root):
    checker = pytest.importorskip("airflow.utils.dag_version_inflation_checker")  # from Airflow 3.2 on
    assert list(checker.check_dag_file_stability(str(project_root / "dags" / "schema_sync.py")).warnings) == []
