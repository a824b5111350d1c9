"""What a run has to say in an organization's conversation: decided under a lock, and written down before it is said."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...nouns.discrepancy import Severity
from ...nouns.report import OrganizationReport
from ...nouns.run import RunFacts
from ..delivery import rows as tracking_rows
from ..delivery.outbox import Sender, addressee, message_id
from ..delivery.rows import Outgoing, Reservation
from ..delivery.unfinished import Unfinished, settle, settle_thread
from ..incidents import IncidentChange, IncidentState, advance, continues, is_older
from ..messages.conversation import Turn, turn
from ..messages.layout import Message, MessageKind
from . import memory as rows
from .memory import Memory, Parent

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from ...application.rows import Connection


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a run's report.

    :ivar reached: a drift or resolved message was delivered (post, reply or update), now or by an earlier try.
    :ivar change: None: there is nothing to tell, or a later run has spoken already.
    :ivar note: what a log should add.
    :ivar ts: of the conversation's first message, None when there is no conversation.
    :ivar messages: the first message as it reads now, and what was replied.
    """

    reached: bool
    change: IncidentChange | None
    note: str | None = None
    ts: str | None = None
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be said; it is in the database already.

    :ivar parent_id: whose row remembers.
    :ivar ts: of the first message, empty while there is none.
    :ivar reservation: for a message that begins a conversation.
    :ivar moved: the organization has another channel now; this conversation is only brought to its end.
    """

    parent_id: str
    channel: str
    ts: str
    change: IncidentChange
    turn: Turn
    memory: Memory
    reservation: Reservation | None
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Talk:
    """One attempt of one run to talk with one organization; the arguments of ``converse``."""

    sender: Sender
    connection: Connection
    client: WebClient
    report: OrganizationReport
    integration_id: str
    channel: str
    run: RunFacts
    min_severity: Severity
    mention: Callable[[IncidentChange], str]

    @property
    def whom(self) -> str:
        return addressee(self.report.organization_id)

    def plan(self) -> Plan | Told:
        """Decide under the integration's lock what this run has to say, and write it down."""
        with tracking_rows.row_errors("read a conversation from slack_message_tracking", whom=self.whom):
            tracking_rows.begin(self.connection)
            rows.lock_integration(self.connection, self.integration_id)
            known: dict[str, str] = {}
            notes: list[str] = []
            while True:
                parent = rows.newest_parent(self.connection, self.integration_id)
                if parent is not None and parent.memory is not None and is_older(self.run, parent.memory.state):
                    self.connection.commit()
                    return Told(False, None, "a later run has spoken already: this one says nothing", parent.ts or None)
                if parent is None or parent.ts or parent.memory is None or self.is_mine(parent.memory):
                    break
                known |= parent.memory.dates()  # the earliest of several that were not sent is read last
                self._settle_first_message(parent, parent.memory, notes)
            if self.report.error is None and not self.report.unchecked:
                rows.end_failures(self.connection, self.integration_id)
            plan = self._decide(parent, known, notes)
            self.connection.commit()
        return plan

    def is_mine(self, memory: Memory) -> bool:
        return memory.state.run_id == self.run.run_id

    def _settle_first_message(self, parent: Parent, memory: Memory, notes: list[str]) -> bool:
        """An attempt died over its first message. True: it is in Slack after all; else its row is removed."""
        row = Unfinished(parent.id, parent.channel, None, parent.reserved_at)
        seen = settle(self.connection, self.sender.slack, row, now=self.sender.now())
        if seen.ts is not None:
            rows.remember(self.connection, parent.id, replace(memory, told=True))
        elif seen.note is not None:
            notes.append(f"{seen.note}; whether run {memory.state.run_id} had posted is not known")
        return seen.ts is not None

    def _settle_thread(self, parent: Parent, memory: Memory) -> Memory:
        """An earlier run died over its reply, or a page: what of it was said?"""
        found = settle_thread(
            self.connection,
            self.sender.slack,
            integration_id=self.integration_id,
            thread_ts=parent.ts,
            kinds=(MessageKind.SCHEMA_SYNC, MessageKind.SCHEMA_SYNC_RESOLVED),
            run_id=self.run.run_id,
            now=self.sender.now(),
        )
        if memory.reply not in found:
            return memory
        memory = replace(memory, told=True)
        rows.remember(self.connection, parent.id, memory)
        return memory

    def _decide(self, parent: Parent | None, known: dict[str, str], notes: list[str]) -> Plan | Told:
        memory = None if parent is None else parent.memory
        if parent is None or memory is None:
            # None, or one that is older than conversations are; its reservation may be this run's.
            return self._open(None if parent is None or parent.ts else parent, None, known, notes)
        mine = self.is_mine(memory) and memory.superseded is None
        if parent.ts and not mine:
            memory = self._settle_thread(parent, memory)
        known = memory.dates() | known
        previous = memory.before if mine else memory.announced
        change = self._advance(previous, known)
        if mine and memory.told and _problems(change) != frozenset(memory.dates()):
            # The run was cleared, checked again and found something else: that is news on top of what it said.
            mine, previous = False, memory.state
            change = self._advance(previous, known)
            memory = replace(memory, step=memory.step + 1)
        elif not mine:
            memory = replace(memory, step=memory.step + 1 if self.is_mine(memory) else 0)
        if not parent.ts:
            if change is not None:
                return self._open(parent, memory, known, notes)
            if self._settle_first_message(parent, memory, notes):
                return self._decide(rows.newest_parent(self.connection, self.integration_id), known, notes)
            return Told(False, None, _joined(notes))
        moved = not mine and memory.asked != self.channel
        something = change is not None and bool(change.new or change.ongoing)
        lasting = memory.superseded is None and (mine or previous is None or continues(previous, self.run))
        if not lasting or (moved and something):
            return self._open(parent, memory, known, notes)
        if change is None:
            return Told(False, None, _joined(notes), parent.ts)
        return self._go_on(parent, memory, previous, change, mine=mine, moved=moved)

    def _advance(self, previous: IncidentState | None, known: dict[str, str]) -> IncidentChange | None:
        return advance(previous, self.report, min_severity=self.min_severity, run=self.run, known_since=known)

    def _turn(self, previous: IncidentState | None, change: IncidentChange) -> Turn:
        return turn(
            previous,
            change,
            self.report,
            min_severity=self.min_severity,
            run=self.run,
            mention=self.mention(change),
        )

    def _open(
        self, parent: Parent | None, memory: Memory | None, known: dict[str, str], notes: list[str]
    ) -> Plan | Told:
        """Reserve the first message of a new conversation, or take over this run's own reservation."""
        retry = parent is not None and not parent.ts
        carried = None if memory is None else memory.before if retry else memory.announced
        change = self._advance(carried, known)
        if change is None or not (change.new or change.ongoing):
            if change is not None and parent is not None and memory is not None and not retry:
                # Nothing to begin a conversation with; what is kept, or gone, is remembered where it was.
                rows.remember(
                    self.connection, parent.id, replace(memory, state=change.state, before=None, told=True, reply=None)
                )
            return Told(False, change, _joined(notes))
        said = self._turn(None, change)
        base = message_id(self.report.organization_id, self.integration_id, MessageKind.SCHEMA_SYNC, self.run.run_id)
        id_ = parent.id if parent is not None and retry else rows.unused_id(self.connection, base)
        memory = Memory(
            text=said.parent.text,
            state=said.state,
            before=carried,
            told=False,
            opens=True,
            asked=self.channel,
            digest=rows.digest(said.parent),
        )
        outgoing = self.outgoing(id_, MessageKind.SCHEMA_SYNC, "post", said.parent, self.channel)
        outgoing = replace(outgoing, content=memory.to_content(), facts=_note(notes))
        reservation = tracking_rows.insert_reservation(self.connection, outgoing, str(uuid.uuid4()), self.sender.now())
        rows.remember(self.connection, id_, memory)
        return Plan(id_, self.channel, "", change, said, memory, reservation)

    def _go_on(
        self,
        parent: Parent,
        memory: Memory,
        previous: IncidentState | None,
        change: IncidentChange,
        *,
        mine: bool,
        moved: bool,
    ) -> Plan:
        opens = mine and memory.opens
        said = self._turn(None if opens else previous, change)
        reply = None if said.reply is None else self.id_of(said.reply_kind, "reply", memory.step)
        fresh = Memory(
            text=said.parent.text,
            state=said.state,
            before=previous,
            told=said.reply is None or (mine and memory.told),
            opens=opens,
            asked=memory.asked,
            digest=memory.digest,
            step=memory.step,
            reply=reply,
            reply_kind=str(said.reply_kind),
        )
        rows.remember(self.connection, parent.id, fresh)
        return Plan(parent.id, parent.channel, parent.ts, change, said, fresh, None, moved)

    def id_of(self, kind: MessageKind, action: str, step: int, *, page: int = 0) -> str:
        action = f"{action}:{step}" if step else action
        return message_id(
            self.report.organization_id, self.integration_id, kind, self.run.run_id, page=page, action=action
        )

    def outgoing(self, id_: str, kind: MessageKind, action: str, message: Message, channel: str) -> Outgoing:
        return Outgoing(
            id=id_,
            kind=kind,
            integration_id=self.integration_id,
            channel=channel,
            thread_ts=None,
            run_id=self.run.run_id,
            text=message.text,
            blocks=message.blocks,
            whom=self.whom,
            action=action,
        )


def _problems(change: IncidentChange | None) -> frozenset[str]:
    return frozenset() if change is None else frozenset(problem.fingerprint for problem in change.state.problems)


def _note(notes: list[str]) -> dict[str, str]:
    return {"note": "; ".join(notes)} if notes else {}


def _joined(notes: list[str]) -> str | None:
    return "; ".join(notes) or None
