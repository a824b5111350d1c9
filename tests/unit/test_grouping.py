"""Where a dataset lives, and that every (database, schema) is asked for once."""

from __future__ import annotations

import pytest

from include.schema_sync.dataset_yml import parse_dataset_yml
from include.schema_sync.grouping import group_requests, place
from include.schema_sync.models import Dataset


def placed(yml: str, *, identifier: str | None = None, own: str | None = "own_db"):
    dataset = Dataset("d", "row_name", "o", "s", identifier, "row_schema", yml)
    (definition,) = parse_dataset_yml(yml, name=dataset.name)
    return place(dataset, definition, own_database=own)


@pytest.mark.parametrize(
    ("yml", "identifier", "own", "database", "schema", "table"),
    [
        ("name: t\ndatabase: yml_db\nschema: yml_schema", "row_db", "own_db", "yml_db", "yml_schema", "t"),
        ("name: t", "row_db", "own_db", "row_db", "row_schema", "t"),
        ("name: t", None, "own_db", "own_db", "row_schema", "t"),
        ("name: t", None, None, None, "row_schema", "t"),
        ("name: t\nmodel: other", None, "own_db", "own_db", "row_schema", "other"),
        ("name: t\nmodel: ref('other')", None, "own_db", "own_db", "row_schema", "other"),
        ("dimensions: []", None, "own_db", "own_db", "row_schema", "row_name"),
    ],
)
def test_yml_comes_before_the_row_and_the_row_before_the_connection(yml, identifier, own, database, schema, table):
    found = placed(yml, identifier=identifier, own=own)
    assert (found.database, found.schema, found.table) == (database, schema, table)


def test_one_request_per_database_and_schema_with_each_table_once():
    placements = [placed(f"name: t{number % 7}\nschema: s{number % 2}") for number in range(100)]
    requests = group_requests("s", placements)
    assert [(request.database, request.schema) for request in requests] == [("own_db", "s0"), ("own_db", "s1")]
    assert all(request.tables == tuple(f"t{number}" for number in range(7)) for request in requests)


def test_naming_the_connections_own_database_makes_no_second_group():
    requests = group_requests("s", [placed("name: a\ndatabase: own_db"), placed("name: b")])
    assert len(requests) == 1
