"""Confirm before a critical alert, on a real PostgreSQL: what the warehouse says wins over what its catalogue lists."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from include.schema_sync.compare.discrepancies import NOT_IN_CATALOGUE
from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.introspect import session
from include.schema_sync.introspect import source as introspection
from include.schema_sync.introspect.organizations import (
    Introspection,
    SourceAccess,
    SourceResult,
    introspect_organizations,
)
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.nouns.wire import snapshot_from_json, snapshot_to_json
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Dialect, Failure, Query

pytestmark = pytest.mark.postgres

POSTGRES = dialect_for("postgres")
SOURCE = DataSource("source-1", "Shop", "postgres")
ACME = Organization("org-1", "Acme", (SOURCE,))
_roles = itertools.count(1)

ORDERS = "CREATE TABLE orders (order_id bigint, amount numeric(12,2), status text)"
ORDERS_YML = "name: orders\ndimensions: [{name: status, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"


@dataclass(frozen=True)
class Checked:
    """What one whole check found: introspection, through JSON, diff."""

    introspection: Introspection
    report: OrganizationReport

    @property
    def result(self) -> SourceResult:
        (result,) = self.introspection.results
        return result

    @property
    def probes(self) -> int:
        return sum(outcome.probes for outcome in self.result.outcomes)

    @property
    def found(self) -> list[tuple[str, str | None, str | None]]:
        """(type, table, column); undocumented columns are another matter."""
        return [
            (str(each.type), each.table, each.column)
            for each in self.report.discrepancies
            if each.type is not DiscrepancyType.UNDOCUMENTED_COLUMN
        ]

    @property
    def unchecked(self) -> str:
        return "; ".join(source.error for source in self.report.unchecked)


def check(uri: str, *ymls: str, dialect: Dialect = POSTGRES, confirm: bool = True, timeout_s: int = 30) -> Checked:
    datasets = [
        Dataset(f"dataset-{number}", f"dataset {number}", ACME.id, SOURCE.id, None, "public", yml)
        for number, yml in enumerate(ymls)
    ]

    def connect(database: str | None) -> Any:
        return psycopg.connect(uri, connect_timeout=10)

    settings = replace(Settings.from_environment({}), confirm_missing=confirm, statement_timeout_s=timeout_s)
    access = SourceAccess(dialect, None, connect, str)
    found = introspect_organizations([ACME], {ACME.id: datasets}, lambda _: nullcontext(access), settings)
    (snapshot,) = [snapshot_from_json(json.loads(json.dumps(snapshot_to_json(each)))) for each in found.snapshots]
    return Checked(found, diff_organization(snapshot, datasets))


def run(uri: str, *statements: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload,unused-ignore]


def without_columns(*hidden: str) -> Dialect:
    """PostgreSQL whose catalogue does not list columns that are there."""

    def query(request: GroupRequest) -> Query:
        real = POSTGRES.columns_query(request)
        listed = f"SELECT * FROM ({real.sql}) AS listed WHERE attname IS NULL OR attname <> ALL (%(hidden)s)"
        return Query(listed, {**dict(real.parameters), "hidden": list(hidden)})  # type: ignore[arg-type]

    return replace(POSTGRES, columns_query=query)


def without_tables(*hidden: str) -> Dialect:
    """PostgreSQL whose catalogue does not list tables that are there."""

    def query(request: GroupRequest) -> Query:
        return POSTGRES.columns_query(
            replace(request, tables=tuple(each for each in request.tables if each not in hidden))
        )

    return replace(POSTGRES, columns_query=query)


def without_schemas() -> Dialect:
    """PostgreSQL whose catalogue lists nothing at all."""

    def query(request: GroupRequest) -> Query:
        real = POSTGRES.columns_query(request)
        return Query(f"SELECT * FROM ({real.sql}) AS listed WHERE false", real.parameters)

    return replace(POSTGRES, columns_query=query)


def before_each_probe(do: Callable[[str], object], dialect: Dialect) -> Dialect:
    """The dialect, with something that happens between the catalogue's answer and every probe of a table."""

    def probe(request: GroupRequest, table: str, columns: Sequence[str]) -> str:
        do(table)
        return dialect.probe(request, table, columns)

    return replace(dialect, probe=probe, proofs=None)  # without the statement that answers for all at once


@pytest.fixture
def reader(fresh_database: str) -> Iterator[tuple[str, str]]:
    """A role without any right in the fresh database: (its name, URI for it)."""
    name = f"probe_reader_{next(_roles)}"
    run(fresh_database, f"CREATE ROLE {name} LOGIN PASSWORD 'reader-secret'")
    yield name, make_conninfo(fresh_database, user=name, password="reader-secret")
    run(fresh_database, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


# The catalogue is stale, the warehouse is not


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("amount", "amount"),
        ("amount", "AMOUNT"),  # folded by the engine
        ("Order Id", "Order Id"),
        ("OrderId", "OrderId"),  # accepted letter for letter, as in a fresh catalogue
        ("OrderId", "'\"OrderId\"'"),
        ("only", "only"),  # reserved: unquoted it would be an error of syntax
        ("100% sure", "100% sure"),
        ("it's", '"it\'s"'),
    ],
)
def test_a_column_that_runs_is_an_info_and_never_critical(fresh_database: str, stored: str, written: str) -> None:
    run(fresh_database, f'CREATE TABLE orders (id int, "{stored}" int)')
    yml = f"name: orders\nmeasures:\n  - name: id\n  - name: {written}\n    type: number"
    checked = check(fresh_database, yml, dialect=without_columns(stored))
    (found,) = checked.report.discrepancies
    assert (found.type, found.severity) == (DiscrepancyType.UNVERIFIABLE_TYPE, Severity.INFO)
    assert "The catalogue does not list" in found.message
    assert "the warehouse can query it" in found.message
    assert (found.table, found.declared, found.actual, found.line) == ("orders", "number", NOT_IN_CATALOGUE, 4)
    assert (checked.report.datasets_checked, checked.report.datasets_unchecked) == (1, 0)
    assert check(fresh_database, yml, dialect=without_columns(stored), confirm=False).report.count(
        Severity.CRITICAL
    ) == 1  # fmt: skip


def test_a_table_that_runs_is_one_info_and_its_columns_are_still_checked(fresh_database: str) -> None:
    run(fresh_database, ORDERS, 'CREATE TABLE "Visits" (id int)')
    drifted = ORDERS_YML.replace("amount", "total")
    checked = check(
        fresh_database, drifted, "name: Visits\nmeasures: [{name: id}]", dialect=without_tables("orders", "Visits")
    )
    assert checked.found == [
        ("missing_column", "orders", "total"),
        ("unverifiable_type", "Visits", None),
        ("unverifiable_type", "orders", None),
    ]  # fmt: skip
    assert {each.actual for each in checked.report.discrepancies if each.severity is Severity.INFO} == {
        NOT_IN_CATALOGUE
    }
    assert checked.report.datasets_checked == 2


def test_a_schema_that_runs_is_not_missing(fresh_database: str) -> None:
    run(fresh_database, ORDERS)
    checked = check(fresh_database, ORDERS_YML, "name: gone", dialect=without_schemas())
    assert checked.found == [("missing_table", "gone", None), ("unverifiable_type", "orders", None)]


def test_what_a_relationship_needs_of_another_dataset_is_confirmed_too(fresh_database: str) -> None:
    run(fresh_database, ORDERS, "CREATE TABLE customers (id int, region text)")
    link = "\nrelationships: [{name: customers, source_col: order_id, ref_col: 'region, gone'}]"
    customers = "name: customers\nmeasures: [{name: id}]"
    checked = check(fresh_database, ORDERS_YML + link, customers, dialect=without_columns("region"))
    assert checked.found == [("missing_column", "customers", "gone"), ("unverifiable_type", "customers", "region")]
    checked = check(fresh_database, ORDERS_YML + link, customers, dialect=without_tables("customers"))
    assert checked.found == [("missing_column", "customers", "gone"), ("unverifiable_type", "customers", None)]


# What is really gone


def test_what_is_dropped_for_real_is_told_as_without_probes(fresh_database: str) -> None:
    run(fresh_database, ORDERS, "ALTER TABLE orders RENAME amount TO amount_usd", "CREATE TABLE customer (id int)")
    ymls = (
        ORDERS_YML,
        "name: customers",
        "name: t\nschema: nowhere",
        "name: u\nschema: NoWhere",
        "name: T\nschema: nowhere",
    )
    asked = check(fresh_database, *ymls)
    believed = check(fresh_database, *ymls, confirm=False)
    assert asked.found == [
        ("missing_schema", None, None),
        ("missing_schema", None, None),
        ("missing_table", "customers", None),
        ("missing_column", "orders", "amount"),
    ]
    assert replace(asked.report, slowest_source=None) == replace(believed.report, slowest_source=None)
    assert [each.fingerprint for each in asked.report.discrepancies] == [
        each.fingerprint for each in believed.report.discrepancies
    ]
    assert [each.suggestion for each in asked.report.discrepancies[2:4]] == ["customer", "amount_usd"]
    assert believed.probes == 0


def test_a_database_that_is_not_there_was_told_by_the_server_itself(fresh_database: str) -> None:
    def connect(database: str | None) -> Any:
        return psycopg.connect(fresh_database, dbname=database)

    request = GroupRequest("s", "nowhere", "public", ("orders",))
    (outcome,) = introspection.introspect_source(connect, POSTGRES, [request], timeout_s=30).groups
    assert (outcome.snapshot.exists, outcome.probes) == (False, 0)


@pytest.mark.parametrize("column", ["orders", "session_user", "current_role", "count", "oid", "text"])
def test_words_that_mean_something_else_in_sql_are_no_columns(fresh_database: str, column: str) -> None:
    run(fresh_database, ORDERS)
    checked = check(fresh_database, f"name: orders\nmeasures: [{{name: status}}, {{name: {column}}}]")
    assert checked.found == [("missing_column", "orders", column)]


# Permission denied


def test_a_table_that_the_catalogue_hides_from_the_role_is_inaccessible(
    fresh_database: str, reader: tuple[str, str]
) -> None:
    role, uri = reader
    run(
        fresh_database,
        ORDERS,
        "CREATE TABLE bare ()",
        f"GRANT SELECT ON orders TO {role}",
        f"REVOKE SELECT ON orders FROM {role}",
    )
    checked = check(uri, ORDERS_YML, "name: bare", dialect=without_tables("orders", "bare"))
    assert checked.found == [("inaccessible_table", "bare", None), ("inaccessible_table", "orders", None)]
    assert checked.report.count(Severity.CRITICAL) == 2
    assert checked.result.transient is False


def test_columns_that_the_catalogue_hides_from_the_role_are_inaccessible_one_by_one(
    fresh_database: str, reader: tuple[str, str]
) -> None:
    role, uri = reader
    run(fresh_database, ORDERS, f"GRANT SELECT (order_id, status) ON orders TO {role}")
    yml = ORDERS_YML + "\nfilters: [{name: f, expr: gone}]"
    expected = [("missing_column", "orders", "gone"), ("inaccessible_table", "orders", "amount")]
    by_columns = check(uri, yml, dialect=without_columns("amount", "status"))
    assert sorted(by_columns.found) == sorted([*expected, ("unverifiable_type", "orders", "status")])
    by_table = check(uri, yml, dialect=without_tables("orders"))
    assert sorted(by_table.found) == sorted([*expected, ("unverifiable_type", "orders", None)])


def test_a_schema_that_the_role_may_not_use_is_there(fresh_database: str, reader: tuple[str, str]) -> None:
    _, uri = reader
    run(fresh_database, "CREATE SCHEMA closed", "CREATE TABLE closed.orders (id int)")
    checked = check(uri, "name: orders\nschema: closed", dialect=without_schemas())
    assert checked.found == [("inaccessible_table", "orders", None)]


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


def test_every_critical_finding_can_be_told_from_an_info_by_its_fingerprint(fresh_database: str) -> None:
    run(fresh_database, ORDERS)

    def only(checked: Checked) -> Discrepancy:
        (found,) = [each for each in checked.report.discrepancies if each.column == "gone"]
        return found

    yml = "name: orders\nmeasures: [{name: gone}]"
    missing = only(check(fresh_database, yml))
    run(fresh_database, "ALTER TABLE orders ADD COLUMN gone int")
    stale = only(check(fresh_database, yml, dialect=without_columns("gone")))
    assert missing.fingerprint != stale.fingerprint
    assert [outcome.failure for outcome in check(fresh_database, yml).result.outcomes] == [None]
    assert Failure.TRANSIENT not in {outcome.failure for outcome in check(fresh_database, "name: x").result.outcomes}
