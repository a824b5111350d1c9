"""Charts against findings: which are hit, which may be, and that nobody's charts show up with somebody else."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from include.schema_sync.application.charts import Chart
from include.schema_sync.compare.charts import MOST_NAMES, with_impact
from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.nouns.discrepancy import DiscrepancyType, Impact
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import Column, GroupSnapshot, OrganizationSnapshot, SourceSnapshot, Table
from include.schema_sync.nouns.wire import report_from_json, report_to_json
from tests.unit.compare.organizations import SOURCE, dataset

YML = "name: orders\nmeasures: [{name: amount}, {name: tax}]\ndimensions: [{name: status, type: integer}]\n"
GONE = "name: gone\ndimensions: [{name: x}]\n"
TABLES = (
    Table("orders", "table", True, (Column("id", "int"), Column("status", "text"))),
    Table("refunds", "table", True, (Column("id", "int"), Column("amount", "int"))),
)


def chart(sql: str, title: str = "Chart", **shown: dict[str, str]) -> Chart:
    return Chart(SOURCE.id, title, sql, shown.get("dashboards", {}), shown.get("reports", {}))


def impact(*charts: Chart, names: bool = True) -> OrganizationReport:
    datasets = [dataset(YML), dataset(GONE, "gone", "dataset-2")]
    group = GroupSnapshot(SOURCE.id, "shop", "public", True, TABLES)
    hashes = {each.id: each.yml_hash for each in datasets}
    snapshot = OrganizationSnapshot("org-1", "Acme", (SourceSnapshot(SOURCE, "shop", hashes, (group,)),))
    return with_impact(diff_organization(snapshot, datasets), snapshot, charts, names=names)


def of(report: OrganizationReport, column: str | None) -> Impact | None:
    (found,) = [
        each
        for each in report.discrepancies
        if each.column == column and each.type is not DiscrepancyType.UNDOCUMENTED_COLUMN
    ]
    return found.impact


@pytest.mark.parametrize(
    ("sql", "hit"),
    [
        ("SELECT sum(amount) FROM orders", True),
        ("SELECT sum(AMOUNT) FROM public.Orders", True),
        ('SELECT sum("Amount") FROM orders', False),
        ("SELECT sum(amount) FROM other.orders", False),
        ("SELECT sum(o.amount) FROM orders o JOIN refunds r ON r.id = o.id", True),
        ("SELECT sum(amount) FROM orders JOIN refunds USING (id)", False),
        ("SELECT sum(r.amount) FROM orders o JOIN refunds r ON r.id = o.id", False),
        ("SELECT * FROM orders WHERE note = 'amount'", False),
        ("SELECT 'amount' FROM orders", False),
        ("SELECT amount FROM orders, unknown_table", None),
        ("SELECT {% amount %} FROM orders", None),
    ],
)
def test_a_chart_is_hit_where_it_reads_the_column_and_may_be_where_nobody_can_tell(sql, hit):
    found = of(impact(chart(sql)), "amount")
    assert found == {True: Impact(1, 0, 0, ("Chart",)), False: None, None: Impact(unread=1)}[hit]


def test_what_shows_the_charts_is_named_most_used_first_and_counted_once():
    morning, board = {"d1": "Morning"}, {"r1": "Board", "r2": "Draft"}
    report = impact(
        chart("SELECT amount FROM orders", "Revenue", dashboards=morning, reports=board),
        chart("SELECT max(amount) FROM orders", "Largest", dashboards=morning),
        chart("SELECT x FROM gone", "Gone"),
    )
    assert of(report, "amount") == Impact(2, 1, 2, ("Revenue", "Morning", "Board", "Draft", "Largest"))
    assert of(report, None) == Impact(1, 0, 0, ("Gone",))
    assert [each.column for each in report.discrepancies[:3]] == ["amount", None, "tax"]
    assert report_from_json(json.loads(json.dumps(report_to_json(report)))) == report
    assert "SELECT" not in json.dumps(report_to_json(report))


def test_counts_alone_name_nobody():
    assert of(impact(chart("SELECT amount FROM orders"), names=False), "amount") == Impact(1)


def test_a_thousand_charts_leave_twenty_names_and_no_step_is_quadratic():
    charts = [
        chart(
            f"WITH recent AS (SELECT o.*, c.country FROM orders o LEFT JOIN customers c ON c.id = o.customer_id"
            f" WHERE o.id > {number}) SELECT date_trunc('month', recent.placed) AS month, count(*) AS orders,"
            f" sum(recent.amount) AS amount_{number} FROM recent WHERE recent.status = 'paid' GROUP BY 1 ORDER BY 1",
            f"Chart {number}",
        )
        for number in range(1_000)
    ]
    started = time.process_time()
    report = impact(*charts)
    assert time.process_time() - started < 20  # two seconds or so, unless a step became quadratic
    found = of(report, "amount")
    assert found is not None
    assert (found.charts, found.unread) == (1_000, 0)
    assert len(found.names) == MOST_NAMES
    bare = replace(report, discrepancies=tuple(replace(each, impact=None) for each in report.discrepancies))
    assert len(json.dumps(report_to_json(report))) - len(json.dumps(report_to_json(bare))) < 2_000
