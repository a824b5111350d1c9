"""The real DAG on one day after another: what an organization's channel sees, and what is recorded."""

from __future__ import annotations

import json

import psycopg
import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

WAREHOUSE = "CREATE TABLE orders (id bigint, amount numeric, placed_at date)"
YML = "name: orders\ndimensions: [{name: id}, {name: amount}, {name: placed_at, type: date}]"


class Customer:
    """An organization whose warehouse changes from day to day."""

    def __init__(self, world, name: str = "Acme") -> None:
        self.world = world
        self.warehouse = world.warehouse(WAREHOUSE)
        self.organization_id = world.organization(name)
        self.source_id = world.source(self.organization_id, self.warehouse)
        self.dataset_id = world.dataset(self.source_id, YML)
        self.name = name

    def change(self, statement: str) -> None:
        with psycopg.connect(self.warehouse, autocommit=True) as connection:
            connection.execute(statement)

    @property
    def messages(self) -> list[dict]:
        return self.world.messages(self.world.channel(self.organization_id))

    @property
    def channel_messages(self) -> list[dict]:
        return [each for each in self.messages if each["thread_ts"] is None]

    @property
    def replies(self) -> list[dict]:
        return [each for each in self.messages if each["thread_ts"] is not None]


def test_one_drift_is_one_conversation_from_the_first_alert_to_the_resolved_notice(world):
    acme = Customer(world)
    assert world.run().outcomes()["Acme"]["notified"] is False  # nothing to tell
    assert acme.messages == []

    acme.change("ALTER TABLE orders DROP COLUMN amount")
    first = world.run()
    assert first.outcomes()["Acme"]["notified"] is True
    assert (first.outcomes()["Acme"]["new"], first.outcomes()["Acme"]["new_critical"]) == (1, 1)
    (parent,) = acme.messages
    assert "amount" in json.dumps(parent["blocks"])

    second = world.run()  # nothing new: no new message, the first one says when it was checked last
    assert [each["ts"] for each in acme.messages] == [parent["ts"]]
    assert second.outcomes()["Acme"]["notified"] is True
    assert (second.outcomes()["Acme"]["new"], second.outcomes()["Acme"]["ongoing"]) == (0, 1)
    assert second.result["result"]["notificationsSent"] == 1
    seen = {key: value for key, _, value in second.xcoms}["first_seen"][acme.organization_id]
    assert list(seen.values()) == [first.result["timestamp"]]

    acme.change("ALTER TABLE orders DROP COLUMN id")
    third = world.run()
    assert len(acme.channel_messages) == 1
    (reply,) = acme.replies
    assert (reply["thread_ts"], reply["reply_broadcast"]) == (parent["ts"], True)  # a new critical
    assert third.outcomes()["Acme"]["new_critical"] == 1

    acme.change("ALTER TABLE orders ADD COLUMN amount numeric, ADD COLUMN id bigint")
    last = world.run()
    assert last.outcomes()["Acme"]["resolved"] == 2
    assert last.outcomes()["Acme"]["notified"] is True
    assert "✅" in json.dumps(acme.channel_messages[0]["blocks"], ensure_ascii=False)
    assert len(acme.channel_messages) == 1
    assert len(acme.replies) == 2
    kinds = [row[0] for row in world.tracked() if row[1] == world.channel(acme.organization_id)]
    assert kinds.count("schema_sync_resolved") >= 1

    assert world.run().outcomes()["Acme"]["notified"] is False  # clean, and said already
    assert len(acme.messages) == 3


def test_an_outage_and_a_dry_run_leave_open_problems_open(world, refused_uri):
    acme = Customer(world)
    acme.change("ALTER TABLE orders DROP COLUMN amount")
    world.run()
    (parent,) = acme.messages
    reachable = acme.warehouse

    world.connect_source(acme.source_id, refused_uri)
    failed = world.run()
    assert failed.state == "failed"  # the only organization
    (notice,) = acme.replies  # an error notice, where it is being talked about anyway
    assert notice["thread_ts"] == parent["ts"]
    assert "not* a drift report" in json.dumps(notice["blocks"])

    world.connect_source(acme.source_id, reachable)
    before = len(world.tracked())
    dry = world.run({"dry_run": True})
    assert dry.state == "success"
    assert len(world.tracked()) == before
    assert dry.outcomes()["Acme"]["new"] is None

    again = world.run({"dry_run": False})  # the object that ran keeps its last configuration
    assert (again.outcomes()["Acme"]["new"], again.outcomes()["Acme"]["ongoing"]) == (0, 1)
    assert len(acme.channel_messages) == 1


def test_owners_are_called_for_what_is_new_and_never_for_what_is_over(world):
    world.environment.setenv("SCHEMA_SYNC_MENTIONS", '{"*": {"critical": ["U0SETTINGS"]}}')
    acme, own_word = Customer(world), Customer(world, "Bluebird")
    world.execute(
        "UPDATE slack_integrations SET default_channel = default_channel || %s::jsonb WHERE organization_id = %s",
        json.dumps({"mentions": {"critical": ["S0OWNERS"]}}), own_word.organization_id,
    )  # fmt: skip
    for customer in (acme, own_word):
        customer.change("ALTER TABLE orders DROP COLUMN amount")
    world.run()
    assert "<@U0SETTINGS>" in json.dumps(acme.messages[0]["blocks"])
    assert "<!subteam^S0OWNERS>" in json.dumps(own_word.messages[0]["blocks"])
    assert "U0SETTINGS" not in json.dumps(own_word.messages)

    for customer in (acme, own_word):
        customer.change("ALTER TABLE orders ADD COLUMN amount numeric")
    world.run()
    assert "U0SETTINGS" not in json.dumps(acme.messages)  # the updated first message calls nobody either
    assert "S0OWNERS" not in json.dumps(own_word.messages)


def test_the_summary_names_new_criticals_first_and_an_alert_that_slack_refused(world):
    old, new = Customer(world, "Aardvark"), Customer(world, "Zebra")
    old.change("ALTER TABLE orders DROP COLUMN amount")
    world.run()
    new.change("ALTER TABLE orders DROP COLUMN amount")
    run = world.run()
    summary = next(
        each for each in reversed(world.slack.messages) if each["channel"] == "C0DATATEAM" and each["thread_ts"] is None
    )
    text = json.dumps(summary["blocks"])
    assert text.index("Zebra") < text.index("Aardvark")
    assert run.outcomes()["Zebra"]["new_critical"] == 1
    assert "1 new" in text


def test_a_first_alert_that_slack_refuses_is_told_by_the_next_run(world):
    from tests.slack_stand_in import Fault

    acme = Customer(world)
    acme.change("ALTER TABLE orders DROP COLUMN amount")
    world.slack.fail("chat.postMessage", Fault(error="channel_not_found"))
    refused = world.run()
    assert refused.states["check_organization.notify[0]"] == "failed"
    assert "channel_not_found" in refused.outcomes()["Acme"]["notification_error"]
    assert acme.messages == []
    told = world.run()
    assert told.outcomes()["Acme"]["notified"] is True
    assert len(acme.channel_messages) == 1


def test_a_clean_organization_costs_no_look_up_of_its_token(world):
    """Most are clean on most days; one whose token is gone learns of it when there is something to tell."""
    acme = Customer(world)
    world.execute("UPDATE slack_integrations SET token_vault_key = 'gone'")
    clean = world.run()
    assert clean.states["check_organization.notify[0]"] == "success"
    assert clean.outcomes()["Acme"]["notification_error"] is None

    acme.change("ALTER TABLE orders DROP COLUMN amount")
    drifted = world.run()
    assert drifted.states["check_organization.notify[0]"] == "failed"
    assert "has no token" in drifted.outcomes()["Acme"]["notification_error"]
    assert [row for row in world.tracked() if row[0] != "schema_sync_summary"] == []  # nothing was reserved
