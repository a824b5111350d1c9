"""Memory over runs of the real DAG: what the last good run saw, by the organization's id, and harmless if gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import psycopg
import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

TABLE = "CREATE TABLE orders (id int, amount int, note text); INSERT INTO orders VALUES (1, 7, 'x')"
YML = "name: orders\nmeasures:\n  - name: amount\nmetrics:\n  - name: revenue\n    expr: sum(amount)\n"


EVERYBODY = {"organization_ids": None, "dry_run": False}  # the DAG object keeps the params of the run before


def day(number: int) -> datetime:
    return datetime(2026, 2, number, 7, tzinfo=UTC)


def changed(run, name: str = "Acme"):
    return {each["column"]: each["changed"] for each in run.reports()[name]["discrepancies"] if each["changed"]}


@pytest.fixture
def acme(world):
    """(organization id, what changes its warehouse)."""
    organization_id = world.organization("Acme")
    uri = world.warehouse(TABLE)
    world.dataset(world.source(organization_id, uri), YML)

    def change(statement: str) -> None:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(statement)

    return organization_id, change


def test_a_rename_is_known_through_test_runs_other_batches_and_days(world, acme):
    organization_id, change = acme
    world.environment.setenv("SCHEMA_SYNC_MAX_MAPPED", "1")
    other = world.customer("A first one", TABLE, YML)
    assert changed(world.run(day=day(1))) == {}
    change("ALTER TABLE orders RENAME amount TO gross")
    change("ALTER TABLE orders ADD currency text")
    # A dry run and runs of some organizations are no memory, whether they saw it or not.
    assert changed(world.run({"dry_run": True}, day=day(2))) != {}
    world.run({"organization_ids": [organization_id]}, day=day(3))
    world.run({"organization_ids": [other]}, day=day(4))
    world.environment.setenv("SCHEMA_SYNC_MAX_MAPPED", "200")
    expected = {"amount": {"since": "2026-02-01T07:00:00Z", "kind": "renamed", "to": "gross"}}
    run = world.run(EVERYBODY, day=day(5))
    assert changed(run) == expected
    report = run.reports()["Acme"]
    ((_, _, schema, table, columns),) = report["changes"]
    assert (schema, table) == ("public", "orders")
    assert [each[:2] for each in columns] == [["amount", "renamed"], ["currency", "added"]]
    (patch,) = report["patches"]
    assert patch["compiled"] is True
    assert "+    expr: gross" in patch["diff"]
    assert changed(world.run(EVERYBODY, day=day(6))) == expected
    assert run.reports()["A first one"]["changes"] == []


def test_the_thread_tells_what_else_changed_in_the_tables(world, acme):
    organization_id, change = acme
    world.run(day=day(1))
    change("ALTER TABLE orders RENAME amount TO gross")
    change("ALTER TABLE orders ADD currency text, ALTER note TYPE varchar(8)")
    world.run(day=day(2))
    alert, reply = world.messages(world.channel(organization_id))
    assert reply["thread_ts"] == alert["ts"]
    assert "currency" not in json.dumps(alert["blocks"])
    said = "\n".join(block["text"]["text"] for block in reply["blocks"] if "text" in block)
    assert (
        "*Also changed in these tables*\n`orders`: `note` was text, now character varying(8); `currency` is new" in said
    )
    world.run(day=day(3))
    assert len(world.messages(world.channel(organization_id))) == 2


def test_an_outage_costs_no_memory(world, acme):
    organization_id, change = acme
    ((source_id,),) = world.execute("SELECT id::text FROM data_sources WHERE organization_id = %s", organization_id)
    world.run(day=day(1))
    world.execute("UPDATE data_sources SET type = 'oracle' WHERE id = %s", source_id)
    assert world.run(day=day(2)).state == "failed"
    world.execute("UPDATE data_sources SET type = 'postgres' WHERE id = %s", source_id)
    change("ALTER TABLE orders DROP amount")
    assert changed(world.run(day=day(3)))["amount"]["kind"] == "dropped"


def test_memory_that_cannot_be_read_is_none(world, acme):
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    _, change = acme
    world.run(day=day(1))
    change("ALTER TABLE orders RENAME amount TO gross")
    for garbage in ([{"organization_id": acme[0], "sources": 3}], "nothing", {"a": 1}):
        with create_session() as session:
            session.execute(update(XComModel).where(XComModel.task_id.like("%introspect")).values(value=garbage))
        run = world.run(day=day(2))
        assert run.state == "success"
        assert changed(run) == {}
        assert run.differences("Acme") == [("missing_column", "amount")]


def test_a_defect_while_a_patch_is_tried_costs_nobody_of_the_batch_its_report(world, acme):
    _, change = acme
    world.environment.setenv("SCHEMA_SYNC_MAX_MAPPED", "1")
    world.customer("Another", TABLE, YML)
    world.run(EVERYBODY, day=day(1))
    change("ALTER TABLE orders RENAME amount TO gross")

    def defect(*_):
        raise RuntimeError("a defect of Schema Sync")

    world.environment.setattr("include.schema_sync.repair.compiled.with_compiled_patches", defect)
    run = world.run(EVERYBODY, day=day(2))
    assert run.state == "success"
    (patch,) = run.reports()["Acme"]["patches"]
    assert patch["compiled"] is False
    assert [each["type"] for each in run.reports()["Another"]["discrepancies"]] == ["undocumented_column"]
