"""Redshift's facts: what is asked of its leader node, and what its driver's errors mean."""

from __future__ import annotations

import re

import pytest
from golden_rows import assert_golden_query

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.engine import Failure
from include.schema_sync.warehouses.redshift import REDSHIFT, classify, columns_query

# These read the compute nodes (vendor: "SQL functions supported on the leader node"); SVV_EXTERNAL_*
# are answered by the leader node.
COMPUTE_NODES = re.compile(r"\b(?:stl|stv|svl|svcs|sys|svv_(?!external_(?:columns|schemas)\b))\w*", re.IGNORECASE)


def test_the_query_is_the_reviewed_one_with_a_placeholder_for_each_name() -> None:
    query = columns_query(GroupRequest("s", None, "Sales", ("orders", '"Order Items"', "x" * 200)))
    assert_golden_query("redshift", query)
    names = ("order items", "orders", "x" * 127)
    assert query.parameters == ("Sales", "sales", "sales", *names, "Sales", "sales", *names)
    assert query.sql.count("%") == query.sql.count("%s") == len(query.parameters)


def test_nothing_of_the_compute_nodes_is_read_because_privileges_are_functions_of_the_leader_node() -> None:
    sql = columns_query(GroupRequest("s", None, "public", ("orders",))).sql
    assert "has_table_privilege" in sql
    assert COMPUTE_NODES.findall(sql) == []
    assert " OVER " not in sql.upper()  # PostgreSQL 8.0 has no window functions, so the compute nodes would run it


def test_names_are_folded_between_quotes_too() -> None:
    assert REDSHIFT.quote('Order"Id Ä') == '"order""id Ä"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'S': 'FATAL', 'C': '3D000', 'M': 'database \"x\" does not exist'}", Failure.MISSING_DATABASE),
        ("{'S': 'ERROR', 'C': '3F000', 'M': 'schema \"x\" does not exist'}", Failure.MISSING_DATABASE),
        ("{'S': 'ERROR', 'C': '42P01', 'M': 'relation \"x\" does not exist'}", Failure.MISSING_TABLE),
        ("{'S': 'ERROR', 'C': '42703', 'M': 'column \"a\" does not exist in x'}", Failure.MISSING_COLUMN),
        ("{'S': 'ERROR', 'C': '42501', 'M': 'permission denied for relation x'}", Failure.DENIED),
        ("{'S': 'ERROR', 'C': '42501', 'M': 'permission denied for schema x'}", Failure.SCHEMA_DENIED),
        ("{'S': 'ERROR', 'C': '42601', 'M': 'syntax error at or near \"x\"'}", Failure.TERMINAL),
        ("{'S': 'ERROR', 'C': '0A000', 'M': 'Specified types or functions not supported'}", Failure.TERMINAL),
        ("{'S': 'FATAL', 'C': '28000', 'M': 'password authentication failed for user \"x\"'}", Failure.TERMINAL),
        ("{'S': 'ERROR', 'C': '57014', 'M': 'Query (1) cancelled on user\\'s request'}", Failure.TRANSIENT),
        ("{'S': 'FATAL', 'C': '53300', 'M': 'connection limit exceeded'}", Failure.TRANSIENT),
        ("{'S': 'ERROR', 'C': 'XX000', 'M': 'Spectrum Scan Error'}", Failure.TRANSIENT),
        ("('communication error', ConnectionRefusedError(111, 'Connection refused'))", Failure.TRANSIENT),
        ("BrokenPipe: server socket closed. Please check that client side networking", Failure.TRANSIENT),
        ("connection time out", Failure.TRANSIENT),
        ("Server refuses SSL", Failure.TERMINAL),
        ("An error occurred (AccessDenied) when calling the GetClusterCredentials operation", Failure.TERMINAL),
        ("An error occurred (ClusterNotFoundFault) when calling the DescribeClusters operation", Failure.TERMINAL),
        ("An error occurred (ThrottlingException) when calling the GetCredentials operation", Failure.TRANSIENT),
        ("Unable to locate credentials", Failure.TERMINAL),
    ],
)
def test_the_drivers_text_holds_the_sqlstate(text: str, expected: Failure) -> None:
    assert classify(None, text) is expected
