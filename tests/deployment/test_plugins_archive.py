"""A hosted Airflow takes dags/ and a plugins archive, and has no project root on its path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.airflow

LOAD = """
import json

from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
import include.schema_sync
print(json.dumps([sorted(bag.dags), bag.import_errors, include.schema_sync.__file__]))
"""


def test_include_inside_the_plugins_archive_is_enough(project_root, tmp_path):
    import json

    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project_root / "plugins", tmp_path / "plugins", ignore=skip)
    shutil.copytree(project_root / "include", tmp_path / "plugins" / "include", ignore=skip)
    (tmp_path / "dags").mkdir()
    shutil.copy(project_root / "dags" / "schema_sync.py", tmp_path / "dags")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHONPATH"))}
    environment = {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    outcome = subprocess.run(
        [sys.executable, "-P", "-c", LOAD], env={**kept, **environment}, cwd=tmp_path, capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    dags, errors, where = json.loads(outcome.stdout.splitlines()[-1])
    assert (dags, errors) == (["schema_sync"], {})
    assert where.startswith(str(tmp_path / "plugins"))
