"""DuckDB and SQLite beyond the scenarios: files that are not there, not ours to change, or hold the unusual."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from engines.base import open_with_hook

from include.schema_sync.errors import TerminalError
from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.snapshot import Column, GroupRequest, GroupSnapshot
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.duckdb import DuckDBConnection, own_database
from include.schema_sync.warehouses.engine import Failure

pytestmark = pytest.mark.airflow


def open_file(engine: str, path: Path) -> Any:
    return open_with_hook(engine, None, host=str(path))


def read(engine: str, path: Path, schema: str, *tables: str) -> GroupSnapshot:
    request = GroupRequest("s", None, schema, tables)
    dialect = dialect_for(engine)
    (outcome,) = introspect_source(lambda _: open_file(engine, path), dialect, [request], timeout_s=10)
    assert outcome.snapshot.error is None, outcome.snapshot.error
    return outcome.snapshot


def duckdb_file(path: Path, *statements: str) -> Path:
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("airflow.providers.duckdb.hooks.duckdb")
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def sqlite_file(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_a_file_that_is_not_there_is_unchecked_and_is_not_made(engine: str, tmp_path: Path) -> None:
    if engine == "duckdb":
        pytest.importorskip("airflow.providers.duckdb.hooks.duckdb")
    path = tmp_path / "absent.db"
    request = GroupRequest("s", None, "main", ("orders",))
    (outcome,) = introspect_source(lambda _: open_file(engine, path), dialect_for(engine), [request], timeout_s=10)
    assert outcome.failure is Failure.TRANSIENT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_a_file_of_another_kind_is_unchecked_for_good(engine: str, tmp_path: Path) -> None:
    if engine == "duckdb":
        pytest.importorskip("airflow.providers.duckdb.hooks.duckdb")
    path = tmp_path / "notes.txt"
    path.write_text("no database " * 1000)
    request = GroupRequest("s", None, "main", ("orders",))
    (outcome,) = introspect_source(lambda _: open_file(engine, path), dialect_for(engine), [request], timeout_s=10)
    assert outcome.failure is Failure.TERMINAL


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_a_connection_that_names_no_file_is_refused_because_an_empty_database_would_be_opened(engine: str) -> None:
    pytest.importorskip("airflow.providers.duckdb.hooks.duckdb")
    with pytest.raises(TerminalError, match="names no file"):
        open_with_hook(engine, None)


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_a_file_cannot_be_changed_over_the_connection(engine: str, tmp_path: Path) -> None:
    make = duckdb_file if engine == "duckdb" else sqlite_file
    path = make(tmp_path / "shop.db", "CREATE TABLE orders (id INTEGER)")
    connection = open_file(engine, path)
    try:
        with pytest.raises(Exception, match=r"read-?only"):
            connection.cursor().execute("INSERT INTO orders VALUES (1)")
    finally:
        connection.close()


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_a_view_whose_table_was_dropped_does_not_hide_the_other_tables(engine: str, tmp_path: Path) -> None:
    make = duckdb_file if engine == "duckdb" else sqlite_file
    path = make(
        tmp_path / "shop.db",
        "CREATE TABLE gone (id INTEGER)",
        "CREATE VIEW left_over AS SELECT id FROM gone",
        "CREATE TABLE orders (id INTEGER)",
        "DROP TABLE gone",
    )
    left_over, orders = read(engine, path, "main", "left_over", "orders").tables
    assert (left_over.name, left_over.kind) == ("left_over", "view")
    assert orders.columns == (Column("id", "INTEGER"),)


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_an_absent_table_brings_the_names_that_look_like_it(engine: str, tmp_path: Path) -> None:
    make = duckdb_file if engine == "duckdb" else sqlite_file
    path = make(tmp_path / "shop.db", "CREATE TABLE orders_v2 (id INTEGER)", "CREATE TABLE zzz (id INTEGER)")
    assert read(engine, path, "main", "orders").neighbours == ("orders_v2",)
    assert read(engine, path, "main", "ORDERS_V2").neighbours == ()


@pytest.mark.parametrize(
    "name", ["shop.duckdb", "shop.v2.db", "My Shop.duckdb", "main.duckdb", "temp.db", "system.db", "memory.db", "noext"]
)
def test_a_duckdb_database_is_named_after_its_file(name: str, tmp_path: Path) -> None:
    path = duckdb_file(tmp_path / name, "CREATE TABLE orders (id INTEGER)")
    connection = open_file("duckdb", path)
    cursor = connection.cursor()
    cursor.execute("SELECT current_database()")
    try:
        assert cursor.fetchmany(2) == [(own_database(str(path)),)]
    finally:
        connection.close()


def test_another_database_that_is_attached_is_not_mixed_in(tmp_path: Path) -> None:
    """As on MotherDuck, where a connection sees every database of the account."""
    duckdb_file(tmp_path / "other.duckdb", "CREATE TABLE orders (other INTEGER)")
    path = duckdb_file(tmp_path / "shop.duckdb", "CREATE TABLE orders (id INTEGER)")

    def connect(_database: str | None) -> Any:
        connection = DuckDBConnection(duckdb.connect(str(path), read_only=True))
        connection.cursor().execute(f"ATTACH '{tmp_path / 'other.duckdb'}' AS other (READ_ONLY)")
        return connection

    groups = [GroupRequest("s", database, "main", ("orders",)) for database in (None, "shop", "OTHER", "nowhere")]
    outcomes = introspect_source(connect, dialect_for("duckdb"), groups, timeout_s=10)
    found = [[column.name for table in outcome.snapshot.tables for column in table.columns] for outcome in outcomes]
    assert found == [["id"], ["id"], ["other"], []]
    assert [outcome.snapshot.exists for outcome in outcomes] == [True, True, True, False]


def test_sqlites_virtual_and_generated_columns_are_told_apart(tmp_path: Path) -> None:
    path = sqlite_file(
        tmp_path / "shop.db",
        "CREATE TABLE orders (id INTEGER, untyped, twice GENERATED ALWAYS AS (id * 2) VIRTUAL)",
        "CREATE VIRTUAL TABLE words USING fts5(body)",
    )
    orders, words = read("sqlite", path, "public", "orders", "words").tables
    assert orders.columns == (Column("id", "INTEGER"), Column("untyped", ""), Column("twice", ""))
    assert (words.kind, words.columns) == ("virtual table", (Column("body", ""),))


@pytest.mark.parametrize("name", ["100% {x}?.db", "with space.db", "ümlaut#1.db"])
def test_a_path_is_only_a_path(name: str, tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / name, "CREATE TABLE orders (id INTEGER)")
    assert [table.name for table in read("sqlite", path, "main", "orders").tables] == ["orders"]


def test_an_airflow_uri_with_three_slashes_names_a_file_too(tmp_path: Path) -> None:
    from airflow.sdk import Connection
    from schema_sync_airflow.warehouse_hooks import warehouse_hook

    path = sqlite_file(tmp_path / "shop.db", "CREATE TABLE orders (id INTEGER)")
    connection = Connection.from_uri(f"sqlite://{path}", conn_id="x")
    warehouse_hook("sqlite").open(connection, None, Settings.from_environment({})).close()
    assert warehouse_hook("sqlite").own_database(connection) == "shop"
