"""What earlier attempts left unfinished: reserved rows whose messages are in Slack after all, or never will be."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..messages.layout import MessageKind
from ..slack.history import LookUp
from . import rows
from .outgoing import DATA_TEAM, Outgoing

if TYPE_CHECKING:
    from ...application.rows import Connection
    from .outbox import Sender

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
class Unfinished:
    """A reserved row; ``age_s``: since when no attempt can have begun to post, in seconds."""

    id: str
    run_id: str | None
    age_s: float


def fetch_unfinished(connection: Connection, integration_ids: Sequence[str]) -> dict[str, list[Unfinished]]:
    """{integration id: its unfinished rows}; one without any is absent."""
    found: Any = connection.execute(_UNFINISHED, {"ids": list(integration_ids)}).fetchall()
    unfinished: dict[str, list[Unfinished]] = {}
    for integration_id, *row in found:
        unfinished.setdefault(integration_id, []).append(Unfinished(*row))
    return unfinished


def settle(sender: Sender, unfinished: Unfinished) -> LookUp:
    """Confirm the row when its message is in Slack, else remove it; part of the caller's transaction.

    Where history cannot tell, the row is removed as well (the result's ``note`` says why): the message may stay in
    Slack without one, but a row without a message would be in the way of every later run.

    :raises TransientError: Slack could not answer.
    """
    connection = sender.database
    rows.take_over(connection, unfinished.id, str(uuid.uuid4()))
    row = rows.lock(connection, unfinished.id, whom="an earlier run")
    if row is None or row.ts:  # somebody else was faster
        return LookUp(None if row is None else row.ts)
    sought = Outgoing(unfinished.id, MessageKind.SCHEMA_SYNC, DATA_TEAM, row.channel, row.thread_ts, "", "", ())
    seen = sender.slack.look_up(sought, row.posted_between)
    if seen.ts is None:
        rows.release(connection, unfinished.id)
    else:
        connection.execute(_FOUND, {"id": unfinished.id, "ts": seen.ts, "now": sender.now()})
    return seen
