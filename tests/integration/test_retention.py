"""Retention against a real PostgreSQL: what goes, what stays, and the command on top of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from include.schema_sync.notify.delivery.retention import delete_old_messages

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 6, 1, 7, tzinfo=UTC)
BEFORE = NOW - timedelta(days=90)
OPEN = json.dumps({"version": 1, "text": "Schema drift", "state": {"resolved": None}, "before": None})
RESOLVED = json.dumps({"version": 1, "text": "Resolved", "state": {"resolved": "2026-01-02T00:00:00.000000Z"}})


@pytest.fixture
def database(application_db_uri):
    with psycopg.connect(application_db_uri, autocommit=True) as connection:
        yield connection


@pytest.fixture
def integration(database):
    def add() -> str:
        ((organization,),) = database.execute("INSERT INTO organizations (name) VALUES ('x') RETURNING id").fetchall()
        ((id_,),) = database.execute(
            "INSERT INTO slack_integrations (organization_id, status) VALUES (%s, 'active') RETURNING id::text",
            [organization],
        ).fetchall()
        return id_

    return add


@pytest.fixture
def row(database):
    """Write one row; its content doubles as its name unless it is a conversation's state."""

    def write(
        integration_id: str | None,
        age_days: float,
        *,
        kind: str = "schema_sync",
        ts: str = "",
        thread: str | None = None,
        content: str = "text",
        channel: str = "C1",
    ) -> str:
        sent_at = NOW - timedelta(days=age_days)
        ((id_,),) = database.execute(
            "INSERT INTO slack_message_tracking (integration_id, internal_message_id, slack_channel_id,"
            " slack_message_ts, slack_thread_ts, message_type, content, sent_at, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id::text",
            [integration_id, uuid.uuid4(), channel, ts, thread, kind, content, sent_at, sent_at],
        ).fetchall()
        return id_

    return write


def left(database) -> set[str]:
    return {id_ for (id_,) in database.execute("SELECT id::text FROM slack_message_tracking").fetchall()}


def test_an_open_conversation_and_its_thread_stay_however_old_and_though_a_newer_one_exists(database, integration, row):
    shop = integration()
    kept = {
        row(shop, 400, ts="1.0", content=OPEN),
        row(shop, 399, ts="1.1", thread="1.0"),
        row(shop, 200, ts="1.2", thread="1.0", kind="schema_sync_error"),
        row(shop, 5, ts="9.0", content=RESOLVED),
    }
    row(shop, 300, ts="2.0", content=RESOLVED)
    row(shop, 299, ts="2.1", thread="2.0", kind="schema_sync_resolved")
    assert delete_old_messages(database, before=BEFORE) == {"schema_sync": 1, "schema_sync_resolved": 1}
    assert left(database) == kept


def test_each_integrations_newest_conversation_stays_with_its_thread(database, integration, row):
    kept = set()
    for _ in range(3):
        shop = integration()
        row(shop, 300, ts="1.0", content=RESOLVED, channel=shop)
        kept |= {
            row(shop, 200, ts="2.0", content=RESOLVED, channel=shop),
            row(shop, 199, ts="2.1", thread="2.0", channel=shop),
        }
    assert delete_old_messages(database, before=BEFORE) == {"schema_sync": 3}
    assert left(database) == kept


def test_the_same_timestamp_in_another_channel_is_another_thread(database, integration, row):
    shop = integration()
    kept = {row(shop, 400, ts="1.0", content=OPEN, channel="C1")}
    row(shop, 399, ts="1.1", thread="1.0", channel="C2")
    assert delete_old_messages(database, before=BEFORE) == {"schema_sync": 1}
    assert left(database) == kept


def test_a_state_that_cannot_be_read_counts_as_open_and_a_plain_text_does_not(database, integration, row):
    shop = integration()
    newest = row(shop, 1, ts="9.0", content=OPEN)
    later_version = row(shop, 400, ts="1.0", content='{"version": 2, "anything": []}')
    row(shop, 400, ts="2.0", content="{not json")
    row(shop, 400, ts="3.0", content="🔴 Schema drift: Acme")
    delete_old_messages(database, before=BEFORE)
    assert left(database) == {newest, later_version}


def test_summaries_notices_and_dead_reservations_go_by_age_alone(database, integration, row):
    shop = integration()
    for age in (91, 400):
        row(None, age, kind="schema_sync_summary", ts="1.0")
        row(shop, age, kind="schema_sync_error", ts="2.0")
        row(shop, age, kind="schema_sync_error", ts="")
    kept = {row(None, 89, kind="schema_sync_summary"), row(shop, 89, kind="schema_sync_error")}
    assert delete_old_messages(database, before=BEFORE) == {"schema_sync_error": 4, "schema_sync_summary": 2}
    assert left(database) == kept


def test_a_dry_run_counts_the_same_and_deletes_nothing(database, integration, row):
    shop = integration()
    for age in (1, 100, 200, 300):
        row(shop, age, ts=str(age), content=RESOLVED)
    before = left(database)
    counted = delete_old_messages(database, before=BEFORE, dry_run=True)
    assert left(database) == before
    assert counted == delete_old_messages(database, before=BEFORE) == {"schema_sync": 3}


def test_many_rows_go_in_small_transactions_and_each_is_looked_at_once(database, row):
    database.execute(
        "INSERT INTO slack_message_tracking (internal_message_id, slack_channel_id, slack_message_ts, message_type,"
        " sent_at) SELECT gen_random_uuid(), 'C1', n::text, 'schema_sync_summary',"
        " %s::timestamptz - n * interval '1 day' FROM generate_series(1, 2500) AS n",
        [NOW],
    )
    database.execute("CREATE TABLE batches (rows int)")
    database.execute(
        "CREATE FUNCTION count_batch() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO batches SELECT count(*) FROM gone; RETURN NULL; END$$"
    )
    database.execute(
        "CREATE TRIGGER count_batch AFTER DELETE ON slack_message_tracking"
        " REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_batch()"
    )
    assert delete_old_messages(database, before=BEFORE, batch=400) == {"schema_sync_summary": 2410}
    assert len(left(database)) == 90
    batches = [number for (number,) in database.execute("SELECT rows FROM batches").fetchall()]
    assert len(batches) == 7
    assert max(batches) <= 400


def test_a_connection_outside_autocommit_is_refused_as_it_would_make_one_long_transaction(application_db_uri):
    with psycopg.connect(application_db_uri) as connection, pytest.raises(ValueError, match="autocommit"):
        delete_old_messages(connection, before=BEFORE)


def clean_up(project_root, environment, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "include.schema_sync.notify.delivery.clean_up", *arguments],
        env={**os.environ, **environment}, cwd=project_root, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_days_that_would_touch_what_is_in_use_are_refused(project_root):
    outcome = clean_up(project_root, {}, "--days", "7")
    assert outcome.returncode == 2
    assert "at least 14: younger rows are still in use" in outcome.stderr


@pytest.mark.airflow
def test_without_the_applications_connection_the_command_fails_and_says_what_to_create(project_root, tmp_path):
    home = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db"}
    outcome = clean_up(project_root, home, "--only-messages")
    assert outcome.returncode == 1
    assert "AIRFLOW_CONN_APP_DB" in outcome.stderr


@pytest.mark.airflow
def test_the_command_cleans_messages_and_airflows_records_of_this_dag_only(
    project_root, tmp_path, application_db_uri, create_metadata_database, database, row
):
    metadata_uri = create_metadata_database()
    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_uri.replace("postgresql://", "postgresql+psycopg2://"),
        "AIRFLOW_CONN_APP_DB": application_db_uri,
    }
    row(None, 3650, kind="schema_sync_summary", ts="1.0")
    with psycopg.connect(metadata_uri, autocommit=True) as metadata:
        _add_runs(metadata)
        counted = clean_up(project_root, environment, "--dry-run")
        assert counted.returncode == 0, counted.stderr
        assert "slack_message_tracking: 1 row(s)" in counted.stdout
        assert "would be deleted" in counted.stdout
        assert _runs(metadata) == {
            ("another_dag", "new"),
            ("another_dag", "old"),
            ("schema_sync", "new"),
            ("schema_sync", "old"),
        }

        cleaned = clean_up(project_root, environment)
        assert cleaned.returncode == 0, cleaned.stderr
        assert _runs(metadata) == {("another_dag", "new"), ("another_dag", "old"), ("schema_sync", "new")}
        ((left_over,),) = metadata.execute("SELECT count(*) FROM xcom WHERE dag_id = 'schema_sync'").fetchall()
        assert left_over == 1
        archives = metadata.execute("SELECT 1 FROM pg_tables WHERE tablename LIKE '\\_airflow\\_deleted%'").fetchall()
        assert archives == []
    assert left(database) == set()
    for outcome in (counted, cleaned):
        assert (
            str(psycopg.conninfo.conninfo_to_dict(application_db_uri)["password"])
            not in outcome.stdout + outcome.stderr
        )


def _runs(metadata) -> set[tuple[str, str]]:
    return set(metadata.execute("SELECT dag_id, run_id FROM dag_run").fetchall())


def _add_runs(metadata) -> None:
    """An old and a new scheduled run of two DAGs, each with a task and an XCom."""
    metadata.execute("INSERT INTO dag_bundle (name) VALUES ('b')")
    for dag in ("schema_sync", "another_dag"):
        metadata.execute(
            "INSERT INTO dag (dag_id, is_paused, is_stale, exceeds_max_non_backfill, bundle_name, timetable_type,"
            " timetable_partitioned, timetable_periodic, partition_mapper_info, max_active_tasks,"
            " max_consecutive_failed_dag_runs, has_task_concurrency_limits, fail_fast)"
            " VALUES (%s, false, false, false, 'b', '', false, true, '{}', 16, 0, false, false)",
            [dag],
        )
        for run, days in (("old", 400), ("new", 1)):
            at = datetime.now(UTC) - timedelta(days=days)
            ((run_number,),) = metadata.execute(
                "INSERT INTO dag_run (dag_id, run_id, run_type, run_after, start_date, state, clear_number,"
                " span_status) VALUES (%s, %s, 'scheduled', %s, %s, 'success', 0, 'ended') RETURNING id",
                [dag, run, at, at],
            ).fetchall()
            metadata.execute(
                "INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number, max_tries, pool,"
                " pool_slots, span_status, start_date, state)"
                " VALUES (gen_random_uuid(), 'summarize', %s, %s, -1, 1, 0, 'default_pool', 1, 'ended', %s, 'success')",
                [dag, run, at],
            )
            metadata.execute(
                "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, timestamp, value)"
                " VALUES (%s, 'summarize', -1, 'return_value', %s, %s, %s, '{}')",
                [run_number, dag, run, at],
            )
