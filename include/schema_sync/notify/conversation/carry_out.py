"""Conduct an organization's conversation: one incident, one message, its thread; whatever crashes in between.

The conversation's memory is its first message's row in ``slack_message_tracking``: the newest of its integration that
is a drift alert outside of a thread. Its content is JSON (:class:`Memory`). A run

1. reads it under a lock on the integration, settles what an earlier run left unfinished, and writes down what it is
   about to say: for a new conversation as a reservation, else as the state together with the one before;
2. says it, each part in a transaction that first locks that row and sees that no other run has spoken since;
3. has written "told" in the transaction that confirms its main message, so that a retry derives the same turn and finds
   each part done, and the next run repeats what a dead one could not say, with the dates on which it was found.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...errors import TransientError
from ...nouns.discrepancy import Severity
from ...nouns.report import OrganizationReport
from ...nouns.run import RunFacts
from ..delivery import rows as tracking_rows
from ..delivery.outbox import Delivery, OvertakenError, Sender, ThreadIncompleteError
from ..delivery.rows import Outgoing, Reservation
from ..incidents import IncidentChange
from ..messages.layout import Message, MessageKind
from ..slack import web_api
from ..slack.client import SlackRefusedError
from ..slack.transports import WebApi
from ..slack.web_api import FROZEN, GONE
from . import memory as rows
from .failures import tell_failure
from .memory import Memory
from .plan import Plan, Talk, Told

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from ...application.rows import Connection

__all__ = ["Told", "converse", "tell_failure"]

log = logging.getLogger(__name__)

# How often a conversation may turn out to be gone within one call.
_ROUNDS = 4


def converse(
    connection: Connection,
    client: WebClient,
    *,
    report: OrganizationReport,
    integration_id: str,
    channel: str,
    run: RunFacts,
    min_severity: Severity,
    mention: Callable[[IncidentChange], str] = lambda _: "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> Told:
    """Tell an organization what changed, each thing once, however often this is called.

    :param connection: to the application database, not in autocommit mode and in no transaction: this commits.
    :param mention: who is called by name for a change, in Slack's markup.
    :raises TerminalError: Slack refused; the message says what to do. What was not told is told by a later run.
    :raises TransientError: another attempt of this run, or else the next run, goes on where this one stopped.
    :raises ThreadIncompleteError: as TransientError, but the conversation's first message is up to date already.
    """
    tracking_rows.refuse_autocommit(connection)
    talk = _Speaker(
        Sender(connection, WebApi(client, sleep), now, sleep),
        connection,
        client,
        report,
        integration_id,
        channel,
        run,
        min_severity,
        mention,
    )
    for _ in range(_ROUNDS):
        try:
            plan = talk.plan()
            return plan if isinstance(plan, Told) else talk.carry_out(plan)
        except _GoneError as gone:
            log.warning("The conversation of %s goes on in a new message: %s", talk.whom, gone)
        except OvertakenError as overtaken:
            log.info("Nothing more is said to %s: %s", talk.whom, overtaken)
            return Told(reached=False, change=None, note=str(overtaken))
        finally:
            tracking_rows.roll_back(connection)
    raise TransientError(f"The conversation with {talk.whom} was deleted {_ROUNDS} times while it was being told.")


class _GoneError(Exception):
    """The conversation was marked as superseded."""


@dataclass(frozen=True, slots=True)
class _Speaker(Talk):
    """Says what is planned."""

    def carry_out(self, plan: Plan) -> Told:
        """Say what is planned, one thing after another."""
        if plan.reservation is not None:
            return self._begin(plan, plan.reservation)
        try:
            note = self._update(plan)
            delivery = Delivery(plan.parent_id, plan.channel, plan.ts, already_sent=False, recorded=True)
            incomplete: ThreadIncompleteError | None = None
            try:
                note = self._reply(plan, delivery) or note
            except ThreadIncompleteError:
                raise
            except TransientError as error:
                what = "The conversation's first message is up to date, its thread is not"
                incomplete = ThreadIncompleteError(f"{what}. {error}", delivery=delivery)
            if incomplete is not None:
                raise incomplete
        except SlackRefusedError as refused:
            if not plan.moved:
                raise
            # The old channel does not want to hear the end; nobody waits for it there.
            note = self._let_go(plan, refused)
            return Told(False, plan.change, note, plan.ts)
        said = (plan.turn.parent,) if plan.turn.reply is None else (plan.turn.parent, plan.turn.reply)
        return Told(True, plan.change, note, plan.ts, said)

    def _begin(self, plan: Plan, reservation: Reservation) -> Told:
        parent = self.outgoing(plan.parent_id, MessageKind.SCHEMA_SYNC, "post", plan.turn.parent, plan.channel)
        parent = replace(parent, content=replace(plan.memory, told=True).to_content())
        sent = self.sender.send(parent, reservation=reservation)
        begun = replace(plan, ts=sent.ts, channel=sent.channel)
        delivery = self.sender.send_pages(
            parent,
            sent,
            self._pages(begun, plan.turn.parent, MessageKind.SCHEMA_SYNC, "post"),
            guard=self._guard(begun),
        )
        return Told(True, plan.change, delivery.thread_error, sent.ts, (plan.turn.parent,))

    def _update(self, plan: Plan) -> str | None:
        """Let the first message read as things are now. Twice is as good as once, so no reservation is needed."""
        if plan.memory.digest == rows.digest(plan.turn.parent):
            return None
        kind = plan.turn.reply_kind
        update = self.outgoing(
            self.id_of(kind, "update", plan.memory.step), kind, "update", plan.turn.parent, plan.channel
        )
        update = replace(update, thread_ts=plan.ts)
        note: str | None = None
        gone: str | None = None
        with tracking_rows.row_errors("record an update in slack_message_tracking", whom=self.whom):
            tracking_rows.begin(self.connection)
            memory = self._still_ours(self.connection, plan)
            try:
                web_api.update(
                    self.client,
                    update,
                    ts=plan.ts,
                    marker=f"schema_sync:{plan.parent_id}",
                    check=lambda: tracking_rows.still_held(self.connection, whom=self.whom),
                )
            except SlackRefusedError as refused:
                if refused.code in GONE:
                    gone = refused.code
                elif refused.code not in FROZEN:
                    raise
                note = f"the first message could not be updated ({refused.code})"
            if gone is None:
                tracking_rows.record(self.connection, update, ts=plan.ts, note=note, now=self.sender.now())
                digest = memory.digest if note else rows.digest(plan.turn.parent)
                rows.remember(self.connection, plan.parent_id, replace(memory, digest=digest))
                self.connection.commit()
        if gone is not None:
            self._supersede(plan, gone)
        return note

    def _reply(self, plan: Plan, parent: Delivery) -> str | None:
        said = plan.turn
        message, kind = (said.parent, MessageKind.SCHEMA_SYNC) if plan.memory.opens else (said.reply, said.reply_kind)
        if message is None:
            return None
        guard = self._guard(plan)
        delivery = parent
        if plan.memory.opens:
            outgoing = self.outgoing(plan.parent_id, kind, "post", message, plan.channel)
            name = "post"
        else:
            name = "reply"
            outgoing = replace(
                self.outgoing(self.id_of(kind, name, plan.memory.step), kind, name, message, plan.channel),
                thread_ts=plan.ts,
                broadcast=said.broadcast,
                action="broadcast" if said.broadcast else name,
            )
            gone: str | None = None
            try:
                delivery = self.sender.send(outgoing, guard=guard, also=lambda _: self._tell(plan))
            except SlackRefusedError as refused:
                if refused.code not in GONE:
                    raise
                gone = refused.code
            if gone is not None:
                self._supersede(plan, gone)
        return self.sender.send_pages(
            outgoing, delivery, self._pages(plan, message, kind, name), guard=guard
        ).thread_error

    def _tell(self, plan: Plan) -> None:
        """Part of the transaction that confirms the reply; the guard has locked the row."""
        memory = self._still_ours(self.connection, plan)
        rows.remember(self.connection, plan.parent_id, replace(memory, told=True))

    def _guard(self, plan: Plan) -> Callable[[Connection], None]:
        def guard(connection: Connection) -> None:
            with tracking_rows.row_errors("lock a conversation in slack_message_tracking", whom=self.whom):
                self._still_ours(connection, plan)

        return guard

    def _still_ours(self, connection: Connection, plan: Plan) -> Memory:
        """Lock the conversation's row and see that nobody has spoken since.

        :raises OvertakenError: somebody has.
        """
        memory = rows.lock_memory(connection, plan.parent_id)
        if memory is None or memory.superseded is not None or not self.is_mine(memory):
            raise OvertakenError("a later run has spoken meanwhile: this one says nothing more")
        if memory.step != plan.memory.step:
            raise OvertakenError("another attempt of this run has spoken meanwhile: this one says nothing more")
        return memory

    def _supersede(self, plan: Plan, code: str) -> None:
        """Mark the conversation as gone; what was to be told stays in its memory.

        :raises _GoneError: always.
        """
        self._mark(plan, lambda memory: replace(memory, superseded=code))
        raise _GoneError(code)

    def _let_go(self, plan: Plan, refused: SlackRefusedError) -> str:
        log.warning("A conversation in a channel that %s does not use any more is left: %s", self.whom, refused)
        self._mark(plan, lambda memory: replace(memory, superseded=refused.code, told=True))
        return f"the old channel refused the end of its conversation ({refused.code})"

    def _mark(self, plan: Plan, change: Callable[[Memory], Memory]) -> None:
        tracking_rows.roll_back(self.connection)
        with tracking_rows.row_errors("write to slack_message_tracking", whom=self.whom):
            tracking_rows.begin(self.connection)
            rows.remember(self.connection, plan.parent_id, change(self._still_ours(self.connection, plan)))
            self.connection.commit()

    def _pages(self, plan: Plan, message: Message, kind: MessageKind, action: str) -> list[Outgoing]:
        return [
            replace(
                self.outgoing(
                    # A first post may have had another first post before it, which somebody deleted.
                    self.id_of(kind, f"{action}:{plan.parent_id}", plan.memory.step, page=page),
                    kind,
                    "page",
                    reply,
                    plan.channel,
                ),
                thread_ts=plan.ts,
            )
            for page, reply in enumerate(message.replies, start=1)
        ]
