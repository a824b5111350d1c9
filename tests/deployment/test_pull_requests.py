"""What other repositories use: the GitHub action's own steps, and the pre-commit hook."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from include.schema_sync.check.command import main
from include.schema_sync.check.formats.markdown import MARKER

# Stands in for GitHub's own command: it answers with the comment that is there, and writes down what it is asked.
GH = """#!/bin/bash
printf '%s\\n' "$*" >>"$CALLS"
case "$*" in *--paginate*) printf '%s' "$EXISTING" ;; esac
"""


@pytest.fixture(scope="module")
def steps(project_root) -> list[dict]:
    return yaml.safe_load((project_root / "action.yml").read_text())["runs"]["steps"]


@pytest.fixture(scope="module")
def runner_temp(steps, project_root, tmp_path_factory) -> Path:
    """A runner's folder after the installing step."""
    folder = tmp_path_factory.mktemp("runner")
    environment = {**os.environ, "RUNNER_TEMP": str(folder), "GITHUB_ACTION_PATH": str(project_root)}
    python = folder / "python"
    python.mkdir()
    (python / "python3").symlink_to(sys.executable)
    environment |= {"WAREHOUSE": "duckdb", "PATH": f"{python}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euo", "pipefail", "-c", steps[0]["run"]], env=environment, check=True, timeout=300)
    return folder


@pytest.mark.parametrize(("existing", "method"), [("", "POST"), ("77\n99\n", "PATCH")])
def test_the_action_annotates_and_keeps_one_comment(steps, runner_temp, tmp_path, existing, method):
    (tmp_path / "orders.yml").write_text("name: orders\ndimensions: [{name: gone}]\n")
    sqlite3.connect(tmp_path / "shop.db").execute("CREATE TABLE orders (id integer)").connection.close()
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "RUNNER_TEMP": str(runner_temp), "CALLS": str(tmp_path / "calls"),
        "EXISTING": existing, "PATHS": "orders.yml", "ARGUMENTS": "--min-severity critical", "NUMBER": "5",
        "CONNECTION": "sqlite:///shop.db", "GITHUB_REPOSITORY": "o/r", "GH_TOKEN": "t",
    }  # fmt: skip

    def step(number: int) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-eo", "pipefail", "-c", steps[number]["run"]]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    checked = step(1)
    assert checked.returncode == 1, checked.stderr
    assert checked.stdout.startswith("::error file=orders.yml,line=2")
    assert (runner_temp / "schema-sync.md").read_text().startswith(MARKER)
    assert step(2).returncode == 0
    looked, wrote = (tmp_path / "calls").read_text().splitlines()
    assert looked.startswith("api --paginate repos/o/r/issues/5/comments --jq")
    assert MARKER in looked
    place = "repos/o/r/issues/comments/77" if existing else "repos/o/r/issues/5/comments"
    assert wrote == f"api --method {method} {place} -F body=@{runner_temp}/schema-sync.md"


def test_the_pre_commit_hook_runs_the_installed_command(project_root, tmp_path, monkeypatch, capsys):
    (hook,) = yaml.safe_load((project_root / ".pre-commit-hooks.yaml").read_text())
    command, *arguments = shlex.split(hook["entry"])
    scripts = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]["scripts"]
    assert (command in scripts, hook["language"], hook["pass_filenames"]) == (True, "python", False)
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert "schema-sync.toml" in capsys.readouterr().err
