"""Say what a plan says: each part in a transaction that first sees that no other run has spoken since."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from ...errors import TransientError
from ..delivery import rows
from ..delivery.outbox import OvertakenError, Sender, ThreadIncompleteError, message_id, pages_of
from ..delivery.outgoing import Addressee, Outgoing
from ..delivery.rows import Reservation
from ..incidents import IncidentChange
from ..messages.conversation import Turn
from ..messages.layout import Message, MessageKind
from ..slack.client import SlackRefusedError
from ..slack.transports import FROZEN, GONE, Posted
from .memory import Conversation, Memory, content_of, digest, lock_memory, remember

if TYPE_CHECKING:
    from ...application.rows import Connection

log = logging.getLogger(__name__)


class ConversationGoneError(Exception):
    """The conversation was marked as superseded: what was to be said is decided anew."""


@dataclass(frozen=True, slots=True)
class ConversationOutcome:
    """What became of a run's report.

    :ivar reached: a message was delivered (post, reply or update), now or by an earlier try.
    :ivar change: None: there is nothing to tell, or a later run has spoken already.
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
class Plan:
    """What a run is about to say in a conversation; it is in the database already.

    :ivar about: what is spoken in; ``memory`` is what it is to remember.
    :ivar reservation: for a message that begins a conversation.
    """

    to: Addressee
    run_id: str
    kind: MessageKind
    about: Conversation
    change: IncidentChange
    turn: Turn
    memory: Memory
    reservation: Reservation | None = None
    moved: bool = False

    def first(self) -> Outgoing:
        action = "reply" if self.about.thread_ts else "post"
        return self._outgoing(self.about.id, self.kind, action, self.turn.parent, self.about.thread_ts)

    def update(self) -> Outgoing:
        kind = self.turn.reply_kind
        thread_ts = self.about.thread_ts or self.about.ts
        return self._outgoing(self.id_of(kind, "update"), kind, "update", self.turn.parent, thread_ts)

    def reply(self, message: Message) -> Outgoing:
        action = "broadcast" if self.turn.broadcast else "reply"
        reply = self._outgoing(str(self.memory.reply), self.turn.reply_kind, action, message, self.about.ts)
        return replace(reply, broadcast=self.turn.broadcast)

    def id_of(self, kind: MessageKind, action: str, page: int = 0) -> str:
        return message_id(self.to, kind, self.run_id, page=page, action=action, revision=self.memory.revision)

    def _outgoing(self, id_: str, kind: MessageKind, action: str, message: Message, thread_ts: str | None) -> Outgoing:
        channel, text, blocks = self.about.channel, message.text, message.blocks
        return Outgoing(id_, kind, self.to, channel, thread_ts, self.run_id, text, blocks, action)


@dataclass(frozen=True, slots=True)
class Speaker:
    sender: Sender
    plan: Plan

    def carry_out(self) -> ConversationOutcome:
        """:raises ConversationGoneError, OvertakenError: it goes on in another message; somebody else has spoken."""
        return self._go_on() if self.plan.reservation is None else self._begin(self.plan.reservation)

    def _begin(self, reservation: Reservation) -> ConversationOutcome:
        plan = self.plan
        first = replace(plan.first(), content=content_of(replace(plan.memory, delivered=True), plan.kind))
        try:
            sent = self.sender.send(first, reservation=reservation)
        except SlackRefusedError as refused:
            if plan.about.thread_ts is None or refused.code not in GONE | FROZEN:
                raise
            log.warning("The thread for %s is gone (%s): its notice goes to the channel", self.plan.to.whom, refused)
            first = replace(first, thread_ts=None, action="post")
            sent = self.sender.send(first)
        thread_error = self._send_pages(first, sent, plan.turn.parent, "post")
        return ConversationOutcome(True, plan.change, plan.kind, thread_error, sent.ts, (plan.turn.parent,))

    def _go_on(self) -> ConversationOutcome:
        plan, said = self.plan, self.plan.turn
        try:
            update_refused = self._update()
            note = None if update_refused is None else _not_updated(update_refused)
            try:
                note = self._reply() or note
            except ThreadIncompleteError:
                raise
            except TransientError as error:
                what = "The conversation's first message is up to date, its thread is not"
                raise ThreadIncompleteError(f"{what}. {error}") from None
            if update_refused is not None and said.reply is None and update_refused.code not in FROZEN:
                raise update_refused  # then nothing was said at all
        except SlackRefusedError as refused:
            if not plan.moved:
                raise
            # The old channel does not want to hear the end; nobody waits for it there.
            return ConversationOutcome(False, plan.change, plan.kind, self._let_go(refused), plan.about.ts)
        messages = (said.parent,) if said.reply is None else (said.parent, said.reply)
        return ConversationOutcome(True, plan.change, plan.kind, note, plan.about.ts, messages)

    def _update(self) -> SlackRefusedError | None:
        """Let the first message read as things are now; may be repeated. :return: why Slack left it as it was."""
        plan, message = self.plan, self.plan.turn.parent
        if plan.memory.digest == digest(message):
            return None
        update = plan.update()
        refused: SlackRefusedError | None = None
        with rows.row_errors("record an update in slack_message_tracking", whom=self.plan.to.whom):
            rows.begin(self.sender.database)
            memory = self._still_ours(self.sender.database)
            try:
                self.sender.update(update, ts=plan.about.ts, row_id=plan.about.id)
            except SlackRefusedError as error:
                refused = error
            # Nobody would hear of a notice that stays as it is; of a drift's, its thread tells.
            gone = GONE | FROZEN if plan.kind is MessageKind.SCHEMA_SYNC_ERROR else GONE
            if refused is None or refused.code not in gone:
                note = None if refused is None else _not_updated(refused)
                rows.record(self.sender.database, update, ts=plan.about.ts, note=note, now=self.sender.now())
                if refused is None:
                    memory = replace(memory, digest=digest(message))
                remember(self.sender.database, plan.about.id, memory, plan.kind)
                self.sender.database.commit()
                return refused
        return self._supersede(refused.code)

    def _reply(self) -> str | None:
        plan, said = self.plan, self.plan.turn
        if plan.memory.started_here:
            return self._send_pages(plan.first(), Posted(plan.about.ts, plan.about.channel), said.parent, "post")
        if said.reply is None:
            return None
        reply = plan.reply(said.reply)
        try:
            posted = self.sender.send(reply, guard=self._guard, also=self._tell)
        except SlackRefusedError as refused:
            if refused.code not in GONE:
                raise
            self._supersede(refused.code)
        return self._send_pages(reply, posted, said.reply, "reply")

    def _send_pages(self, parent: Outgoing, posted: Posted, message: Message, action: str) -> str | None:
        """:return: why some will not follow, or None."""
        # A first post may have had another first post before it, which somebody deleted.
        id_of = partial(self.plan.id_of, parent.kind, f"{action}:{self.plan.about.id}")
        pages = pages_of(parent, posted, message, id_of)
        return self.sender.send_pages(parent, posted, pages, guard=self._guard).thread_error

    def _tell(self, connection: Connection) -> None:
        """Part of the transaction that confirms the reply; the guard has locked the row."""
        told = replace(self._still_ours(connection), delivered=True)
        remember(connection, self.plan.about.id, told, self.plan.kind)

    def _guard(self, connection: Connection) -> None:
        with rows.row_errors("lock a conversation in slack_message_tracking", whom=self.plan.to.whom):
            self._still_ours(connection)

    def _still_ours(self, connection: Connection) -> Memory:
        """Lock the conversation's row. :raises OvertakenError: somebody has spoken since."""
        memory = lock_memory(connection, self.plan.about.id)
        if memory is None or memory.superseded is not None or memory.state.run_id != self.plan.run_id:
            raise OvertakenError("a later run has spoken meanwhile: this one says nothing more")
        if memory.revision != self.plan.memory.revision:
            raise OvertakenError("another attempt of this run has spoken meanwhile: this one says nothing more")
        return memory

    def _supersede(self, code: str) -> NoReturn:
        """Mark the conversation as gone; what was to be told stays in its memory."""
        self._mark(lambda memory: replace(memory, superseded=code))
        raise ConversationGoneError(code)

    def _let_go(self, refused: SlackRefusedError) -> str:
        log.warning("A conversation in a channel that %s does not use any more is left: %s", self.plan.to.whom, refused)
        self._mark(lambda memory: replace(memory, superseded=refused.code, delivered=True))
        return f"the old channel refused the end of its conversation ({refused.code})"

    def _mark(self, change: Callable[[Memory], Memory]) -> None:
        database = self.sender.database
        rows.roll_back(database)
        with rows.row_errors("write to slack_message_tracking", whom=self.plan.to.whom):
            rows.begin(database)
            remember(database, self.plan.about.id, change(self._still_ours(database)), self.plan.kind)
            database.commit()


def _not_updated(refused: SlackRefusedError) -> str:
    return f"the first message could not be updated ({refused.code})"
