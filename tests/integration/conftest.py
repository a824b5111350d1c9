"""One organization in a real application database, talked to through a local Slack."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.schema_sync.notify.conversation.carry_out import ConversationOutcome
from include.schema_sync.notify.conversation.talk import Talk
from include.schema_sync.notify.delivery.outbox import Sender
from include.schema_sync.notify.delivery.outgoing import Addressee
from include.schema_sync.notify.slack.client import slack_client
from include.schema_sync.notify.slack.transports import WebApi
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from tests.slack_stand_in import SlackStandIn, running_slack

TOKEN = "xoxb-very-secret-token"
FIRST_DAY = datetime(2026, 1, 1, 7, tzinfo=UTC)
_numbers = itertools.count(1)


def run_of(day: float) -> RunFacts:
    """The scheduled run of a day, counted from 0."""
    moment = FIRST_DAY + timedelta(days=day)
    timestamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return RunFacts(f"scheduled__{day:g}", timestamp, None, moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


@dataclass
class Customer:
    """An organization, its integration and its channel. A problem is written ``+column`` (critical) or ``column``."""

    uri: str
    slack: SlackStandIn
    organization_id: str
    integration_id: str
    channel: str
    _connections: list[psycopg.Connection[tuple[object, ...]]] = field(default_factory=list)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        self._connections.append(psycopg.connect(self.uri))
        return self._connections[-1]

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def found(self, problem: str) -> Discrepancy:
        critical = problem.startswith("+")
        column = problem.removeprefix("+")
        return Discrepancy(
            type=DiscrepancyType.MISSING_COLUMN if critical else DiscrepancyType.TYPE_MISMATCH,
            organization_id=self.organization_id,
            data_source_id="source-1",
            dataset_id=f"dataset-{column[0]}",
            dataset_name=f"dataset {column[0]}",
            database="shop",
            schema="public",
            table="orders",
            column=column,
            declared="integer",
            actual=None if critical else "text",
            message=f"{column} is not what the dataset says",
        )

    def report(
        self,
        problems: Iterable[str],
        *,
        unchecked: Iterable[str] = (),
        ignored: Iterable[str] = (),
        error: str | None = None,
    ) -> OrganizationReport:
        """:param unchecked: the first letters of columns whose dataset was not checked."""
        ids = tuple(sorted(f"dataset-{letter}" for letter in unchecked))
        return OrganizationReport(
            organization_id=self.organization_id,
            organization_name="Acme",
            datasets_checked=10,
            datasets_unchecked=len(ids),
            discrepancies=tuple(self.found(problem) for problem in problems),
            unchecked=(UncheckedSource("source-1", "Shop", len(ids), "timed out", ids),) if ids else (),
            error=error,
            ignored=tuple(self.found(problem) for problem in ignored),
        )

    def tell(
        self,
        day: float,
        problems: Iterable[str] = (),
        *,
        connection: Any = None,
        client: Any = None,
        options: Mapping[str, Any] | None = None,
        **facts: Any,
    ) -> ConversationOutcome:
        """One attempt of one run: its own connection and its own client, unless they are given.

        :param options: what of the attempt differs: channel, mention, sleep.
        """
        if connection is None:
            with closing(self.connect()) as own:
                return self.tell(day, problems, connection=own, client=client, options=options, **facts)
        usual: dict[str, Any] = {"channel": self.channel, **(options or {})}
        transport = WebApi(client or self.client(), usual.pop("sleep", lambda _: None))
        return Talk(
            Sender(connection, transport, lambda: FIRST_DAY + timedelta(days=day, minutes=1), transport.sleep),
            Addressee(self.organization_id, "Acme", self.integration_id),
            report=self.report(problems, **facts),
            run=run_of(day),
            **usual,
        ).converse()

    def timestamp(self, day: float) -> str:
        return run_of(day).timestamp

    def client(self) -> Any:
        return slack_client(TOKEN, base_url=self.slack.base_url, timeout_s=1)

    def tell_failure(self, day: float, error: str = "no route to host", **how: Any) -> ConversationOutcome:
        return self.tell(day, error=error, **how)

    def rows(self) -> list[dict[str, Any]]:
        with closing(self.connect()) as connection:
            cursor = connection.execute(
                "SELECT * FROM slack_message_tracking WHERE integration_id = %s"
                " ORDER BY created_at, slack_message_ts, sent_at",
                (self.integration_id,),
            )
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def actions(self) -> list[str]:
        """What is recorded as said, in order."""
        return [row["sender_info"]["action"] for row in self.rows()]

    def said(self) -> list[dict[str, Any]]:
        return [message for message in self.slack.messages if message["channel"].startswith(self.channel)]

    def in_channel(self) -> list[dict[str, Any]]:
        """What people see without opening a thread."""
        return [message for message in self.said() if message["thread_ts"] is None or message["reply_broadcast"]]

    def in_thread(self, ts: str) -> list[dict[str, Any]]:
        return [message for message in self.said() if message["thread_ts"] == ts]

    def memory(self) -> dict[str, Any]:
        """What the newest conversation remembers."""
        return json.loads([row for row in self.rows() if row["slack_thread_ts"] is None][-1]["content"])

    def check_one_row_each(self) -> None:
        """Every message has exactly one row, every row its message, and no marker is there twice."""
        messages = [row for row in self.rows() if row["sender_info"]["action"] != "update"]
        assert sorted(row["slack_message_ts"] for row in messages) == sorted(each["ts"] for each in self.said())
        ids = [each["metadata"]["event_payload"]["internal_message_id"] for each in self.said()]
        assert sorted(ids) == sorted(str(row["internal_message_id"]) for row in messages)


@pytest.fixture
def local_slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_slack(tokens={TOKEN: "acme"}) as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def conversations_uri(create_database: Callable[[], str], project_root: Any) -> str:
    """One database for all conversations: every test has customers of its own."""
    uri = create_database()
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute((project_root / "include" / "sql" / "application_tables.sql").read_text())
    return uri


@pytest.fixture
def new_customer(conversations_uri: str, local_slack: SlackStandIn) -> Iterator[Callable[[], Customer]]:
    made: list[Customer] = []

    def make() -> Customer:
        with psycopg.connect(conversations_uri, autocommit=True) as connection:
            organization: Any = connection.execute(
                "INSERT INTO organizations (name) VALUES ('Acme') RETURNING id::text"
            ).fetchone()
            integration: Any = connection.execute(
                "INSERT INTO slack_integrations (organization_id, status) VALUES (%s, 'active') RETURNING id::text",
                organization,
            ).fetchone()
        made.append(Customer(conversations_uri, local_slack, organization[0], integration[0], f"C{next(_numbers)}-"))
        return made[-1]

    yield make
    for customer in made:
        customer.close()


@pytest.fixture
def customer(new_customer: Callable[[], Customer]) -> Customer:
    return new_customer()
