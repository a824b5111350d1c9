"""What ``slack_message_tracking`` remembers of conversations: the first message's row and its content."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..incidents import IncidentState, state_from_json, state_to_json
from ..messages.layout import MessageKind

if TYPE_CHECKING:
    from ...application.rows import Connection
    from ..messages.layout import Message

VERSION = 1

# A transaction's own lock, so it works behind a transaction pooler; two integrations that share a number only take
# turns.
_LOCK_INTEGRATION = "SELECT pg_advisory_xact_lock(hashtextextended('schema_sync:' || %(integration_id)s, 0))"

_NEWEST_PARENT = """
SELECT internal_message_id::text, slack_channel_id, slack_message_ts, content,
       extract(epoch FROM coalesce(created_at, sent_at))::float8
  FROM slack_message_tracking
 WHERE integration_id = %(integration_id)s AND message_type = %(kind)s AND slack_thread_ts IS NULL
 ORDER BY coalesce(created_at, sent_at) DESC, sent_at DESC
 LIMIT 1
   FOR UPDATE
"""

_MEMORY = "SELECT content FROM slack_message_tracking WHERE internal_message_id = %(id)s FOR UPDATE"

_REMEMBER = "UPDATE slack_message_tracking SET content = %(content)s WHERE internal_message_id = %(id)s"

_EXISTS = "SELECT 1 FROM slack_message_tracking WHERE internal_message_id = %(id)s"

_END_FAILURES = """
UPDATE slack_message_tracking
   SET sender_info = coalesce(sender_info, '{}'::jsonb) || '{"ended": true}'::jsonb
 WHERE integration_id = %(integration_id)s AND message_type = %(kind)s AND sender_info ->> 'ended' IS NULL
"""

_ADD_FACTS = """
UPDATE slack_message_tracking
   SET sender_info = coalesce(sender_info, '{}'::jsonb) || %(facts)s::jsonb
 WHERE internal_message_id = %(id)s
"""

_NEWEST_FAILURE = """
SELECT internal_message_id::text, slack_channel_id, slack_message_ts, slack_thread_ts, sender_info,
       extract(epoch FROM coalesce(created_at, sent_at))::float8
  FROM slack_message_tracking
 WHERE integration_id = %(integration_id)s AND message_type = %(kind)s AND sender_info ->> 'action' IN ('post', 'reply')
 ORDER BY coalesce(created_at, sent_at) DESC, sent_at DESC
 LIMIT 1
   FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """The content of a conversation's first row, as JSON.

    :ivar text: fallback text of the first message as it reads now.
    :ivar state: after the run that spoke last, or is about to.
    :ivar before: as that run found it.
    :ivar told: that run's main message is in Slack, or it had none to send.
    :ivar opens: that run began the conversation.
    :ivar asked: the channel as the integration named it; Slack may call it otherwise.
    :ivar digest: of the first message's text and blocks, as they are in Slack.
    :ivar step: 0, and one more for each time that the run spoke again because it found something else.
    :ivar reply, reply_kind: the main message when it is a reply: its row's id and kind.
    :ivar superseded: why the conversation goes on elsewhere (Slack's word), or None.
    """

    text: str
    state: IncidentState
    before: IncidentState | None
    told: bool
    opens: bool
    asked: str
    digest: str
    step: int = 0
    reply: str | None = None
    reply_kind: str = str(MessageKind.SCHEMA_SYNC)
    superseded: str | None = None

    @property
    def announced(self) -> IncidentState | None:
        """The last state that people were told of."""
        return self.state if self.told else self.before

    def dates(self) -> dict[str, str]:
        """{fingerprint: since when it is known} of everything that is open, told or not."""
        return {problem.fingerprint: problem.first_seen for problem in self.state.problems}

    def to_content(self) -> str:
        value = {
            "version": VERSION,
            "text": self.text,
            "state": state_to_json(self.state),
            "before": None if self.before is None else state_to_json(self.before),
            "told": self.told,
            "opens": self.opens,
            "asked": self.asked,
            "digest": self.digest,
            "step": self.step,
            "reply": self.reply,
            "reply_kind": self.reply_kind,
            "superseded": self.superseded,
        }
        return json.dumps(value, separators=(",", ":"))


def memory_of(content: object) -> Memory | None:
    """The inverse of :meth:`Memory.to_content`; None for a plain text, or a version that this code does not know."""
    try:
        value: Any = json.loads(content) if isinstance(content, str) and content.startswith("{") else None
    except ValueError:
        return None
    if not isinstance(value, dict) or value.get("version") != VERSION:
        return None
    state, before = state_from_json(value.get("state")), state_from_json(value.get("before"))
    if state is None:
        return None
    return Memory(
        text=str(value.get("text") or ""),
        state=state,
        before=before,
        told=bool(value.get("told")),
        opens=bool(value.get("opens")),
        asked=str(value.get("asked") or ""),
        digest=str(value.get("digest") or ""),
        step=int(value.get("step") or 0),
        reply=value.get("reply"),
        reply_kind=str(value.get("reply_kind") or MessageKind.SCHEMA_SYNC),
        superseded=value.get("superseded"),
    )


@dataclass(frozen=True, slots=True)
class Parent:
    """A conversation's first row.

    :ivar ts: empty while it is not known to be in Slack.
    :ivar memory: None when the row is older than conversations are.
    :ivar reserved_at: seconds since the epoch.
    """

    id: str
    channel: str
    ts: str
    memory: Memory | None
    reserved_at: float


@dataclass(frozen=True, slots=True)
class FailureNotice:
    """The last error notice of an integration; ``facts`` is its ``sender_info``."""

    id: str
    channel: str
    ts: str
    thread_ts: str | None
    facts: dict[str, Any]
    reserved_at: float


def lock_integration(connection: Connection, integration_id: str) -> None:
    """Until the transaction ends, nobody else decides about this integration's conversations."""
    connection.execute(_LOCK_INTEGRATION, {"integration_id": integration_id})


def newest_parent(connection: Connection, integration_id: str) -> Parent | None:
    """The row of the integration's last conversation, locked until the transaction ends."""
    row: Any = connection.execute(
        _NEWEST_PARENT, {"integration_id": integration_id, "kind": str(MessageKind.SCHEMA_SYNC)}
    ).fetchone()
    if row is None:
        return None
    id_, channel, ts, content, reserved_at = row
    return Parent(id_, channel, ts, memory_of(content), reserved_at)


def newest_failure(connection: Connection, integration_id: str) -> FailureNotice | None:
    """The integration's last error notice that was a message, locked until the transaction ends."""
    row: Any = connection.execute(
        _NEWEST_FAILURE, {"integration_id": integration_id, "kind": str(MessageKind.SCHEMA_SYNC_ERROR)}
    ).fetchone()
    if row is None:
        return None
    id_, channel, ts, thread_ts, facts, reserved_at = row
    return FailureNotice(id_, channel, ts, thread_ts, facts or {}, reserved_at)


def lock_memory(connection: Connection, id_: str) -> Memory | None:
    """What a conversation's row says, locked until the transaction ends."""
    row = connection.execute(_MEMORY, {"id": id_}).fetchone()
    return None if row is None else memory_of(row[0])


def remember(connection: Connection, id_: str, memory: Memory) -> None:
    connection.execute(_REMEMBER, {"id": id_, "content": memory.to_content()})


def add_facts(connection: Connection, id_: str, **facts: object) -> None:
    """Write more into a row's ``sender_info``."""
    connection.execute(_ADD_FACTS, {"id": id_, "facts": json.dumps(facts)})


def end_failures(connection: Connection, integration_id: str) -> None:
    """A check succeeded: the next failure is told anew."""
    connection.execute(_END_FAILURES, {"integration_id": integration_id, "kind": str(MessageKind.SCHEMA_SYNC_ERROR)})


def unused_id(connection: Connection, id_: str) -> str:
    """``id_``, or what follows from it when a message of that id was there before, and somebody deleted it."""
    while connection.execute(_EXISTS, {"id": id_}).fetchone() is not None:
        id_ = str(uuid.uuid5(uuid.UUID(id_), "again"))
    return id_


def digest(message: Message) -> str:
    """Tells whether a message reads the same, pages aside."""
    return hashlib.sha256(json.dumps([message.text, message.blocks]).encode()).hexdigest()[:16]
