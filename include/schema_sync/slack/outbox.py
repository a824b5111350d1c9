"""Send a message once, whatever crashes: reserve its row, post it, confirm the row.

A message's id follows from what it is about, so every attempt finds the row of the one before:

- confirmed: it was sent, nothing is posted;
- reserved: an attempt died somewhere. Slack's history is asked for the message's marker (its metadata, or the id of
  its first block). Found: confirmed without posting. Not found: posted;
- absent: reserved, posted, confirmed.

The row stays locked (FOR UPDATE) from the look to the confirmation, so workers that run at once take turns; the lock
lives in one transaction and therefore works behind a transaction pooler. A reservation carries the attempt that made
it: only an attempt that finds its own word still there knows that nobody can have posted, and may skip the look-up.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from include.schema_sync.application_db import application_errors
from include.schema_sync.errors import SchemaSyncError, TerminalError, TransientError
from include.schema_sync.slack.client import SECONDS_PER_MESSAGE, post_webhook, refusal_code, translate

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from include.schema_sync.application_db import Connection
    from include.schema_sync.slack.messages import Message, MessageKind

log = logging.getLogger(__name__)

# Fixed for ever: with another value every message of a running attempt would be sent again.
NAMESPACE = uuid.UUID("5ad0c9f4-8a53-5c0e-9d0b-6d2f6c6c1f7e")
MIGRATION = "include/sql/migrations/001_integration_id_nullable.sql"

# The clocks of the database and of Slack differ; without a row, how long ago an attempt may have been.
_CLOCK_DIFFERENCE_S = 300.0
_UNRECORDED_LOOK_BACK_S = 24 * 3600.0
_HISTORY_PAGE, _HISTORY_PAGES = 200, 5
# How often a row may vanish under us because another worker's message was refused.
_ROUNDS = 5

_RESERVE = """
INSERT INTO slack_message_tracking (integration_id, internal_message_id, slack_channel_id, slack_message_ts,
                                    slack_thread_ts, message_type, content, sender_info, sent_at)
VALUES (%(integration_id)s, %(id)s, %(channel)s, '', %(thread_ts)s, %(kind)s, %(content)s, %(sender)s::jsonb, %(now)s)
ON CONFLICT (internal_message_id) DO NOTHING
"""

# Tells the attempt that made the reservation that it is no longer alone.
_TAKE_OVER = """
UPDATE slack_message_tracking
   SET sender_info = coalesce(sender_info, '{}'::jsonb) || jsonb_build_object('attempt', %(attempt)s::text)
 WHERE internal_message_id = %(id)s AND slack_message_ts = ''
"""

_LOCK = """
SELECT slack_message_ts, slack_channel_id, sender_info ->> 'attempt',
       extract(epoch FROM coalesce(created_at, sent_at))::float8
  FROM slack_message_tracking
 WHERE internal_message_id = %(id)s
   FOR UPDATE
"""

_CONFIRM = """
UPDATE slack_message_tracking
   SET slack_message_ts = %(ts)s, slack_channel_id = %(channel)s, slack_thread_ts = %(thread_ts)s,
       content = %(content)s, sender_info = %(sender)s::jsonb, sent_at = %(now)s
 WHERE internal_message_id = %(id)s
"""

_RELEASE = "DELETE FROM slack_message_tracking WHERE internal_message_id = %(id)s AND slack_message_ts = ''"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is in Slack.

    :ivar ts: Slack's id of the message within ``channel``.
    :ivar already_sent: an earlier attempt had posted it; this one did not.
    :ivar recorded: False when an older database cannot hold its row.
    :ivar replies: pages of the thread that are in Slack.
    :ivar thread_error: why the rest of the thread will not follow, or None.
    """

    internal_message_id: str
    channel: str
    ts: str
    already_sent: bool
    recorded: bool
    replies: int = 0
    thread_error: str | None = None


class ThreadIncompleteError(TransientError):
    """The message is in Slack (``delivery``), the rest of its thread is not; another attempt continues there."""

    def __init__(self, message: str, *, delivery: Delivery) -> None:
        super().__init__(message)
        self.delivery = delivery


def deliver(
    connection: Connection | None,
    client: WebClient,
    *,
    message: Message,
    kind: MessageKind,
    organization_id: str | None,
    integration_id: str | None,
    channel: str,
    run_id: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Send ``message`` and its replies, each once and each with its row, however often this is called.

    :param connection: to the application database, not in autocommit mode and in no transaction: this commits.
        None when it cannot be reached: the message is sent all the same, and not recorded.
    :param organization_id: None for the data team, whose messages have no integration either.
    :raises TerminalError: Slack refused the message and nothing was posted; the message says what to do.
    :raises TransientError: it is not known whether the message was posted; the next attempt finds out.
    :raises ThreadIncompleteError: the message was posted, a reply met a transient error.
    """
    _refuse_autocommit(connection)
    slack = _WebApi(client, sleep)
    parent = _Outgoing(
        id=message_id(organization_id, integration_id, kind, run_id),
        kind=kind,
        integration_id=integration_id,
        channel=channel,
        thread_ts=None,
        run_id=run_id,
        text=message.text,
        blocks=message.blocks,
        whom="the data team" if organization_id is None else f"organization {organization_id}",
    )
    delivery = _send_once(connection, slack, parent, now)
    for page, reply in enumerate(message.replies, start=1):
        outgoing = replace(
            parent,
            id=message_id(organization_id, integration_id, kind, run_id, page=page),
            channel=delivery.channel,
            thread_ts=delivery.ts,
            text=reply.text,
            blocks=reply.blocks,
        )
        failed = f"The message is in Slack, page {page} of {len(message.replies)} of its thread is not"
        incomplete: ThreadIncompleteError | None = None
        try:
            _send_once(connection, slack, outgoing, now)
        except TransientError as error:
            incomplete = ThreadIncompleteError(f"{failed}. {error}", delivery=delivery)
        except TerminalError as error:
            log.warning("%s. %s", failed, error)
            return replace(delivery, thread_error=str(error))
        if incomplete is not None:
            raise incomplete
        delivery = replace(delivery, replies=page)
    return delivery


def deliver_to_webhook(
    connection: Connection | None,
    url: str,
    *,
    message: Message,
    kind: MessageKind,
    channel: str,
    run_id: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Delivery:
    """Send ``message`` to the data team's webhook, with one row for it and its pages.

    A webhook names no message and shows no history: the row's ts is ``webhook``, and an attempt that died between
    posting and confirming posts again.

    :param connection: as for :func:`deliver`.
    :param channel: what the row names as the channel.
    :raises TerminalError, TransientError: as :func:`deliver`.
    """
    _refuse_autocommit(connection)
    outgoing = _Outgoing(
        id=message_id(None, None, kind, run_id),
        kind=kind,
        integration_id=None,
        channel=channel,
        thread_ts=None,
        run_id=run_id,
        text=message.text,
        blocks=message.blocks,
        whom="the data team",
    )
    return _send_once(connection, _Webhook(url, message), outgoing, now)


def message_id(
    organization_id: str | None, integration_id: str | None, kind: MessageKind, run_id: str, *, page: int = 0
) -> str:
    """The UUIDv5 that stands for one message of one run in the database and in Slack; ``page`` 0 is the parent."""
    about = [organization_id, integration_id, str(kind), run_id]
    return str(uuid.uuid5(NAMESPACE, json.dumps([*about, page] if page else about)))


@dataclass(frozen=True, slots=True)
class _Outgoing:
    id: str
    kind: MessageKind
    integration_id: str | None
    channel: str
    thread_ts: str | None
    run_id: str
    text: str
    blocks: tuple[dict[str, Any], ...]
    whom: str

    @property
    def marker(self) -> str:
        return f"schema_sync:{self.id}"


@dataclass(frozen=True, slots=True)
class _Row:
    ts: str
    channel: str
    attempt: str | None
    reserved_at: float


@dataclass(frozen=True, slots=True)
class _LookUp:
    """``note``: why Slack's history could not tell; then ``ts`` None means nothing."""

    ts: str | None = None
    note: str | None = None


class _Slack(Protocol):
    """A way to Slack."""

    def look_up(self, outgoing: _Outgoing, *, since: float) -> _LookUp:
        """Tell whether the message is there already.

        :raises TransientError: Slack could not answer; posting now could post twice.
        """

    def post(self, outgoing: _Outgoing) -> tuple[str, str]:
        """Post it; returns (ts, channel id)."""


@dataclass(frozen=True, slots=True)
class _WebApi:
    client: WebClient
    sleep: Callable[[float], None]

    def look_up(self, outgoing: _Outgoing, *, since: float) -> _LookUp:
        return _look_up(self.client, outgoing, since=since)

    def post(self, outgoing: _Outgoing) -> tuple[str, str]:
        return _post(self.client, outgoing, self.sleep)


@dataclass(frozen=True, slots=True)
class _Webhook:
    url: str
    message: Message

    def look_up(self, outgoing: _Outgoing, *, since: float) -> _LookUp:  # noqa: ARG002 (the protocol's)
        return _LookUp(note="a webhook shows no history")

    def post(self, outgoing: _Outgoing) -> tuple[str, str]:
        post_webhook(self.url, self.message)
        return "webhook", outgoing.channel


def _refuse_autocommit(connection: Connection | None) -> None:
    if connection is not None and connection.autocommit:
        raise ValueError("a row is locked across statements: the connection must not be in autocommit mode")


def _send_once(
    connection: Connection | None, slack: _Slack, outgoing: _Outgoing, now: Callable[[], datetime]
) -> Delivery:
    if connection is None:
        return _send_unrecorded(slack, outgoing, now, "the application database cannot be reached")
    attempt = str(uuid.uuid4())
    for _ in range(_ROUNDS):
        try:
            if not _reserve(connection, outgoing, attempt, now()):
                why = f"its column integration_id does not allow NULL in this database. Apply {MIGRATION}"
                return _send_unrecorded(slack, outgoing, now, why)
            row = _lock(connection, outgoing)
            if row is None:
                continue
            if row.ts:
                log.info("Slack message %s was sent before: nothing is posted", outgoing.id)
                return Delivery(outgoing.id, row.channel, row.ts, already_sent=True, recorded=True)
            return _send_locked(connection, slack, outgoing, row, row.attempt == attempt, now)
        finally:
            # Gives the lock back on every path; after a commit there is nothing to roll back.
            _roll_back(connection)
    raise TransientError(f"Several workers at once failed to send message {outgoing.id} for {outgoing.whom}.")


def _send_locked(
    connection: Connection,
    slack: _Slack,
    outgoing: _Outgoing,
    row: _Row,
    fresh: bool,
    now: Callable[[], datetime],
) -> Delivery:
    # An earlier attempt may have been told another channel.
    earlier = replace(outgoing, channel=row.channel)
    seen = _LookUp() if fresh else slack.look_up(earlier, since=row.reserved_at - _CLOCK_DIFFERENCE_S)
    if seen.ts is not None:
        ts, channel = seen.ts, row.channel
        log.info("Slack message %s was posted by an attempt that did not finish: confirming it", outgoing.id)
    else:
        refused: TerminalError | None = None
        try:
            ts, channel = slack.post(outgoing)
        except TerminalError as error:
            refused = error
        if refused is not None:
            # An attempt that history could not tell about may have posted: then the row must stay.
            if seen.note is None:
                _release(connection, outgoing)
            raise refused
    with application_errors(f"record message {outgoing.id}, which is in Slack"):
        connection.execute(
            _CONFIRM,
            {
                "id": outgoing.id,
                "ts": ts,
                "channel": channel,
                "thread_ts": outgoing.thread_ts,
                "content": outgoing.text,
                "sender": _sender_info(outgoing, "sent", note=seen.note),
                "now": now(),
            },
        )
        connection.commit()
    return Delivery(outgoing.id, channel, ts, already_sent=seen.ts is not None, recorded=True)


def _send_unrecorded(slack: _Slack, outgoing: _Outgoing, now: Callable[[], datetime], why: str) -> Delivery:
    log.warning(
        "Message %s for %s is sent but not recorded in slack_message_tracking: %s.", outgoing.id, outgoing.whom, why
    )
    # Without a row only Slack can tell whether an earlier attempt posted.
    seen = slack.look_up(outgoing, since=now().timestamp() - _UNRECORDED_LOOK_BACK_S)
    if seen.ts is not None:
        return Delivery(outgoing.id, outgoing.channel, seen.ts, already_sent=True, recorded=False)
    ts, channel = slack.post(outgoing)
    return Delivery(outgoing.id, channel, ts, already_sent=False, recorded=False)


def _reserve(connection: Connection, outgoing: _Outgoing, attempt: str, now: datetime) -> bool:
    """Make sure that the row is there, and committed. False when this database cannot hold it."""
    from psycopg.errors import NotNullViolation

    with application_errors("reserve a row in slack_message_tracking"):
        try:
            reserved = connection.execute(
                _RESERVE,
                {
                    "id": outgoing.id,
                    "integration_id": outgoing.integration_id,
                    "channel": outgoing.channel,
                    "thread_ts": outgoing.thread_ts,
                    "kind": str(outgoing.kind),
                    "content": outgoing.text,
                    "sender": _sender_info(outgoing, "reserved", attempt=attempt),
                    "now": now,
                },
            )
        except NotNullViolation as error:
            if outgoing.integration_id is None and error.diag.column_name == "integration_id":
                return False
            raise
        if not reserved.rowcount:
            connection.execute(_TAKE_OVER, {"id": outgoing.id, "attempt": f"after {attempt}"})
        connection.commit()
    return True


def _lock(connection: Connection, outgoing: _Outgoing) -> _Row | None:
    with application_errors("lock a row of slack_message_tracking"):
        row = connection.execute(_LOCK, {"id": outgoing.id}).fetchone()
    if row is None:
        return None
    ts, channel, attempt, reserved_at = row
    return _Row(str(ts), str(channel), None if attempt is None else str(attempt), float(str(reserved_at)))


def _release(connection: Connection, outgoing: _Outgoing) -> None:
    """Remove a reservation whose message was refused. The refusal matters more than a failure of this."""
    import psycopg

    try:
        connection.execute(_RELEASE, {"id": outgoing.id})
        connection.commit()
    except psycopg.Error as error:
        log.warning("The reservation of message %s could not be removed: %s", outgoing.id, type(error).__name__)


def _roll_back(connection: Connection) -> None:
    import psycopg

    # On a lost connection the server has rolled back already, and the error that told is on its way.
    with contextlib.suppress(psycopg.Error):
        connection.rollback()


def _look_up(client: WebClient, outgoing: _Outgoing, *, since: float) -> _LookUp:
    """Search the channel, or for a reply its thread, for the message's marker.

    :raises TransientError: Slack could not answer; posting now could post twice.
    """
    cursor: str | None = None
    for _ in range(_HISTORY_PAGES):
        failure: SchemaSyncError | None = None
        try:
            page = _history_page(client, outgoing, since, cursor)
        except Exception as error:  # noqa: BLE001 - translated, never swallowed
            failure = translate(error, what=f"Slack's history of channel {outgoing.channel} was not read")
            code = refusal_code(error)
        if isinstance(failure, TerminalError):
            log.warning("Whether message %s was posted before cannot be told. %s", outgoing.id, failure)
            return _LookUp(note=f"history not readable ({code or 'refused'})")
        if failure is not None:
            raise failure
        for message in page.get("messages") or []:
            if _is_marked(message, outgoing):
                return _LookUp(ts=str(message["ts"]))
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return _LookUp()
    return _LookUp(note=f"history longer than {_HISTORY_PAGES * _HISTORY_PAGE} messages")


def _history_page(client: WebClient, outgoing: _Outgoing, since: float, cursor: str | None) -> dict[str, Any]:
    if outgoing.thread_ts is None:
        response = client.conversations_history(
            channel=outgoing.channel,
            oldest=f"{max(since, 0):.6f}",
            limit=_HISTORY_PAGE,
            cursor=cursor,
            include_all_metadata=True,
        )
    else:
        response = client.conversations_replies(
            channel=outgoing.channel,
            ts=outgoing.thread_ts,
            limit=_HISTORY_PAGE,
            cursor=cursor,
            include_all_metadata=True,
        )
    return response.data if isinstance(response.data, dict) else {}


def _is_marked(message: dict[str, Any], outgoing: _Outgoing) -> bool:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    blocks = message.get("blocks") or [{}]
    return payload.get("internal_message_id") == outgoing.id or blocks[0].get("block_id") == outgoing.marker


def _post(client: WebClient, outgoing: _Outgoing, sleep: Callable[[float], None]) -> tuple[str, str]:
    """Post to Slack; returns (ts, channel id)."""
    first, *rest = outgoing.blocks
    what = f"The message for {outgoing.whom} to channel {outgoing.channel} was not posted"
    failure: SchemaSyncError | None = None
    _wait_for_turn(outgoing.channel, sleep)
    try:
        response = client.chat_postMessage(
            channel=outgoing.channel,
            text=outgoing.text,
            blocks=[{**first, "block_id": outgoing.marker}, *rest],
            thread_ts=outgoing.thread_ts,
            unfurl_links=False,
            unfurl_media=False,
            metadata={"event_type": "schema_sync", "event_payload": {"internal_message_id": outgoing.id}},
        )
    except Exception as error:  # noqa: BLE001 - its text or frames may hold the token; translated, never swallowed
        failure = translate(error, what=what)
    if failure is not None:
        raise failure
    ts = response.get("ts")
    if not isinstance(ts, str) or not ts:
        raise TransientError(f"{what}, or it was: Slack's answer names no message.")
    log.info("Slack message %s posted for %s to channel %s", outgoing.id, outgoing.whom, outgoing.channel)
    return ts, str(response.get("channel") or outgoing.channel)


_turns: dict[str, float] = {}
_turns_lock = threading.Lock()


def _wait_for_turn(channel: str, sleep: Callable[[float], None]) -> None:
    """One message per second per channel in this process; between processes HTTP 429 decides."""
    with _turns_lock:
        moment = time.monotonic()
        turn = max(moment, _turns.get(channel, 0.0) + SECONDS_PER_MESSAGE)
        _turns[channel] = turn
    if turn > moment:
        sleep(turn - moment)


def _sender_info(outgoing: _Outgoing, state: str, *, attempt: str | None = None, note: str | None = None) -> str:
    info = {"app": "schema-sync", "state": state, "run_id": outgoing.run_id, "attempt": attempt, "note": note}
    return json.dumps({key: value for key, value in info.items() if value is not None})
