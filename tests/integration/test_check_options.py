"""The check command's configuration, selection, baseline and formats, against a real SQLite file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from include.schema_sync.check.formats.markdown import MARKER
from include.schema_sync.yml.document import Composer
from tests.check_command import run

DRIFTED = "name: {0}\ndimensions:\n- {{name: id, type: blob}}\n- {{name: gone}}\n"


def make_database(path: Path, *tables: str) -> str:
    connection = sqlite3.connect(path)
    for table in tables:
        connection.execute(f"CREATE TABLE {table} (id integer, extra text)")
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    for name in ("sales/orders", "sales/refunds", "hr/people"):
        file = tmp_path / f"{name}.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(DRIFTED.format(file.stem))
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def uri(repository) -> str:
    return make_database(repository / "shop.db", "orders", "refunds", "people")


def files(done) -> set[str]:
    return {each["file"] for each in json.loads(done.stdout)["findings"]}


# What is checked


def test_the_configuration_says_which_warehouse_each_folder_is_checked_against(repository, monkeypatch):
    monkeypatch.setenv("SALES_DB", make_database(repository / "sales.db", "orders", "refunds"))
    monkeypatch.setenv("HR_DB", make_database(repository / "hr.db", "another"))
    (repository / "schema-sync.toml").write_text(
        'fail-on = "warning"\nexclude = ["refunds"]\n'
        '[[check]]\npaths = ["sales"]\nconnection-variable = "SALES_DB"\n'
        '[[check]]\npaths = ["hr"]\nconnection-variable = "HR_DB"\n'
    )
    done = run("--format", "json")
    told = {(each["file"], each["type"]) for each in json.loads(done.stdout)["findings"] if each["severity"] != "info"}
    assert told == {
        ("hr/people.yml", "missing_table"),  # only HR's own database is asked for it
        ("sales/orders.yml", "missing_column"),
        ("sales/orders.yml", "type_mismatch"),
    }
    (repository / "sales" / "orders.yml").write_text("name: orders\ndimensions: [{name: id, type: blob}]\n")
    assert run("sales").exit_code == 1  # a warning is enough, as fail-on says
    assert run("sales", "--fail-on", "critical").exit_code == 0


def test_pyproject_is_read_from_a_folder_below_and_paths_are_those_of_its_own_folder(repository, uri, monkeypatch):
    (repository / "pyproject.toml").write_text('[tool.schema-sync]\ncheck = [{paths = ["sales"]}]\n')
    monkeypatch.chdir(repository / "hr")
    done = run("--format", "json", uri=uri)
    assert files(done) == {f"{repository.as_posix()}/sales/{name}.yml" for name in ("orders", "refunds")}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fail_on = 'warning'", "fail_on is not known here. Known: fail-on, exclude, check"),
        ("fail-on = 'info'", "fail-on is 'info'"),
        ("check = [{}]", "names no paths"),
        ("check = [{paths = 'sales'}]", "write a list of texts"),
        ("check = [{paths = ['sales'], schema = 1}]", "schema is 1"),
        ("[check]\npaths = ['sales']", "[[check]]"),
        ("fail-on =", "cannot be read"),
    ],
)
def test_a_wrong_configuration_is_named_with_what_to_write(repository, uri, text, why):
    (repository / "schema-sync.toml").write_text(text)
    done = run(uri=uri)
    assert done.exit_code == 2
    assert why in done.stderr
    assert "schema-sync.toml" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        (("--select", "orders"), {"sales/orders.yml"}),
        (("--select", "sales/*"), {"sales/orders.yml", "sales/refunds.yml"}),
        (("--exclude", "people", "--exclude", "sales/ref*"), {"sales/orders.yml"}),
        (("--select", "sales/*", "--exclude", "orders"), {"sales/refunds.yml"}),
    ],
)
def test_files_are_selected_by_path_or_by_a_datasets_name(repository, uri, arguments, taken):
    assert files(run(".", "--format", "json", *arguments, uri=uri)) == taken


def test_the_log_of_introspection_names_what_is_absent(repository, caplog):
    uri = make_database(repository / "half.db", "orders")
    with caplog.at_level("INFO", "include.schema_sync.introspect"):
        run(".", uri=uri)
    (line,) = [each.message for each in caplog.records if "schema-sync group" in each.message]
    assert "3 tables asked for, 1 table found, 2 columns, absent: people, refunds;" in line


def test_nothing_to_check_says_where_to_name_it(repository, uri):
    done = run(uri=uri)
    assert done.exit_code == 2
    assert "list them in schema-sync.toml" in done.stderr


# What counts


def test_less_severe_findings_are_counted_and_not_shown(repository, uri):
    done = run("sales/orders.yml", "--min-severity", "critical", uri=uri)
    assert "missing_column" in done.stdout
    assert "type_mismatch" not in done.stdout.partition("Suggested patch")[0]
    assert "1 critical, 1 warning, 1 info" in done.stdout
    hidden = run("sales/orders.yml", "--min-severity", "critical", "--fail-on", "warning", "--format", "json", uri=uri)
    assert hidden.exit_code == 1


def test_quiet_says_nothing_of_what_is_clean(repository, uri):
    (repository / "sales" / "orders.yml").write_text("name: orders\ndimensions: [{name: id}, {name: extra}]\n")
    (repository / "sales" / "other.yml").write_text("services: {}\n")
    done = run("sales", "--exclude", "refunds", "--quiet", uri=uri)
    assert (done.exit_code, done.output) == (0, "")
    assert "skipped" in run("sales", uri=uri).stderr


def test_what_a_baseline_knows_does_not_fail_and_what_is_new_does(repository, uri, monkeypatch):
    assert run(".", "--write-baseline", uri=uri).exit_code == 0
    known = run(".", "--baseline", "schema-sync-baseline.json", uri=uri)
    assert (known.exit_code, "0 critical, 0 warning, 0 info, 9 known" in known.stdout) == (0, True)
    (repository / "sales" / "orders.yml").write_text("# moved\n" + DRIFTED.format("orders") + "- {name: new}\n")
    monkeypatch.chdir(repository / "sales")  # fingerprints do not depend on where the command runs
    done = run(".", "--baseline", "../schema-sync-baseline.json", "--format", "json", uri=uri)
    assert done.exit_code == 1
    assert [each["column"] for each in json.loads(done.stdout)["findings"]] == ["new"]


def test_stale_entries_are_named_and_those_of_files_not_looked_at_are_not(repository, uri):
    run(".", "--write-baseline", uri=uri)
    (repository / "sales" / "orders.yml").write_text("name: orders\ndimensions: [{name: id}, {name: extra}]\n")
    (repository / "sales" / "refunds.yml").unlink()
    done = run("sales", "--baseline", "schema-sync-baseline.json", uri=uri)
    stale = [line for line in done.stdout.splitlines() if "take it out of the baseline" in line]
    assert len(stale) == 6
    assert not [line for line in stale if "people" in line]
    assert run("sales", "--write-baseline", uri=uri).exit_code == 0
    kept = json.loads((repository / "schema-sync-baseline.json").read_text())["findings"]
    assert {each["file"] for each in kept.values()} == {"hr/people.yml"}


def test_what_could_not_be_checked_is_never_in_a_baseline(repository, uri):
    (repository / "sales" / "bad.yml").write_bytes(b"\xff\xfe")
    done = run("sales", "--write-baseline", uri=uri)
    assert done.exit_code == 2
    assert "bad.yml" not in (repository / "schema-sync-baseline.json").read_text()
    unreachable = run("sales", "--baseline", "schema-sync-baseline.json", uri="sqlite:///gone.db")
    assert unreachable.exit_code == 2
    assert "take it out" not in unreachable.stdout  # nothing is known, so nothing is stale


def test_a_file_that_is_no_baseline_is_never_overwritten(repository, uri):
    done = run("sales", "--write-baseline", "--baseline", "sales/orders.yml", uri=uri)
    assert done.exit_code == 2
    assert "is no baseline" in done.stderr
    assert (repository / "sales" / "orders.yml").read_text() == DRIFTED.format("orders")


# What is written


def test_markdown_is_one_comment_with_a_table_and_the_patch(repository, uri):
    done = run("sales/orders.yml", "--format", "markdown", uri=uri)
    lines = done.stdout.splitlines()
    assert lines[0] == MARKER
    assert lines[1] == "### 🔴 Schema Sync: 1 critical, 1 warning, 1 info"
    assert "| 🔴 Missing column | `sales/orders.yml:4` | `shop.main.orders.gone` |" in done.stdout
    assert "```diff\n--- a/sales/orders.yml" in done.stdout


def test_one_check_writes_several_reports(repository, uri):
    done = run("sales", "--format", "github", "--format", "markdown=comment.md", "--format", "json=all.json", uri=uri)
    assert done.stdout.startswith("::error file=sales/orders.yml,line=4")
    assert (repository / "comment.md").read_text().startswith(MARKER)
    assert len(json.loads((repository / "all.json").read_text())["findings"]) == 6
    refused = run("sales", "--format", "json=nowhere/all.json", uri=uri)
    assert (refused.exit_code, "cannot be written to nowhere/all.json" in refused.stderr) == (2, True)


def test_junit_fails_what_fails_and_passes_the_rest(repository, uri):
    root = ElementTree.fromstring(run("sales", "--format", "junit", uri=uri).stdout)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "2", "0")
    assert {each.get("type") for each in root.iter("failure")} == {"missing_column"}
    refused = ElementTree.fromstring(run("sales", "--format", "junit", uri="sqlite:///gone.db").stdout)
    assert (refused.get("failures"), refused.get("errors")) == ("0", "2")


def test_help_version_and_completion_work_without_a_connection(repository):
    assert "Exit status" in run("-h").stdout
    assert run(command="--version").stdout.startswith("schema-sync 0.")
    for shell in ("bash", "zsh", "fish"):
        assert "schema-sync" in run(shell, command="completion").stdout
    done = run("sales", "--formt", "json", uri="sqlite:///x.db")
    assert (done.exit_code, "--formt" in done.stderr) == (2, True)


def test_the_shell_is_offered_what_may_stand_at_the_cursor(project_root, tmp_path):
    line = "schema-sync check --format "
    code = "import sys; from include.schema_sync.check.command import main; sys.exit(main())"
    with (tmp_path / "offered").open("wb") as offered:
        subprocess.run(
            ["bash", "-c", f"{sys.executable} -c '{code}' 8>&1 9>/dev/null 1>/dev/null"],
            env={"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": " ",
                 "COMP_TYPE": "9", "PYTHONPATH": str(project_root)},
            stdout=offered, timeout=60, check=False,
        )  # fmt: skip
    assert {"json", "markdown", "junit"} <= set((tmp_path / "offered").read_text().split())


def test_each_clean_file_is_read_twice(tmp_path, monkeypatch):
    """Once to see whether it is a dataset, once for all that is done with it."""
    read = []
    compose = Composer.documents

    def counted(self):
        read.append(self)
        return compose(self)

    monkeypatch.setattr(Composer, "documents", counted)
    monkeypatch.chdir(tmp_path)
    for name in ("orders", "people", "refunds"):
        (tmp_path / f"{name}.yml").write_text(f"name: {name}\ndimensions: [{{name: id}}, {{name: extra}}]\n")
    done = run(".", uri=make_database(tmp_path / "all.db", "orders", "people", "refunds"))
    assert done.stdout == "3 files against SQLite: 0 critical, 0 warning, 0 info.\n"
    assert len(read) == 6
