"""What an earlier run left unfinished: reserved rows whose messages are in Slack after all, or never will be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..messages.layout import MessageKind
from .outbox import CLOCK_DIFFERENCE_S
from .rows import Outgoing

if TYPE_CHECKING:
    from ...application.rows import Connection
    from ..slack.history import LookUp
    from ..slack.transports import Slack

_FOUND = """
UPDATE slack_message_tracking
   SET slack_message_ts = %(ts)s, sent_at = %(now)s,
       sender_info = (coalesce(sender_info, '{}'::jsonb) - '{attempt,since,earlier,unanswered}'::text[])
           || '{"state": "sent", "note": "found by a later run"}'::jsonb
 WHERE internal_message_id = %(id)s
"""

_REMOVE = "DELETE FROM slack_message_tracking WHERE internal_message_id = %(id)s AND slack_message_ts = ''"

_IN_THREAD = """
SELECT internal_message_id::text, slack_channel_id, slack_thread_ts,
       extract(epoch FROM coalesce(created_at, sent_at))::float8
  FROM slack_message_tracking
 WHERE integration_id = %(integration_id)s AND slack_thread_ts = %(thread_ts)s AND slack_message_ts = ''
   AND message_type = ANY (%(kinds)s) AND sender_info ->> 'run_id' <> %(run_id)s
   FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A reserved row; ``reserved_at`` in seconds since the epoch."""

    id: str
    channel: str
    thread_ts: str | None
    reserved_at: float


def settle(connection: Connection, slack: Slack, row: Unfinished, *, now: datetime) -> LookUp:
    """Confirm the row when its message is in Slack, else remove it; part of the caller's transaction.

    Where history cannot tell, the row is removed as well (the result's ``note`` says why): the message may stay in
    Slack without one, but a row without a message would be in the way of every later run.

    :raises TransientError: Slack could not answer.
    """
    sought = Outgoing(row.id, MessageKind.SCHEMA_SYNC, None, row.channel, row.thread_ts, "", "", (), "")
    seen = slack.look_up(sought, since=row.reserved_at - CLOCK_DIFFERENCE_S)
    if seen.ts is None:
        connection.execute(_REMOVE, {"id": row.id})
    else:
        connection.execute(_FOUND, {"id": row.id, "ts": seen.ts, "now": now})
    return seen


def settle_thread(
    connection: Connection,
    slack: Slack,
    *,
    integration_id: str,
    thread_ts: str,
    kinds: tuple[MessageKind, ...],
    run_id: str,
    now: datetime,
) -> frozenset[str]:
    """Settle what other runs than ``run_id`` left unfinished in a thread.

    :return: ids of the rows whose messages are there.
    """
    found: Any = connection.execute(
        _IN_THREAD,
        {
            "integration_id": integration_id,
            "thread_ts": thread_ts,
            "kinds": [str(kind) for kind in kinds],
            "run_id": run_id,
        },
    ).fetchall()
    rows = [Unfinished(*row) for row in found]
    return frozenset(row.id for row in rows if settle(connection, slack, row, now=now).ts is not None)
