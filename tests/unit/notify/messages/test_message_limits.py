"""No data, however much and however hostile, makes Slack refuse a message, calls anybody or forges markup."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.notify.incidents import IncidentChange, IncidentState, advance
from include.schema_sync.notify.messages.conversation import Turn, drift_alert, error_notice, turn
from include.schema_sync.notify.messages.layout import MAX_LINES, MAX_REPLIES, Message, render_text
from include.schema_sync.notify.messages.summary import run_result, summary_message
from include.schema_sync.nouns.discrepancy import Change, ChangeKind, Discrepancy, DiscrepancyType, Impact, Severity
from include.schema_sync.nouns.report import OrganizationReport, OrganizationTotals, SourceTiming, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from tests.examples import examples
from tests.unit.message_checks import (
    HOSTILE,
    RUN,
    assert_harmless,
    assert_within_limits,
    discrepancy,
    texts_of,
    texts_of_block,
)

MENTION = "<@U0123456789> <!subteam^S0123456789>"


def run_on(day: int, run_id: str = "run") -> RunFacts:
    date = f"2026-01-{day:02}T07:00:00"
    return RunFacts(f"{run_id} {day}", f"{date}Z", RUN.run_url, f"{date}.000000Z", RUN.results_url)


def crowd(number: int, **changes: Any) -> tuple[Discrepancy, ...]:
    """That many problems, no two alike."""
    return tuple(
        discrepancy(
            DiscrepancyType.MISSING_COLUMN,
            column=f"c{index}{HOSTILE[index % len(HOSTILE)]}",
            declared=HOSTILE[(index + 1) % len(HOSTILE)],
            dataset_name=f"ds{index % 7_000}{HOSTILE[index % 5]}",
            message="m" * 400,
            suggestion=HOSTILE[(index + 2) % len(HOSTILE)],
            **changes,
        )
        for index in range(number)
    )


def followed(
    before: OrganizationReport, after: OrganizationReport, *, run_id: str = "run", mention: str = ""
) -> tuple[IncidentState, IncidentChange, Turn]:
    """One conversation's second turn: what it was, what changed, what is said."""
    opened = advance(None, before, min_severity=Severity.INFO, run=run_on(1))
    assert opened is not None
    change = advance(opened.state, after, min_severity=Severity.INFO, run=run_on(9, run_id))
    assert change is not None
    said = turn(opened.state, change, after, run_on(9, run_id), mention)
    return opened.state, change, said


def check(message: Message | None) -> None:
    assert message is not None
    assert_within_limits(message)
    assert_harmless(message)
    render_text(message).encode("utf-8")


def test_twenty_thousand_problems_stay_within_limits_and_none_is_lost_uncounted() -> None:
    unchecked = tuple(UncheckedSource("s", f"source {number}", 1, "refused " * 80) for number in range(500))
    report = OrganizationReport("a", "Acme", 20_000, 500, crowd(20_000), unchecked)
    alert = drift_alert(report, min_severity=Severity.INFO, run=RUN)
    check(alert)
    assert alert is not None
    assert len(alert.replies) == MAX_REPLIES
    # The long listing does not push the short one out of the first message.
    assert "`source 0`" in " ".join(texts_of(alert))
    everything = " ".join(text for page in (alert, *alert.replies) for text in texts_of(page))
    left = int(re.search(r"and (\d+) more problems, not listed", everything)[1])  # type: ignore[index]
    assert everything.count("is not in the table") + left == 20_000


def open_and_new() -> tuple[OrganizationReport, OrganizationReport]:
    all_of_them = crowd(20_000)
    return OrganizationReport("a", "Acme", 1, 0, all_of_them[:10_000]), OrganizationReport(
        "a", "Acme", 1, 0, all_of_them
    )


def unchanged() -> tuple[OrganizationReport, OrganizationReport]:
    report = OrganizationReport("a", "Acme", 1, 0, crowd(20_000))
    return report, report


def unreachable() -> tuple[OrganizationReport, OrganizationReport]:
    before = OrganizationReport("a", "Acme", 1, 0, crowd(20_000))
    sources = tuple(UncheckedSource("source", f"s{n}", 1, "away " * 90, ("dataset",)) for n in range(3_000))
    return before, OrganizationReport("a", "Acme", 0, 3_000, (), sources)


def gone() -> tuple[OrganizationReport, OrganizationReport]:
    return OrganizationReport("a", "Acme", 1, 0, crowd(20_000)), OrganizationReport("a", "Acme", 1, 0)


def some_of_everything() -> tuple[OrganizationReport, OrganizationReport]:
    those = crowd(16_000) + crowd(4_000, dataset_id="away", table="other")
    after = OrganizationReport("a", "Acme", 1, 1, those[8_000:16_000] + crowd(4_000, table="new"),
        (UncheckedSource("s", "S", 1, "x" * 900, ("away",)),), ignored=those[:4_000])  # fmt: skip
    return OrganizationReport("a", "Acme", 1, 0, those), after


@pytest.mark.parametrize("story", [open_and_new, unchanged, unreachable, gone, some_of_everything])
def test_every_turn_of_twenty_thousand_problems_stays_within_limits_and_is_quick(story: Any) -> None:
    before, after = story()
    started = time.process_time()
    _, _, said = followed(before, after)
    # Half a second or so; ten times that would mean that a step became quadratic.
    assert time.process_time() - started < 10
    check(said.parent)
    assert said.parent.replies == ()
    check(said.reply)


@pytest.mark.parametrize("story", [open_and_new, unchanged, unreachable, gone, some_of_everything])
def test_no_message_of_a_conversation_has_more_than_twelve_lines_before_its_button(story: Any) -> None:
    before, after = story()
    _, _, said = followed(before, after)
    alert = drift_alert(before, min_severity=Severity.INFO, run=RUN)
    for message in (said.parent, said.reply, alert, error_notice(after, RUN)):
        if message is not None:
            at = [block["type"] for block in message.blocks].index("actions")
            shown = [text for block in message.blocks[:at] for text in texts_of_block(block)]
            assert sum(text.count("\n") + 1 for text in shown) <= MAX_LINES


def test_what_an_edited_message_cannot_list_is_counted_and_left_to_the_thread() -> None:
    _, _, said = followed(*open_and_new())
    listed = sum(text.count("is not in the table") for text in texts_of(said.parent))
    assert f"…and {20_000 - listed} more problems in the thread" in texts_of(said.parent)


hostile = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(), max_size=40),
    st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join),
)
discrepancies = st.builds(
    Discrepancy,
    st.sampled_from(DiscrepancyType),
    organization_id=st.just("a"),
    data_source_id=st.sampled_from(["s", "t"]),
    dataset_id=st.sampled_from([None, "d", "e"]),
    dataset_name=st.none() | hostile,
    database=st.none() | hostile,
    schema=hostile,
    table=st.none() | hostile,
    column=st.none() | hostile,
    declared=st.none() | hostile,
    actual=st.none() | hostile,
    message=hostile,
    line=st.none() | st.integers(1, 10**6),
    suggestion=st.none() | hostile,
    users=st.lists(hostile, max_size=5).map(tuple),
    impact=st.none() | st.builds(Impact, st.integers(0, 10**6), names=st.lists(hostile, max_size=2).map(tuple)),
    changed=st.none() | st.builds(Change, st.just(RUN.timestamp) | hostile, st.sampled_from(ChangeKind), hostile),
)
unchecked_sources = st.builds(
    UncheckedSource,
    st.sampled_from(["s", "t"]),
    hostile,
    st.integers(0, 10**6),
    hostile,
    st.lists(st.sampled_from(["d", "e"]), max_size=2).map(tuple),
)


@settings(max_examples=examples(150))
@given(
    organization=hostile,
    found=st.lists(discrepancies, max_size=30),
    copies=st.sampled_from([1, 1, 40]),
    unchecked=st.lists(unchecked_sources, max_size=8),
    least=st.sampled_from(Severity),
    run_id=hostile,
)
def test_no_data_breaks_an_alert_or_a_notice_or_gets_markup_through(
    organization: str,
    found: list[Discrepancy],
    copies: int,
    unchecked: list[UncheckedSource],
    least: Severity,
    run_id: str,
) -> None:
    run = RunFacts(run_id, "2026-01-15T07:00:00Z", RUN.run_url, results_url=RUN.results_url)
    report = OrganizationReport("a", organization, 1, 1, tuple(found) * copies, tuple(unchecked))
    alert = drift_alert(report, min_severity=least, run=run)
    assert (alert is None) == (not any(one.severity.at_least(least) for one in found))
    if alert is not None:
        check(alert)
    check(error_notice(report, run))
    check(error_notice(replace(report, error=run_id), run))


@settings(max_examples=examples(80))
@given(
    organization=hostile,
    found=st.lists(discrepancies, min_size=1, max_size=40),
    still=st.integers(0, 40),
    fresh=st.lists(discrepancies, max_size=20),
    ignored=st.integers(0, 3),
    unchecked=st.lists(unchecked_sources, max_size=4),
    error=st.none() | hostile,
    run_id=hostile,
)
def test_no_data_breaks_a_conversation_or_gets_markup_through(
    organization: str,
    found: list[Discrepancy],
    still: int,
    fresh: list[Discrepancy],
    ignored: int,
    unchecked: list[UncheckedSource],
    error: str | None,
    run_id: str,
) -> None:
    before = OrganizationReport("a", organization, 1, 0, tuple(found))
    left = tuple(found[:still])
    silenced = tuple(found[still : still + ignored])
    after = OrganizationReport("a", organization, 1, 1, left + tuple(fresh), tuple(unchecked), error, silenced)
    _, change, said = followed(before, after, run_id=run_id)
    check(said.parent)
    if said.reply is not None:
        check(said.reply)
    # The same incident, told to a channel whose message somebody deleted.
    again = turn(None, change, after, RUN)
    check(again.parent)
    # With somebody's name in it, it is as long as that, and everything else stays harmless.
    called = turn(None, change, after, RUN, MENTION).parent
    assert_within_limits(called)
    assert_harmless(replace(called, blocks=(), text=called.text))


totals = st.builds(
    OrganizationTotals,
    hostile,
    hostile,
    *[st.integers(0, 10**6)] * 5,
    unchecked=st.lists(unchecked_sources, max_size=3).map(tuple),
    error=st.none() | hostile,
    notified=st.booleans(),
    notification_error=st.none() | hostile,
    ignored=st.integers(0, 10**6),
    new=st.none() | st.integers(0, 10**6),
    new_critical=st.none() | st.integers(0, 10**6),
    ongoing=st.none() | st.integers(0, 10**6),
    resolved=st.none() | st.integers(0, 10**6),
    slowest_source=st.none() | st.builds(SourceTiming, hostile, hostile, st.integers(0, 10**9)),
)


@settings(max_examples=examples(40))
@given(organizations=st.lists(totals, max_size=30), copies=st.sampled_from([1, 40]), run_error=st.none() | hostile)
def test_no_data_breaks_the_summary_or_gets_markup_through(
    organizations: list[OrganizationTotals], copies: int, run_error: str | None
) -> None:
    result = run_result(organizations * copies, timestamp=RUN.timestamp, execution_time_ms=10**9, run_error=run_error)
    check(summary_message(result, run=RUN))
