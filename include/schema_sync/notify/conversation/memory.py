"""What ``slack_message_tracking`` remembers of conversations: first messages' rows and their content, as nouns and SQL.

An integration has two conversations at most that go on: one about drift, whose first message is in the channel, and one
about checks that fail, whose first message is in the channel or in the thread of the other.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..delivery.outgoing import json_content
from ..delivery.rows import Unfinished, fetch_unfinished
from ..incidents import IncidentState, state_from_json, state_to_json
from ..messages.layout import MessageKind

if TYPE_CHECKING:
    from ...application.rows import Connection
    from ..messages.layout import Message

VERSION = 1
# JSON's keys are older than the names of today.
_KEYS = {
    "told": "delivered",
    "opens": "started_here",
    "asked": "requested_channel",
    "digest": "digest",
    "step": "revision",
    "reply": "reply",
    "reply_kind": "reply_kind",
    "superseded": "superseded",
    "acknowledged": "acknowledged",
}

# A transaction's own lock, so it works behind a transaction pooler; two integrations that share a number only take
# turns.
_LOCK_INTEGRATION = "SELECT pg_advisory_xact_lock(hashtextextended('schema_sync:' || %(integration_id)s, 0))"

_NEWEST = """
SELECT m.integration_id::text, m.message_type, m.internal_message_id::text, m.slack_channel_id, m.slack_message_ts,
       m.slack_thread_ts, m.content
  FROM slack_message_tracking AS m
 WHERE m.id IN (SELECT DISTINCT ON (integration_id, message_type) id
                  FROM slack_message_tracking
                 WHERE integration_id = ANY (%(ids)s::uuid[])
                   AND (message_type = 'schema_sync' AND slack_thread_ts IS NULL
                        OR message_type = 'schema_sync_error' AND sender_info ->> 'action' IN ('post', 'reply'))
                 ORDER BY integration_id, message_type, coalesce(created_at, sent_at) DESC, sent_at DESC)
"""
# Waits for a worker that is speaking, so that what it says is known.
_NEWEST_LOCKED = _NEWEST + " FOR UPDATE OF m"

_MEMORY = "SELECT content FROM slack_message_tracking WHERE internal_message_id = %(id)s FOR UPDATE"

_REMEMBER = "UPDATE slack_message_tracking SET content = %(content)s WHERE internal_message_id = %(id)s"

_EXISTS = "SELECT 1 FROM slack_message_tracking WHERE internal_message_id = %(id)s"


@dataclass(frozen=True, slots=True)
class Memory:
    """The content of a conversation's first row.

    :ivar text, blocks: of the first message as it is to read.
    :ivar state, before: after the run that spoke last, or is about to, and as that run found it.
    :ivar delivered: that run's main message is in Slack, or it had none to send.
    :ivar started_here: that run began the conversation.
    :ivar requested_channel: the channel as the integration named it; Slack may call it otherwise.
    :ivar digest: of the first message's text and blocks, as they are in Slack.
    :ivar revision: 0, and one more for each time that the run spoke again because it found something else.
    :ivar reply, reply_kind: the main message when it is a reply: its row's id and kind.
    :ivar acknowledged: (reaction, user, since) of who wants to hear less, or None.
    :ivar superseded: why the conversation goes on elsewhere (Slack's word), or None.
    """

    text: str
    state: IncidentState
    before: IncidentState | None
    delivered: bool
    started_here: bool
    requested_channel: str
    digest: str
    revision: int = 0
    reply: str | None = None
    reply_kind: str = str(MessageKind.SCHEMA_SYNC)
    superseded: str | None = None
    acknowledged: Sequence[str] | None = None
    blocks: tuple[dict[str, Any], ...] = field(default=(), hash=False)

    @property
    def announced(self) -> IncidentState | None:
        """The last state that people were told of."""
        return self.state if self.delivered else self.before

    def dates(self) -> dict[str, str]:
        """{fingerprint: since when it is known} of everything that is open, told or not."""
        return {problem.fingerprint: problem.first_seen for problem in self.state.problems}


def memory_of(content: object) -> Memory | None:
    """Read a row's content; None for a plain text, or a version that this code does not know."""
    try:
        value: Any = json.loads(content) if isinstance(content, str) and content.startswith("{") else None
    except ValueError:
        return None
    if not isinstance(value, dict) or value.get("version") != VERSION:
        return None
    state, before = state_from_json(value.get("state")), state_from_json(value.get("before"))
    if state is None:
        return None
    own = {attribute: value[key] for key, attribute in _KEYS.items() if key in value}
    return Memory(str(value.get("text") or ""), state, before, **own, blocks=tuple(value.get("blocks") or ()))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation's first row; without an id there is none.

    :ivar ts: empty while it is not known to be in Slack.
    :ivar thread_ts: of the thread that it is in itself (error notices only).
    :ivar memory: None when the row is older than conversations are.
    :ivar known: {fingerprint: since when} of what dead runs found and could not tell.
    """

    id: str = ""
    channel: str = ""
    ts: str = ""
    thread_ts: str | None = None
    memory: Memory | None = None
    known: Mapping[str, str] = field(default_factory=dict, hash=False)


NO_CONVERSATION = Conversation()


@dataclass(frozen=True, slots=True)
class Remembered:
    """All that is remembered of one integration."""

    drift: Conversation = NO_CONVERSATION
    notice: Conversation = NO_CONVERSATION
    unfinished: tuple[Unfinished, ...] = ()


def recall(connection: Connection, integration_ids: Sequence[str], *, lock: bool = False) -> dict[str, Remembered]:
    """{integration id: what is remembered}, in two statements.

    :param lock: until the transaction ends, the rows are locked, and nobody else decides about these integrations.
    """
    for id_ in integration_ids if lock else ():
        connection.execute(_LOCK_INTEGRATION, {"integration_id": id_})
    ids = {"ids": list(integration_ids)}
    found: dict[str, dict[str, Conversation]] = {id_: {} for id_ in integration_ids}
    rows: Any = connection.execute(_NEWEST_LOCKED if lock else _NEWEST, ids).fetchall()
    for integration_id, kind, id_, channel, ts, thread_ts, content in rows:
        found[integration_id][kind] = Conversation(id_, channel, ts, thread_ts, memory_of(content))
    unfinished = fetch_unfinished(connection, integration_ids)
    return {
        id_: Remembered(
            kinds.get(MessageKind.SCHEMA_SYNC, NO_CONVERSATION),
            kinds.get(MessageKind.SCHEMA_SYNC_ERROR, NO_CONVERSATION),
            tuple(unfinished.get(id_, ())),
        )
        for id_, kinds in found.items()
    }


def lock_memory(connection: Connection, id_: str) -> Memory | None:
    """What a conversation's row says, locked until the transaction ends."""
    row = connection.execute(_MEMORY, {"id": id_}).fetchone()
    return None if row is None else memory_of(row[0])


def content_of(memory: Memory, kind: MessageKind) -> str:
    own = {key: getattr(memory, attribute) for key, attribute in _KEYS.items()}
    before = None if memory.before is None else state_to_json(memory.before)
    remembered = {"version": VERSION, "state": state_to_json(memory.state), "before": before, **own}
    return json_content(kind, memory.state.run_id, memory.text, memory.blocks, remembered)


def remember(connection: Connection, id_: str, memory: Memory, kind: MessageKind) -> None:
    connection.execute(_REMEMBER, {"id": id_, "content": content_of(memory, kind)})


def unused_id(connection: Connection, id_: str) -> str:
    """``id_``, or what follows from it when a message of that id was there before, and somebody deleted it."""
    while connection.execute(_EXISTS, {"id": id_}).fetchone() is not None:
        id_ = str(uuid.uuid5(uuid.UUID(id_), "again"))
    return id_


def digest(message: Message) -> str:
    """Tells whether a message reads the same, pages aside."""
    return hashlib.sha256(json.dumps([message.text, message.blocks]).encode()).hexdigest()[:16]
