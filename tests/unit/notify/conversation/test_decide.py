"""The table of ARCHITECTURE.md, "The conversation", cell by cell; and the smaller one of checks that fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.schema_sync.notify.conversation.decide import (
    TELL_AGAIN_AFTER,
    Continue,
    Decision,
    Open,
    Silent,
    TakeOver,
    decide,
    decide_notice,
    to_settle,
)
from include.schema_sync.notify.conversation.memory import NO_CONVERSATION, Conversation, Memory, Remembered
from include.schema_sync.notify.delivery.rows import Unfinished
from include.schema_sync.notify.incidents import IncidentState, advance
from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationReport, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from tests.unit.message_checks import discrepancy

AMOUNT = discrepancy(DiscrepancyType.MISSING_COLUMN, column="amount")
PRICE = discrepancy(DiscrepancyType.MISSING_COLUMN, column="price")
START = datetime(2026, 1, 1, 7, tzinfo=UTC)


def run_of(day: float) -> RunFacts:
    moment = START + timedelta(days=day)
    return RunFacts(f"run {day}", f"{moment:%Y-%m-%dT%H:%M:%SZ}", None, f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}")


def report_of(*found) -> OrganizationReport:
    return OrganizationReport("a", "Acme", 3, discrepancies=found)


def state_after(day: float, *found, before: IncidentState | None = None) -> IncidentState:
    change = advance(before, report_of(*found), min_severity=Severity.WARNING, run=run_of(day))
    assert change is not None
    return change.state


def memory_of_day(day: float, *found, before: IncidentState | None = None, **changes) -> Memory:
    memory = Memory("text", state_after(day, *found, before=before), before, True, before is None, "C1", "digest")
    return replace(memory, **changes)


# Run of day 1 opened it; "opening": its first message is reserved only. Resolved on day 2 where that matters.
OPENING = Conversation("row", "C1", "", memory=memory_of_day(1, AMOUNT, delivered=False))
IS_OPEN = Conversation("row", "C1", "1.0", memory=memory_of_day(1, AMOUNT))
RESOLVED = Conversation("row", "C1", "1.0", memory=memory_of_day(2, before=state_after(1, AMOUNT)))
GONE = Conversation("row", "C1", "1.0", memory=memory_of_day(1, AMOUNT, superseded="message_not_found"))
UNTOLD = Conversation(
    "row", "C1", "1.0", memory=memory_of_day(1, AMOUNT, PRICE, before=state_after(0, AMOUNT), delivered=False)
)


def decided(conversation: Conversation, day: float, *found, channel: str = "C1") -> Decision:
    return decide(conversation, run_of(day), report_of(*found), channel, min_severity=Severity.WARNING)


def in_short(decision: Decision) -> str:
    match decision:
        case Silent():
            return "silent"
        case Open(change):
            return f"open {len(change.new)} new {len(change.ongoing)} ongoing"
        case TakeOver():
            return "take over"
        case Continue(change=change, repeats=True):
            return "same turn"
        case Continue(change=change, revision=revision, moved=moved):
            what = f"{len(change.new)} new {len(change.ongoing)} ongoing {len(change.resolved)} resolved"
            return f"update {what}{' on top' if revision else ''}{' in the old channel' if moved else ''}"
    raise AssertionError(decision)


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        (NO_CONVERSATION, (3, AMOUNT), "open 1 new 0 ongoing"),
        (NO_CONVERSATION, (3,), "silent"),
        (OPENING, (0, AMOUNT), "silent"),
        (OPENING, (1, AMOUNT), "take over"),
        (IS_OPEN, (0, PRICE), "silent"),
        (IS_OPEN, (1, AMOUNT), "same turn"),
        (IS_OPEN, (1, AMOUNT, PRICE), "update 1 new 1 ongoing 0 resolved on top"),
        (IS_OPEN, (2, AMOUNT), "update 0 new 1 ongoing 0 resolved"),
        (IS_OPEN, (2, AMOUNT, PRICE), "update 1 new 1 ongoing 0 resolved"),
        (IS_OPEN, (2,), "update 0 new 0 ongoing 1 resolved"),
        (RESOLVED, (1, AMOUNT), "silent"),
        (RESOLVED, (2,), "same turn"),
        (RESOLVED, (2, AMOUNT), "update 1 new 0 ongoing 0 resolved on top"),
        (RESOLVED, (5, AMOUNT), "update 1 new 0 ongoing 0 resolved"),
        (RESOLVED, (5,), "silent"),
        (RESOLVED, (10, AMOUNT), "open 1 new 0 ongoing"),
        (RESOLVED, (10,), "silent"),
        (GONE, (0, AMOUNT), "silent"),
        (GONE, (2, AMOUNT), "open 0 new 1 ongoing"),
        (GONE, (2,), "silent"),
        (UNTOLD, (1, AMOUNT, PRICE), "same turn"),
        (UNTOLD, (2, AMOUNT, PRICE), "update 1 new 1 ongoing 0 resolved"),
        (UNTOLD, (2, AMOUNT), "update 0 new 1 ongoing 0 resolved"),
    ],
)
def test_every_state_and_event_of_the_table(state, event, expected):
    assert in_short(decided(state, *event)) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ((0, AMOUNT), "silent"),
        ((1, AMOUNT), "same turn"),
        ((2, AMOUNT), "open 0 new 1 ongoing"),
        ((2,), "update 0 new 0 ongoing 1 resolved in the old channel"),
    ],
)
def test_another_channel_gets_what_is_open_and_the_old_one_its_end(event, expected):
    assert in_short(decided(IS_OPEN, *event, channel="C2")) == expected


def test_dates_survive_what_was_not_told():
    day_1 = run_of(1).timestamp
    for lost in (replace(NO_CONVERSATION, known={AMOUNT.fingerprint: day_1}), GONE):
        decision = decided(lost, 4, AMOUNT, PRICE)
        assert isinstance(decision, Open)
        assert decision.change.first_seen == {AMOUNT.fingerprint: day_1, PRICE.fingerprint: run_of(4).timestamp}
    told_late = decided(UNTOLD, 4, AMOUNT, PRICE)
    assert isinstance(told_late, Continue)
    assert told_late.change.first_seen[PRICE.fingerprint] == day_1


def test_what_a_gone_conversation_ends_with_is_remembered_where_it_was():
    ended = decided(GONE, 2)
    assert isinstance(ended, Silent)
    assert ended.remembered is not None
    assert (ended.remembered.state.problems, ended.remembered.delivered) == ((), True)
    assert decided(replace(GONE, memory=ended.remembered), 3) == Silent()


ROWS = (
    Unfinished("row", "run 1", 60.0),
    Unfinished("page", "run 1", 60.0),
)


@pytest.mark.parametrize(
    ("day", "found", "settled"),
    [
        (0, (AMOUNT,), []),  # an older run touches nothing
        (1, (AMOUNT,), []),  # this run takes over what it reserved
        (1, (PRICE,), ["row"]),  # but not when it would say something else
        (2, (AMOUNT,), ["row", "page"]),
    ],
)
def test_what_is_settled_before_a_run_decides(day, found, settled):
    remembered = Remembered(OPENING, unfinished=ROWS)
    rows = to_settle(remembered, run_of(day), report_of(*found), min_severity=Severity.WARNING)
    assert [row.id for row in rows] == settled


def notice_of_day(day: float, **changes) -> Conversation:
    moment = run_of(day).as_of
    memory = Memory("text", IncidentState(f"run {day}", moment, moment, (), None, moment), None, True, True, "C1", "d")
    return Conversation("notice", "C1", "2.0", memory=replace(memory, **changes))


def notice(conversation: Conversation, day: float, *, drift=NO_CONVERSATION, channel="C1", failed=True) -> Decision:
    return decide_notice(conversation, drift, run_of(day), channel, failed=failed)


def test_failing_checks_are_told_once_a_streak():
    first = notice_of_day(1)
    assert isinstance(notice(NO_CONVERSATION, 1), Open)
    assert isinstance(notice(replace(first, ts=""), 1), TakeOver)
    assert notice(first, 0) == notice(NO_CONVERSATION, 0, drift=IS_OPEN) == Silent(note=notice(first, 0).note)
    again = notice(first, 1)
    assert isinstance(again, Continue)
    assert again.repeats
    streak = notice(first, 2)
    assert isinstance(streak, Continue)
    assert not streak.repeats
    assert (streak.change.state.opened, streak.change.state.as_of) == (run_of(1).as_of, run_of(2).as_of)
    assert isinstance(notice(first, 1 + TELL_AGAIN_AFTER / timedelta(days=1)), Open)
    assert isinstance(notice(first, 2, channel="C2"), Open)
    assert isinstance(notice(notice_of_day(1, superseded="cant_edit"), 2), Open)


def test_check_that_succeeds_ends_the_streak_without_a_word():
    ended = notice(notice_of_day(1), 2, failed=False)
    assert isinstance(ended, Silent)
    assert ended.remembered is not None
    after = replace(notice_of_day(1), memory=ended.remembered)
    assert notice(after, 3, failed=False) == Silent()
    assert isinstance(notice(after, 3), Open)


def test_notice_goes_into_the_thread_of_what_people_know_to_be_open():
    for drift, thread in [(NO_CONVERSATION, None), (IS_OPEN, "1.0"), (RESOLVED, None), (UNTOLD, "1.0"), (GONE, None)]:
        opened = notice(NO_CONVERSATION, 4, drift=drift)
        assert isinstance(opened, Open)
        assert opened.thread_ts == thread
    assert isinstance(opened, Open)
    reopened_untold = replace(RESOLVED, memory=memory_of_day(
        3, AMOUNT, before=RESOLVED.memory.state if RESOLVED.memory else None, delivered=False
    ))  # fmt: skip
    opened = notice(NO_CONVERSATION, 4, drift=reopened_untold)
    assert isinstance(opened, Open)
    assert opened.thread_ts is None


def test_unchecked_source_keeps_what_is_open_in_another_channel_where_it_is():
    hidden = replace(report_of(), unchecked=(UncheckedSource("source", "Shop", 1, "timed out", ("dataset",)),))
    decision = decide(IS_OPEN, run_of(2), hidden, "C2", min_severity=Severity.WARNING)
    assert isinstance(decision, Continue)
    assert decision.moved
    assert len(decision.change.kept) == 1
