"""All SQL on ``slack_message_tracking``: one row for each message that goes, or may go, to Slack.

A row is *reserved* (its ts is empty) before its message is posted, and *confirmed* afterwards. It is locked
(FOR UPDATE) from the look to the confirmation, so workers that run at once take turns; the lock lives in one
transaction and therefore works behind a transaction pooler. It is also the lease: it ends with its worker's
connection, and the server ends it when the worker is silent for ``LEASE_S``.

``content`` is JSON: text, blocks, messageType, runId, and beside them what a conversation remembers. ``sender_info``
says in JSON: sentBy, organizationId, organizationName, state (reserved, sent), action (post, reply, broadcast,
update…), run_id, attempt (the one that reserved, or took over), since and earlier (when this attempt and the one before
began), unanswered (when Slack last owed an answer), kept (blocks that Slack took of a longer message), note.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...application.rows import application_errors
from ...errors import TransientError
from .outgoing import Outgoing, content_of, sender_info

if TYPE_CHECKING:
    from ...application.rows import Connection
    from ..slack.transports import Posted

MIGRATION = "include/sql/migrations/001_integration_id_nullable.sql"

# How long a worker waits for another one's row before it gives the attempt back to the scheduler.
LOCK_WAIT_S = 30
# Longer than any call to Slack with all of its waiting (three times Retry-After of a minute, four timeouts).
LEASE_S = 300
# Slack's clock and ours: an hour (summer time set wrong) and minutes. Too narrow a look-up posts twice.
CLOCK_DIFFERENCE_S = 3900.0

_TIMEOUTS = """
SELECT set_config('lock_timeout', %(lock)s, true), set_config('idle_in_transaction_session_timeout', %(lease)s, true)
"""

_RESERVE = """
INSERT INTO slack_message_tracking (integration_id, internal_message_id, slack_channel_id, slack_message_ts,
                                    slack_thread_ts, message_type, content, sender_info, sent_at)
VALUES (%(integration_id)s, %(id)s, %(channel)s, '', %(thread_ts)s, %(kind)s, %(content)s,
        %(sender)s::jsonb || jsonb_build_object('since', clock_timestamp()), %(now)s)
ON CONFLICT (internal_message_id) DO NOTHING
"""

# Tells the attempt that made the reservation that it is no longer alone.
_TAKE_OVER = """
UPDATE slack_message_tracking
   SET sender_info = coalesce(sender_info, '{}'::jsonb)
       || jsonb_build_object('attempt', %(taken_over)s::text, 'since', clock_timestamp(),
                             'earlier', coalesce(sender_info ->> 'since', created_at::text))
 WHERE internal_message_id = %(id)s AND slack_message_ts = ''
   AND sender_info ->> 'attempt' IS DISTINCT FROM %(attempt)s
"""

_LOCK = """
SELECT slack_message_ts, slack_channel_id, slack_thread_ts, sender_info ->> 'attempt',
       (sender_info ->> 'kept')::int,
       extract(epoch FROM coalesce(created_at, sent_at))::float8,
       extract(epoch FROM clock_timestamp() - greatest((sender_info ->> 'earlier')::timestamptz,
                                                       (sender_info ->> 'unanswered')::timestamptz))::float8,
       extract(epoch FROM greatest(coalesce(created_at, sent_at), (sender_info ->> 'earlier')::timestamptz,
                                   (sender_info ->> 'unanswered')::timestamptz))::float8
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

_UNANSWERED = """
UPDATE slack_message_tracking
   SET sender_info = coalesce(sender_info, '{}'::jsonb) || jsonb_build_object('unanswered', clock_timestamp())
 WHERE internal_message_id = %(id)s AND slack_message_ts = ''
"""

_RELEASE = """
DELETE FROM slack_message_tracking
 WHERE internal_message_id = %(id)s AND slack_message_ts = ''
   AND (%(made_by)s::text IS NULL OR sender_info ->> 'attempt' = %(made_by)s)
"""

# An update is a row of its own, so that everything that was said is recorded; the same update again overwrites it.
_RECORD = """
INSERT INTO slack_message_tracking (integration_id, internal_message_id, slack_channel_id, slack_message_ts,
                                    slack_thread_ts, message_type, content, sender_info, sent_at)
VALUES (%(integration_id)s, %(id)s, %(channel)s, %(ts)s, %(thread_ts)s, %(kind)s, %(content)s, %(sender)s::jsonb,
        %(now)s)
ON CONFLICT (internal_message_id) DO UPDATE
   SET slack_message_ts = EXCLUDED.slack_message_ts, content = EXCLUDED.content, sender_info = EXCLUDED.sender_info,
       sent_at = EXCLUDED.sent_at
"""

_CONTENT = "SELECT content FROM slack_message_tracking WHERE internal_message_id = %(id)s"

_UNFINISHED = """
SELECT integration_id::text, internal_message_id::text, sender_info ->> 'run_id',
       extract(epoch FROM clock_timestamp() - greatest(coalesce(created_at, sent_at),
                                                       (sender_info ->> 'since')::timestamptz,
                                                       (sender_info ->> 'unanswered')::timestamptz))::float8
  FROM slack_message_tracking
 WHERE integration_id = ANY (%(ids)s::uuid[]) AND slack_message_ts = ''
 ORDER BY created_at
"""

_FOUND = """
UPDATE slack_message_tracking
   SET slack_message_ts = %(ts)s, sent_at = %(now)s,
       sender_info = (coalesce(sender_info, '{}'::jsonb) - '{attempt,since,earlier,unanswered}'::text[])
           || '{"state": "sent", "note": "found by a later run"}'::jsonb
 WHERE internal_message_id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class Reservation:
    """``made``: this attempt put the row there, just now; else it found the one of another."""

    attempt: str
    made: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What a message's row says.

    :ivar waited: another worker held the row.
    :ivar ts: empty while it is not known to be in Slack.
    :ivar reserved_at, tried_at: when the first attempt reserved it, and when the last earlier one began; seconds since
        the epoch.
    :ivar quiet_s: since when no earlier attempt can have begun to post, in seconds; None: there was none.
    """

    waited: bool
    ts: str
    channel: str
    thread_ts: str | None
    attempt: str | None
    kept: int | None
    reserved_at: float
    quiet_s: float | None
    tried_at: float

    @property
    def posted_between(self) -> tuple[float, float]:
        """When earlier attempts can have posted: an attempt waits for its turn, and then has a lease."""
        return self.reserved_at - CLOCK_DIFFERENCE_S, self.tried_at + 2 * LEASE_S + CLOCK_DIFFERENCE_S


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A reserved row; ``age_s``: since when no attempt can have begun to post, in seconds."""

    id: str
    run_id: str | None
    age_s: float


def refuse_autocommit(connection: Connection | None) -> None:
    if connection is not None and connection.autocommit:
        raise ValueError("a row is locked across statements: the connection must not be in autocommit mode")


def begin(connection: Connection) -> None:
    """Open a transaction that neither waits for another worker for ever nor lets others wait for a dead one."""
    connection.execute(_TIMEOUTS, {"lock": f"{LOCK_WAIT_S}s", "lease": f"{LEASE_S}s"})


def roll_back(connection: Connection) -> None:
    """Give every lock back."""
    import psycopg

    # On a lost connection the server has rolled back already, and the error that told is on its way.
    with contextlib.suppress(psycopg.Error):
        connection.rollback()


@contextmanager
def row_errors(what: str, *, whom: str) -> Iterator[None]:
    """As :func:`application_errors`, and says what it means that somebody else holds the row."""
    from psycopg.errors import LockNotAvailable

    with application_errors(what):
        try:
            yield
        except LockNotAvailable:
            raise TransientError(
                f"Another worker has been sending to {whom} for more than {LOCK_WAIT_S} s and holds the message's row "
                f"in slack_message_tracking. It loses it after {LEASE_S} s of silence; the task is tried again."
            ) from None


def still_held(connection: Connection, *, whom: str) -> None:
    """Any statement proves that the transaction, and with it the lock, is there. :raises TransientError: it is not."""
    import psycopg

    try:
        connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise TransientError(
            f"The lock on the message for {whom} was lost ({type(error).__name__}), so it is not posted by this "
            "attempt: another one may be doing it. The task is tried again."
        ) from None


def reserve(connection: Connection, outgoing: Outgoing, attempt: str, now: datetime) -> Reservation | None:
    """Make sure that the row is there, and commit. None when this database cannot hold it."""
    from psycopg.errors import NotNullViolation

    with row_errors("reserve a row in slack_message_tracking", whom=outgoing.whom):
        begin(connection)
        try:
            reservation = insert_reservation(connection, outgoing, attempt, now)
        except NotNullViolation as error:
            if outgoing.to.integration_id is None and error.diag.column_name == "integration_id":
                return None
            raise
        connection.commit()
    return reservation


def insert_reservation(connection: Connection, outgoing: Outgoing, attempt: str, now: datetime) -> Reservation:
    """The row, as part of the caller's transaction; one that another attempt made is taken over."""
    values = _values(outgoing, sender_info(outgoing, "reserved", attempt=attempt), now)
    reserved = connection.execute(_RESERVE, values)
    if not reserved.rowcount:
        take_over(connection, outgoing.id, attempt)
    return Reservation(attempt, made=bool(reserved.rowcount))


def take_over(connection: Connection, id_: str, attempt: str) -> None:
    """Let the attempt that reserved a row find out that it is no longer alone; part of the caller's transaction."""
    connection.execute(_TAKE_OVER, {"id": id_, "attempt": attempt, "taken_over": f"after {attempt}"})


def lock(connection: Connection, id_: str, *, whom: str) -> Row | None:
    """Lock the row until the transaction ends; None when it is not there."""
    began = time.monotonic()
    with row_errors("lock a row of slack_message_tracking", whom=whom):
        found: Any = connection.execute(_LOCK, {"id": id_}).fetchone()
    if found is None:
        return None
    return Row(time.monotonic() - began > 0.05, *found)


def confirm(
    connection: Connection,
    outgoing: Outgoing,
    posted: Posted,
    *,
    note: str | None,
    now: datetime,
    also: Callable[[Connection], None] | None,
) -> None:
    """The message is in Slack, and ``also`` becomes true in the same transaction. Commits."""
    info = sender_info(outgoing, "sent", note=note, kept=posted.kept)
    values = _values(outgoing, info, now) | {"ts": posted.ts, "channel": posted.channel}
    with application_errors(f"record message {outgoing.id}, which is in Slack"):
        connection.execute(_CONFIRM, values)
        if also is not None:
            also(connection)
        connection.commit()


def says(connection: Connection, outgoing: Outgoing) -> bool:
    found = connection.execute(_CONTENT, {"id": outgoing.id}).fetchone()
    return found is not None and found[0] == content_of(outgoing)


def record(connection: Connection, outgoing: Outgoing, *, ts: str, note: str | None, now: datetime) -> None:
    """The row of something that needed no reservation, because doing it twice is doing it once."""
    values = _values(outgoing, sender_info(outgoing, "sent", note=note), now)
    connection.execute(_RECORD, values | {"ts": ts})


def _values(outgoing: Outgoing, sender: str, now: datetime) -> dict[str, Any]:
    return {
        "id": outgoing.id,
        "integration_id": outgoing.to.integration_id,
        "channel": outgoing.channel,
        "thread_ts": outgoing.thread_ts,
        "kind": str(outgoing.kind),
        "content": content_of(outgoing),
        "sender": sender,
        "now": now,
    }


def note_unanswered(connection: Connection, id_: str) -> None:
    """Slack may still take the message: whoever looks for it next must not look too early. Commits, if it can."""
    import psycopg

    with contextlib.suppress(psycopg.Error):
        connection.execute(_UNANSWERED, {"id": id_})
        connection.commit()


def release(connection: Connection, id_: str, *, made_by: str | None = None) -> None:
    """Remove a reservation whose message is not in Slack; part of the caller's transaction.

    :param made_by: only if this attempt made it, and no other one has touched it since.
    """
    connection.execute(_RELEASE, {"id": id_, "made_by": made_by})


def fetch_unfinished(connection: Connection, integration_ids: Sequence[str]) -> dict[str, list[Unfinished]]:
    """{integration id: its unfinished rows}; one without any is absent."""
    found: Any = connection.execute(_UNFINISHED, {"ids": list(integration_ids)}).fetchall()
    unfinished: dict[str, list[Unfinished]] = {}
    for integration_id, *row in found:
        unfinished.setdefault(integration_id, []).append(Unfinished(*row))
    return unfinished


def confirm_found(connection: Connection, id_: str, ts: str, now: datetime) -> None:
    """A message of an earlier run is in Slack after all; part of the caller's transaction."""
    connection.execute(_FOUND, {"id": id_, "ts": ts, "now": now})
