"""One message, one row, wherever an attempt dies: real PostgreSQL, real slack_sdk, a local Slack."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from include.schema_sync.errors import TransientError
from include.schema_sync.notify.delivery import rows as tracking_rows
from include.schema_sync.notify.delivery.outbox import message_id
from include.schema_sync.notify.delivery.outgoing import DATA_TEAM
from include.schema_sync.notify.messages.blocks import header, section
from include.schema_sync.notify.messages.layout import Message, MessageKind
from include.schema_sync.notify.slack.client import slack_client
from include.schema_sync.notify.slack.transports import Posted
from tests.integration.outbox.conftest import (
    ACME,
    INTEGRATION,
    LONG,
    MESSAGE,
    NOW,
    ORGANIZATION,
    TOKEN,
    Connect,
    rows,
    send,
)
from tests.slack_stand_in import Fault, SlackStandIn

pytestmark = pytest.mark.postgres


class Killed(BaseException):
    """Ends an attempt as a killed worker ends: no handler of the code under test may catch it."""


def dying_after(calls: int) -> Callable[[], datetime]:
    """A clock that kills the attempt: asked once for the reservation and once for the confirmation."""
    asked = iter(range(calls))

    def now() -> datetime:
        if next(asked, None) is None:
            raise Killed
        return NOW

    return now


def test_message_is_posted_and_its_row_says_where_and_what(connect: Connect, slack: SlackStandIn) -> None:
    delivery = send(connect, slack)
    id_ = message_id(ACME, MessageKind.SCHEMA_SYNC, "scheduled__1")
    (posted,) = slack.messages
    (row,) = rows(connect)
    assert delivery == Posted(posted["ts"], "C1")
    assert {key: row[key] for key in row if key not in ("id", "created_at")} == {
        "integration_id": UUID(INTEGRATION),
        "internal_message_id": UUID(id_),
        "slack_channel_id": "C1",
        "slack_message_ts": posted["ts"],
        "slack_thread_ts": None,
        "message_type": "schema_sync",
        "content": {
            "text": "fallback",
            "blocks": list(MESSAGE.blocks),
            "messageType": "schema_sync",
            "runId": "scheduled__1",
        },
        "sender_info": {
            "sentBy": "schema-sync",
            "organizationId": ORGANIZATION,
            "organizationName": "Acme",
            "state": "sent",
            "action": "post",
            "run_id": "scheduled__1",
        },
        "sent_at": NOW,
    }
    assert posted["metadata"]["event_payload"] == {"internal_message_id": id_}
    assert posted["blocks"][0] == {**MESSAGE.blocks[0], "block_id": f"schema_sync:{id_}"}
    assert posted["unfurl_links"] is False
    # Nobody can have posted before: the ordinary case costs one call and needs no scope for history.
    assert slack.calls == ["chat.postMessage"]


def test_message_that_was_confirmed_is_not_posted_again(connect: Connect, slack: SlackStandIn) -> None:
    first = send(connect, slack)
    second = send(connect, slack)
    assert (first.already_sent, second.already_sent) == (False, True)
    assert (second.ts, second.channel) == (first.ts, first.channel)
    assert slack.calls == ["chat.postMessage"]
    assert len(rows(connect)) == 1


def test_message_that_reads_differently_when_it_is_sent_again_is_brought_up_to_date(
    connect: Connect, slack: SlackStandIn
) -> None:
    send(connect, slack, LONG, to=DATA_TEAM, kind=MessageKind.SCHEMA_SYNC_SUMMARY)
    other = Message("others", (header("Other"), section("body")), (Message("page 1", (section("1"),)), LONG.replies[1]))
    for _ in range(2):
        send(connect, slack, other, to=DATA_TEAM, kind=MessageKind.SCHEMA_SYNC_SUMMARY)
    assert [(m["text"], m.get("updates", 0)) for m in slack.messages] == [("others", 1), ("page 1", 1), ("page 2", 0)]
    assert [row["content"]["text"] for row in rows(connect)] == ["others", "page 1", "page 2"]


def test_other_run_kind_or_organization_is_another_message(connect: Connect, slack: SlackStandIn) -> None:
    send(connect, slack)
    send(connect, slack, run_id="scheduled__2")
    send(connect, slack, kind=MessageKind.SCHEMA_SYNC_ERROR)
    send(connect, slack, to=DATA_TEAM, kind=MessageKind.SCHEMA_SYNC_SUMMARY)
    ids = {str(row["internal_message_id"]) for row in rows(connect)}
    assert len(ids) == len(slack.messages) == 4
    assert {UUID(one).version for one in ids} == {5}


def test_message_ids_stay_what_they_were_when_the_code_changes() -> None:
    said = message_id(ACME, MessageKind.SCHEMA_SYNC, "scheduled__1")
    assert said == "fd95ec57-1451-5e7c-9286-cc6eabddf545"


@pytest.mark.parametrize("calls", [0, 1], ids=["before the reservation", "between post and confirmation"])
def test_killed_worker_leaves_one_message_and_one_row(connect: Connect, slack: SlackStandIn, calls: int) -> None:
    with pytest.raises(Killed):
        send(connect, slack, now=dying_after(calls))
    assert [row["slack_message_ts"] for row in rows(connect)] == [""] * calls
    delivery = send(connect, slack)
    assert len(slack.messages) == 1
    assert delivery.already_sent is (calls == 1)
    assert [row["slack_message_ts"] for row in rows(connect)] == [slack.messages[0]["ts"]]
    assert rows(connect)[0]["sender_info"]["state"] == "sent"


@pytest.mark.parametrize(
    ("fault", "posted_by_first"),
    [
        (Fault(drop=True), False),
        (Fault(drop=True, accepted=True), True),
        (Fault(status=500), False),
        (Fault(status=500, accepted=True), True),
        (Fault(delay_s=1.3), True),
    ],
)
def test_lost_answer_is_transient_and_the_next_attempt_finds_out(
    connect: Connect, slack: SlackStandIn, fault: Fault, posted_by_first: bool
) -> None:
    slack.fail("chat.postMessage", fault)
    with pytest.raises(TransientError):
        send(connect, slack)
    (row,) = rows(connect)
    assert (row["slack_message_ts"], row["sender_info"]["state"]) == ("", "reserved")
    delivery = send(connect, slack)
    assert delivery.already_sent is posted_by_first
    assert [message["ts"] for message in slack.messages] == [delivery.ts]
    assert [row["slack_message_ts"] for row in rows(connect)] == [delivery.ts]


def test_marker_in_the_first_block_is_enough_where_metadata_is_not_shown(connect: Connect, slack: SlackStandIn) -> None:
    slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        send(connect, slack)
    slack.messages[0]["metadata"] = None
    assert send(connect, slack).already_sent


def test_marker_is_found_behind_many_other_messages(connect: Connect, slack: SlackStandIn) -> None:
    slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        send(connect, slack)
    other = slack_client(TOKEN, base_url=slack.base_url)
    for number in range(230):
        other.chat_postMessage(channel="C1", text=f"chat {number}")
    assert send(connect, slack).already_sent


def test_look_up_asks_around_the_reservation_because_many_apps_read_fifteen_messages_a_page(
    connect: Connect, slack: SlackStandIn
) -> None:
    slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        send(connect, slack)
    posted = dict(slack.messages[0])
    busy = [{**posted, "ts": f"{float(posted['ts']) + hours * 3600 + n:.6f}", "metadata": None, "blocks": []}
            for hours in (-2, 2) for n in range(300)]  # fmt: skip
    slack.messages += busy
    slack.most_a_page = 15
    assert send(connect, slack).already_sent
    assert slack.calls.count("conversations.history") == 1


def test_unreadable_history_still_delivers_and_the_row_notes_it(
    connect: Connect, slack: SlackStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("chat.postMessage", Fault(drop=True))
    with pytest.raises(TransientError):
        send(connect, slack)
    slack.fail("conversations.history", Fault(error="missing_scope"))
    assert not send(connect, slack).already_sent
    (row,) = rows(connect)
    assert row["sender_info"]["note"] == "history not readable (missing_scope)"
    assert "cannot be told" in caplog.text


def test_history_that_does_not_answer_posts_nothing(connect: Connect, slack: SlackStandIn) -> None:
    slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    slack.fail("conversations.history", Fault(status=503))
    for _ in range(2):
        with pytest.raises(TransientError):
            send(connect, slack)
    assert send(connect, slack).already_sent
    assert len(slack.messages) == 1


def test_eight_workers_at_once_post_once(connect: Connect, slack: SlackStandIn) -> None:
    # As long as Slack has not taken the first one's message, history cannot keep the others from posting.
    slack.fail("chat.postMessage", Fault(hold_s=0.3), times=8)
    with ThreadPoolExecutor(8) as pool:
        deliveries = list(pool.map(lambda _: send(connect, slack), range(8)))
    assert len(slack.messages) == 1
    assert [delivery.already_sent for delivery in deliveries].count(False) == 1
    assert {delivery.ts for delivery in deliveries} == {slack.messages[0]["ts"]}
    assert len(rows(connect)) == 1


def test_eight_workers_after_a_lost_answer_post_nothing_more(connect: Connect, slack: SlackStandIn) -> None:
    slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        send(connect, slack)
    with ThreadPoolExecutor(8) as pool:
        deliveries = list(pool.map(lambda _: send(connect, slack), range(8)))
    assert all(delivery.already_sent for delivery in deliveries)
    assert len(slack.messages) == 1


def test_worker_that_was_overtaken_asks_history_before_it_posts(
    connect: Connect, slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between one worker's reservation and its lock, another takes over, posts and dies."""
    lock = tracking_rows.lock

    def overtaken(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(tracking_rows, "lock", lock)
        with pytest.raises(Killed):
            send(connect, slack, now=dying_after(1))
        return lock(*arguments, **named)

    monkeypatch.setattr(tracking_rows, "lock", overtaken)
    assert send(connect, slack).already_sent
    assert len(slack.messages) == 1
