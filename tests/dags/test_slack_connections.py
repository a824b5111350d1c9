"""Slack as an Airflow connection describes it, through the provider's own hooks; and who else hears."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dags.conftest import World

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

ORDERS = "CREATE TABLE orders (order_id bigint)"
CLEAN = "name: orders\nmeasures: [{name: order_id}]"
HEARD: list[str] = []


class Ear:
    """A notifier as providers write them: templated arguments."""

    def __new__(cls, **arguments: Any) -> Any:
        from airflow.sdk import BaseNotifier

        class Notifier(BaseNotifier):
            template_fields = ("body",)

            def __init__(self, *, body: str, breaks: bool = False) -> None:
                super().__init__()
                self.body, self.breaks = body, breaks

            def notify(self, context: Any) -> None:
                if self.breaks:
                    raise ConnectionError("the pager is down")
                HEARD.append(self.body)

        return Notifier(**arguments)


@pytest.fixture
def settings(monkeypatch):
    from include.schema_sync.settings import Settings

    monkeypatch.delenv("SCHEMA_SYNC_SLACK_BASE_URL", raising=False)
    return Settings.from_environment()


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, **connection: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))


def test_a_slack_connections_proxy_timeout_and_address_are_used(monkeypatch, settings):
    from schema_sync_airflow.connections import data_team_slack

    extra = {"proxy": "http://proxy.example:3128", "timeout": 42, "base_url": "https://slack-gov.com/api/"}
    connect(monkeypatch, "data_team_slack", conn_type="slack", password="xoxb-1", extra=extra)
    client = data_team_slack(settings)
    assert (client.proxy, client.timeout, client.base_url) == (*extra.values(),)
    assert client.token == "xoxb-1"
    assert [type(handler).__name__ for handler in client.retry_handlers] != ["ConnectionErrorRetryHandler"]
    assert len(client.retry_handlers) == 1  # HTTP 429 only: what may have been posted is not repeated


def test_a_connection_of_type_slackwebhook_is_a_webhook(monkeypatch, settings):
    from schema_sync_airflow.connections import data_team_slack

    connect(monkeypatch, "data_team_slack", conn_type="slackwebhook", password="T0/B0/secret",
            extra={"proxy": "http://proxy.example:3128"})  # fmt: skip
    client = data_team_slack(settings)
    assert (client.url, client.proxy) == (
        "https://hooks.slack.com/services/T0/B0/secret", "http://proxy.example:3128"
    )  # fmt: skip


def test_a_token_from_the_vault_goes_through_the_proxy_of_slack_default(monkeypatch, settings, world):
    import psycopg
    from schema_sync_airflow.connections import organization_slack

    connect(monkeypatch, "slack_default", conn_type="slack", extra={"proxy": "http://proxy.example:3128"})
    world.execute("CREATE SCHEMA vault")
    world.execute("CREATE TABLE vault.decrypted_secrets (name text, decrypted_secret text)")
    world.execute("INSERT INTO vault.decrypted_secrets VALUES ('acme', 'xoxb-vault-1')")
    with psycopg.connect(world.application_uri) as application:
        client = organization_slack("acme", "Acme", application, settings)
    assert (client.token, client.proxy) == ("xoxb-vault-1", "http://proxy.example:3128")


def test_the_data_teams_channel_may_be_a_name(world: World, monkeypatch):
    world.customer("Acme", ORDERS, CLEAN)
    world.slack.channel_names.update({"general": "C0GENERAL", "data-team-alerts": "C0ALERTS"})
    monkeypatch.setenv("DATA_TEAM_SLACK_CHANNEL_ID", "#data-team-alerts")
    assert world.run().state == "success"
    assert [message["channel"] for message in world.slack.messages] == ["C0ALERTS"]
    assert [row[1] for row in world.tracked()] == ["C0ALERTS"]


@pytest.mark.parametrize("with_slack", [True, False])
def test_a_notifier_hears_the_summary_once_with_and_without_slack(world: World, monkeypatch, with_slack):
    HEARD.clear()
    if not with_slack:
        monkeypatch.delenv("DATA_TEAM_SLACK_CHANNEL_ID")
    ear = {"class": f"{__name__}.Ear", "arguments": {"body": "{{ run_id }}: {{ message }}"}}
    monkeypatch.setenv("SCHEMA_SYNC_NOTIFIER", json.dumps(ear))
    world.customer("{{ 7 * 7 }}", ORDERS, CLEAN)
    run = world.run()
    assert run.state == "success"
    (body,) = HEARD
    assert body.startswith(f"{run.run_id}: ")
    assert "no drift in 1 organization" in body


@pytest.mark.parametrize("ear", [{"class": "no.such.Notifier"}, {"class": f"{__name__}.Ear", "arguments": {
    "body": "x", "breaks": True}}, ["nonsense"]])  # fmt: skip
def test_a_notifier_that_fails_never_turns_a_run_red(world: World, monkeypatch, ear):
    monkeypatch.setenv("SCHEMA_SYNC_NOTIFIER", json.dumps(ear))
    world.customer("Acme", ORDERS, CLEAN)
    run = world.run()
    assert run.state == "success"
    assert "The notifier of SCHEMA_SYNC_NOTIFIER did not tell anybody" in run.log
