"""``python -m include.schema_sync check`` against real databases, as its users run it."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from include.schema_sync.check.command import CONNECTION_VARIABLE
from tests.check_command import run

ORDERS = """\
name: orders
dimensions:
  - name: status
    type: integer
  - name: gone
measures:
  - name: amount
    type: number
"""
CLEAN = "name: orders\ndimensions: [{name: id}, {name: status}]\nmeasures: [{name: amount_usd, type: number}]\n"
TABLE = "CREATE TABLE orders (id integer, status text, amount_usd decimal(12,2))"


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CONNECTION_VARIABLE, raising=False)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "orders.yml").write_text(ORDERS)
    (tmp_path / "models" / "dbt_project.yml").write_text("name: shop\nmodels: {shop: {materialized: view}}\n")
    return tmp_path


@pytest.fixture
def sqlite_uri(tmp_path) -> str:
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute(TABLE)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_orders(fresh_database) -> str:
    import psycopg

    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute(TABLE)
    return fresh_database


@pytest.mark.postgres
def test_drift_in_a_repository_is_told_with_file_and_line(repository, postgres_orders):
    done = run("models", "--connection", postgres_orders)
    assert done.exit_code == 1
    assert "models/orders.yml:7: critical missing_column" in done.stdout
    assert "models/orders.yml:5: critical missing_column" in done.stdout
    assert "models/orders.yml:4: warning type_mismatch" in done.stdout
    assert "models/dbt_project.yml: skipped" in done.stderr
    assert "\x1b[" not in done.stdout


@pytest.mark.postgres
def test_the_written_patch_repairs_the_repository(repository, postgres_orders):
    more = ("--remove-missing", "--include-probable")
    assert run("models", "--connection", postgres_orders, "--patch", "fix.patch", *more).exit_code == 1
    applied = subprocess.run(["patch", "-p1", "-i", "fix.patch"], cwd=repository, capture_output=True, text=True)
    assert applied.returncode == 0, applied.stdout
    assert "# schema-sync: column gone is not in the table" in (repository / "models" / "orders.yml").read_text()
    done = run("models", "--connection", postgres_orders, "--fail-on", "warning")
    assert done.exit_code == 0, done.stdout


@pytest.mark.postgres
def test_a_wrong_password_is_unchecked_and_never_shown(repository, postgres_uri):
    host = postgres_uri.rsplit("@", 1)[1].rsplit("/", 1)[0]
    for output in ("text", "json", "sarif", "github"):
        done = run("models", "--format", output, uri=f"postgresql://nobody_CANARY:CANARY%40x@{host}/nowhere")
        assert done.exit_code == 2, done.output
        assert "CANARY" not in done.output
        assert "models/orders.yml" in done.stdout


@pytest.mark.postgres
def test_a_database_that_is_gone_is_told_of_the_file_that_needs_it(repository, postgres_uri):
    (repository / "models" / "orders.yml").write_text("name: orders\ndatabase: nowhere\ndimensions: [{name: id}]\n")
    done = run("models", "--format", "github", uri=postgres_uri)
    assert done.exit_code == 1
    assert done.stdout.startswith("::error file=models/orders.yml,line=1,title=Schema Sync%3A Missing schema::")


def test_duckdb_is_checked_without_airflow(repository):
    import duckdb

    with duckdb.connect("shop.duckdb") as connection:
        connection.execute(TABLE)
    done = run("models", "--connection", "duckdb:///shop.duckdb", "--format", "json", "--add-undocumented")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (told["summary"]["critical"], told["summary"]["unchecked"]) == (2, 0)
    assert {(each["type"], each["line"]) for each in told["findings"] if each["severity"] != "info"} == {
        ("missing_column", 5),
        ("missing_column", 7),
        ("type_mismatch", 4),
    }
    assert "+  - name: id" in told["patches"][0]["diff"]


def test_a_dataset_that_says_what_is_there_is_clean(repository, sqlite_uri):
    (repository / "models" / "orders.yml").write_text(CLEAN)
    done = run("models", uri=sqlite_uri)
    assert (done.exit_code, done.stdout) == (0, "1 file against SQLite: 0 critical, 0 warning, 0 info.\n")


def test_warnings_fail_only_when_asked_to(repository, sqlite_uri):
    (repository / "models" / "orders.yml").write_text("name: orders\ndimensions: [{name: status, type: date}]\n")
    (repository / "models" / "b.yml").write_text("name: orders\ndimensions: [{name: amount_usd, type: blob}]\n")
    code = run("models", uri=sqlite_uri).exit_code
    assert (code, run("models", "--fail-on", "warning", uri=sqlite_uri).exit_code) == (0, 1)


def test_an_unreadable_dataset_is_a_finding_with_its_line(repository, sqlite_uri):
    (repository / "models" / "orders.yml").write_text("name: orders\ndimensions:\n  - {name: a\nmeasures: []\n")
    done = run("models", "--format", "sarif", uri=sqlite_uri)
    assert done.exit_code == 1
    (found,) = json.loads(done.stdout)["runs"][0]["results"]
    assert found["ruleId"] == "invalid_yml"
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "models/orders.yml"


def test_fingerprints_are_the_same_on_every_run_and_when_lines_move(repository, sqlite_uri):
    def fingerprints() -> set[str]:
        told = json.loads(run("models", "--format", "json", uri=sqlite_uri).stdout)
        return {each["fingerprint"] for each in told["findings"]}

    first = fingerprints()
    (repository / "models" / "orders.yml").write_text("# moved\n" + ORDERS)
    assert first == fingerprints()
    assert first


@pytest.mark.parametrize(
    ("arguments", "uri", "why"),
    [
        (["models"], "sqlite:///gone.db", "unable to open database file"),
        (["nowhere"], "sqlite:///gone.db", "There is no file or folder nowhere"),
        (["models"], "oracle://u:p@h/x", "'oracle' is not known"),
        (["models", "--dialect", "oracle"], "sqlite:///gone.db", "'oracle' is not known"),
        (["models"], "nonsense", "cannot be read"),
        (["models/dbt_project.yml", "models", "--format", "xml"], "sqlite:///x.db", "'xml'"),
        (["models"], None, CONNECTION_VARIABLE),
    ],
)
def test_what_cannot_be_checked_says_why_and_exits_with_2(repository, arguments, uri, why):
    done = run(*arguments, uri=uri)
    assert done.exit_code == 2
    assert why in " ".join(done.output.split())


def test_a_folder_without_datasets_is_not_called_clean(repository, sqlite_uri):
    (repository / "models" / "orders.yml").unlink()
    done = run("models", uri=sqlite_uri)
    assert done.exit_code == 2
    assert "No dataset YML was found" in done.stderr


def test_a_driver_that_is_not_installed_is_named_with_its_pip_line(repository, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    done = run("models", uri="duckdb:///shop.duckdb")
    assert done.exit_code == 2
    assert "pip install duckdb" in done.stdout


def test_the_patch_alone_goes_to_standard_output(repository, sqlite_uri):
    done = run("models", "--patch", "-", uri=sqlite_uri)
    assert done.stdout.startswith("--- a/models/orders.yml\n+++ b/models/orders.yml\n@@ ")
    assert "amount_usd" not in done.stdout
    assert "critical missing_column" in done.stderr


def test_a_probable_rename_is_a_patch_of_its_own_on_request(repository, sqlite_uri):
    asked = ("models", "--include-probable")
    certain, probable = json.loads(run(*asked, "--format", "json", uri=sqlite_uri).stdout)["patches"]
    assert (certain["probable"], probable["probable"]) == (False, True)
    assert "+    expr: amount_usd" in probable["diff"]
    assert "Probable patch (look at each rename first), repairs 1" in run(*asked, uri=sqlite_uri).stdout
    assert (
        "Probable patch (look at each rename first), repairs 1"
        in run(*asked, "--format", "markdown", uri=sqlite_uri).stdout
    )


def test_annotations_take_paths_from_the_repositorys_root(repository, sqlite_uri, monkeypatch):
    (repository / ".git").mkdir()
    monkeypatch.chdir(repository / "models")
    done = run("orders.yml", "--format", "github", uri=sqlite_uri)
    assert "::error file=models/orders.yml,line=5," in done.stdout
    sarif = json.loads(run("orders.yml", "--format", "sarif", uri=sqlite_uri).stdout)
    places = [each["locations"][0]["physicalLocation"]["artifactLocation"] for each in sarif["runs"][0]["results"]]
    assert places[0] == {"uri": "models/orders.yml", "uriBaseId": "%SRCROOT%"}


def test_as_a_user_runs_it_from_the_projects_root(repository, sqlite_uri, project_root):
    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "include.schema_sync", *arguments],
            cwd=project_root,
            env={**os.environ, CONNECTION_VARIABLE: sqlite_uri},
            capture_output=True,
            text=True,
            timeout=60,
        )

    done = python("check", str(repository / "models"), "--format", "github")
    assert done.returncode == 1
    assert f"::error file={repository.as_posix()}/models/orders.yml,line=5," in done.stdout
    assert not [line for line in done.stderr.splitlines() if line.rpartition("|")[2].strip() == "airflow"]
    assert "check" in python("--help").stdout
    assert "usage" in python().stderr


def test_an_assumed_schema_is_told_with_where_the_table_really_is(repository):
    import duckdb

    with duckdb.connect("shop.duckdb") as connection:
        connection.execute("CREATE SCHEMA sales")
        connection.execute(TABLE.replace("orders", "sales.orders"))
    done = run("models", uri="duckdb:///shop.duckdb")
    assert "No schema is named, so `main` was assumed; `orders` exists in `sales`: --schema sales." in done.stdout
    assert "was assumed" not in run("models", "--schema", "main", uri="duckdb:///shop.duckdb").stdout
    assert "missing_table" not in run("models", "--schema", "sales", uri="duckdb:///shop.duckdb").stdout


@pytest.mark.postgres
def test_a_wrong_password_is_told_once_whatever_the_number_of_files_and_schemas(repository, postgres_uri):
    for number in range(3):
        text = f"name: t{number}\nschema: s{number % 2}\ndimensions: [{{name: id}}]\n"
        (repository / "models" / f"t{number}.yml").write_text(text)
    done = run("models", uri=postgres_uri.replace("postgres:", "nobody:", 1))
    assert done.exit_code == 2
    assert done.stdout.count("NOT CHECKED models/orders.yml, models/t0.yml, models/t1.yml, models/t2.yml: cannot") == 1
    assert done.stdout.count("cannot connect") == 1


def test_a_link_that_leads_nowhere_is_not_checked_and_the_rest_goes_on(repository, sqlite_uri):
    (repository / "models" / "gone.yml").symlink_to("nowhere.yml")
    for paths in (("models",), ("models/gone.yml", "models/orders.yml")):
        done = run(*paths, uri=sqlite_uri)
        assert done.exit_code == 2
        assert "NOT CHECKED models/gone.yml: cannot be read: No such file or directory" in done.stdout
        assert "models/orders.yml:5: critical missing_column" in done.stdout


def test_a_dash_is_standard_input(repository, sqlite_uri, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ORDERS.encode())))
    done = run("-", "--patch", "-", uri=sqlite_uri)
    assert "-:5: critical missing_column" in done.stderr
    assert done.stdout.startswith("--- a/-\n")


def test_an_empty_file_is_no_sqlite_database(repository):
    Path("shop.db").touch()
    done = run("models", uri="sqlite:///shop.db")
    assert done.exit_code == 2
    assert "NOT CHECKED models/orders.yml" in done.stdout
    assert "the SQLite file is empty. A copy that failed?" in done.stdout


def test_a_file_of_another_tool_that_is_named_is_told_what_it_is(repository, sqlite_uri):
    Path("api.yml").write_text("openapi: 3.1.0\nfilters: [open]\n")
    done = run("api.yml", uri=sqlite_uri)
    assert done.exit_code == 1
    assert "this is an OpenAPI description; expected `name`" in done.stdout
