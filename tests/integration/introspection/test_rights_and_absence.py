"""What may not be read, and what is not there: neither is called the other, and neither is a failure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.snapshot import Column, Table
from tests.integration.introspection.conftest import (
    POSTGRES,
    connects,
    names,
    outcome_of,
    request,
    run,
    snapshot_of,
)

pytestmark = pytest.mark.postgres
_roles = itertools.count(1)


@pytest.fixture
def reader(fresh_database: str) -> Iterator[tuple[str, str]]:
    """A role without any right in the fresh database: (its name, URI for it)."""
    name = f"reader_{next(_roles)}"
    run(fresh_database, f"CREATE ROLE {name} LOGIN PASSWORD 'reader-secret'")
    yield name, make_conninfo(fresh_database, user=name, password="reader-secret")
    run(fresh_database, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


# Neighbours: rename hints


def test_an_absent_table_brings_the_names_that_look_like_it(fresh_database: str) -> None:
    run(
        fresh_database,
        "CREATE TABLE orders_v2 (id int)",
        "CREATE TABLE customers (id int)",
        "CREATE TABLE zzz (id int)",
        "CREATE SEQUENCE orders_seq",
    )
    snapshot = snapshot_of(fresh_database, "public", "orders", "customers")
    assert names(snapshot.tables) == ["customers"]
    assert snapshot.neighbours == ("orders_v2",)


# What may be read


def test_a_table_that_the_role_may_not_read_is_there_but_unreadable(
    fresh_database: str, reader: tuple[str, str]
) -> None:
    role, uri = reader
    run(
        fresh_database,
        "CREATE TABLE hidden (id int)",
        "CREATE TABLE shown (id int)",
        "CREATE TABLE partly (id int, secret text, name text)",
        f"GRANT SELECT ON shown TO {role}",
        f"GRANT SELECT (id, name) ON partly TO {role}",
    )
    hidden, partly, shown = snapshot_of(uri, "public", "hidden", "partly", "shown").tables
    assert (hidden.readable, hidden.columns) == (False, (Column("id", "integer", readable=False),))
    assert (shown.readable, shown.columns) == (True, (Column("id", "integer"),))
    assert partly.readable
    assert [(column.name, column.readable) for column in partly.columns] == [
        ("id", True),
        ("secret", False),
        ("name", True),
    ]


def test_without_usage_of_the_schema_a_grant_on_the_table_does_not_help(
    fresh_database: str, reader: tuple[str, str]
) -> None:
    role, uri = reader
    run(
        fresh_database,
        "CREATE SCHEMA closed",
        "CREATE TABLE closed.orders (id int)",
        f"GRANT SELECT ON closed.orders TO {role}",
    )
    snapshot = snapshot_of(uri, "closed", "orders")
    assert snapshot.exists
    assert snapshot.tables == (Table("orders", "table", False, (Column("id", "integer", readable=False),)),)


# What is not there, and what cannot be known


def test_a_schema_that_is_not_there_is_no_failure(fresh_database: str) -> None:
    outcome = outcome_of(fresh_database, request("nowhere", "orders"))
    assert (outcome.snapshot.exists, outcome.snapshot.error, outcome.failure) == (False, None, None)


def test_a_schema_without_the_tables_is_there_and_empty(fresh_database: str) -> None:
    outcome = outcome_of(fresh_database, request("public", "orders"))
    assert (outcome.snapshot.exists, outcome.snapshot.tables, outcome.failure) == (True, (), None)


def test_a_database_that_is_not_there_is_no_failure_and_leaves_the_others_alone(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")
    groups = [request("public", "orders", database="nowhere"), request("public", "orders")]
    missing, own = introspect_source(connects(fresh_database), POSTGRES, groups, timeout_s=30)
    assert (missing.snapshot.exists, missing.snapshot.database, missing.failure) == (False, "nowhere", None)
    assert names(own.snapshot.tables) == ["orders"]
