"""What a run has to say in an organization's conversation: pure functions, the table of docs/decisions/0004.

Everything unfinished is settled before: what an earlier run reserved is in Slack, or it is not. The one exception is
what this run itself has reserved, which it takes over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...nouns.discrepancy import Severity
from ...nouns.report import OrganizationReport
from ...nouns.run import RunFacts
from ..delivery.rows import Unfinished
from ..incidents import IncidentChange, IncidentState, advance, continues, is_older, run_moment, time_between
from ..messages.conversation import REMIND_AFTER
from .memory import Conversation, Memory, Remembered

TELL_AGAIN_AFTER = REMIND_AFTER  # a check that keeps failing is told anew so often

LATER_RUN = "a later run has spoken already: this one says nothing"


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a conversation, an error notice perhaps in a thread; ``previous`` was open before, and told elsewhere."""

    change: IncidentChange
    previous: IncidentState | None = None
    thread_ts: str | None = None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Go on with the first message that an attempt of this run has reserved."""

    conversation: Conversation
    change: IncidentChange
    previous: IncidentState | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """Bring the first message up to date, and reply where there is something to be told.

    :ivar previous: what people know.
    :ivar repeats: this run has said it, or began to.
    :ivar moved: the organization has another channel now; this conversation is only brought to its end.
    """

    conversation: Conversation
    change: IncidentChange
    previous: IncidentState | None
    repeats: bool
    revision: int = 0
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """Say nothing; ``note`` says why.

    :ivar change: what changed without anybody's being told; None: nothing, or a later run has spoken.
    :ivar remembered: what the conversation's row is to say from now on, None: what it says.
    """

    change: IncidentChange | None = None
    note: str | None = None
    remembered: Memory | None = None


Decision = Open | TakeOver | Continue | Silent


def decide(
    conversation: Conversation, run: RunFacts, report: OrganizationReport, channel: str, *, min_severity: Severity
) -> Decision:
    """What a run with this report says about drift, to an integration whose channel is ``channel``."""
    memory = conversation.memory
    if memory is None:  # none, or one that is older than conversations are
        return _open(None, None, advance(None, report, min_severity=min_severity, run=run,
                                         known_since=conversation.known))  # fmt: skip
    if is_older(run, memory.state):
        return Silent(note=LATER_RUN)
    mine = _is_mine(memory, run)
    known = {**memory.dates(), **conversation.known}
    previous = memory.before if mine else memory.announced
    change = advance(previous, report, min_severity=min_severity, run=run, known_since=known)
    if not conversation.ts:
        return Silent() if change is None else TakeOver(conversation, change, previous)
    repeats = mine and (not memory.delivered or _problems(change) == frozenset(memory.dates()))
    if mine and not repeats:
        # The run was cleared, checked again and found something else: that is news on top of what it said.
        previous = memory.state
        change = advance(previous, report, min_severity=min_severity, run=run, known_since=known)
    moved = not repeats and memory.requested_channel != channel
    goes_on = memory.superseded is None and (repeats or previous is None or continues(previous, run))
    if not goes_on or (moved and _has_findings(change)):
        return _open(memory, previous, change)
    if change is None:
        return Silent()
    revision = memory.revision if repeats else memory.revision + 1 if mine else 0
    return Continue(conversation, change, previous, repeats, revision, moved)


def decide_notice(notice: Conversation, drift: Conversation, run: RunFacts, channel: str, *, failed: bool) -> Decision:
    """What a run says about its check: that it failed, once per streak of failing runs, in the thread of what is open.

    :param failed: False: nothing is said, but the next failure is told anew.
    """
    memory = notice.memory
    if any(each is not None and is_older(run, each.state) for each in (memory, drift.memory)):
        return Silent(note=LATER_RUN)
    now = run_moment(run)
    if not failed:
        if memory is None or memory.state.resolved is not None:
            return Silent()
        return Silent(remembered=replace(memory, state=replace(memory.state, resolved=now)))
    change = _failure(IncidentState(run.run_id, now, now, (), None, now))
    thread_ts = _thread(drift, channel)
    if memory is None or memory.superseded is not None:
        return Open(change, thread_ts=thread_ts)
    if not notice.ts:
        return TakeOver(notice, change)
    repeats = _is_mine(memory, run)
    same_streak = (
        memory.state.resolved is None
        and memory.requested_channel == channel
        and notice.thread_ts == thread_ts
        and time_between(memory.state.opened, now) < TELL_AGAIN_AFTER
    )
    if not (repeats or same_streak):
        return Open(change, thread_ts=thread_ts)
    change = _failure(replace(memory.state, run_id=run.run_id, as_of=now, resolved=None))
    return Continue(notice, change, memory.state, repeats)


def to_settle(
    remembered: Remembered, run: RunFacts, report: OrganizationReport, *, min_severity: Severity
) -> tuple[Unfinished, ...]:
    """Which unfinished rows must be settled before this run decides.

    All of other runs; its own as well when it was cleared and found something else: what was reserved may be in Slack,
    and then the difference is news.
    """
    memory = remembered.drift.memory
    if memory is not None and is_older(run, memory.state):
        return ()
    same = True
    if memory is not None and _is_mine(memory, run) and report.error is None:
        change = advance(memory.before, report, min_severity=min_severity, run=run)
        same = _problems(change) == frozenset(memory.dates())
    drift_rows = (remembered.drift.id, None if memory is None else memory.reply)
    return tuple(
        row for row in remembered.unfinished if row.run_id != run.run_id or (row.id in drift_rows and not same)
    )


def _open(memory: Memory | None, previous: IncidentState | None, change: IncidentChange | None) -> Open | Silent:
    if change is not None and _has_findings(change):
        return Open(change, previous)
    if change is None or memory is None:
        return Silent(change)
    # Nothing to begin a conversation with; what is kept, or gone, is remembered where it was.
    return Silent(change, remembered=replace(memory, state=change.state, before=None, delivered=True, reply=None))


def _is_mine(memory: Memory, run: RunFacts) -> bool:
    return memory.state.run_id == run.run_id and memory.superseded is None


def _has_findings(change: IncidentChange | None) -> bool:
    return change is not None and bool(change.new or change.ongoing)


def _problems(change: IncidentChange | None) -> frozenset[str]:
    return frozenset() if change is None else frozenset(problem.fingerprint for problem in change.state.problems)


def _failure(state: IncidentState) -> IncidentChange:
    return IncidentChange((), (), (), (), (), False, state, {})


def _thread(drift: Conversation, channel: str) -> str | None:
    """The thread of what is open in this channel, as far as people know."""
    memory = drift.memory
    if memory is None or not drift.ts or memory.superseded is not None or memory.requested_channel != channel:
        return None
    known = memory.announced
    return drift.ts if known is not None and known.resolved is None else None
