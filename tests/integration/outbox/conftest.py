"""One attempt of one task to deliver a message, with a real database and a local Slack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from include.schema_sync.notify.delivery.outbox import Sender, deliver
from include.schema_sync.notify.delivery.outgoing import Addressee, Occasion
from include.schema_sync.notify.messages.blocks import header, section
from include.schema_sync.notify.messages.layout import Message, MessageKind
from include.schema_sync.notify.slack.client import slack_client
from include.schema_sync.notify.slack.transports import Posted, WebApi
from tests.slack_stand_in import SlackStandIn, running_slack

TOKEN = "xoxb-very-secret-token"
ORGANIZATION = "00000000-0000-0000-0000-00000000000a"
INTEGRATION = "00000000-0000-0000-0000-00000000000b"
ACME = Addressee(ORGANIZATION, "Acme", INTEGRATION)
MESSAGE = Message("fallback", (header("Drift"), section("body")))
LONG = Message("fallback", MESSAGE.blocks, (Message("page 1", (section("one"),)), Message("page 2", (section("two"),))))
NOW = datetime(2026, 1, 15, 7, 1, tzinfo=UTC)


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


def send(connect: Connect, slack: SlackStandIn, message: Message = MESSAGE, **changes: Any) -> Posted:
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
