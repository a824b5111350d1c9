"""Who fails with a finding, and how a message says it. That the sets are right is for real engines to say:
``tests/integration/test_users.py``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.schema_sync.compare.impact import MOST_USERS, Users, breaks
from include.schema_sync.nouns.discrepancy import DiscrepancyType
from include.schema_sync.nouns.snapshot import Column, Table
from include.schema_sync.report.task_log import discrepancy_table
from tests.unit.compare.organizations import ORDERS, dataset, only, report

CHAIN = """\
name: orders
measures: [{name: price, expr: price_usd}]
metrics:
  - {name: revenue, expr: sum(price)}
  - {name: aov, expr: revenue / count(*)}
filters: [{name: large, expr: price > 100}]
"""


def test_users_through_other_fields_are_named_in_finding_message_and_log():
    found = only(report(dataset(CHAIN)), DiscrepancyType.MISSING_COLUMN)
    assert found.users == ("metric aov", "metric revenue", "filter large", "measure price")
    assert found.message.endswith("It breaks 2 metrics: aov, revenue; 1 filter: large; 1 measure: price.")
    assert "4: metric aov" in discrepancy_table([found])


def test_a_missing_schema_names_the_users_of_all_its_datasets():
    found = only(report(dataset(CHAIN), tables=(), exists=False), DiscrepancyType.MISSING_SCHEMA)
    assert set(found.users) == {
        "metric aov of orders", "metric revenue of orders", "filter large of orders", "measure price of orders"
    }  # fmt: skip


def test_users_of_a_large_dataset_are_bounded_and_counted():
    yml = "name: gone\ndimensions:\n" + "".join(f"  - {{name: d{number}}}\n" for number in range(300))
    found = only(report(dataset(yml)), DiscrepancyType.MISSING_TABLE)
    assert len(found.users) == MOST_USERS
    assert "It breaks 300 dimensions: d0, d1, d10, d100, …." in found.message


@pytest.mark.parametrize(
    ("users", "message", "sentence"),
    [
        ((), "", ""),
        (("measure amount",), "and measure `amount` needs it.", ""),
        (("measure amount",), "It is gone.", "It breaks 1 measure: amount."),
        (("entity a", "entity b"), "", "It breaks 2 entities: a, b."),
    ],
)
def test_breaks_says_nothing_twice(users, message, sentence):
    assert breaks(users, but=message) == sentence


def test_names_that_two_fields_share_accuse_nobody_unless_both_fail():
    yml = """\
name: orders
dimensions: [{name: total, expr: status}]
measures: [{name: total, expr: missing_one}]
metrics: [{name: revenue, expr: sum(total)}]
"""
    assert only(report(dataset(yml)), DiscrepancyType.MISSING_COLUMN).users == ("measure total",)
    both = yml.replace("status", "missing_one")
    assert "metric revenue" in only(report(dataset(both)), DiscrepancyType.MISSING_COLUMN).users


def test_users_do_not_make_it_another_problem():
    found = only(report(dataset(CHAIN)), DiscrepancyType.MISSING_COLUMN)
    assert replace(found, users=()).fingerprint == found.fingerprint


def test_users_are_followed_only_where_relationships_lead(monkeypatch):
    followed = []
    graph = Users._graph

    def spied(self, component):
        followed.append({subject.placement.dataset.name for subject in component})
        return graph(self, component)

    monkeypatch.setattr(Users, "_graph", spied)
    join = "relationships: [{name: orders, source_col: id, ref_col: order_id}]"
    yml = "name: other{0}\ndimensions: [{{name: a}}]\n"
    others = [dataset(yml.format(number), f"other{number}", f"d{number}") for number in range(9)]
    near = dataset(f"name: lines\ndimensions: [{{name: id}}]\n{join}\n", "lines", "near")
    there = [Table(each.name, "table", True, (Column("a", "text"), Column("id", "text"))) for each in (*others, near)]
    found = only(report(*others, dataset(CHAIN), near, tables=(ORDERS, *there)), DiscrepancyType.MISSING_COLUMN)
    assert "metric revenue" in found.users
    assert followed == [{"orders", "lines"}]
