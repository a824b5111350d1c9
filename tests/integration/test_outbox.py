"""One message, one row, wherever an attempt dies: real PostgreSQL, real slack_sdk, a local Slack."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from include.schema_sync.errors import TerminalError, TransientError
from include.schema_sync.notify.delivery import rows as tracking_rows
from include.schema_sync.notify.delivery.outbox import Delivery, Sender, ThreadIncompleteError, deliver, message_id
from include.schema_sync.notify.delivery.outgoing import DATA_TEAM, Addressee, Occasion
from include.schema_sync.notify.messages.blocks import header, section
from include.schema_sync.notify.messages.layout import Message, MessageKind
from include.schema_sync.notify.slack.client import slack_client
from include.schema_sync.notify.slack.transports import WebApi
from tests.slack_stand_in import Fault, SlackStandIn, running_slack

pytestmark = pytest.mark.postgres

TOKEN = "xoxb-very-secret-token"
ORGANIZATION = "00000000-0000-0000-0000-00000000000a"
INTEGRATION = "00000000-0000-0000-0000-00000000000b"
ACME = Addressee(ORGANIZATION, "Acme", INTEGRATION)
MESSAGE = Message("fallback", (header("Drift"), section("body")))
LONG = Message("fallback", MESSAGE.blocks, (Message("page 1", (section("one"),)), Message("page 2", (section("two"),))))
NOW = datetime(2026, 1, 15, 7, 1, tzinfo=UTC)


class Killed(BaseException):
    """Ends an attempt as a killed worker ends: no handler of the code under test may catch it."""


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_slack(tokens={TOKEN: "acme"}) as stand_in:
        yield stand_in


@pytest.fixture
def connect(application_db_uri: str) -> Iterator[Callable[[], psycopg.Connection[tuple[object, ...]]]]:
    """Opens connections to a database with one organization and its integration, and closes them."""
    with psycopg.connect(application_db_uri, autocommit=True) as connection:
        connection.execute("INSERT INTO organizations (id, name) VALUES (%s, 'Acme')", (ORGANIZATION,))
        connection.execute(
            "INSERT INTO slack_integrations (id, organization_id, status) VALUES (%s, %s, 'active')",
            (INTEGRATION, ORGANIZATION),
        )
    opened: list[psycopg.Connection[tuple[object, ...]]] = []

    def open_one() -> psycopg.Connection[tuple[object, ...]]:
        opened.append(psycopg.connect(application_db_uri))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


Connect = Callable[[], psycopg.Connection[tuple[object, ...]]]


def send(connect: Connect, slack: SlackStandIn, message: Message = MESSAGE, **changes: Any) -> Delivery:
    """One attempt of one task: its own connection, its own client."""
    options: dict[str, Any] = {"kind": MessageKind.SCHEMA_SYNC, "channel": "C1", "run_id": "scheduled__1", "to": ACME}
    options |= {"now": lambda: NOW, "sleep": lambda _: None} | changes
    transport = WebApi(slack_client(TOKEN, base_url=slack.base_url, timeout_s=1), options["sleep"])
    with connect() as connection:
        sender = Sender(connection, transport, options["now"], options["sleep"])
        return deliver(sender, options["to"], message, Occasion(options["kind"], options["run_id"]), options["channel"])


def rows(connect: Connect) -> list[dict[str, Any]]:
    with connect() as connection:
        cursor = connection.execute(
            "SELECT *, content::jsonb AS content FROM slack_message_tracking ORDER BY created_at, 7"
        )
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


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
    (posted,) = slack.messages
    (row,) = rows(connect)
    assert delivery == Delivery(delivery.internal_message_id, "C1", posted["ts"], already_sent=False, recorded=True)
    assert {key: row[key] for key in row if key not in ("id", "created_at")} == {
        "integration_id": UUID(INTEGRATION),
        "internal_message_id": UUID(delivery.internal_message_id),
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
    assert posted["metadata"]["event_payload"] == {"internal_message_id": delivery.internal_message_id}
    assert posted["blocks"][0] == {**MESSAGE.blocks[0], "block_id": f"schema_sync:{delivery.internal_message_id}"}
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


@pytest.mark.parametrize(
    "code", ["not_in_channel", "channel_not_found", "is_archived", "invalid_blocks", "missing_scope"]
)
def test_refusal_is_terminal_names_whom_it_concerns_and_leaves_no_row(
    connect: Connect, slack: SlackStandIn, code: str
) -> None:
    slack.fail("chat.postMessage", Fault(error=code))
    slack.fail("conversations.join", Fault(error="method_not_supported_for_channel_type"))
    with pytest.raises(TerminalError, match=code) as caught:
        send(connect, slack)
    assert ORGANIZATION in str(caught.value)
    assert "C1" in str(caught.value)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert rows(connect) == []
    assert not send(connect, slack).already_sent


def test_refusal_keeps_the_row_while_an_earlier_attempt_may_have_posted(connect: Connect, slack: SlackStandIn) -> None:
    slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        send(connect, slack)
    for method in ("conversations.history", "chat.postMessage"):
        slack.fail(method, Fault(error="invalid_auth"))
    with pytest.raises(TerminalError):
        send(connect, slack)
    assert send(connect, slack).already_sent
    assert len(slack.messages) == 1


def test_pages_go_into_the_thread_each_with_its_own_row(connect: Connect, slack: SlackStandIn) -> None:
    delivery = send(connect, slack, LONG)
    assert [(m["text"], m["thread_ts"]) for m in slack.messages] == [
        ("fallback", None),
        ("page 1", delivery.ts),
        ("page 2", delivery.ts),
    ]
    assert delivery.replies == 2
    assert [(row["content"]["text"], row["slack_thread_ts"]) for row in rows(connect)] == [
        ("fallback", None),
        ("page 1", delivery.ts),
        ("page 2", delivery.ts),
    ]
    assert send(connect, slack, LONG).replies == 2
    assert len(slack.messages) == 3


@pytest.mark.parametrize("accepted", [True, False])
def test_thread_continues_where_it_was_interrupted(connect: Connect, slack: SlackStandIn, accepted: bool) -> None:
    slack.fail("chat.postMessage", Fault())
    slack.fail("chat.postMessage", Fault(drop=True, accepted=accepted))
    with pytest.raises(ThreadIncompleteError, match="page 1 of 2") as caught:
        send(connect, slack, LONG)
    assert caught.value.delivery.ts == slack.messages[0]["ts"]
    delivery = send(connect, slack, LONG)
    assert (delivery.already_sent, delivery.replies) == (True, 2)
    assert [message["text"] for message in slack.messages] == ["fallback", "page 1", "page 2"]
    assert len(rows(connect)) == 3


def test_page_that_slack_refuses_does_not_undo_the_message(connect: Connect, slack: SlackStandIn) -> None:
    slack.fail("chat.postMessage", Fault())
    slack.fail("chat.postMessage", Fault(error="restricted_action_thread_locked"))
    delivery = send(connect, slack, LONG)
    assert delivery.replies == 0
    assert "restricted_action_thread_locked" in (delivery.thread_error or "")
    assert [row["content"]["text"] for row in rows(connect)] == ["fallback"]


def test_older_database_gets_the_summary_sent_once_with_the_migrations_name(
    connect: Connect, slack: SlackStandIn, caplog: pytest.LogCaptureFixture, project_root: Path
) -> None:
    with connect() as connection:
        connection.execute("ALTER TABLE slack_message_tracking ALTER COLUMN integration_id SET NOT NULL")
    summary: dict[str, Any] = {"to": DATA_TEAM, "kind": MessageKind.SCHEMA_SYNC_SUMMARY}
    now = {"now": lambda: datetime.now(UTC)}
    first = send(connect, slack, LONG, **summary, **now)
    again = send(connect, slack, LONG, **summary, **now)
    assert (first.recorded, again.recorded, again.already_sent) == (False, False, True)
    assert len(slack.messages) == 3
    assert tracking_rows.MIGRATION in caplog.text
    assert rows(connect) == []
    migration = project_root / tracking_rows.MIGRATION
    with connect() as connection:
        connection.execute(migration.read_text())
    assert send(connect, slack, run_id="scheduled__2", **summary).recorded
    assert rows(connect)[0]["integration_id"] is None


def test_table_that_is_absent_is_terminal_and_nothing_is_posted(connect: Connect, slack: SlackStandIn) -> None:
    with connect() as connection:
        connection.execute("DROP TABLE slack_message_tracking")
    with pytest.raises(TerminalError, match=r"application_tables\.sql"):
        send(connect, slack)
    assert slack.calls == []


def test_database_that_goes_away_after_the_post_does_not_lead_to_a_second_message(
    connect: Connect, slack: SlackStandIn
) -> None:
    def ended_by_the_server() -> datetime:
        if slack.messages:
            with connect() as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks"
                    " WHERE mode = 'RowShareLock' AND relation = 'slack_message_tracking'::regclass"
                    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
        return NOW

    with pytest.raises(TransientError, match="which is in Slack"):
        send(connect, slack, now=ended_by_the_server)
    assert send(connect, slack).already_sent
    assert len(slack.messages) == 1


def test_one_channel_gets_one_message_a_second_and_others_do_not_wait(connect: Connect, slack: SlackStandIn) -> None:
    waited: list[float] = []
    send(connect, slack, LONG, channel="C-paced", sleep=waited.append)
    assert len(waited) == 2
    assert 0.5 < waited[0] <= 1.0 < waited[1] <= 2.0
    send(connect, slack, channel="C-other", run_id="scheduled__2", sleep=waited.append)
    assert len(waited) == 2


def test_autocommit_is_refused_because_a_row_lock_would_not_last(connect: Connect, slack: SlackStandIn) -> None:
    connection = connect()
    connection.autocommit = True
    with pytest.raises(ValueError, match="autocommit"):
        send(lambda: connection, slack)
    assert slack.calls == []


def test_no_secret_is_in_any_row(connect: Connect, slack: SlackStandIn) -> None:
    send(connect, slack, LONG)
    assert TOKEN not in json.dumps(rows(connect), default=str)


def test_a_thousand_alerts_from_sixteen_threads_meet_no_storm_of_429s(
    application_db_uri: str, connect: Connect, slack: SlackStandIn
) -> None:
    """One token for all is the worst case: what one thread is told, the others must not find out for themselves."""
    slack.calls_a_second = 250
    local = threading.local()

    def alert(number: int) -> Delivery:
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
