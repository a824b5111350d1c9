"""A probe that gets no answer leaves what it asked for unchecked, and calls nothing missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.introspect import session
from include.schema_sync.introspect import source as introspection
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.engine import Dialect
from tests.integration.probe.conftest import (
    ORDERS,
    ORDERS_YML,
    POSTGRES,
    check,
    run,
    without_columns,
    without_schemas,
    without_tables,
)

pytestmark = pytest.mark.postgres


def before_each_probe(do: Callable[[str], object], dialect: Dialect) -> Dialect:
    """The dialect, with something that happens between the catalogue's answer and every probe of a table."""

    def probe(request: GroupRequest, table: str, columns: Sequence[str]) -> str:
        do(table)
        return dialect.probe(request, table, columns)

    return replace(dialect, probe=probe, proofs=None)  # without the statement that answers for all at once


# No answer


def test_a_server_that_stops_before_the_probe_leaves_the_dataset_unchecked_and_nothing_missing() -> None:
    clean = "name: others\nmeasures: [{name: id}]"
    with ExitStack() as server:
        uri = server.enter_context(running_postgres())
        run(uri, ORDERS, "CREATE TABLE others (id int)")
        dialect = before_each_probe(lambda _: server.close(), without_columns("amount"))
        checked = check(uri, ORDERS_YML, "name: gone", clean, dialect=dialect)
    assert checked.found == []
    assert (checked.report.datasets_checked, checked.report.datasets_unchecked) == (1, 2)
    assert "could not be confirmed: cannot " in checked.unchecked
    assert checked.result.transient  # so that the task is tried again


def test_a_database_that_is_dropped_before_the_probe_leaves_every_suspect_unchecked(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE others (id int)")
    server, name = fresh_database.rsplit("/", 1)

    def drop(table: str) -> None:
        run(f"{server}/postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    # The first probe loses its connection; the second one cannot even connect, and that says nothing about a table.
    checked = check(fresh_database, "name: a", "name: b", "name: others", dialect=before_each_probe(drop, POSTGRES))
    assert checked.found == []
    assert (checked.report.datasets_checked, checked.report.datasets_unchecked) == (1, 2)
    assert checked.result.transient


def test_a_schema_whose_probe_gets_no_answer_is_unchecked() -> None:
    with ExitStack() as server:
        uri = server.enter_context(running_postgres())
        run(uri, ORDERS)
        checked = check(uri, ORDERS_YML, dialect=before_each_probe(lambda _: server.close(), without_schemas()))
    assert checked.found == []
    assert (checked.report.datasets_checked, checked.report.datasets_unchecked) == (0, 1)
    assert checked.result.transient


def test_a_connection_that_is_cut_costs_one_answer_and_the_next_table_gets_a_new_one(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE a (id int)", "CREATE TABLE b (id int)")

    def kill(table: str) -> None:
        if table == '"a"':
            run(fresh_database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                                "AND datname = current_database()")  # fmt: skip

    ymls = ("name: a\nmeasures: [{name: id}, {name: gone}]", "name: b\nmeasures: [{name: gone}]")
    checked = check(fresh_database, *ymls, dialect=before_each_probe(kill, POSTGRES))
    assert checked.found == [("missing_column", "b", "gone")]
    assert (checked.report.datasets_checked, checked.report.datasets_unchecked) == (1, 1)
    assert checked.result.transient


def test_a_probe_that_waits_for_a_lock_is_unchecked_and_the_next_table_is_still_confirmed(fresh_database: str) -> None:
    run(fresh_database, ORDERS, "CREATE TABLE visits (id int)")
    with psycopg.connect(fresh_database) as migration:
        migration.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        yml = "name: visits\nmeasures: [{name: gone}]"
        checked = check(fresh_database, ORDERS_YML, yml, dialect=without_columns("amount"), timeout_s=1)
    assert checked.found == [("missing_column", "visits", "gone")]
    assert "lock timeout" in checked.unchecked
    assert checked.result.transient


def test_a_probe_that_the_server_cannot_read_is_our_mistake_and_calls_nothing_missing(fresh_database: str) -> None:
    run(fresh_database, ORDERS)
    dialect = replace(without_columns("amount"), probe=lambda request, table, columns: "SELECT FROM WHERE")
    checked = check(fresh_database, ORDERS_YML, "name: gone", dialect=dialect)
    assert checked.found == []
    assert checked.report.datasets_unchecked == 2
    assert "syntax error" in checked.unchecked
    assert checked.result.transient is False  # it would fail again


def test_what_is_not_asked_for_because_it_takes_too_long_is_unchecked(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "_PROBING_TIMEOUTS", 0)
    monkeypatch.setattr(session, "STATEMENTS_PER_ROUND_TRIP", 1)
    run(fresh_database, ORDERS)
    one_by_one = replace(POSTGRES, proofs=None)
    checked = check(fresh_database, "name: a", "name: b", "name: c", ORDERS_YML, dialect=one_by_one)
    assert checked.found == [("missing_table", "a", None)]
    assert (checked.probes, checked.report.datasets_checked, checked.report.datasets_unchecked) == (1, 2, 2)
    assert "the time for this is up" in checked.unchecked


# What it costs


def test_only_suspects_are_probed_and_those_of_a_table_together(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    counted: list[tuple[int, int]] = []  # (what the outcomes say, what is expected)

    with running_postgres(settings={"log_statement": "all"}, log=log) as uri:

        def costs(expected: int, *ymls: str, **options: Any) -> None:
            counted.append((check(uri, *ymls, **options).probes, expected))

        run(uri, ORDERS, 'CREATE TABLE "Items" (id int, "Price" int)')
        run(uri, "CREATE ROLE blind LOGIN PASSWORD 'blind'")
        # Nothing is suspect: found, found in another letter case, in no catalogue by nature, perhaps an alias.
        costs(0, ORDERS_YML)
        costs(0, "name: items\nmeasures: [{name: price}]")
        costs(0, "name: orders\nmeasures: [{name: ctid}, {name: all, expr: amount}]\nmetrics: [{name: m, expr: all}]")
        costs(0, 'name: orders\nmeasures: [{name: "nul \\0"}]')
        hidden = check(make_conninfo(uri, user="blind", password="blind"), "name: orders\nmeasures: [{name: gone}]")
        assert hidden.found == [("inaccessible_table", "orders", None)]
        counted.append((hidden.probes, 1))  # is it the table that is closed, or its schema?
        # One for a table, whatever the number of columns and datasets, while the answer is the same for all; two, where
        # the catalogue is wrong: it is asked first whether all are missing.
        costs(2, ORDERS_YML, dialect=without_columns("amount", "status"))
        costs(1, ORDERS_YML, dialect=without_tables("orders"))
        costs(1, "name: gone\nmeasures: [{name: a}, {name: b}]", "name: x\nmodel: gone\nmeasures: [{name: c}]")
        costs(1, "name: orders\nmeasures: [{name: gone}]", "name: orders\nmeasures: [{name: '\"gone\"'}]")
        costs(1, "name: orders\nmeasures: [{name: GONE}]")
        costs(4, ORDERS_YML + "\nfilters: [{name: f, expr: gone}]", dialect=without_columns("amount"))
        costs(0, ORDERS_YML, dialect=without_columns("amount"), confirm=False)
        # However much is gone: one statement for all tables, one for all columns.
        costs(1, *(f"name: gone_{number}\nmeasures: [{{name: a}}]" for number in range(200)))
        costs(1, ORDERS_YML.replace("amount", "total"), "name: Items\nmeasures: [{name: x}, {name: y}]")

    assert [said for said, _ in counted] == [expected for _, expected in counted]
    text = log.read_text(errors="replace")
    assert text.count("WITH RECURSIVE") == len(counted)


def test_any_number_of_columns_can_be_confirmed(fresh_database: str) -> None:
    run(fresh_database, f"CREATE TABLE wide ({', '.join(f'c{number} int' for number in range(1600))})")
    measures = "".join(f"\n  - name: c{number}" for number in range(1700))
    hidden = without_columns(*(f"c{number}" for number in range(1000)))
    checked = check(fresh_database, f"name: wide\nmeasures:{measures}", dialect=hidden)
    kinds = [kind for kind, _, _ in checked.found]
    assert (kinds.count("missing_column"), kinds.count("unverifiable_type")) == (100, 1000)
    checked = check(fresh_database, f"name: wide\nmeasures:{measures}", dialect=without_tables("wide"))
    kinds = [kind for kind, _, _ in checked.found]
    assert (kinds.count("missing_column"), kinds.count("unverifiable_type")) == (100, 1)


def test_the_task_log_says_how_many_probes_a_group_took(fresh_database: str, caplog: pytest.LogCaptureFixture) -> None:
    run(fresh_database, ORDERS)
    with caplog.at_level(logging.INFO):
        check(fresh_database, ORDERS_YML)
        check(fresh_database, "name: gone")
    clean, drifted = [line for line in caplog.messages if line.startswith("schema-sync group ")]
    assert "1 statement(s), " in clean
    assert "probe" not in clean
    assert "1 statement(s), 1 probe(s), " in drifted
