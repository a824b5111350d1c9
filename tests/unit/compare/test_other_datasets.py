"""What a dataset needs of another one's table is judged there, and told once."""

from __future__ import annotations

import pytest

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.nouns.dataset import Dataset
from include.schema_sync.nouns.discrepancy import DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import (
    Column,
    GroupSnapshot,
    OrganizationSnapshot,
    SourceSnapshot,
    Table,
)
from tests.unit.compare.organizations import (
    FULL,
    LINK,
    ORDERS,
    SOURCE,
    dataset,
    only,
    orders,
    report,
    told,
    undocumented,
)

CUSTOMERS = Table(
    "customers", "table", True, (Column("id", "bigint"), Column("region", "text"), Column("address", "jsonb"))
)
PEOPLE = dataset(
    "name: customers\ndimensions: [{name: id}, {name: region}, {name: home, expr: address}]", "c", "dataset-2"
)


def test_a_column_of_another_dataset_is_judged_on_that_dataset_s_table():
    found = report(orders("sum(buyer.regoin) + sum(customers.id)"), PEOPLE, tables=(ORDERS, CUSTOMERS))
    missing = only(found, DiscrepancyType.MISSING_COLUMN)
    assert (missing.dataset_id, missing.table, missing.column, missing.line) == (
        "dataset-1", "customers", "regoin", 4,
    )  # fmt: skip
    assert told(found) == [("missing_column", "regoin")]


def test_a_column_used_only_by_another_dataset_is_documented_on_its_own_table():
    people = dataset("name: customers", "c", "dataset-2")
    found = report(orders("buyer.region", LINK), people, tables=(ORDERS, CUSTOMERS))
    assert "region" not in undocumented(found)
    assert "address" in undocumented(found)


@pytest.mark.parametrize(
    ("expr", "rest"),
    [
        ("stranger.x", LINK),
        ("nobody.x", "relationships: [{name: nobody}]"),
        ("a.customer_id", ""),
        ("customers.region", ""),  # a dataset, but no relationship leads to it
    ],
)
def test_a_qualifier_that_leads_nowhere_is_an_info_never_a_missing_column(expr, rest):
    found = report(orders(expr, rest), PEOPLE, tables=(ORDERS, CUSTOMERS))
    assert told(found) == [("unverifiable_expression", None)]
    assert only(found, DiscrepancyType.UNVERIFIABLE_EXPRESSION).line == 4


def test_a_target_that_several_tables_could_be_is_an_info():
    other = dataset("name: customers\nmodel: orders", "c2", "dataset-3")
    found = report(orders("buyer.nothing"), PEOPLE, other, tables=(ORDERS, CUSTOMERS))
    assert told(found) == [("unverifiable_expression", None)]
    assert "several datasets" in only(found, DiscrepancyType.UNVERIFIABLE_EXPRESSION).message


@pytest.mark.parametrize("expr", ["mood.colour", "mood.a.b", '\'"mood"."a"\'', "orders.mood.colour", "buyer.colour"])
def test_a_path_into_a_column_of_the_own_table_needs_that_column(expr):
    own = Table("orders", "table", True, (*ORDERS.columns, Column("buyer", "jsonb")))
    found = report(orders(expr), PEOPLE, tables=(own, CUSTOMERS))
    assert told(found) == []
    assert expr.strip("'\"").removeprefix("orders.").partition(".")[0].strip('"') not in undocumented(found)


def test_the_own_name_before_the_dot_means_the_own_table_with_a_rename_hint():
    yml = FULL.replace("{name: amount,", "{name: amounts, expr: orders.amounts,")
    missing = only(report(dataset(yml)), DiscrepancyType.MISSING_COLUMN)
    assert (missing.column, missing.suggestion) == ("amounts", "amount")


def test_another_dataset_s_field_that_stands_for_an_expression_is_no_missing_column():
    people = dataset("name: customers\nmeasures: [{name: lifetime, expr: id * 2}]", "c", "dataset-2")
    assert told(report(orders("sum(buyer.lifetime)"), people, tables=(ORDERS, CUSTOMERS))) == []


def two_groups(first: Dataset, second: Dataset, *, error: str | None = None) -> OrganizationReport:
    groups = (
        GroupSnapshot(SOURCE.id, "shop", "public", True, (ORDERS,)),
        GroupSnapshot(SOURCE.id, "shop", "shared", True, (CUSTOMERS,) if error is None else (), (), error),
    )
    source = SourceSnapshot(SOURCE, "shop", {each.id: each.yml_hash for each in (first, second)}, groups)
    return diff_organization(OrganizationSnapshot("org-1", "Acme", (source,)), (first, second))


ELSEWHERE = dataset("name: customers\nschema: shared\ndimensions: [{name: id}]", "c", "dataset-2")


def test_a_column_of_a_table_in_another_schema_is_missing_there():
    missing = only(two_groups(orders("buyer.gone"), ELSEWHERE), DiscrepancyType.MISSING_COLUMN)
    assert (missing.schema, missing.table, missing.dataset_id) == ("shared", "customers", "dataset-1")


def test_who_needs_a_table_of_a_schema_that_did_not_answer_is_unchecked_not_clean():
    found = two_groups(orders("buyer.gone"), ELSEWHERE, error="timed out")
    assert (told(found), found.datasets_checked, found.datasets_unchecked) == ([], 0, 2)
    assert found.unchecked[0].dataset_ids == ("dataset-1", "dataset-2")
    assert "timed out" in found.unchecked[0].error


def test_a_target_whose_yml_is_invalid_is_told_there_and_unverifiable_here():
    broken = dataset("name: [", "customers", "dataset-2")
    found = report(orders("buyer.gone"), broken, tables=(ORDERS, CUSTOMERS))
    assert told(found) == [("invalid_yml", None), ("unverifiable_expression", None)]
    assert found.datasets_unchecked == 0


def test_a_missing_target_table_is_told_once_by_its_own_dataset():
    assert told(report(orders("buyer.gone"), PEOPLE)) == [("missing_table", None)]


def test_a_column_in_a_model_and_its_semantic_model_is_told_once():
    yml = (
        "models: [{name: orders, columns: [{name: gone}, {name: status, data_type: bigint}]}]\n"
        "semantic_models: [{name: o, model: \"ref('orders')\", measures: [{name: gone, agg: sum}],"
        " dimensions: [{name: status, type: time}]}]"
    )
    assert told(report(dataset(yml))) == [("missing_column", "gone"), ("type_mismatch", "status")]
