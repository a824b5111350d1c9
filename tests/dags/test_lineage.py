"""What OpenLineage's provider is told of `diff`: asked as its listener asks, after a real run."""

from __future__ import annotations

import pytest

from tests.dags.conftest import listening

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

extractors = pytest.importorskip(
    "airflow.providers.openlineage.extractors.base", reason="the provider openlineage is not installed"
)

SHOP = """
CREATE TABLE orders (order_id bigint, amount numeric(12,2));
CREATE TABLE customers (customer_id bigint);
CREATE TABLE stock (item text)
"""
ORDERS = "name: orders\ndimensions: [{name: state, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"
CUSTOMERS = "name: customers\ndimensions: [{name: customer_id}]"
GONE = "name: returns\ndimensions: [{name: return_id}]"


@pytest.fixture
def lineage():
    """{table: (columns, [(assertion, success, column)])} of all that the runs of this test tell OpenLineage."""
    told = {}

    def ask(task_instance):
        if not task_instance.task_id.endswith(".diff"):
            return
        for each in extractors.DefaultExtractor(task_instance.task).extract_on_complete(task_instance).inputs:
            fields = each.facets["schema"].fields if "schema" in each.facets else []
            assertions = each.inputFacets["dataQualityAssertions"].assertions
            told[each.namespace, each.name.partition(".")[2]] = (
                [(field.name, field.type) for field in fields],
                [(each.assertion, each.success, each.column) for each in assertions],
            )

    with listening(ask):
        yield told


def test_each_compared_table_with_its_columns_and_an_assertion_a_problem(world, lineage):
    organization = world.organization("Bluebird")
    source = world.source(organization, world.warehouse(SHOP))
    for yml in (ORDERS, CUSTOMERS, GONE):
        world.dataset(source, yml, name=yml.split()[1])
    assert world.run().state == "success"
    namespace = f"postgres://{source}"
    assert lineage == {
        (namespace, "public.orders"): (
            [("order_id", "bigint"), ("amount", "numeric(12,2)")],
            [("missing_column", False, "state")],
        ),
        (namespace, "public.customers"): ([("customer_id", "bigint")], [("matches_dataset_yml", True, None)]),
        (namespace, "public.returns"): ([], [("missing_table", False, None)]),
    }


def test_nothing_is_said_to_match_beside_a_yml_that_cannot_be_read(world, lineage):
    world.customer("Acme", SHOP, CUSTOMERS, "dimensions: [")
    world.run()
    ((columns, assertions),) = [each for (_, table), each in lineage.items() if table == "public.customers"]
    assert columns == [("customer_id", "bigint")]
    assert assertions == []


def test_an_organization_that_was_not_reached_tells_nothing(world, lineage, refused_uri):
    organization = world.organization("Canyon")
    world.dataset(world.source(organization, refused_uri), CUSTOMERS, name="customers")
    world.run()
    assert lineage == {}


def test_a_name_that_two_tables_have_is_told_by_its_findings_only(world, lineage):
    upper = "name: Orders\ndimensions: [{name: order_id}]"
    world.customer("Acme", SHOP + '; CREATE TABLE "Orders" (order_id bigint)', ORDERS, upper)
    world.run()
    assert [(table, told) for (_, table), told in lineage.items()] == [
        ("public.orders", ([], [("missing_column", False, "state")]))
    ]


def test_what_the_author_does_not_want_to_hear_is_not_said_to_match(world, lineage):
    world.customer("Acme", SHOP, CUSTOMERS + "\nmeasures: [{name: _gone}]\nschema_sync: {ignore: ['_*']}")
    run = world.run()
    assert [each["column"] for each in run.reports()["Acme"]["ignored"]] == ["_gone"]
    ((columns, assertions),) = lineage.values()
    assert columns == [("customer_id", "bigint")]
    assert assertions == []
