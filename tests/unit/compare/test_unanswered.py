"""What the catalogue does not list and the warehouse was asked about: runs, denied, or no answer."""

from __future__ import annotations

from include.schema_sync.compare.discrepancies import NOT_IN_CATALOGUE
from include.schema_sync.nouns.discrepancy import DiscrepancyType
from include.schema_sync.nouns.report import OrganizationState
from include.schema_sync.nouns.snapshot import (
    Probe,
    ProbeAnswer,
)
from tests.unit.compare.organizations import (
    dataset,
    only,
    report,
    told,
)

# What the warehouse itself said of what its catalogue does not list

NEEDS_TWO = "name: orders\nmeasures:\n  - {name: tax, type: number}\n  - {name: gone}"


def test_a_column_that_the_warehouse_can_query_is_an_info_that_says_so():
    found = report(dataset(NEEDS_TWO), probes=(Probe("orders", "tax", ProbeAnswer.RUNS),))
    assert told(found) == [("missing_column", "gone"), ("unverifiable_type", "tax")]
    info = only(found, DiscrepancyType.UNVERIFIABLE_TYPE)
    assert info.message == (
        "The catalogue does not list `tax`, but the warehouse can query it; its type is not checked."
    )
    assert (info.declared, info.actual, info.line) == ("number", NOT_IN_CATALOGUE, 3)
    assert (found.datasets_checked, found.datasets_unchecked) == (1, 0)


def test_a_column_that_the_warehouse_denies_is_inaccessible_not_missing():
    found = report(dataset(NEEDS_TWO), probes=(Probe("orders", "tax", ProbeAnswer.DENIED),))
    assert told(found) == [("inaccessible_table", "tax"), ("missing_column", "gone")]


def test_a_column_without_an_answer_leaves_its_dataset_unchecked_and_the_rest_of_it_told():
    other = dataset("name: orders\nmeasures: [{name: order_id}]", "other", "dataset-2")
    found = report(dataset(NEEDS_TWO), other, probes=(Probe("orders", "tax", ProbeAnswer.UNKNOWN, "timed out"),))
    assert told(found) == [("missing_column", "gone")]
    assert (found.datasets_checked, found.datasets_unchecked) == (1, 1)
    (source,) = found.unchecked
    assert source.error == "`shop.public`: what its catalogue does not list could not be confirmed: timed out"
    assert found.totals.state is OrganizationState.PARTIAL


def test_many_datasets_without_an_answer_have_one_reason_not_many():
    probes = tuple(Probe("orders", column, ProbeAnswer.UNKNOWN, "timed out") for column in ("tax", "gone"))
    found = report(*(dataset(NEEDS_TWO, dataset_id=f"dataset-{number}") for number in range(9)), probes=probes)
    assert found.datasets_unchecked == 9
    assert found.unchecked[0].error.count("timed out") == 1


def test_a_table_that_the_warehouse_can_query_is_one_info_and_lacks_only_what_is_missing():
    probes = (Probe("visits", None, ProbeAnswer.RUNS), Probe("visits", "id", ProbeAnswer.RUNS))
    yml = "name: visits\nmeasures: [{name: id, type: integer}, {name: ctid}, {name: gone}]"
    found = report(dataset(yml), probes=probes)
    assert told(found) == [("missing_column", "gone"), ("unverifiable_type", None)]
    assert only(found, DiscrepancyType.UNVERIFIABLE_TYPE).table == "visits"


def test_a_table_that_the_warehouse_denies_is_inaccessible_not_missing():
    found = report(dataset("name: visits\nmeasures: [{name: id}]"), probes=(Probe("visits", None, ProbeAnswer.DENIED),))
    assert told(found) == [("inaccessible_table", None)]


def test_a_table_without_an_answer_leaves_its_dataset_unchecked():
    probes = (Probe("visits", None, ProbeAnswer.UNKNOWN, "timed out"),)
    found = report(dataset("name: visits\nmeasures: [{name: id}]"), probes=probes)
    assert found.discrepancies == ()
    assert (found.datasets_checked, found.datasets_unchecked) == (0, 1)


def test_what_a_relationship_needs_of_a_table_that_is_not_listed_is_judged_too():
    visits = dataset("name: visits\nmeasures: [{name: id}]", "visits", "dataset-2")
    orders = dataset("name: orders\nrelationships: [{name: visits, source_col: order_id, ref_col: 'id, gone'}]")
    probes = (Probe("visits", None, ProbeAnswer.RUNS), Probe("visits", "id", ProbeAnswer.RUNS))
    found = report(orders, visits, probes=probes)
    assert told(found) == [("missing_column", "gone"), ("unverifiable_type", None)]
