"""MySQL's dialect on a real MariaDB, beyond the scenarios: kinds, grants, letter case and the session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from engines import mariadb
from engines.base import DROPPED_SCHEMA, Place

from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.needs.placement import group_requests
from include.schema_sync.needs.placement import place as placed_at
from include.schema_sync.nouns.dataset import Dataset
from include.schema_sync.nouns.snapshot import Column, GroupRequest, GroupSnapshot
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.names import NameIndex
from include.schema_sync.yml.dataset import parse_dataset_yml

pytestmark = pytest.mark.airflow

MYSQL = dialect_for("mysql")


@pytest.fixture(scope="module")
def strict_server() -> Iterator[Any]:
    """A server whose defaults would break a careless client."""
    if (reason := mariadb.missing()) is not None:
        pytest.skip(f"mariadb: {reason}")
    with mariadb.running("--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT") as server:
        yield server


@pytest.fixture
def place(strict_server: Any) -> Place:
    where: Place = strict_server.new_place()
    return where


def read(server: Any, place: Place, *tables: str) -> GroupSnapshot:
    request = GroupRequest("s", place.database, place.schema, tables)
    (outcome,) = introspect_source(server.connect, MYSQL, [request], timeout_s=30)
    assert outcome.snapshot.error is None, outcome.snapshot.error
    return outcome.snapshot


def test_every_kind_of_relation_is_seen_because_each_can_be_queried(strict_server: Any, place: Place) -> None:
    strict_server.run(
        place,
        "CREATE TABLE plain (a int)",
        "CREATE TABLE versioned (a int) WITH SYSTEM VERSIONING",
        "CREATE TABLE parted (a int) PARTITION BY HASH (a) PARTITIONS 2",
        "CREATE VIEW seen AS SELECT a FROM plain",
        "CREATE SEQUENCE counter",
    )
    snapshot = read(strict_server, place, "plain", "versioned", "parted", "seen", "counter")
    assert [(table.name, table.kind) for table in snapshot.tables] == [
        ("parted", "table"), ("plain", "table"), ("seen", "view"), ("versioned", "table"),
    ]  # fmt: skip
    assert all(table.readable and table.columns == (Column("a", "int(11)"),) for table in snapshot.tables)


def test_columns_come_in_table_order_with_generated_and_invisible_ones(strict_server: Any, place: Place) -> None:
    strict_server.run(
        place,
        "CREATE TABLE orders (z int unsigned, a decimal(10,2), twice int AS (z * 2) VIRTUAL, kept int INVISIBLE)",
        "ALTER TABLE orders ADD COLUMN state enum('it''s','b') AFTER z",
    )
    (table,) = read(strict_server, place, "orders").tables
    assert table.columns == (
        Column("z", "int(10) unsigned"),
        Column("state", "enum('it''s','b')"),
        Column("a", "decimal(10,2)"),
        Column("twice", "int(11)"),
        Column("kept", "int(11)"),
    )


def test_what_the_role_may_not_read_is_unreadable_or_hidden(strict_server: Any, place: Place) -> None:
    strict_server.run(
        place,
        "CREATE TABLE hidden (id int)",
        "CREATE TABLE partly (secret int, id int)",
        "CREATE TABLE written (id int)",
    )
    for table in ("hidden", "partly", "written"):
        strict_server.hide(place, table)
    strict_server.execute(
        f"GRANT SELECT (id) ON {place.schema}.partly TO reader", f"GRANT INSERT ON {place.schema}.written TO reader"
    )
    partly, written = read(strict_server, place, "hidden", "partly", "written").tables
    assert partly.readable
    assert partly.columns == (Column("id", "int(11)"),)
    assert (written.name, written.readable) == ("written", False)


def test_a_view_whose_table_was_dropped_does_not_hide_the_other_tables(strict_server: Any, place: Place) -> None:
    strict_server.run(
        place,
        "CREATE TABLE gone (id int)",
        "CREATE VIEW left_over AS SELECT id FROM gone",
        "CREATE TABLE orders (id int)",
    )
    strict_server.execute(f"DROP TABLE {place.schema}.gone")
    left_over, orders = read(strict_server, place, "left_over", "orders").tables
    assert (left_over.kind, left_over.readable, left_over.columns) == ("view", True, ())
    assert [column.name for column in orders.columns] == ["id"]


def test_letters_with_accents_are_other_letters(strict_server: Any, place: Place) -> None:
    strict_server.run(place, "CREATE TABLE `café` (id int)", "CREATE TABLE cafe (other int)")
    assert [table.name for table in read(strict_server, place, "café").tables] == ["café"]


def test_an_absent_table_brings_the_names_that_look_like_it(strict_server: Any, place: Place) -> None:
    strict_server.run(place, "CREATE TABLE orders_v2 (id int)", "CREATE TABLE zzz (id int)")
    assert read(strict_server, place, "orders").neighbours == ("orders_v2",)
    assert read(strict_server, place, "orders_v2").neighbours == ()


def test_another_engines_word_for_no_schema_means_the_database(strict_server: Any, place: Place) -> None:
    strict_server.run(place, "CREATE TABLE orders (id int)")
    (table,) = read(strict_server, Place(place.schema, "public"), "orders").tables
    assert table.name == "orders"
    assert not read(strict_server, Place(place.schema, DROPPED_SCHEMA), "orders").exists


def test_a_server_that_ignores_the_case_of_tables_gives_no_case_mismatch() -> None:
    if (reason := mariadb.missing()) is not None:
        pytest.skip(f"mariadb: {reason}")
    with mariadb.running("--lower-case-table-names=1") as server:
        place = server.new_place()
        server.run(place, "CREATE TABLE Orders (id int)", "CREATE TABLE customers (id int)")
        snapshot = read(server, place, "ORDERS", "customers")
        shouted = read(server, Place(place.database, place.schema.upper()), "customers")
    index = NameIndex([table.name for table in snapshot.tables], MYSQL.table_case)
    assert index.resolve("ORDERS") == ("ORDERS", False)
    assert index.resolve("customers") == ("customers", False)
    assert [table.name for table in shouted.tables] == ["customers"]


def test_the_session_is_bounded_and_cannot_write(strict_server: Any, place: Place) -> None:
    strict_server.run(place, "CREATE TABLE orders (id int)")
    strict_server.execute(f"GRANT INSERT ON {place.schema}.orders TO reader")
    connection = strict_server.connect(None)
    cursor = connection.cursor()
    for statement in MYSQL.session_statements:
        cursor.execute(statement.format(timeout_ms=1500))
    cursor.execute("SELECT @@max_statement_time, @@autocommit, @@sql_mode, @@lock_wait_timeout, DATABASE()")
    ((seconds, autocommit, sql_mode, lock_seconds, database),) = cursor.fetchall()
    assert (float(seconds), autocommit, sql_mode, lock_seconds, database) == (1.5, 1, "", 2, None)
    assert connection.read_timeout > Settings.from_environment({}).statement_timeout_s
    with pytest.raises(Exception, match="READ ONLY"):
        cursor.execute(f"INSERT INTO {place.schema}.orders VALUES (1)")
    connection.close()


def test_a_probe_keeps_no_lock_behind_which_the_owner_would_wait(strict_server: Any, place: Place) -> None:
    strict_server.run(place, "CREATE TABLE orders (id int)")
    connection = strict_server.connect(None)
    cursor = connection.cursor()
    for statement in MYSQL.session_statements:
        cursor.execute(statement.format(timeout_ms=1500))
    cursor.execute(MYSQL.probe(GroupRequest("s", None, place.schema, ("orders",)), "orders", ("id",)))
    assert cursor.fetchall() == []
    strict_server.execute("SET lock_wait_timeout = 2", f"ALTER TABLE {place.schema}.orders ADD COLUMN name text")
    connection.close()


def test_what_is_compiled_is_not_run_on_mariadb(strict_server: Any, place: Place) -> None:
    strict_server.run(
        place,
        "CREATE TABLE orders (id int, note varchar(20))",
        "CREATE SEQUENCE tickets",
        "CREATE FUNCTION touched(x int) RETURNS int DETERMINISTIC"
        " BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'it ran'; RETURN 1; END",
    )
    expressions = (
        "SLEEP(900)", "touched(id)", "(SELECT touched(1))", "NEXTVAL(tickets)", "LOAD_FILE('/etc/passwd')", "gone(id)",
        "BENCHMARK(1000000000, SHA2(id, 512))", "id = 'it\\'s'", "note = 'a''b'",
    )  # fmt: skip
    fields = "".join(f"\n  - name: d{number}\n    expr: {text}" for number, text in enumerate(expressions))
    dataset = Dataset("d", "orders", "o", "s", None, place.schema, f"name: orders\ndimensions:\n  - name: id{fields}")
    proofs = MYSQL.proofs
    assert proofs is not None
    placed = [placed_at(dataset, each, own_database=None) for each in parse_dataset_yml(dataset.yml, name="orders")]
    (request,) = group_requests("s", placed, "mysql", None, proofs)
    started = time.monotonic()
    (outcome,) = introspect_source(strict_server.connect, MYSQL, [request], timeout_s=30)
    assert time.monotonic() - started < 20
    assert outcome.compiled > 1, outcome.snapshot.proof
    said = {each.user: each for each in outcome.snapshot.proof or ()}
    # This role may run no function: whether one is gone, the server does not tell it, so nobody is accused.
    assert {user for user, each in said.items() if each.outcome == "lacking"} >= {"dimension `d1`", "dimension `d5`"}
    assert not [each for each in said.values() if each.outcome == "broken" or "it ran" in each.words]
