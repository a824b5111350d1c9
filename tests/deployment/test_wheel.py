"""The wheel in an environment of its own, without Airflow, finds what the source tree finds."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from include.schema_sync import __version__

DATASETS = {
    "orders.yml": "name: orders\ndimensions:\n- {name: id}\n- {name: stauts}\n- {name: gone, type: date}\n"
    "metrics:\n- {name: revenue, expr: sum(amount) / count(gone)}\n",
    "absent.yml": "name: nowhere\ndimensions: [{name: id}]\n",
    "broken.yml": "name: orders\ndimensions:\n- {name: [\n",
}
TABLE = "CREATE TABLE orders (id integer, status varchar, amount decimal(12, 2))"


@pytest.fixture(scope="module")
def schema_sync(project_root, tmp_path_factory) -> Path:
    """The installed command."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).with_name("uv")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    for command in (
        ["build", "--quiet", "--wheel", "--out-dir", folder, project_root],
        ["venv", "--quiet", "--python", sys.executable, folder / "venv"],
    ):
        subprocess.run([uv, *command], env=environment, check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    install = [uv, "pip", "install", "--quiet", "--python", folder / "venv", f"{wheel}[duckdb]"]
    subprocess.run(install, env=environment, check=True, timeout=300)
    return folder / "venv" / "bin" / "schema-sync"


@pytest.fixture
def repository(tmp_path) -> Path:
    import duckdb

    for name, text in DATASETS.items():
        (tmp_path / name).write_text(text)
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(TABLE)
    connection.close()
    with duckdb.connect(tmp_path / "shop.duckdb") as warehouse:
        warehouse.execute(TABLE)
    return tmp_path


def check(command: list[str], uri: str, folder: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "SCHEMA_SYNC_CHECK_CONNECTION": uri, "PYTHONPATH": path}
    return subprocess.run(
        [*command, "check", ".", "--format", "json"], env=environment, cwd=folder, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("uri", ["sqlite:///shop.db", "duckdb:///shop.duckdb"])
def test_the_installed_command_finds_what_the_source_tree_finds(schema_sync, repository, project_root, uri):
    installed = check([str(schema_sync)], uri, repository)
    source = check([sys.executable, "-m", "include.schema_sync"], uri, repository, str(project_root))
    assert json.loads(installed.stdout) == json.loads(source.stdout)
    assert (installed.returncode, source.returncode) == (1, 1)
    types = {each["type"] for each in json.loads(installed.stdout)["findings"]}
    assert {"missing_column", "missing_table", "invalid_yml"} <= types


def test_the_wheel_brings_no_airflow_and_tells_its_version(schema_sync):
    absent = subprocess.run([schema_sync.with_name("python"), "-c", "import airflow"], capture_output=True, check=False)
    assert b"No module named 'airflow'" in absent.stderr
    told = subprocess.run([schema_sync, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"schema-sync {__version__}\n"
