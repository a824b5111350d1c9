"""Whole runs over datasets as customers write them: expressions, relationships across schemas, dbt, silence."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

WAREHOUSE = """
CREATE SCHEMA sales; CREATE SCHEMA crm;
CREATE TABLE sales.orders (id bigint, amount_usd numeric(12,2), quantity int, customer_id bigint, placed_at date);
CREATE TABLE crm.customers (id bigint, name text, "Region" text);
CREATE TABLE sales.shipments (shipment_id bigint, weight numeric);
"""

ORDERS = """\
# what the shop sells
name: orders
schema: sales
dimensions:
  - name: id
    type: bigint
  - name: placed_at
    type: timestamp          # it is a date by now
measures:
  - name: revenue
    expr: sum(amount * quantity) filter (where placed_at >= current_date - interval '1 day')
  - name: per_order
    expr: revenue / nullif(count(distinct id), 0)
metrics:
  - name: by_tier
    expr: max(customers.tier) + {bonus}
    args: [{name: bonus, type: number}]
filters:
  - name: known
    expr: customers."Region" = {region} and tmp_flag is null
    args: [region]
relationships:
  - name: customers
    source_col: customer_id
    ref_col: id
schema_sync:
  ignore: ["tmp_*"]
  severity: {type_mismatch: info}
"""

CUSTOMERS = "name: customers\nschema: crm\ndimensions: [{name: id}, {name: name}]\n"

DBT = """\
version: 2
models:
  - name: shipments
    config: {schema: ignored}
    schema: sales
    columns:
      - name: shipment_id
        data_type: bigint
semantic_models:
  - name: shipping
    model: ref('shipments')
    schema: sales
    entities: [{name: shipment, type: primary, expr: shipment_id}]
    dimensions: [{name: shipped_on, type: time, type_params: {time_granularity: day}}]
    measures: [{name: total_weight, agg: sum, expr: weight}]
"""


def test_every_column_that_queries_need_is_checked_wherever_it_is(world):
    world.customer("Acme", WAREHOUSE, ORDERS, CUSTOMERS, DBT)
    run = world.run()

    assert run.state == "success"
    found = {(each["type"], each["table"], each["column"]) for each in run.reports()["Acme"]["discrepancies"]}
    drift = {each for each in found if each[0] != "undocumented_column"}
    assert drift == {
        ("missing_column", "orders", "amount"),
        ("missing_column", "customers", "tier"),
        ("missing_column", "shipments", "shipped_on"),
        ("type_mismatch", "orders", "placed_at"),
    }
    assert {each[2] for each in found - drift} == {"amount_usd"}
    (ignored,) = run.reports()["Acme"]["ignored"]
    assert (ignored["type"], ignored["column"]) == ("missing_column", "tmp_flag")
    assert run.result["result"]["criticalIssues"] == 3
    assert run.result["result"]["warnings"] == 0  # the author's word
    assert "ignored=1" in run.log
    # All three tables of both schemas, in one statement a schema.
    introspected = run.log.partition("starting task_id=check_organization.diff")[
        0
    ]  # of a renamed column they are asked once more
    assert introspected.count("1 table asked for, 1 table found, 3 columns; 1 statement(s)") == 1
    assert introspected.count("2 tables asked for, 2 tables found, 7 columns; 1 statement(s)") == 1


def test_the_suggested_patch_is_in_the_log_and_in_the_report_and_repairs_what_it_says(world, tmp_path: Path):
    organization_id = world.organization("Acme")
    source_id = world.source(organization_id, world.warehouse(WAREHOUSE.replace("amount_usd", '"Amount"')))
    dataset_id = world.dataset(source_id, ORDERS)
    world.dataset(source_id, CUSTOMERS, name="customers")
    run = world.run()

    (patch,) = [each for each in run.reports()["Acme"]["patches"] if each["dataset_id"] == dataset_id]
    assert '+    expr: sum("Amount" * quantity) filter' in patch["diff"]
    assert "Suggested patch for the YML of dataset orders" in run.log
    assert '+    expr: sum("Amount" * quantity) filter' in run.log
    assert not any('"Amount" * quantity' in str(message) for message in world.slack.messages)

    (tmp_path / "orders.yml").write_text(ORDERS)
    subprocess.run(["patch", "-p1"], cwd=tmp_path, input=patch["diff"], text=True, check=True, capture_output=True)
    repaired = (tmp_path / "orders.yml").read_text()
    assert "# what the shop sells" in repaired
    world.execute("UPDATE datasets SET yml_file = %s WHERE id = %s", repaired, dataset_id)
    left = {each["fingerprint"] for each in world.run().reports()["Acme"]["discrepancies"]}
    assert patch["fixes"]
    assert left & set(patch["fixes"]) == set()
