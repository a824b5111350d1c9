"""The plugin file: what Airflow finds, and what it costs the processes that have no use for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.airflow_names import airflow_name

pytestmark = pytest.mark.airflow

# As a task process does: the SDK's own loader, which executes what plugins/.airflowignore lets through.
LOAD = """
import sys
try:
    from airflow.sdk import plugins_manager
except ImportError:  # Airflow 3.1
    from airflow import plugins_manager
before = set(sys.modules)
if hasattr(plugins_manager, "_get_plugins"):
    plugins, errors = plugins_manager._get_plugins()
else:
    plugins_manager.plugins = []
    plugins_manager.load_plugins_from_plugin_directory()
    plugins, errors = plugins_manager.plugins, plugins_manager.import_errors
assert errors == {}, errors
ours = [each for each in plugins if each.name == "schema_sync_results"]
assert len(ours) == 1, plugins
print(*sorted(set(sys.modules) - before))
"""


def test_loading_the_plugin_imports_nothing_that_a_task_would_pay_for(project_root: Path, tmp_path: Path):
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project_root / "plugins"),
    }
    ran = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = ran.stdout.splitlines()[-1].split()
    assert "schema_sync_results" in loaded
    heavy = ("fastapi", "starlette", "jinja2", "sqlalchemy", "schema_sync_airflow", "include", "airflow.api_fastapi",
             "airflow.models")  # fmt: skip
    # One module of ours asks which Airflow this is; it imports nothing that Airflow has not.
    light = {"schema_sync_airflow", "schema_sync_airflow.airflow_versions"}
    assert [name for name in loaded if name.startswith(heavy) and name not in light] == []


def test_airflows_loader_finds_this_plugin_file_and_no_other(project_root: Path):
    find_path_from_directory = airflow_name(
        "find_path_from_directory", "airflow._shared.module_loading", "airflow.utils.file"
    )
    found = find_path_from_directory(str(project_root / "plugins"), ".airflowignore", "glob")
    assert [Path(path).name for path in found if path.endswith(".py")] == ["schema_sync_results.py"]


def test_the_plugins_file_name_is_nobody_elses(project_root: Path):
    import importlib.util

    spec = importlib.util.find_spec("schema_sync_results")
    assert spec is None or spec.origin == str(project_root / "plugins" / "schema_sync_results.py")
