"""DuckDB's and MotherDuck's facts."""

from __future__ import annotations

import pytest

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.duckdb import DUCKDB, classify, columns_query
from include.schema_sync.warehouses.engine import Failure

NO_SCHEMA = 'Catalog Error: Table with name "a.t" does not exist because schema "a" does not exist.'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NO_SCHEMA, Failure.MISSING_DATABASE),
        ('Binder Error: Catalog "shop" does not exist!', Failure.MISSING_DATABASE),
        ("Catalog Error: Table with name orders does not exist!\nDid you mean …", Failure.MISSING_TABLE),
        ('Binder Error: Referenced column "x" not found in FROM clause!', Failure.MISSING_COLUMN),
        ('Binder Error: Could not find key "x" in struct', Failure.MISSING_COLUMN),
        ('Binder Error: Table "p" does not have a column named "x"', Failure.MISSING_COLUMN),
        ("Permission Error: Scanning files is disabled", Failure.DENIED),
        ('IO Error: Cannot open file "/data/shop.duckdb": Permission denied', Failure.TERMINAL),
        ('IO Error: The file "/x" exists, but it is not a valid DuckDB database file!', Failure.TERMINAL),
        ("Parser Error: syntax error at or near", Failure.TERMINAL),
        ("Invalid Input Error: Your request is not authenticated", Failure.TERMINAL),
        ('IO Error: Could not set lock on file "/x": Conflicting lock is held', Failure.TRANSIENT),
        ('IO Error: Cannot open database "/x" in read-only mode: database does not exist', Failure.TRANSIENT),
        ("Connection Error: Connection already closed!", Failure.TRANSIENT),
        ("HTTP Error: 503", Failure.TRANSIENT),
    ],
)
def test_the_text_of_an_error_tells_what_it_means(text: str, expected: Failure) -> None:
    assert classify(None, text) is expected


def test_names_are_bound_without_their_quotes() -> None:
    query = columns_query(GroupRequest("s", '"Shop"', "main", ('"Order Items"', "orders")))
    assert query.parameters == ("Shop", "main", ["Order Items", "orders"])


def test_a_probe_names_the_database_because_a_connection_sees_several() -> None:
    assert " FROM shop.main.orders " in DUCKDB.probe(GroupRequest("s", "shop", "main", ("orders",)), "orders", ("id",))
