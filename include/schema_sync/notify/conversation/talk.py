"""Conduct an organization's conversations: gather, decide, write, carry out; whatever crashes in between.

A run gathers what the database remembers, and settles what earlier runs left unfinished. It decides (:mod:`decide`) and
writes down what it is about to say, under a lock on the integration and in one transaction. It says it without that
lock (:mod:`carry_out`), each part in a transaction that first locks the conversation's row and sees that no other run
has spoken since. In the transaction that confirms its main message it writes "told": so a retry derives the same turn
and finds each part done, and the next run repeats what a dead one could not say, with the dates on which it was found.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ...errors import TransientError
from ...nouns.discrepancy import Severity
from ...nouns.report import OrganizationReport
from ...nouns.run import RunFacts
from ..delivery import rows
from ..delivery.outbox import SETTLE_S, OvertakenError, Sender, message_id
from ..delivery.outgoing import Addressee
from ..delivery.rows import Unfinished
from ..incidents import IncidentChange, run_moment
from ..messages.conversation import Turn, error_notice, turn
from ..messages.layout import MessageKind
from .acknowledgements import Acknowledgement, acknowledged, quieted
from .carry_out import ConversationGoneError, ConversationOutcome, Plan, Speaker
from .decide import Continue, Decision, Open, Silent, TakeOver, decide, decide_notice, to_settle
from .memory import Conversation, Memory, Remembered, content_of, digest, lock_memory, recall, remember, unused_id

log = logging.getLogger(__name__)

# How often a conversation may turn out to be gone within one call.
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Talk:
    """One attempt of one run to talk with one organization.

    :ivar sender: its connection is not in autocommit mode and in no transaction: this commits.
    :ivar mention: who is called by name for a change, in Slack's markup.
    """

    sender: Sender
    to: Addressee
    channel: str
    report: OrganizationReport
    run: RunFacts
    min_severity: Severity = Severity.WARNING
    mention: Callable[[IncidentChange], str] = field(default=lambda _: "")

    def converse(self) -> ConversationOutcome:
        """Tell the organization what changed, or that its check failed; each thing once, however often this is called.

        :raises TerminalError: Slack refused; the message says what to do. What was not told is told by a later run.
        :raises TransientError: another attempt of this run, or else the next run, goes on where this one stopped.
        :raises ThreadIncompleteError: as TransientError, but the conversation's first message is up to date already.
        """
        rows.refuse_autocommit(self.sender.database)
        for _ in range(_ROUNDS):
            try:
                plan = self._plan()
                return plan if isinstance(plan, ConversationOutcome) else Speaker(self.sender, plan).carry_out()
            except ConversationGoneError as gone:
                log.warning("The conversation of %s goes on in a new message: %s", self.to.whom, gone)
            except OvertakenError as overtaken:
                log.info("Nothing more is said to %s: %s", self.to.whom, overtaken)
                return ConversationOutcome(reached=False, change=None, note=str(overtaken))
            finally:
                rows.roll_back(self.sender.database)
        raise TransientError(
            f"The conversation with {self.to.whom} was deleted {_ROUNDS} times while it was being told."
        )

    def decide(self, remembered: Remembered) -> tuple[MessageKind, Decision]:
        """Which of the two conversations has something to say, and what."""
        if self.report.error is None:
            drift = decide(remembered.drift, self.run, self.report, self.channel, min_severity=self.min_severity)
            if not isinstance(drift, Silent) or drift.change is not None or drift.note is not None:
                return MessageKind.SCHEMA_SYNC, drift
        return MessageKind.SCHEMA_SYNC_ERROR, self._decide_notice(remembered, failed=not self._is_whole)

    def writes(self, remembered: Remembered, decision: Silent) -> bool:
        """Whether saying nothing leaves something to be written."""
        return decision.remembered is not None or self._ended_streak(remembered) is not None

    def to_settle(self, remembered: Remembered) -> tuple[Unfinished, ...]:
        return to_settle(remembered, self.run, self.report, min_severity=self.min_severity)

    @property
    def _is_whole(self) -> bool:
        return self.report.error is None and not self.report.unchecked

    def _plan(self) -> Plan | ConversationOutcome:
        known: dict[str, str] = {}
        notes: list[str] = []
        reactions: list[tuple[str, str]] | None = None
        asked = False
        integration_id = str(self.to.integration_id)
        while True:
            with rows.row_errors("read a conversation from slack_message_tracking", whom=self.to.whom):
                rows.begin(self.sender.database)
                remembered = recall(self.sender.database, [integration_id], lock=True)[integration_id]
                left = self.to_settle(remembered)
                may_ask = not asked and self._may_be_acknowledged(remembered.drift)
                if not left and not may_ask:
                    drift = replace(remembered.drift, known=known)
                    plan = self._write(replace(remembered, drift=drift), notes, reactions)
                    self.sender.database.commit()
                    return plan
            rows.roll_back(self.sender.database)
            for row in left:
                known |= self._settle(row, remembered, notes)
            if may_ask:
                reactions, asked = self.sender.slack.reactions(remembered.drift.channel, remembered.drift.ts), True

    def _may_be_acknowledged(self, drift: Conversation) -> bool:
        """A retry says what it said, and an older run nothing: neither asks."""
        memory = drift.memory
        if memory is None or not drift.ts or memory.superseded is not None or self.report.error is not None:
            return False
        return bool(memory.state.problems) and memory.state.as_of < run_moment(self.run)

    def _settle(self, row: Unfinished, remembered: Remembered, notes: list[str]) -> dict[str, str]:
        """Settle a row of a dead attempt. :return: {fingerprint: since when} of what it was to tell, and never did."""
        of_notice = row.id == remembered.notice.id
        owner = remembered.notice if of_notice else remembered.drift
        self.sender.sleep(max(SETTLE_S - row.age_s, 0.0))
        with rows.row_errors("settle a row of slack_message_tracking", whom=self.to.whom):
            rows.begin(self.sender.database)
            # First the conversation, then the message: the order in which everybody locks them.
            memory = lock_memory(self.sender.database, owner.id) if owner.id else None
            seen = self.sender.settle(row)
            if seen.ts is not None and memory is not None and row.id in (owner.id, memory.reply):
                kind = MessageKind.SCHEMA_SYNC_ERROR if of_notice else MessageKind.SCHEMA_SYNC
                remember(self.sender.database, owner.id, replace(memory, delivered=True), kind)
            self.sender.database.commit()
        if seen.ts is not None or memory is None or row.id != owner.id:
            return {}
        if seen.note is not None:
            notes.append(f"{seen.note}; whether run {row.run_id} had posted is not known")
        return memory.dates()

    def _write(
        self, remembered: Remembered, notes: list[str], reactions: list[tuple[str, str]] | None
    ) -> Plan | ConversationOutcome:
        kind, decision = self.decide(remembered)
        about = remembered.notice if kind is MessageKind.SCHEMA_SYNC_ERROR else remembered.drift
        ended = self._ended_streak(remembered)
        if ended is not None:
            remember(self.sender.database, remembered.notice.id, ended, MessageKind.SCHEMA_SYNC_ERROR)
        match decision:
            case Silent(change, note, memory):
                if memory is not None and memory is not ended:
                    remember(self.sender.database, about.id, memory, kind)
                return ConversationOutcome(False, change, kind, note or "; ".join(notes) or None, about.ts or None)
            case Continue():
                return self._write_turn(kind, decision, reactions)
            case Open() | TakeOver():
                return self._reserve(kind, decision, notes)

    def _decide_notice(self, remembered: Remembered, *, failed: bool) -> Decision:
        return decide_notice(remembered.notice, remembered.drift, self.run, self.channel, failed=failed)

    def _ended_streak(self, remembered: Remembered) -> Memory | None:
        """What the last notice's row is to say after a check that succeeded, None: what it says."""
        ended = self._decide_notice(remembered, failed=False) if self._is_whole else None
        return ended.remembered if isinstance(ended, Silent) else None

    def _turn(
        self,
        kind: MessageKind,
        change: IncidentChange,
        before: Continue | None = None,
        ack: Acknowledgement | None = None,
    ) -> Turn:
        if kind is MessageKind.SCHEMA_SYNC_ERROR:
            return Turn(error_notice(self.report, self.run), None, kind, False, change.state)
        previous = None if before is None else before.previous
        active = ack if ack is not None and ack.holds(self.run) else None
        loud = active is None or any(found.severity is Severity.CRITICAL for found in change.new)
        mention, sentence = self.mention(change) if loud else "", "" if active is None else active.sentence()
        return quieted(turn(previous, change, self.report, self.run, mention, sentence), change, active, self.run)

    def _reserve(self, kind: MessageKind, decision: Open | TakeOver, notes: list[str]) -> Plan:
        """Reserve the first message of a new conversation, or take over this run's own reservation."""
        if isinstance(decision, TakeOver):
            about = replace(decision.conversation, channel=self.channel)
        else:
            row_id = unused_id(self.sender.database, message_id(self.to, kind, self.run.run_id))
            about = Conversation(row_id, self.channel, thread_ts=decision.thread_ts)
        said = self._turn(kind, decision.change)
        memory = Memory(
            text=said.parent.text,
            blocks=said.parent.blocks,
            state=said.state,
            before=decision.previous,
            delivered=False,
            started_here=True,
            requested_channel=self.channel,
            digest=digest(said.parent),
        )
        plan = Plan(self.to, self.run.run_id, kind, about, decision.change, said, memory)
        facts = {"note": "; ".join(notes)} if notes else {}
        outgoing = replace(plan.first(), content=content_of(memory, kind), facts=facts)
        reservation = rows.insert_reservation(self.sender.database, outgoing, str(uuid.uuid4()), self.sender.now())
        if not reservation.made:
            remember(self.sender.database, about.id, memory, kind)
        return replace(plan, reservation=reservation)

    def _write_turn(self, kind: MessageKind, decision: Continue, reactions: list[tuple[str, str]] | None) -> Plan:
        about, memory = decision.conversation, decision.conversation.memory
        assert memory is not None  # noqa: S101 - decided upon; for the type checker
        started_here = decision.repeats and memory.started_here
        known = None if memory.acknowledged is None else Acknowledgement(*memory.acknowledged)
        ack = acknowledged(reactions, known, self.run)
        said = self._turn(kind, decision.change, None if started_here else decision, ack)
        reply_id = message_id(self.to, said.reply_kind, self.run.run_id, action="reply", revision=decision.revision)
        fresh = replace(
            memory,
            text=said.parent.text,
            blocks=said.parent.blocks,
            state=said.state,
            before=decision.previous,
            delivered=said.reply is None or (decision.repeats and memory.delivered),
            started_here=started_here,
            revision=decision.revision,
            reply=None if said.reply is None else reply_id,
            reply_kind=str(said.reply_kind),
            acknowledged=None if ack is None else (ack.reaction, ack.user, ack.since),
        )
        remember(self.sender.database, about.id, fresh, kind)
        return Plan(self.to, self.run.run_id, kind, about, decision.change, said, fresh, moved=decision.moved)
