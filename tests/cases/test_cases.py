"""Whole cases through the check command, on real engines; ``README.md`` beside this file is their form."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from engines import mariadb

from tests.check_command import run

HERE = Path(__file__).resolve().parent
CASES = sorted(path.parent for path in HERE.glob("*/*/case.yml"))
Execute = Callable[[str], None]
_numbers = count(1)


def statements(file: Path) -> list[str]:
    if not file.exists():
        return []
    return [each for each in file.read_text().replace(";\n", ";\0").split("\0") if each.strip()]


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    if reason := mariadb.missing():
        pytest.skip(reason)
    with mariadb.running() as server:
        yield server.port


@pytest.fixture
def warehouse(case: Path, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Execute]:
    """(URI, how to run a statement as the owner) of an empty warehouse of the case's engine."""
    engine = case.parent.name
    file = tmp_path / f"shop.{engine}"
    if engine == "postgres":
        import psycopg

        uri = request.getfixturevalue("create_database")()

        def execute_in_postgres(sql: str) -> None:
            with psycopg.connect(uri, autocommit=True) as connection:
                connection.execute(sql.replace("{database}", urlsplit(uri).path.lstrip("/")))

        return uri, execute_in_postgres
    if engine == "mariadb":
        import mysql.connector

        port, name = request.getfixturevalue("mariadb_port"), f"case{next(_numbers)}"

        def execute_in_mariadb(sql: str) -> None:
            with closing(mysql.connector.connect(host="127.0.0.1", port=port, user="root", autocommit=True)) as server:
                cursor = server.cursor()
                for each in (f"CREATE DATABASE IF NOT EXISTS {name}", f"USE {name}", sql.replace("{database}", name)):
                    cursor.execute(each)
                    if cursor.with_rows:
                        cursor.fetchall()

        return f"mysql://root@127.0.0.1:{port}/{name}", execute_in_mariadb

    def execute_in_file(sql: str) -> None:
        if engine == "sqlite":
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute(sql)
        else:
            import duckdb

            with duckdb.connect(str(file)) as db:
                db.execute(sql)

    return f"{engine}:///{file}", execute_in_file


def is_like(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(
        str(value).lower() in str(found.get(key.removesuffix("_has"))).lower()
        if key.endswith("_has")
        else found.get(key) == value
        for key, value in wanted.items()
    )


def told(uri: str, settings: dict[str, Any], *options: str) -> tuple[int, dict[str, Any]]:
    more = ["--schema", settings["default_schema"]] if "default_schema" in settings else []
    done = run("datasets", "--connection", uri, "--format", "json", *more, *settings.get("options", ()), *options)
    assert done.stdout, done.output
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_case(case: Path, warehouse: tuple[str, Execute], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri, execute = warehouse
    settings = yaml.safe_load((case / "case.yml").read_text())
    for sql in (*statements(case / "before.sql"), *statements(case / "change.sql")):
        execute(sql)
    shutil.copytree(case / "datasets", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    code, result = told(uri, settings)
    expected = settings.get("expect") or []
    found = result["findings"]
    assert [wanted for wanted in expected if not any(is_like(each, wanted) for each in found)] == [], found
    assert [each for unwanted in settings.get("not") or [] for each in found if is_like(each, unwanted)] == []
    loud = [each for each in found if each["severity"] != "info"]
    if settings.get("others") != "any":
        assert [each for each in loud if not any(is_like(each, wanted) for wanted in expected)] == []
    assert code == settings.get("exit", int(any(each["severity"] == "critical" for each in found))), result
    if settings.get("patch") == "none":
        assert result["patches"] == []
    if settings.get("patch") == "settles":
        told(uri, settings, "--patch", "fix.patch")
        subprocess.run(["patch", "-p1", "--batch", "-i", "fix.patch"], check=True, capture_output=True)
        fixed = {fingerprint for patch in result["patches"] for fingerprint in patch["fixes"]}
        after = {each["fingerprint"] for each in told(uri, settings)[1]["findings"] if each["severity"] != "info"}
        assert fixed
        assert after == {each["fingerprint"] for each in loud} - fixed


def test_there_are_cases_of_every_engine() -> None:
    assert {case.parent.name for case in CASES} == {"postgres", "duckdb", "sqlite", "mariadb"}
