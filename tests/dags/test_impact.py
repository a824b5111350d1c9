"""Saved charts in the real DAG: what a report says of them, and that their absence or refusal costs nothing."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

YML = "name: orders\nmeasures: [{name: amount}]\n"


def test_a_report_names_the_charts_that_a_finding_hits(world, project_root):
    organization_id = world.customer("Acme", "CREATE TABLE orders (id int)", YML)
    assert impact_of(world.run()) is None
    world.execute((project_root / "include" / "sql" / "chart_tables.sql").read_text())
    world.execute(
        "INSERT INTO metric_files (name, organization_id, data_source_id, content)"
        " SELECT 'Revenue', organization_id, id, %s FROM data_sources WHERE organization_id = %s",
        json.dumps({"sql": "SELECT sum(amount) FROM orders"}), organization_id,
    )  # fmt: skip
    run = world.run()
    assert impact_of(run) == {"charts": 1, "dashboards": 0, "reports": 0, "names": ["Revenue"], "unread": 0}
    assert "SELECT sum(amount)" not in json.dumps(run.xcoms, default=str)
    world.environment.setenv("SCHEMA_SYNC_IMPACT", "counts")
    assert impact_of(world.run())["names"] == []
    world.environment.setenv("SCHEMA_SYNC_IMPACT", "off")
    assert impact_of(world.run()) is None


def test_charts_that_may_not_be_read_cost_no_report(world):
    world.customer("Acme", "CREATE TABLE orders (id int)", YML)
    world.execute("CREATE TABLE metric_files (id uuid)")
    run = world.run()
    assert run.state == "success"
    assert run.differences("Acme") == [("missing_column", "amount")]
    assert "schema-sync impact: the saved charts cannot be read" in run.log


def impact_of(run):
    return next(each["impact"] for each in run.reports()["Acme"]["discrepancies"] if each["column"] == "amount")
