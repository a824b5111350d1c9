"""Where a dataset lives, and that every (database, schema) is asked for once."""

from __future__ import annotations

import pytest

from include.schema_sync.needs.placement import group_requests, place
from include.schema_sync.nouns.dataset import Dataset
from include.schema_sync.yml.dataset import parse_dataset_yml


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
    requests = group_requests("s", placements, "postgres")
    assert [(request.database, request.schema) for request in requests] == [("own_db", "s0"), ("own_db", "s1")]
    assert all(request.tables == tuple(f"t{number}" for number in range(7)) for request in requests)


def test_naming_the_connections_own_database_makes_no_second_group():
    requests = group_requests("s", [placed("name: a\ndatabase: own_db"), placed("name: b")], "postgres")
    assert len(requests) == 1


def requests_for(*ymls: str, dialect: str = "postgres"):
    placements = []
    for number, yml in enumerate(ymls):
        dataset = Dataset(f"d{number}", f"row {number}", "o", "s", None, "public", yml)
        placements += [place(dataset, each, own_database="db") for each in parse_dataset_yml(yml, name=dataset.name)]
    return group_requests("s", placements, dialect)


def test_a_request_says_which_columns_datasets_need_of_each_table():
    (request,) = requests_for(
        "name: orders\ndimensions: [{name: status}, {name: state, expr: '\"Mixed\"'}, {name: n, expr: sum(a)}]",
        "name: more\nmodel: orders\nmeasures: [{name: status}, {name: rows, expr: '*'}]\nmetrics: [{name: m}]",
        "name: bare",
    )
    assert request.columns == {"bare": (), "orders": ('"Mixed"', "a", "status")}


def test_a_name_that_may_be_an_alias_is_not_to_be_confirmed():
    (request,) = requests_for("name: o\nmeasures: [{name: total, expr: a}]\nmetrics: [{name: m, expr: total}]")
    assert request.columns == {"o": ("a",)}


def test_what_relationships_need_is_asked_of_the_targets_table_in_its_own_group():
    link = "relationships: [{name: c, ref: customers, source_col: customer_id, ref_col: 'id, region'}]"
    own, other = requests_for(
        f"name: orders\n{link}\nentities: [{{name: a role nobody knows, expr: x, foreign_key: y}}]",
        "name: customers\nmodel: people\nschema: shared\nmeasures: [{name: id}]",
    )
    assert own.columns == {"orders": ("customer_id", "x")}
    assert other.columns == {"people": ("id", "region")}


def test_columns_of_other_datasets_in_expressions_are_asked_of_their_tables():
    links = "relationships: [{name: buyer, ref: customers, source_col: customer_id, ref_col: id}, {name: nobody}]"
    own, other = requests_for(
        f"name: orders\n{links}\nmetrics: [{{name: m, expr: 'sum(buyer.credit - o) / max(nobody.x) + payload.y'}}]",
        "name: customers\nmodel: people\nschema: shared\nmeasures: [{name: rank, expr: credit_rank}]",
    )
    assert own.columns == {"orders": ("customer_id", "o")}
    assert other.columns == {"people": ("credit", "credit_rank", "id")}


def test_an_alias_of_the_target_is_not_to_be_confirmed_on_its_table():
    (request,) = requests_for(
        "name: orders\nrelationships: [{name: c, ref_col: id}]\nmetrics: [{name: m, expr: c.total}]",
        "name: c\nmeasures: [{name: total, expr: amount}]\ndimensions: [{name: id, expr: key}]",
    )
    assert request.columns == {"c": ("amount", "key"), "orders": ()}


def test_expressions_are_read_in_the_dialect_of_the_data_source():
    yml = """name: t\nmeasures: [{name: m, expr: '"status"'}]"""
    (postgres,) = requests_for(yml)
    (mysql,) = requests_for(yml, dialect="mysql")
    assert (postgres.columns, mysql.columns) == ({"t": ('"status"',)}, {"t": ()})


def test_a_semantic_model_and_its_model_are_one_table_to_ask_for():
    (request,) = requests_for(
        "models: [{name: f, schema: marts, columns: [{name: a}]}]\n"
        "semantic_models: [{name: s, model: \"ref('f')\", measures: [{name: a}, {name: b}]}]"
    )
    assert (request.schema, request.columns) == ("marts", {"f": ("a", "b")})
