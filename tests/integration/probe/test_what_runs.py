"""Confirm before a critical alert, on a real PostgreSQL: what the warehouse says wins over what its catalogue lists."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from include.schema_sync.compare.discrepancies import NOT_IN_CATALOGUE
from include.schema_sync.introspect import source as introspection
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.engine import Failure
from tests.integration.probe.conftest import (
    ORDERS,
    ORDERS_YML,
    POSTGRES,
    Checked,
    check,
    run,
    without_columns,
    without_schemas,
    without_tables,
)

pytestmark = pytest.mark.postgres
_roles = itertools.count(1)


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
    (outcome,) = introspection.introspect_source(connect, POSTGRES, [request], timeout_s=30)
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
