"""Pages in a thread, what Slack refuses, and databases that are older, absent or gone."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.schema_sync.errors import TerminalError, TransientError
from include.schema_sync.notify.delivery import rows as tracking_rows
from include.schema_sync.notify.delivery.outbox import ThreadIncompleteError
from include.schema_sync.notify.delivery.outgoing import DATA_TEAM
from include.schema_sync.notify.messages.layout import MessageKind
from tests.integration.outbox.conftest import (
    LONG,
    NOW,
    ORGANIZATION,
    TOKEN,
    Connect,
    rows,
    send,
)
from tests.slack_stand_in import Fault, SlackStandIn

pytestmark = pytest.mark.postgres


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
    assert [(row["content"]["text"], row["slack_thread_ts"]) for row in rows(connect)] == [
        ("fallback", None),
        ("page 1", delivery.ts),
        ("page 2", delivery.ts),
    ]
    assert send(connect, slack, LONG).already_sent
    assert len(slack.messages) == 3


@pytest.mark.parametrize("accepted", [True, False])
def test_thread_continues_where_it_was_interrupted(connect: Connect, slack: SlackStandIn, accepted: bool) -> None:
    slack.fail("chat.postMessage", Fault())
    slack.fail("chat.postMessage", Fault(drop=True, accepted=accepted))
    with pytest.raises(ThreadIncompleteError, match="page 1 of 2"):
        send(connect, slack, LONG)
    assert send(connect, slack, LONG).already_sent
    assert [message["text"] for message in slack.messages] == ["fallback", "page 1", "page 2"]
    assert len(rows(connect)) == 3


def test_page_that_slack_refuses_does_not_undo_the_message(connect: Connect, slack: SlackStandIn) -> None:
    slack.fail("chat.postMessage", Fault())
    slack.fail("chat.postMessage", Fault(error="restricted_action_thread_locked"))
    delivery = send(connect, slack, LONG)
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
    assert (first.already_sent, again.already_sent) == (False, True)
    assert len(slack.messages) == 3
    assert tracking_rows.MIGRATION in caplog.text
    assert rows(connect) == []
    migration = project_root / tracking_rows.MIGRATION
    with connect() as connection:
        connection.execute(migration.read_text())
    send(connect, slack, run_id="scheduled__2", **summary)
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


def test_autocommit_is_refused_because_a_row_lock_would_not_last(connect: Connect, slack: SlackStandIn) -> None:
    connection = connect()
    connection.autocommit = True
    with pytest.raises(ValueError, match="autocommit"):
        send(lambda: connection, slack)
    assert slack.calls == []


def test_no_secret_is_in_any_row(connect: Connect, slack: SlackStandIn) -> None:
    send(connect, slack, LONG)
    assert TOKEN not in json.dumps(rows(connect), default=str)
