"""The commands that the README shows, read from there and run. ``scripts/demo`` and ``scripts/test`` have tests of
their own (test_demo.py, test_scripts.py)."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

OTHERS = {"scripts/demo", "scripts/demo --ui", "scripts/test"}


def commands(root: Path) -> list[str]:
    """Each line of the README's shell blocks, without its remark."""
    blocks = re.findall(r"^```bash\n(.*?)^```", (root / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [re.split(r"\s{2,}#", line)[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def block_with(root: Path, command: str) -> str:
    """The lines of the block that holds this command, up to it."""
    lines = commands(root)
    at = next(index for index, line in enumerate(lines) if command in line)
    return "\n".join(line for line in lines[max(0, at - 1) : at + 1] if line.startswith("export") or command in line)


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "SCHEMA_SYNC", "PYTHON"))}
    return subprocess.run(
        ["bash", "-euc", script], cwd=folder, env={**own, "PATH": path, **environment}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def test_every_command_of_the_readme_is_run_by_a_test(project_root):
    rest = {line for line in commands(project_root) if not line.startswith("export ")} - OTHERS
    assert rest == {"scripts/check-installation", "uvx --from . schema-sync check datasets/"}


@pytest.mark.airflow
@pytest.mark.services
def test_checking_an_installation_ends_with_the_reason_once(project_root, tmp_path):
    script = block_with(project_root, "scripts/check-installation").replace("db.example.com:5432", "127.0.0.1:9")
    assert "127.0.0.1:9" in script
    done = run(script, project_root, AIRFLOW_HOME=str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    ending = done.stdout.partition("━━━ What to do next")[2]
    assert ending.count("The application database cannot be reached") == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "password" not in ending


def test_a_pull_request_is_checked_as_the_readme_says(project_root, tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "orders.yml").write_text("name: orders\ndimensions: [{name: id}, {name: gone}]\n")
    sqlite3.connect(tmp_path / "shop.db").execute("CREATE TABLE orders (id integer)").connection.close()
    script = block_with(project_root, "uvx").replace("--from .", f"--from '{project_root}'")
    done = run(script, tmp_path, UV_TOOL_DIR=str(tmp_path / "tools"))
    assert done.returncode == 1, done.stderr
    assert "datasets/orders.yml:2: critical missing_column" in done.stdout
