"""How organizations are dealt out to mapped task instances: everybody once, in order, evenly, within the limit."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from schema_sync_airflow.tasks.fetch import deal_out, label

from include.schema_sync.nouns.dataset import DataSource, Organization

LONGEST_LABEL = 200  # Airflow keeps 250 characters of a mapped instance's label


def organizations(number: int, name: str = "Organization") -> list[Organization]:
    return [
        Organization(f"id-{index}", f"{name} {index}", (DataSource(f"source-{index}", "Shop", "postgres"),))
        for index in range(number)
    ]


@given(number=st.integers(0, 3_000), most=st.integers(1, 1_024))
@example(number=0, most=200)
@example(number=200, most=200)
@example(number=201, most=200)
@example(number=1_200, most=200)
@example(number=5, most=1)
def test_everybody_is_in_exactly_one_batch_in_order_and_batches_are_even(number: int, most: int) -> None:
    everybody = organizations(number)
    batches = deal_out(everybody, most)
    sizes = [len(batch) for batch in batches]
    dealt = [organization for batch in batches for organization in batch]
    assert dealt == everybody
    assert len(batches) == min(number, most)
    assert max(sizes, default=1) - min(sizes, default=1) <= 1
    if number <= most:
        assert sizes == [1] * number


@given(name=st.text(max_size=400), number=st.integers(1, 7), most=st.integers(1, 3))
def test_labels_fit_into_the_grid_whatever_the_names(name: str, number: int, most: int) -> None:
    for batch in deal_out(organizations(number, name), most):
        assert 0 < len(label(batch)) <= LONGEST_LABEL


def test_a_batch_of_one_is_labelled_with_its_name_and_a_larger_one_with_its_range() -> None:
    (alone,) = deal_out(organizations(1), 200)
    assert label(alone) == "Organization 0"
    first, second = deal_out(organizations(5), 2)
    assert label(first) == "2 organizations, Organization 0 to Organization 1"
    assert label(second) == "3 organizations, Organization 2 to Organization 4"
