"""PostgreSQL's facts: what its errors mean and what is asked of its catalogue."""

from __future__ import annotations

import pytest

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.engine import Failure
from include.schema_sync.warehouses.postgres import POSTGRES, classify, columns_query

AT_CONNECT = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("3D000", Failure.MISSING_DATABASE),
        ("28P01", Failure.TERMINAL),
        ("28000", Failure.TERMINAL),
        ("3F000", Failure.MISSING_DATABASE),
        ("42P01", Failure.MISSING_TABLE),
        ("42703", Failure.MISSING_COLUMN),
        ("42501", Failure.DENIED),
        ("42601", Failure.TERMINAL),
        ("42883", Failure.TERMINAL),
        ("54011", Failure.TERMINAL),
        ("22P05", Failure.MISSING_TABLE),
        ("42809", Failure.MISSING_TABLE),
        ("0A000", Failure.TERMINAL),
        ("08006", Failure.TRANSIENT),
        ("53300", Failure.TRANSIENT),
        ("57P01", Failure.TRANSIENT),
        ("57014", Failure.TRANSIENT),
        ("55P03", Failure.TRANSIENT),
        ("40001", Failure.TRANSIENT),
        ("XX000", Failure.TRANSIENT),  # such as: cache lookup failed, when a table goes in mid-statement
    ],
)
def test_an_sqlstate_tells_what_is_missing_and_whether_trying_again_helps(code: str, expected: Failure) -> None:
    assert classify(code, "whatever the text") is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AT_CONNECT + 'FATAL:  database "shop" does not exist', Failure.MISSING_DATABASE),
        (AT_CONNECT + 'FATAL:  database "two\nlines" does not exist', Failure.MISSING_DATABASE),
        (AT_CONNECT + 'FATAL:  database "password authentication failed" does not exist', Failure.MISSING_DATABASE),
        ("FATAL:  no such database: shop", Failure.MISSING_DATABASE),
        (AT_CONNECT + 'FATAL:  password authentication failed for user "x"', Failure.TERMINAL),
        (AT_CONNECT + 'FATAL:  Peer authentication failed for user "x"', Failure.TERMINAL),
        (AT_CONNECT + 'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "x"', Failure.TERMINAL),
        (AT_CONNECT + 'FATAL:  role "x" does not exist', Failure.TERMINAL),
        (AT_CONNECT + 'FATAL:  role "x" is not permitted to log in', Failure.TERMINAL),
        (AT_CONNECT + 'FATAL:  permission denied for database "shop"', Failure.TERMINAL),
        (AT_CONNECT + "fe_sendauth: no password supplied", Failure.TERMINAL),
        (AT_CONNECT + "FATAL:  the database system is starting up", Failure.TRANSIENT),
        (AT_CONNECT + "FATAL:  sorry, too many clients already", Failure.TRANSIENT),
        (AT_CONNECT + 'FATAL:  too many connections for role "x"', Failure.TRANSIENT),
        (AT_CONNECT + 'FATAL:  database "shop" is not currently accepting connections', Failure.TRANSIENT),
        ("connection timeout expired", Failure.TRANSIENT),
        ("server closed the connection unexpectedly", Failure.TRANSIENT),
        ("", Failure.TRANSIENT),
    ],
)
def test_errors_at_connect_have_only_a_text(text: str, expected: Failure) -> None:
    assert classify(None, text) is expected


def test_two_errors_of_two_hosts_are_not_read_as_one() -> None:
    text = 'FATAL:  database "shop" is not currently accepting connections\nFATAL:  "b" does not exist'
    assert classify(None, text) is Failure.TRANSIENT


@pytest.mark.parametrize("code", ["111", "1045", ""])
def test_a_number_that_is_no_sqlstate_is_not_read_as_one(code: str) -> None:
    assert classify(code, AT_CONNECT + 'FATAL:  role "x" does not exist') is Failure.TERMINAL


def test_tables_are_asked_for_as_written_and_as_folded() -> None:
    query = columns_query(GroupRequest("s", None, '"Sales"', ("Orders", '"Order Items"', "orders", "x" * 100)))
    assert isinstance(query.parameters, dict)
    assert query.parameters["tables"] == ["Order Items", "Orders", "orders", "x" * 63]
    assert query.parameters["table_keys"] == ["order items", "orders", "x" * 63]
    assert query.parameters["tables_asked"] == 3
    assert (query.parameters["schema"], query.parameters["folded_schema"]) == ("Sales", "Sales")


def test_letters_beyond_ascii_are_compared_without_the_databases_locale() -> None:
    query = columns_query(GroupRequest("s", None, "public", ("ÄPFEL",)))
    assert isinstance(query.parameters, dict)
    assert (query.parameters["other_upper"], query.parameters["other_lower"]) == ("Ä", "ä")
    assert query.parameters["table_keys"] == ["äpfel"]


def test_ordinary_names_need_no_other_letters() -> None:
    query = columns_query(GroupRequest("s", None, "public", ("orders",)))
    assert isinstance(query.parameters, dict)
    assert query.parameters["other_upper"] == query.parameters["other_lower"] == ""


def test_system_columns_can_be_selected_though_no_catalogue_lists_them() -> None:
    assert "ctid" in POSTGRES.pseudo_columns
