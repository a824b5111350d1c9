"""The scripts do what their first lines promise. Stand-ins for uv, Python and Airflow keep these tests offline."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    "scripts/airflow",
    "scripts/bootstrap",
    "scripts/check-installation",
    "scripts/demo",
    "scripts/install-emulators",
    "scripts/mutate",
    "scripts/test",
    ".ci/run",
]
HEAD = "0123456789ab"

FAKE_UV = """#!/usr/bin/env bash
set -eu
case $1 in
  --version) echo 'uv 0.0.0' ;;
  venv) mkdir -p "${@: -1}/bin"; ln -sf "$REAL_PYTHON" "${@: -1}/bin/python" ;;
  pip) sleep 0.2; basename "${@: -1}" >>"$CALLS"; [ ! -e "$CALLS.fail" ] ;;
esac
"""

# Stands for .venv/bin/python: Airflow itself is played, everything else is real.
FAKE_PYTHON = f"""#!/usr/bin/env bash
set -eu
if [ "${{1:-}} ${{2:-}}" = '-m pytest' ]; then printf '%s\\n' "${{@:3}}" >>"$CALLS"; exit 5; fi
if [ "${{1:-}} ${{2:-}} ${{3:-}}" != '-P -m airflow' ]; then exec "$REAL_PYTHON" "$@"; fi
shift 3
if [ "$*" = 'db migrate' ]; then
  echo migrated >>"$CALLS"
  echo 'noise on standard output'
  exec "$REAL_PYTHON" -c '
import os, sqlite3
db = sqlite3.connect(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///"))
db.executescript("CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES (\\"{HEAD}\\")")'
fi
"$REAL_PYTHON" -c '
import json, os, sys
print(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ), "input": sys.stdin.read()}}))' "$@"
exit 7
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout in a folder with a space in its name, that holds the scripts and little else."""

    root: Path
    environment: dict[str, str]

    @property
    def calls(self) -> list[str]:
        log = Path(self.environment["CALLS"])
        return log.read_text().splitlines() if log.exists() else []

    def start(self, script: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / script, *arguments],
            env=self.environment | environment,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
        """Returns (exit code, standard output, standard error)."""
        process = self.start(script, *arguments, **environment)
        out, err = process.communicate(stdin, timeout=120)
        return process.returncode, out, err


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "a checkout"
    for script in SCRIPTS:
        (root / script).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / script, root / script)
    (root / "requirements.lock").write_text("one==1\n")
    (root / "requirements-dev.lock").write_text("one==1\ntwo==2\n")
    executable(tmp_path / "bin" / "uv", FAKE_UV)
    executable(tmp_path / "bin" / "chromium", "#!/bin/sh\n")  # or .ci/run would install one here and now
    environment = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHON": sys.executable,
        "REAL_PYTHON": sys.executable,
        "CALLS": str(tmp_path / "calls"),
        "PIP_NO_INDEX": "1",
    }
    return Project(root, environment)


@pytest.fixture
def installed(project: Project) -> Project:
    """A project that needs no installation and whose Airflow is played by a stand-in."""
    executable(project.root / "scripts/bootstrap", "#!/bin/sh\n")
    executable(project.root / ".venv/bin/python", FAKE_PYTHON)
    return project


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_executable_valid_bash(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", path], check=True, timeout=10)


# scripts/bootstrap


def test_bootstrap_installs_once_and_again_only_after_a_change(project: Project) -> None:
    code, out, err = project.run("scripts/bootstrap")
    assert (code, out) == (0, "")
    assert "installing requirements.lock with uv" in err
    assert project.run("scripts/bootstrap") == (0, "", "")
    assert project.calls == ["requirements.lock"]

    (project.root / "requirements.lock").write_text("one==2\n")
    assert project.run("scripts/bootstrap")[0] == 0
    assert project.calls == ["requirements.lock"] * 2


def test_bootstrap_dev_also_satisfies_the_plain_one(project: Project) -> None:
    assert project.run("scripts/bootstrap", "--dev")[0] == 0
    assert project.run("scripts/bootstrap") == (0, "", "")
    assert project.calls == ["requirements-dev.lock"]


def test_bootstrap_does_not_take_a_failed_installation_for_done(project: Project) -> None:
    failing = Path(project.environment["CALLS"] + ".fail")
    failing.touch()
    code, _, err = project.run("scripts/bootstrap")
    assert code == 1
    assert "with pip" in err  # which reads other settings than uv; here it is offline
    assert "Run scripts/bootstrap again" in err

    failing.unlink()
    assert project.run("scripts/bootstrap")[0] == 0
    assert project.calls == ["requirements.lock"] * 2


def test_bootstraps_at_the_same_time_install_once(project: Project) -> None:
    processes = [project.start("scripts/bootstrap") for _ in range(3)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert project.calls == ["requirements.lock"]


def test_bootstrap_replaces_an_environment_whose_python_is_gone(project: Project) -> None:
    assert project.run("scripts/bootstrap")[0] == 0
    (project.root / ".venv/bin/python").unlink()
    (project.root / ".venv/bin/python").symlink_to("/nowhere/python3")
    assert project.run("scripts/bootstrap")[0] == 0
    assert project.calls == ["requirements.lock"] * 2


def test_bootstrap_says_what_to_install_where_python_is_too_old(project: Project) -> None:
    old = project.root.parent / "bin" / "old-python"
    executable(old, "#!/bin/sh\nexit 1\n")
    code, _, err = project.run("scripts/bootstrap", PYTHON=str(old))
    assert code == 1
    assert "Python 3.11 or newer is needed" in err
    assert "apt-get install" in err


def test_bootstrap_refuses_an_argument_that_it_does_not_know(project: Project) -> None:
    code, _, err = project.run("scripts/bootstrap", "--develop")
    assert code == 1
    assert "--develop" in err
    assert project.calls == []


# scripts/airflow


def test_airflow_gets_arguments_and_input_unchanged_and_its_exit_code_counts(installed: Project) -> None:
    arguments = ["dags", "test", "schema_sync", "-c", '{"dry_run": true, "organization_ids": ["a b"]}', ""]
    code, out, err = installed.run("scripts/airflow", *arguments, stdin="typed")
    said = json.loads(out)  # whole: nothing but Airflow's own output is on standard output
    assert (code, said["arguments"], said["input"]) == (7, arguments, "typed")
    assert "preparing the metadata database" in err


def test_airflow_finds_the_project_from_any_folder(installed: Project) -> None:
    _, out, _ = installed.run("scripts/airflow", "version", PYTHONPATH="/elsewhere")
    environment = json.loads(out)["environment"]
    root = str(installed.root)
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == f"{root}/dags"
    assert environment["AIRFLOW__CORE__PLUGINS_FOLDER"] == f"{root}/plugins"
    assert environment["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert environment["PYTHONPATH"] == f"{root}:/elsewhere"
    assert environment["PATH"].startswith(f"{root}/.venv/bin:")


def test_airflow_home_is_private_to_the_checkout_and_never_committed(installed: Project) -> None:
    _, out, _ = installed.run("scripts/airflow", "version")
    home = installed.root / ".airflow"
    environment = json.loads(out)["environment"]
    assert environment["AIRFLOW_HOME"] == str(home)
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{home}/airflow.db"
    assert (home / ".gitignore").read_text() == "*\n"


def test_airflow_keeps_a_home_and_a_database_that_are_already_set(installed: Project, tmp_path: Path) -> None:
    own = {
        "AIRFLOW_HOME": str(tmp_path / "own home"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/own.db",
    }
    _, out, _ = installed.run("scripts/airflow", "dags", "list", **own)
    assert own.items() <= json.loads(out)["environment"].items()
    assert (tmp_path / "own.db").exists()
    assert not (installed.root / ".airflow").exists()


@pytest.mark.parametrize(
    ("given", "command", "url"),
    [
        ({}, "standalone", "http://localhost:8080"),
        ({"AIRFLOW__API__PORT": "9090"}, "standalone", "http://localhost:9090"),
        ({"AIRFLOW__API__PORT": "9090"}, "version", "http://localhost:9090"),
        ({"AIRFLOW__API__BASE_URL": "https://a.example", "AIRFLOW__API__PORT": "9"}, "standalone", "https://a.example"),
        ({}, "version", None),
    ],
)
def test_airflow_derives_the_address_of_links_from_the_port(installed: Project, given, command, url) -> None:
    _, out, _ = installed.run("scripts/airflow", command, **given)
    assert json.loads(out)["environment"].get("AIRFLOW__API__BASE_URL") == url


def test_airflow_migrates_a_database_that_is_missing_or_of_another_revision(installed: Project) -> None:
    for _ in range(2):
        installed.run("scripts/airflow", "dags", "list")
    assert installed.calls == ["migrated"]

    database = installed.root / ".airflow" / "airflow.db"
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE alembic_version")
    installed.run("scripts/airflow", "dags", "list")
    assert installed.calls == ["migrated"] * 2

    database.unlink()
    installed.run("scripts/airflow", "dags", "list")
    assert installed.calls == ["migrated"] * 3


def test_airflow_migrates_after_an_upgrade_of_airflow(installed: Project) -> None:
    installed.run("scripts/airflow", "dags", "list")
    (installed.root / ".airflow" / ".migrated").write_text(f"3.0.0 {HEAD}\n")
    installed.run("scripts/airflow", "dags", "list")
    assert installed.calls == ["migrated"] * 2


def test_airflow_migrates_once_when_started_twice(installed: Project) -> None:
    processes = [installed.start("scripts/airflow", "dags", "list") for _ in range(2)]
    for process in processes:
        process.communicate("", timeout=60)
    assert installed.calls == ["migrated"]


@pytest.mark.parametrize("arguments", [["version"], ["db", "downgrade"], ["--help"], []])
def test_airflow_leaves_the_database_alone_where_the_command_needs_none(
    arguments: list[str], installed: Project
) -> None:
    assert installed.run("scripts/airflow", *arguments)[0] == 7
    assert installed.calls == []


def test_airflow_stops_with_the_reason_when_the_migration_fails(installed: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/folder/airflow.db"
    code, out, err = installed.run("scripts/airflow", "dags", "list", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url)
    assert (code, out) == (1, "")
    assert "unable to open database file" in err
    assert "could not be migrated" in err


@pytest.mark.airflow
def test_real_airflow_works_from_a_fresh_home(project: Project) -> None:
    executable(project.root / "scripts/bootstrap", "#!/bin/sh\n")
    (project.root / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    code, out, err = project.run("scripts/airflow", "connections", "get", "no_such_connection")
    assert (code, out) == (1, "")
    assert err.endswith("Connection not found.\n")
    version, revision = (project.root / ".airflow" / ".migrated").read_text().split()
    assert Version(version).major == 3
    with sqlite3.connect(project.root / ".airflow" / "airflow.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]


# scripts/test and .ci/run


@pytest.mark.parametrize(
    ("given", "passed"), [(["--quick", "-x"], ["tests/unit", "-x"]), (["-m", "not airflow"], ["-m", "not airflow"])]
)
def test_test_passes_arguments_and_exit_code_through(given: list[str], passed: list[str], installed: Project) -> None:
    assert installed.run("scripts/test", *given)[0] == 5
    assert installed.calls == ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "--durations=20", *passed]


@pytest.mark.parametrize("broken", ["tests", "test-airflow", "ruff", "mypy", "lint-imports", None])
def test_ci_runs_everything_fails_if_anything_failed_and_ends_with_the_closing_line_of_pytest(
    broken: str | None, installed: Project
) -> None:
    closing = "=========== 2 passed, 1 skipped in 61.05s (0:01:01) ==========="
    executable(
        installed.root / "scripts/test",
        f"#!/bin/sh\necho '{closing}'\necho 'said at exit' >&2\nexit {int(broken == 'tests')}\n",
    )
    for tool in ("scripts/test-airflow", ".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/lint-imports"):
        name = Path(tool).name
        text = f'#!/bin/sh\necho "{name} $*" >>"$CALLS"\nexit {int(broken == name)}\n'
        executable(installed.root / tool, text)

    code, out, _ = installed.run(".ci/run")
    assert code == int(broken is not None)
    assert out.splitlines()[-1] == closing
    assert [call.split()[0] for call in installed.calls] == ["test-airflow", "ruff", "ruff", "mypy", "lint-imports"]


def test_what_runs_before_a_commit_is_what_ci_enforces() -> None:
    import yaml

    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    before = {hook["entry"] for repo in config["repos"] for hook in repo["hooks"]}
    enforced = set(re.findall(r"^check (\.venv/\S.*?)(?: \.)?$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
    assert before == enforced
