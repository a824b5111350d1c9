"""Slack's limits of messages a second are kept, also by a thousand alerts at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from include.schema_sync.notify.delivery.outbox import Sender, deliver
from include.schema_sync.notify.delivery.outgoing import Occasion
from include.schema_sync.notify.messages.layout import MessageKind
from include.schema_sync.notify.slack.client import slack_client
from include.schema_sync.notify.slack.transports import Posted, WebApi
from tests.integration.outbox.conftest import (
    ACME,
    LONG,
    MESSAGE,
    TOKEN,
    Connect,
    send,
)
from tests.slack_stand_in import SlackStandIn

pytestmark = pytest.mark.postgres


def test_one_channel_gets_one_message_a_second_and_others_do_not_wait(connect: Connect, slack: SlackStandIn) -> None:
    waited: list[float] = []
    send(connect, slack, LONG, channel="C-paced", sleep=waited.append)
    assert len(waited) == 2
    assert 0.5 < waited[0] <= 1.0 < waited[1] <= 2.0
    send(connect, slack, channel="C-other", run_id="scheduled__2", sleep=waited.append)
    assert len(waited) == 2


def test_a_thousand_alerts_from_sixteen_threads_meet_no_storm_of_429s(
    application_db_uri: str, connect: Connect, slack: SlackStandIn
) -> None:
    """One token for all is the worst case: what one thread is told, the others must not find out for themselves."""
    slack.calls_a_second = 250
    local = threading.local()

    def alert(number: int) -> Posted:
        if not hasattr(local, "sender"):
            local.sender = Sender(connect(), WebApi(slack_client(TOKEN, base_url=slack.base_url)))
        return deliver(local.sender, ACME, MESSAGE, Occasion(MessageKind.SCHEMA_SYNC, f"run {number}"), f"C-{number}")

    with ThreadPoolExecutor(16) as pool:
        deliveries = list(pool.map(alert, range(1_000)))
    assert len({delivery.ts for delivery in deliveries}) == len(slack.messages) == 1_000
    refused = slack.calls.count("chat.postMessage") - 1_000
    # At most one for each thread that was on its way when the first was told, once in each second's window.
    assert refused <= 16 * 1_000 // slack.calls_a_second
    with connect() as connection:
        assert connection.execute(
            "SELECT count(*) FROM slack_message_tracking WHERE slack_message_ts <> ''"
        ).fetchone() == (1_000,)


def test_channels_limit_of_one_message_a_second_is_never_met(connect: Connect, slack: SlackStandIn) -> None:
    slack.one_a_second = True

    def alert(number: int) -> None:
        send(connect, slack, run_id=f"run {number}", channel="C-busy", sleep=time.sleep)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(alert, range(4)))
    assert slack.calls == ["chat.postMessage"] * 4
