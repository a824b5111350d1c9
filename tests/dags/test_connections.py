"""Texts without secrets, parameters of a run, and what is tried again."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib import import_module
from typing import Any

import psycopg
import pytest

from include.schema_sync.nouns.dataset import DataSource
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import DIALECTS, dialect_for
from include.schema_sync.warehouses.sign_in import SignIn
from include.schema_sync.warehouses.tenants import confined
from tests.airflow_names import VERSION

pytestmark = pytest.mark.airflow


def test_secrets_are_taken_out_of_texts_however_they_are_encoded():
    from airflow.sdk import Connection
    from schema_sync_airflow.connections import redactor

    extra = json.dumps({"private_key": "KEY-TEXT", "nested": {"api_token": ["token-one"]}, "sslmode": "require"})
    redact = redactor(Connection(conn_id="x", conn_type="postgres", password="p@ss/word", extra=extra))
    text = "p@ss/word p%40ss%2Fword KEY-TEXT token-one require"
    assert redact(text) == "*** *** *** *** require"


def test_unknown_configuration_keys_are_listed_with_what_was_meant():
    from schema_sync_airflow.run.params import unknown_keys_message

    assert unknown_keys_message(["dry_run", "organization_ids"]) is None
    message = unknown_keys_message(["organisation_ids", "zzz"])
    assert "'organisation_ids', did you mean 'organization_ids'?" in message
    assert "Known keys are: organization_ids, dry_run, min_severity" in message


with_retry_policies = pytest.mark.skipif(
    VERSION < (3, 3), reason="before 3.3 terminal errors are raised as Airflow's own (test_airflow_versions)"
)


@with_retry_policies
@pytest.mark.parametrize(
    ("error", "action"), [("TerminalError", "fail"), ("TransientError", "retry"), ("InvalidDatasetYml", "fail")]
)
def test_terminal_errors_fail_at_once_and_others_are_retried(error, action):
    from schema_sync_airflow.run.retries import TransientOnlyRetryPolicy

    from include.schema_sync import errors

    decision = TransientOnlyRetryPolicy(base_delay_s=10).evaluate(getattr(errors, error)("x"), 1, 2)
    assert decision.action.value == action


@with_retry_policies
def test_delays_grow_are_jittered_and_bounded():
    from schema_sync_airflow.run.retries import TransientOnlyRetryPolicy

    from include.schema_sync.errors import TransientError

    policy = TransientOnlyRetryPolicy(base_delay_s=10)
    delays = {
        attempt: {policy.evaluate(TransientError("x"), attempt, 20).retry_delay.total_seconds() for _ in range(50)}
        for attempt in (1, 3, 15)
    }
    assert len(delays[1]) > 1
    assert all(5 <= delay <= 15 for delay in delays[1])
    assert all(20 <= delay <= 60 for delay in delays[3])
    assert all(delay <= 900 for delay in delays[15])


NOBODY: Any = None  # the application database, which is not asked


@pytest.mark.parametrize(
    ("key", "connection"),
    [
        ("app_db", "postgresql://u:the-product-s-password@h/d"),
        ("APP_DB", "postgresql://u:the-product-s-password@h/d"),
        ("data_source_other", '{"conn_type": "slack", "password": "another-tenant-s-password"}'),
        ("data_team_slack", '{"conn_type": "slack", "password": "xoxb-of-the-data-team"}'),
        ("slack_default", '{"conn_type": "slack", "password": "xoxb-of-the-operator"}'),
        ("smtp_default", '{"conn_type": "smtp", "password": "the-mail-server-s-password"}'),
    ],
)
def test_a_tenants_key_names_no_connection_but_a_slack_token(monkeypatch, key, connection):
    """docs/security.md: "secrets of others". The tenant writes ``token_vault_key``."""
    from schema_sync_airflow import connections

    from include.schema_sync.errors import TerminalError

    monkeypatch.setenv(f"AIRFLOW_CONN_{key.upper()}", connection)
    monkeypatch.setattr(connections, "vault_secrets", lambda _application, _names: {})
    with pytest.raises(TerminalError, match="has no token") as refused:
        connections.organization_slack(key, "Acme", NOBODY, Settings.from_environment({}))
    assert "password" not in str(refused.value).replace("as its password", "")


@pytest.mark.parametrize(
    "stored", ['{"type": "postgres", "password": "of-a-warehouse"}', "null", "hunter2-hunter2", ""]
)
def test_a_vault_row_that_is_no_slack_token_is_not_sent_to_slack(monkeypatch, stored):
    from schema_sync_airflow import connections

    from include.schema_sync.errors import TerminalError

    settings = Settings.from_environment({})
    monkeypatch.setattr(connections, "vault_secrets", lambda _application, names: dict.fromkeys(names, stored))
    with pytest.raises(TerminalError, match="has no token"):
        connections.organization_slack("11111111-1111-1111-1111-111111111111", "Acme", NOBODY, settings)
    monkeypatch.setattr(connections, "vault_secrets", lambda _, names: dict.fromkeys(names, "xoxb-1-of-acme"))
    assert connections.organization_slack("slack-acme", "Acme", NOBODY, settings).token == "xoxb-1-of-acme"


@pytest.mark.postgres
@pytest.mark.parametrize("vault_first", [False, True])
def test_the_vault_is_read_once_for_all_data_sources(monkeypatch, fresh_database, vault_first):
    """With ``SCHEMA_SYNC_VAULT_FIRST`` Airflow is asked for those alone that the vault does not hold."""
    from schema_sync_airflow import connections

    asked, statements = [], []
    monkeypatch.setattr(connections, "_airflow_connection", asked.append)

    class Cursor(psycopg.Cursor):
        def execute(self, *arguments, **options):
            statements.append(arguments)
            return super().execute(*arguments, **options)

    owners = {f"source-{number}": "organization" for number in range(50)}
    with psycopg.connect(fresh_database, autocommit=True, cursor_factory=Cursor) as application:
        application.execute("CREATE SCHEMA vault")
        application.execute("CREATE TABLE vault.decrypted_secrets (name text, decrypted_secret text)")
        for source in owners:
            text = json.dumps(
                {"type": "postgres", "host": source, "database": "d", "username": "u", "password": source}
            )
            application.execute("INSERT INTO vault.decrypted_secrets VALUES (%s, %s)", (source, text))
        statements.clear()
        settings = Settings.from_environment({"SCHEMA_SYNC_VAULT_FIRST": str(vault_first).lower()})
        open_source = connections.source_opener(application, owners, settings)
        for source in owners:
            assert open_source(DataSource(source, "Shop", "postgres")).host == source
    assert len(statements) == 2
    assert len(asked) == (0 if vault_first else 50)


def test_a_providers_first_import_costs_no_time_to_connect(monkeypatch, tmp_path):
    """On a busy machine it takes longer than connecting may; it happens before anybody counts, and once."""
    from airflow.sdk import Connection
    from schema_sync_airflow.connections import _connect
    from schema_sync_airflow.warehouse_hooks import WarehouseHook

    from include.schema_sync.introspect.source import introspect_source
    from include.schema_sync.nouns.snapshot import GroupRequest
    from include.schema_sync.warehouses import dialect_for

    (tmp_path / "slow_provider.py").write_text("import sqlite3, time\ntime.sleep(3)\nopen_it = sqlite3.connect\n")
    monkeypatch.syspath_prepend(tmp_path)

    def open_it(_connection, _database, _settings):
        connection = import_module("slow_provider").open_it(tmp_path / "shop.db", check_same_thread=False)
        connection.execute("CREATE TABLE orders (id integer)")
        return connection

    hook = WarehouseHook("slow", "slow_provider", open_it)
    connect = _connect(hook, Connection(conn_id="x", conn_type="slow"), Settings.from_environment({}))
    request = GroupRequest("s", None, "main", ("orders",))
    (group,) = introspect_source(connect, dialect_for("sqlite"), [request], timeout_s=2)
    assert (group.snapshot.error, [table.name for table in group.snapshot.tables]) == (None, ["orders"])


def test_a_drivers_first_import_costs_a_tenant_no_time_to_connect(monkeypatch, tmp_path):
    (tmp_path / "slow_driver.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    driver = replace(dialect_for("postgres").driver, modules="not_installed slow_driver")
    confined(driver, SignIn({}, None), "organization", Settings.from_environment({}))
    assert "slow_driver" in sys.modules
    for each in DIALECTS.values():
        each.driver.load()
    loaded = {module for each in DIALECTS.values() for module in each.driver.modules.split()} & sys.modules.keys()
    assert loaded >= {"psycopg", "duckdb", "sqlite3"}


def test_a_provider_that_is_missing_is_told_before_anything_is_connected(monkeypatch):
    from airflow.sdk import Connection
    from schema_sync_airflow.connections import _connect
    from schema_sync_airflow.warehouse_hooks import warehouse_hook

    from include.schema_sync.errors import TerminalError

    hook = warehouse_hook("snowflake")
    monkeypatch.setitem(sys.modules, hook.module, None)
    with pytest.raises(TerminalError, match=r"Run: pip install apache-airflow-providers-snowflake$"):
        _connect(hook, Connection(conn_id="x", conn_type="snowflake"), Settings.from_environment({}))
