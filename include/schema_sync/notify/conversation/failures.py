"""Tell an organization that its check failed: once per streak of failing runs, where it is being talked to anyway."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ...nouns.run import RunFacts
from ..delivery import rows as tracking_rows
from ..delivery.outbox import Delivery, OvertakenError, Sender, addressee, message_id
from ..delivery.rows import Outgoing, Reservation
from ..delivery.unfinished import Unfinished, settle, settle_thread
from ..incidents import is_older, run_moment, time_between
from ..messages.layout import Message, MessageKind
from ..slack import web_api
from ..slack.client import SlackRefusedError
from ..slack.transports import WebApi
from ..slack.web_api import FROZEN, GONE
from . import memory as rows
from .memory import FailureNotice, Parent

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from ...application.rows import Connection

log = logging.getLogger(__name__)

_KIND = MessageKind.SCHEMA_SYNC_ERROR
# A check that keeps failing is told anew so often.
TELL_AGAIN_AFTER = timedelta(days=7) - timedelta(hours=12)


def tell_failure(
    connection: Connection,
    client: WebClient,
    *,
    notice: Message,
    organization_id: str,
    integration_id: str,
    channel: str,
    run: RunFacts,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery | None:
    """Send an error notice into the thread of what is open, else to the channel; each run's at most once.

    While the last notice is younger than a week and no check succeeded since, that one is updated instead.

    :param connection: as for :func:`converse`.
    :return: None when a later run has spoken already.
    :raises TerminalError, TransientError: as :func:`deliver`.
    """
    tracking_rows.refuse_autocommit(connection)
    telling = _Telling(
        Sender(connection, WebApi(client, sleep), now, sleep),
        connection,
        client,
        Outgoing(
            id=message_id(organization_id, integration_id, _KIND, run.run_id),
            kind=_KIND,
            integration_id=integration_id,
            channel=channel,
            thread_ts=None,
            run_id=run.run_id,
            text=notice.text,
            blocks=notice.blocks,
            whom=addressee(organization_id),
            facts={"as_of": run_moment(run), "asked": channel},
        ),
        message_id(organization_id, integration_id, _KIND, run.run_id, action="update"),
        run,
    )
    try:
        decided = telling.decide()
        if decided is None or isinstance(decided, Delivery):
            return decided
        outgoing, reservation = decided
        sent = telling.send(outgoing, reservation)
    except OvertakenError as overtaken:
        log.info("The error notice for %s is not sent: %s", addressee(organization_id), overtaken)
        return None
    finally:
        tracking_rows.roll_back(connection)
    pages = [
        replace(
            outgoing,
            id=message_id(organization_id, integration_id, _KIND, run.run_id, page=page),
            channel=sent.channel,
            thread_ts=outgoing.thread_ts or sent.ts,
            text=reply.text,
            blocks=reply.blocks,
            action="page",
        )
        for page, reply in enumerate(notice.replies, start=1)
    ]
    return telling.sender.send_pages(outgoing, sent, pages)


@dataclass(frozen=True, slots=True)
class _Telling:
    sender: Sender
    connection: Connection
    client: WebClient
    notice: Outgoing
    update_id: str
    run: RunFacts

    def decide(self) -> tuple[Outgoing, Reservation] | Delivery | None:
        """Under the integration's lock: update the streak's notice, or reserve a new one."""
        whom = self.notice.whom
        with tracking_rows.row_errors("read the error notices in slack_message_tracking", whom=whom):
            tracking_rows.begin(self.connection)
            integration_id = str(self.notice.integration_id)
            rows.lock_integration(self.connection, integration_id)
            parent = rows.newest_parent(self.connection, integration_id)
            last = rows.newest_failure(self.connection, integration_id)
            if self._is_late(parent, last):
                log.info("A later run has told %s already: its older failure is not told", whom)
                return None
            if last is not None and last.id != self.notice.id:
                last = self._settle(last)
            mine = last is not None and last.id == self.notice.id
            thread_ts = last.thread_ts if last is not None and mine else _thread(parent, self.notice.channel)
            if last is not None and not mine and self._is_streak(last, thread_ts):
                updated = self._update(last)
                if updated is not None:
                    self.connection.commit()
                    return updated
            outgoing = replace(self.notice, thread_ts=thread_ts, action="reply" if thread_ts else "post")
            reservation = tracking_rows.insert_reservation(
                self.connection, outgoing, str(uuid.uuid4()), self.sender.now()
            )
            self.connection.commit()
        return outgoing, reservation

    def send(self, outgoing: Outgoing, reservation: Reservation) -> Delivery:
        try:
            return self.sender.send(outgoing, reservation=reservation)
        except SlackRefusedError as refused:
            if outgoing.thread_ts is None or refused.code not in GONE | FROZEN:
                raise
            log.warning("The thread for %s is gone (%s): its error notice goes to the channel", outgoing.whom, refused)
        return self.sender.send(replace(outgoing, thread_ts=None, action="post"))

    def _is_late(self, parent: Parent | None, last: FailureNotice | None) -> bool:
        if parent is not None and parent.memory is not None and is_older(self.run, parent.memory.state):
            return True
        if last is None:
            return False
        told = str(last.facts.get("latest") or last.facts.get("as_of") or "")
        by = last.facts.get("latest_run_id") or last.facts.get("run_id")
        return by != self.run.run_id and run_moment(self.run) < told

    def _is_streak(self, last: FailureNotice, thread_ts: str | None) -> bool:
        began = last.facts.get("as_of")
        return (
            bool(last.ts)
            and "ended" not in last.facts
            and last.facts.get("asked") == self.notice.channel
            and last.thread_ts == thread_ts
            and isinstance(began, str)
            and time_between(began, run_moment(self.run)) < TELL_AGAIN_AFTER
        )

    def _settle(self, last: FailureNotice) -> FailureNotice | None:
        """An earlier run died over its notice, or a page of it: it is there, or it never was."""
        if not last.ts:
            row = Unfinished(last.id, last.channel, last.thread_ts, last.reserved_at)
            seen = settle(self.connection, self.sender.slack, row, now=self.sender.now())
            if seen.ts is None:
                return None
            last = replace(last, ts=seen.ts)
        settle_thread(
            self.connection,
            self.sender.slack,
            integration_id=str(self.notice.integration_id),
            thread_ts=last.thread_ts or last.ts,
            kinds=(_KIND,),
            run_id=self.run.run_id,
            now=self.sender.now(),
        )
        return last

    def _update(self, last: FailureNotice) -> Delivery | None:
        """Let the streak's notice speak of this run. None: it is not there any more."""
        update = replace(
            self.notice,
            id=self.update_id,
            channel=last.channel,
            thread_ts=last.thread_ts or last.ts,
            action="update",
        )
        try:
            web_api.update(
                self.client,
                update,
                ts=last.ts,
                marker=f"schema_sync:{last.id}",
                check=lambda: tracking_rows.still_held(self.connection, whom=update.whom),
            )
        except SlackRefusedError as refused:
            if refused.code not in GONE | FROZEN:
                raise
            log.warning("The last error notice for %s is gone (%s): a new one is sent", update.whom, refused.code)
            rows.add_facts(self.connection, last.id, ended=True)
            return None
        tracking_rows.record(self.connection, update, ts=last.ts, note=None, now=self.sender.now())
        rows.add_facts(self.connection, last.id, latest=run_moment(self.run), latest_run_id=self.run.run_id)
        return Delivery(update.id, last.channel, last.ts, already_sent=False, recorded=True)


def _thread(parent: Parent | None, channel: str) -> str | None:
    """The thread of what is open in this channel."""
    memory = None if parent is None else parent.memory
    if parent is None or memory is None or not parent.ts:
        return None
    is_open = memory.superseded is None and memory.state.resolved is None and memory.asked == channel
    return parent.ts if is_open else None
