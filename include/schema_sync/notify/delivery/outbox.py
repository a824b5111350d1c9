"""Send a message once, whatever crashes: reserve its row, post it, confirm the row.

A message's id follows from what it is about, so every attempt finds the row of the one before:

- confirmed: it was sent, nothing is posted;
- reserved: an attempt died somewhere. Slack's history is asked for the message's marker (its metadata, or the id of
  its first block). Found: confirmed without posting. Not found: posted;
- absent: reserved, posted, confirmed.

The row stays locked from the look to the confirmation (:mod:`tracking_rows`). A reservation carries the attempt that
made it: only an attempt that finds its own word still there knows that nobody can have posted, and may skip the
look-up. Others look only when the dead attempt's request has had time to arrive. Directly before each request the lock
is proved to be there still; a worker that lost it between that and Slack's answer takes its message back if another
one's is there.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from ...errors import SchemaSyncError, TerminalError, TransientError
from ..messages.layout import MessageKind
from ..slack.history import LookUp
from ..slack.transports import Posted, Slack, kept_of, rest
from . import rows as tracking_rows
from .outgoing import DATA_TEAM, Addressee, Occasion, Outgoing
from .rows import MIGRATION, Reservation, Row, Unfinished

if TYPE_CHECKING:
    from ...application.rows import Connection
    from ..messages.blocks import Block
    from ..messages.layout import Message

    Step = Callable[[Connection], None]

log = logging.getLogger(__name__)

# Fixed for ever: with another value every message of a running attempt would be sent again.
NAMESPACE = uuid.UUID("5ad0c9f4-8a53-5c0e-9d0b-6d2f6c6c1f7e")

# Without a row, how long ago an attempt may have been.
_UNRECORDED_LOOK_BACK_S = 24 * 3600.0
# A request whose sender gave up may still be on its way: history is not believed before it had time to arrive.
SETTLE_S = 5.0
# How often a row may vanish under us because another worker's message was refused.
_ROUNDS = 5


class ThreadIncompleteError(TransientError):
    """The message is in Slack, the rest of its thread is not; another attempt continues there."""


class OvertakenError(SchemaSyncError):
    """Another run has spoken since, or another attempt of this one: what was to be said is out of date."""


def deliver(sender: Sender, to: Addressee, message: Message, occasion: Occasion, channel: str) -> Posted:
    """Send ``message`` and its replies, each once and each with its row, however often this is called.

    What was sent before, and reads differently now, is brought up to date. A webhook changes nothing that was said,
    names no message and shows no history: its row's ts is ``webhook``, its pages have none, and an attempt that died
    between posting and confirming posts again.

    :param sender: its connection is in no transaction and not in autocommit mode: this commits. Without one the message
        is sent all the same, and not recorded.
    :raises TerminalError: Slack refused the message and nothing was posted.
    :raises TransientError: it is not known whether the message was posted; the next attempt finds out.
    :raises ThreadIncompleteError: the message was posted, a reply met a transient error.
    """
    tracking_rows.refuse_autocommit(sender.connection)
    kind, run_id = occasion.kind, occasion.run_id
    id_of = partial(message_id, to, kind, run_id, action=occasion.about)
    first = Outgoing(id_of(), kind, to, channel, None, run_id, message.text, message.blocks)
    posted = sender.send(first)
    if not sender.slack.has_threads:
        return posted
    pages = pages_of(first, posted, message, id_of)
    delivered = sender.send_pages(first, posted, pages)
    if posted.already_sent:
        for outgoing in (first, *pages):
            sender.refresh(outgoing)
    return delivered


def pages_of(parent: Outgoing, posted: Posted, message: Message, id_of: Callable[..., str]) -> list[Outgoing]:
    """What follows a message in its thread. :param id_of: ``page`` → id; pages are counted from 1."""
    return [
        _page(parent, posted, id_of(page=number), reply.text, reply.blocks)
        for number, reply in enumerate(message.replies, start=1)
    ]


def is_delivered(connection: Connection, to: Addressee, occasion: Occasion) -> bool:
    """Whether this message is in Slack, as far as its row says."""
    id_ = message_id(to, occasion.kind, occasion.run_id, action=occasion.about)
    try:
        row = tracking_rows.lock(connection, id_, whom=to.whom)
    finally:
        tracking_rows.roll_back(connection)
    return row is not None and bool(row.ts)


def message_id(
    to: Addressee, kind: MessageKind, run_id: str, *, page: int = 0, action: str = "", revision: int = 0
) -> str:
    """The UUIDv5 that stands for one message of one run in the database and in Slack; page 0 is the message itself."""
    action = f"{action}:{revision}" if revision else action
    about = [to.organization_id, to.integration_id, str(kind), run_id, *([action] if action else [])]
    return str(uuid.uuid5(NAMESPACE, json.dumps([*about, page] if page else about)))


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends messages once each. :ivar connection: None when the application database cannot be reached."""

    connection: Connection | None
    slack: Slack
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep

    @property
    def database(self) -> Connection:
        assert self.connection is not None  # noqa: S101 - for the type checker
        return self.connection

    def send(
        self,
        outgoing: Outgoing,
        *,
        reservation: Reservation | None = None,
        guard: Step | None = None,
        also: Step | None = None,
    ) -> Posted:
        """Send one message.

        :param reservation: the row as the caller has reserved it with its reasons. If it is gone, so are they.
        :param guard: called in the transaction that posts, before the message's own row is locked; raises
            :class:`OvertakenError` when it must not be posted any more.
        :param also: what becomes true in the transaction that confirms.
        """
        connection = self.connection
        if connection is None:
            return self._send_unrecorded(outgoing, "the application database cannot be reached")
        given = reservation
        settled = turn_taken = False
        for _ in range(_ROUNDS):
            try:
                if reservation is None:
                    reservation = tracking_rows.reserve(connection, outgoing, str(uuid.uuid4()), self.now())
                    turn_taken = False
                if reservation is None:
                    why = f"its column integration_id does not allow NULL in this database. Apply {MIGRATION}"
                    return self._send_unrecorded(outgoing, why)
                if reservation.made and not turn_taken:  # before the lock, so that nobody has to wait for a queue
                    self.slack.take_turn(outgoing)
                    turn_taken = True
                with tracking_rows.row_errors("lock a row of slack_message_tracking", whom=outgoing.whom):
                    tracking_rows.begin(connection)
                try:
                    if guard is not None:
                        guard(connection)
                    row = tracking_rows.lock(connection, outgoing.id, whom=outgoing.whom)
                except OvertakenError:
                    self._release(outgoing, made_by=reservation.attempt)
                    raise
                if row is None:
                    if given is not None:
                        raise OvertakenError(f"Another worker has given up message {outgoing.id}.")
                    reservation = None
                    continue
                if row.ts:
                    log.info("Slack message %s was sent before: nothing is posted", outgoing.id)
                    return Posted(row.ts, row.channel, row.kept, already_sent=True)
                fresh = row.attempt == reservation.attempt
                if not fresh and not settled and (left := _unsettled_s(row)) > 0:
                    settled = True
                    tracking_rows.roll_back(connection)
                    self.sleep(left)
                    continue
                return self._send_locked(outgoing, row, fresh, also)
            finally:
                # Gives the lock back on every path; after a commit there is nothing to roll back.
                tracking_rows.roll_back(connection)
        raise TransientError(f"Several workers at once failed to send message {outgoing.id} for {outgoing.whom}.")

    def send_pages(
        self, parent: Outgoing, posted: Posted, pages: list[Outgoing], *, guard: Step | None = None
    ) -> Posted:
        """:raises ThreadIncompleteError: a page met a transient error."""
        queue = [*_remainder(parent, posted), *pages]
        number = 0
        while queue:
            outgoing = queue.pop(0)
            number += 1
            failed = f"The message is in Slack, page {number} of {number + len(queue)} of its thread is not"
            try:
                page = self.send(outgoing, guard=guard)
            except TransientError as error:
                raise ThreadIncompleteError(f"{failed}. {error}") from None
            except TerminalError as error:
                log.warning("%s. %s", failed, error)
                return replace(posted, thread_error=str(error))
            queue[:0] = _remainder(outgoing, page)
        return posted

    def update(self, outgoing: Outgoing, *, ts: str, row_id: str) -> None:
        """Let the message ``ts`` read as ``outgoing`` does, in the caller's transaction, and keep its row's marker."""
        check = partial(tracking_rows.still_held, self.database, whom=outgoing.whom)
        self.slack.update(outgoing, ts, f"schema_sync:{row_id}", check)

    def refresh(self, outgoing: Outgoing) -> None:
        """Bring a message that was sent before up to date, should it read differently now."""
        connection = self.connection
        if connection is None:
            return
        try:
            with tracking_rows.row_errors("bring a message up to date", whom=outgoing.whom):
                tracking_rows.begin(connection)
                row = tracking_rows.lock(connection, outgoing.id, whom=outgoing.whom)
                if row is None or not row.ts or tracking_rows.says(connection, outgoing):
                    return
                self.update(replace(outgoing, channel=row.channel), ts=row.ts, row_id=outgoing.id)
                tracking_rows.record(connection, outgoing, ts=row.ts, note="brought up to date", now=self.now())
                connection.commit()
        finally:
            tracking_rows.roll_back(connection)

    def settle(self, unfinished: Unfinished) -> LookUp:
        """Confirm a row when its message is in Slack, else remove it; part of the caller's transaction.

        Where history cannot tell, the row is removed as well (the result's ``note`` says why): the message may stay in
        Slack without one, but a row without a message would be in the way of every later run.
        """
        connection = self.database
        tracking_rows.take_over(connection, unfinished.id, str(uuid.uuid4()))
        row = tracking_rows.lock(connection, unfinished.id, whom="an earlier run")
        if row is None or row.ts:  # somebody else was faster
            return LookUp(None if row is None else row.ts)
        sought = Outgoing(unfinished.id, MessageKind.SCHEMA_SYNC, DATA_TEAM, row.channel, row.thread_ts, "", "", ())
        seen = self.slack.look_up(sought, row.posted_between)
        if seen.ts is None:
            tracking_rows.release(connection, unfinished.id)
        else:
            tracking_rows.confirm_found(connection, unfinished.id, seen.ts, self.now())
        return seen

    def _send_locked(self, outgoing: Outgoing, row: Row, fresh: bool, also: Step | None) -> Posted:
        # An earlier attempt may have been told another channel, or thread.
        earlier = replace(outgoing, channel=row.channel, thread_ts=row.thread_ts)
        seen = LookUp() if fresh else self.slack.look_up(earlier, row.posted_between)
        if seen.ts is not None:
            log.info("Slack message %s was posted by an attempt that did not finish: confirming it", outgoing.id)
            posted = Posted(seen.ts, row.channel, kept_of(outgoing.blocks, seen.blocks), already_sent=True)
            outgoing = earlier
        else:
            if not fresh:
                self.slack.take_turn(outgoing)
            posted = self._post(outgoing, seen)
        try:
            tracking_rows.confirm(self.database, outgoing, posted, note=seen.note, now=self.now(), also=also)
        except SchemaSyncError:
            # Whoever cannot confirm has lost its row, perhaps before Slack took the message.
            if seen.ts is None:
                self.slack.withdraw_second(replace(outgoing, channel=posted.channel), posted.ts)
            raise
        return posted

    def _post(self, outgoing: Outgoing, seen: LookUp) -> Posted:
        try:
            return self.slack.post(outgoing, lambda: tracking_rows.still_held(self.database, whom=outgoing.whom))
        except TransientError:
            tracking_rows.note_unanswered(self.database, outgoing.id)
            raise
        except SchemaSyncError:
            # An attempt that history could not tell about may have posted: then the row must stay.
            if seen.note is None:
                self._release(outgoing)
            raise

    def _release(self, outgoing: Outgoing, *, made_by: str | None = None) -> None:
        """Remove the reservation. What the caller raises matters more than a failure of this."""
        import psycopg

        try:
            tracking_rows.release(self.database, outgoing.id, made_by=made_by)
            self.database.commit()
        except psycopg.Error as error:
            log.warning("The reservation of message %s could not be removed: %s", outgoing.id, type(error).__name__)

    def _send_unrecorded(self, outgoing: Outgoing, why: str) -> Posted:
        log.warning(
            "Message %s for %s is sent but not recorded in slack_message_tracking: %s.", outgoing.id, outgoing.whom, why
        )
        # Without a row only Slack can tell whether an earlier attempt posted.
        now = self.now().timestamp()
        seen = self.slack.look_up(outgoing, (now - _UNRECORDED_LOOK_BACK_S, now + tracking_rows.CLOCK_DIFFERENCE_S))
        if seen.ts is not None:
            return Posted(seen.ts, outgoing.channel, kept_of(outgoing.blocks, seen.blocks), already_sent=True)
        self.slack.take_turn(outgoing)
        return self.slack.post(outgoing, lambda: None)


def _unsettled_s(row: Row) -> float:
    """How long a dead attempt's request may still be under way."""
    if row.waited:  # its worker ended while we stood behind it
        return SETTLE_S
    return 0.0 if row.quiet_s is None else max(SETTLE_S - row.quiet_s, 0.0)


def _remainder(outgoing: Outgoing, posted: Posted) -> list[Outgoing]:
    """What Slack did not take of a message that was too long, as one more page of its thread."""
    blocks = () if posted.kept is None else rest(outgoing.blocks, posted.kept)
    id_ = str(uuid.uuid5(NAMESPACE, json.dumps([outgoing.id, "rest"])))
    return [_page(outgoing, posted, id_, outgoing.text, blocks)] if blocks else []


def _page(parent: Outgoing, posted: Posted, id_: str, text: str, blocks: tuple[Block, ...]) -> Outgoing:
    return replace(
        parent,
        id=id_,
        channel=posted.channel,
        thread_ts=parent.thread_ts or posted.ts,
        text=text,
        blocks=blocks,
        action="page",
        broadcast=False,
        content=None,
    )
