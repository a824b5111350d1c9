"""What a run is about to say in a conversation, written down already; and the messages that say it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...nouns.run import RunFacts
from ..delivery.outbox import message_id
from ..delivery.outgoing import Addressee, Outgoing
from ..delivery.rows import Reservation
from ..incidents import IncidentChange
from ..messages.conversation import Turn
from ..messages.layout import Message, MessageKind
from .memory import Memory


@dataclass(frozen=True, slots=True)
class ConversationOutcome:
    """What became of a run's report.

    :ivar reached: a message was delivered (post, reply or update), now or by an earlier try.
    :ivar change: None: there is nothing to tell, or a later run has spoken already.
    :ivar kind: of the message, as the contract counts them.
    :ivar note: what a log should add.
    :ivar ts: of the conversation's first message, None when there is no conversation.
    :ivar messages: the first message as it reads now, and what was replied.
    """

    reached: bool
    change: IncidentChange | None
    kind: MessageKind = MessageKind.SCHEMA_SYNC
    note: str | None = None
    ts: str | None = None
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Speech:
    """Who speaks to whom: what the ids of messages follow from."""

    to: Addressee
    run: RunFacts

    def id_of(self, kind: MessageKind, action: str = "", revision: int = 0, *, page: int = 0) -> str:
        action = f"{action}:{revision}" if revision else action
        return message_id(self.to, kind, self.run.run_id, page=page, action=action)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be said; it is in the database already.

    :ivar kind: of the first message.
    :ivar row_id: whose row remembers.
    :ivar ts: of the first message, empty while there is none.
    :ivar thread_ts: of the thread that it is in itself.
    :ivar reservation: for a message that begins a conversation.
    :ivar moved: the organization has another channel now; this conversation is only brought to its end.
    """

    speech: Speech
    kind: MessageKind
    row_id: str
    channel: str
    ts: str
    thread_ts: str | None
    change: IncidentChange
    turn: Turn
    memory: Memory
    reservation: Reservation | None = None
    moved: bool = False

    def outgoing(self, id_: str, kind: MessageKind, action: str, message: Message) -> Outgoing:
        speech = self.speech
        return Outgoing(
            id_, kind, speech.to, self.channel, None, speech.run.run_id, message.text, message.blocks, action
        )

    def first(self) -> Outgoing:
        """The message that begins the conversation."""
        action = "reply" if self.thread_ts else "post"
        return replace(self.outgoing(self.row_id, self.kind, action, self.turn.parent), thread_ts=self.thread_ts)

    def update(self) -> Outgoing:
        """The first message as it is to read."""
        kind = self.turn.reply_kind
        update = self.outgoing(
            self.speech.id_of(kind, "update", self.memory.revision), kind, "update", self.turn.parent
        )
        return replace(update, thread_ts=self.thread_ts or self.ts)

    def reply(self, message: Message) -> Outgoing:
        broadcast = self.turn.broadcast
        reply = self.outgoing(
            str(self.memory.reply), self.turn.reply_kind, "broadcast" if broadcast else "reply", message
        )
        return replace(reply, thread_ts=self.ts, broadcast=broadcast)

    def pages(self, message: Message, kind: MessageKind, action: str) -> list[Outgoing]:
        """What follows a message of this plan in its thread."""
        # A first post may have had another first post before it, which somebody deleted.
        about = f"{action}:{self.row_id}"
        ids = (self.speech.id_of(kind, about, self.memory.revision, page=page) for page in range(1, 1_000))
        return [
            replace(self.outgoing(id_, kind, "page", page), thread_ts=self.thread_ts or self.ts)
            for id_, page in zip(ids, message.replies, strict=False)
        ]
