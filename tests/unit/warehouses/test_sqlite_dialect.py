"""SQLite's facts."""

from __future__ import annotations

import pytest

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.engine import Failure
from include.schema_sync.warehouses.sqlite import SQLITE, classify, columns_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no such table: main.orders", Failure.MISSING_TABLE),
        ("no such column: x", Failure.MISSING_COLUMN),
        ("access to t.x is prohibited", Failure.DENIED),
        ("not authorized", Failure.DENIED),
        ("file is not a database", Failure.TERMINAL),
        ('near "SELEC": syntax error', Failure.TERMINAL),
        ("unable to open database file", Failure.TRANSIENT),
        ("database is locked", Failure.TRANSIENT),
        ("disk I/O error", Failure.TRANSIENT),
        ("Cannot operate on a closed database.", Failure.TRANSIENT),
    ],
)
def test_the_text_of_an_error_tells_what_it_means(text: str, expected: Failure) -> None:
    assert classify(None, text) is expected


@pytest.mark.parametrize("schema", ["main", "public", "sales", ""])
def test_whatever_schema_a_dataset_names_the_file_is_meant(schema: str) -> None:
    request = GroupRequest("s", "elsewhere", schema, ("orders",))
    assert columns_query(request).parameters == ('["orders"]',)
    assert " FROM main.orders " in SQLITE.probe(request, "orders", ("id",))


def test_names_are_never_in_double_quotes_because_those_may_become_text() -> None:
    assert SQLITE.quote('a`"b') == '`a``"b`'
