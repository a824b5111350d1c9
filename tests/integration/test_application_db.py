"""The product's tables: who is active, what is to be checked, and errors that say why not."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from include.schema_sync.application import rows as application_db
from include.schema_sync.errors import TerminalError, TransientError

pytestmark = pytest.mark.postgres


@pytest.fixture
def application(application_db_uri):
    with psycopg.connect(application_db_uri, autocommit=True) as connection:
        yield connection


def add_organization(application, name="Acme", *, deleted=False, sources=("completed",), source_deleted=False) -> str:
    organization_id = str(uuid.uuid4())
    application.execute(
        "INSERT INTO organizations (id, name, deleted_at) VALUES (%s, %s, CASE WHEN %s THEN now() END)",
        (organization_id, name, deleted),
    )
    for status in sources:
        application.execute(
            "INSERT INTO data_sources (name, type, onboarding_status, organization_id, deleted_at)"
            " VALUES ('Shop', 'postgres', %s, %s, CASE WHEN %s THEN now() END)",
            (status, organization_id, source_deleted),
        )
    return organization_id


def add_dataset(application, organization_id, **columns) -> None:
    (source_id,) = application.execute(
        "SELECT id FROM data_sources WHERE organization_id = %s LIMIT 1", (organization_id,)
    ).fetchone()
    row = {"name": "orders", "database_name": "orders", "schema": "public", "yml_file": "name: orders", **columns}
    row |= {"data_source_id": source_id, "organization_id": organization_id}
    names = ", ".join(row)
    application.execute(f"INSERT INTO datasets ({names}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))


def test_only_active_organizations_are_read(application):
    active = add_organization(application, "Active", sources=("completed", "inProgress"))
    add_organization(application, "Deleted", deleted=True)
    add_organization(application, "Onboarding", sources=("inProgress", "failed", "notStarted"))
    add_organization(application, "Without a source", sources=())
    add_organization(application, "Source deleted", source_deleted=True)
    (found,) = application_db.fetch_organizations(application, None)
    assert (found.id, found.name) == (active, "Active")
    assert [source.type for source in found.data_sources] == ["postgres"]


def test_named_organizations_are_read_whatever_the_case_of_their_ids(application):
    one = add_organization(application, "One")
    add_organization(application, "Two")
    assert [found.id for found in application_db.fetch_organizations(application, [one.upper(), one])] == [one]


def test_each_id_that_cannot_be_checked_is_listed_with_its_reason(application):
    good = add_organization(application, "Good")
    deleted = add_organization(application, "Gone", deleted=True)
    onboarding = add_organization(application, "Waiting", sources=("inProgress",))
    without = add_organization(application, "Empty", sources=())
    unknown = str(uuid.uuid4())
    with pytest.raises(TerminalError) as raised:
        application_db.fetch_organizations(application, [good, deleted, onboarding, without, unknown])
    message = str(raised.value)
    assert good not in message
    assert f"{deleted} (Gone): deleted" in message
    assert f"{onboarding} (Waiting): no data source has finished onboarding (state: inProgress)" in message
    assert f"{without} (Empty): has no data source" in message
    assert f"{unknown}: unknown" in message


def test_only_datasets_to_check_are_read(application):
    one = add_organization(application)
    add_dataset(application, one, name="checked", database_identifier="other")
    add_dataset(application, one, name="no yml", yml_file=None)
    add_dataset(application, one, name="disabled", enabled=False)
    add_dataset(application, one, name="deleted", deleted_at="2026-01-01")
    add_dataset(application, one, name="empty yml", yml_file="")
    found = application_db.fetch_datasets(application, [one])
    assert [(each.name, each.database_identifier, each.yml) for each in found[one]] == [
        ("checked", "other", "name: orders"),
        ("empty yml", None, ""),
    ]


def test_an_organization_without_datasets_has_an_empty_list(application):
    one = add_organization(application)
    assert application_db.fetch_datasets(application, [one]) == {one: []}


def test_the_active_integration_with_a_channel_is_taken(application):
    one, two = add_organization(application, "One"), add_organization(application, "Two")
    for organization, status, channel, deleted in (
        (one, "revoked", '{"id": "C1"}', False),
        (one, "active", "{}", False),
        (one, "active", '{"id": "C2", "name": "alerts"}', False),
        (two, "active", '{"id": "C3"}', True),
    ):
        application.execute(
            "INSERT INTO slack_integrations (organization_id, token_vault_key, status, default_channel, deleted_at)"
            " VALUES (%s, 'key', %s, %s, CASE WHEN %s THEN now() END)",
            (organization, status, channel, deleted),
        )
    found = application_db.fetch_slack_integrations(application, [one, two])
    assert set(found) == {one}
    assert (found[one].channel_id, found[one].channel_name, found[one].token_vault_key) == ("C2", "alerts", "key")


def test_a_database_without_a_vault_has_no_secrets(application):
    assert application_db.vault_secrets(application, ["anything"]) == {}


def test_secrets_are_read_by_their_names(application):
    application.execute("CREATE SCHEMA vault")
    application.execute("CREATE VIEW vault.decrypted_secrets AS SELECT 'a'::text AS name, 's3cret' AS decrypted_secret")
    assert application_db.vault_secrets(application, ["a", "b"]) == {"a": "s3cret"}


def test_missing_tables_are_terminal_and_name_the_ddl(fresh_database):
    with (
        psycopg.connect(fresh_database, autocommit=True) as connection,
        pytest.raises(TerminalError, match=r"application_tables\.sql"),
    ):
        application_db.fetch_organizations(connection, None)


def test_a_lost_connection_is_transient(application):
    application.close()
    with pytest.raises(TransientError, match="app_db"):
        application_db.fetch_organizations(application, None)
