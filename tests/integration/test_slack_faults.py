"""Slack hangs, answers 500 or is slow, or its clock is an hour off: the others of a batch are told, nobody twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from include.schema_sync.demo import slack as stand_in
from include.schema_sync.errors import TransientError
from include.schema_sync.notify.delivery import outbox
from include.schema_sync.notify.delivery.outbox import Sender, deliver
from include.schema_sync.notify.delivery.outgoing import DATA_TEAM, Occasion
from include.schema_sync.notify.messages.layout import Message, MessageKind
from include.schema_sync.notify.slack.transports import WebApi
from tests.integration.test_tell import give_channel, outcome, told
from tests.slack_stand_in import Fault

pytestmark = pytest.mark.postgres

HANGS = {
    "hangs, and never takes it": Fault(hold_s=4.0, drop=True),
    "takes it, and hangs": Fault(delay_s=4.0),
    "500": Fault(status=500),
    "500, and has taken it": Fault(status=500, accepted=True),
}


@pytest.mark.parametrize("fault", HANGS.values(), ids=HANGS)
def test_the_others_of_a_batch_are_told_while_slack_fails_one(
    fault: Fault, new_customer: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client waits 1 s here, 30 s in production."""
    monkeypatch.setattr(outbox, "SETTLE_S", 1.0)
    customers = [new_customer() for _ in range(4)]
    for customer in customers:
        give_channel(customer)
    reports = [customer.report(["+amount"]) for customer in customers]
    customers[0].slack.fail("chat.postMessage", fault)
    started = time.monotonic()
    account, _ = told(customers, reports, 0)
    assert time.monotonic() - started < 30
    assert [outcome(customer, account).notified for customer in customers] == [False, True, True, True]
    assert account.is_transient
    again, _ = told(customers, reports, 0)
    assert [outcome(customer, again).notified for customer in customers] == [True] * 4
    assert again.errors == []
    for customer in customers:
        assert len(customer.said()) == 1
        customer.check_one_row_each()


def test_a_slack_that_is_down_for_everybody_is_told_of_and_nobody_is_told_twice(
    new_customer: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "SETTLE_S", 0.5)
    customers = [new_customer() for _ in range(4)]
    for customer in customers:
        give_channel(customer)
    reports = [customer.report(["+amount"]) for customer in customers]
    slack = customers[0].slack
    slack.fail("chat.postMessage", Fault(status=500, accepted=True), times=2)
    slack.fail("chat.postMessage", Fault(status=503), times=50)
    slack.fail("conversations.history", Fault(status=500), times=2)
    for _ in range(3):
        account, _ = told(customers, reports, 0)
        assert account.is_transient
        assert all("Slack" in str(outcome(customer, account).untold) for customer in customers[2:])
    slack.relent()
    account, _ = told(customers, reports, 0)
    assert [outcome(customer, account).notified for customer in customers] == [True] * 4
    for customer in customers:
        assert len(customer.said()) == 1
        customer.check_one_row_each()


def test_a_slow_slack_tells_everybody_in_the_first_attempt(new_customer: Callable[[], Any]) -> None:
    customers = [new_customer() for _ in range(3)]
    for customer in customers:
        give_channel(customer)
    customers[0].slack.fail("chat.postMessage", Fault(delay_s=0.6), times=20)  # just below the client's patience
    account, _ = told(customers, [customer.report(["+amount"]) for customer in customers], 0)
    assert [outcome(customer, account).notified for customer in customers] == [True] * 3
    assert len(customers[0].slack.messages) == 3


def skew(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let Slack's clock be ahead of everybody else's."""
    clock = SimpleNamespace(time=lambda: time.time() + seconds, sleep=time.sleep, monotonic=time.monotonic)
    monkeypatch.setattr(stand_in, "time", clock)


hours_apart = pytest.mark.parametrize("seconds", [3600.0, -3600.0], ids=["an hour ahead", "an hour behind"])


@hours_apart
def test_clocks_an_hour_apart_lead_to_no_second_message(
    seconds: float, customer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer gets lost; the look-up finds the message although Slack dates it an hour away from its row."""
    skew(monkeypatch, seconds)
    monkeypatch.setattr(outbox, "SETTLE_S", 0.5)
    customer.slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        customer.tell(0, ["+amount"])
    customer.tell(0, ["+amount"], options={"sleep": time.sleep})
    assert len(customer.said()) == 1
    customer.check_one_row_each()


@hours_apart
def test_worker_whose_clock_is_an_hour_off_finds_what_it_said_without_a_database(
    seconds: float, customer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary when the application database is gone: there is no row, only Slack and the worker's clock."""
    skew(monkeypatch, seconds)
    sender = Sender(None, WebApi(customer.client(), lambda _: None), sleep=lambda _: None)
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "Schema Sync"}}
    message = Message("Schema Sync", (block,))
    occasion = Occasion(MessageKind.SCHEMA_SYNC_SUMMARY, "scheduled__0")
    first = deliver(sender, DATA_TEAM, message, occasion, customer.channel)
    second = deliver(sender, DATA_TEAM, message, occasion, customer.channel)
    assert (first.already_sent, second.already_sent, second.ts) == (False, True, first.ts)
    assert len(customer.said()) == 1


def test_database_that_goes_away_in_a_batch_names_app_db_and_its_retry_tells_nobody_twice(
    new_customer: Callable[[], Any],
) -> None:
    """The server ends the connection when the first of three has been told."""
    customers = [new_customer() for _ in range(3)]
    for customer in customers:
        give_channel(customer)
    reports = [customer.report(["+amount"]) for customer in customers]
    asked: list[int] = []

    def client_of(*_: Any) -> Any:
        asked.append(1)
        if len(asked) == 2:
            with psycopg.connect(customers[0].uri, autocommit=True) as other, suppress(psycopg.Error):
                other.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        return customers[0].client()

    account, _ = told(customers, reports, 0, client_of=client_of)
    assert [outcome(customer, account).notified for customer in customers] == [True, False, False]
    assert account.is_transient
    assert all("app_db" in str(error) or "tried again" in str(error) for error in account.errors)
    assert len(account.errors) == 2
    told(customers, reports, 0)
    for customer in customers:
        assert len(customer.said()) == 1
        customer.check_one_row_each()
