"""One drift is one conversation: what its first message and its thread say, and how seldom the channel hears of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.schema_sync.notify.conversation.acknowledgements import Acknowledgement
from include.schema_sync.notify.incidents import IncidentState, advance, state_from_json, state_to_json
from include.schema_sync.notify.messages.conversation import Turn, drift_alert, turn
from include.schema_sync.notify.messages.layout import Message, MessageKind, render_text
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationReport, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from tests.unit.message_checks import RUN, assert_golden, assert_harmless, discrepancy, report_of_every_type, texts_of

KINDS = DiscrepancyType
START = datetime(2026, 1, 15, 7, tzinfo=UTC)
MENTION = "<@U0123456789>"

EMAIL = discrepancy(
    KINDS.MISSING_COLUMN,
    column="email",
    declared="string",
    suggestion="e_mail",
    line=4,
    message="Column `email` is not in the table, and dimension `email` needs it.",
)
TOTAL = discrepancy(KINDS.TYPE_MISMATCH, column="total", declared="integer", actual="numeric(10,2)", line=9)
RATE = discrepancy(KINDS.TYPE_MISMATCH, dataset_name="fees", dataset_id="fees", table="fees", column="rate",
                   declared="integer", actual="text", line=2)  # fmt: skip
NOTE = discrepancy(KINDS.UNDOCUMENTED_COLUMN, column="note", actual="text")
LAKE = UncheckedSource("lake", "Lake", 1, "Create the Airflow connection `data_source_lake`.", ("fees",))


def run_on(day: float) -> RunFacts:
    moment = START + timedelta(days=day)
    return RunFacts(
        run_id=f"scheduled__{moment:%Y-%m-%d}",
        timestamp=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        run_url=f"https://airflow.example.com/runs/{moment:%Y-%m-%d}",
        as_of=moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        results_url=RUN.results_url,
    )


def report_with(*found: Discrepancy, **changes: Any) -> OrganizationReport:
    found = tuple(sorted(found, key=lambda each: each.sort_key))
    return replace(OrganizationReport("a", "Acme & Sons", 12, len(changes.get("unchecked", ())), found), **changes)


def said(
    previous: IncidentState | None, report: OrganizationReport, day: float, *, least: Severity = Severity.WARNING
) -> Turn:
    """The turn that a run on this day makes; somebody would be called by name wherever that is done."""
    change = advance(previous, report, min_severity=least, run=run_on(day))
    assert change is not None
    return turn(previous, change, report, run_on(day), MENTION)


def after(*reports: tuple[float, OrganizationReport]) -> Turn:
    """The last turn of a conversation."""
    last: Turn | None = None
    for day, report in reports:
        last = said(None if last is None else last.state, report, day)
    assert last is not None
    return last


def reply_of(last: Turn) -> str:
    assert last.reply is not None
    return render_text(last.reply)


def test_first_drift_is_one_alert_that_calls_its_owner_and_no_reply() -> None:
    report = report_of_every_type()
    first = said(None, report, 0)
    alert = drift_alert(report, min_severity=Severity.WARNING, run=run_on(0))
    assert alert is not None
    assert (first.parent.text, first.parent.replies) == (alert.text, alert.replies)
    assert MENTION in str(first.parent.blocks)
    assert (first.reply, first.broadcast, first.reply_kind) == (None, False, MessageKind.SCHEMA_SYNC)
    assert first.state.spoke == run_on(0).as_of


def test_update_with_new_warnings_reads_as_agreed_and_stays_in_its_thread() -> None:
    last = after((0, report_with(EMAIL, TOTAL)), (3, report_with(EMAIL, RATE, NOTE, unchecked=(LAKE,))))
    assert_golden(last.parent, "conversation_parent_updated.json")
    assert_golden(last.reply, "conversation_reply_new.json")
    assert not last.broadcast
    assert last.reply_kind is MessageKind.SCHEMA_SYNC


def test_new_criticals_read_as_agreed_in_the_channel() -> None:
    last = after((0, report_with(TOTAL)), (1, report_with(TOTAL, EMAIL)))
    assert last.broadcast
    assert_golden(last.reply, "conversation_broadcast.json")


def test_same_problems_the_next_day_say_nothing_but_when_they_were_checked() -> None:
    last = after((0, report_with(EMAIL)), (1, report_with(EMAIL)))
    assert (last.reply, last.broadcast) == (None, False)
    assert texts_of(last.parent)[0] == "🔴 1 problem open in Acme &amp; Sons"
    assert "since 2026-01-15" in render_text(last.parent)
    assert "checked 2026-01-16 07:00 UTC" in render_text(last.parent)
    assert last.parent.replies == ()
    assert last.state.spoke == run_on(0).as_of


def test_acknowledged_alert_says_who_and_until_when() -> None:
    state = after((0, report_with(EMAIL))).state
    change = advance(state, report_with(EMAIL, TOTAL), min_severity=Severity.WARNING, run=run_on(1))
    assert change is not None
    sentence = Acknowledgement("zzz", "U0123456789", run_on(1).as_of).sentence()
    last = turn(state, change, report_with(EMAIL, TOTAL), run_on(1), MENTION, sentence)
    assert_golden(last.parent, "conversation_parent_acknowledged.json")
    assert "💤 <@U0123456789>: quiet until" in texts_of(last.parent)[1]


def test_reminder_comes_once_a_week_and_reads_as_agreed() -> None:
    state: IncidentState | None = None
    spoken = []
    for day in range(22):
        last = said(state, report_with(EMAIL, TOTAL), day + (day % 3) / 100)  # a daily run is a little late or early
        if last.reply is not None:
            spoken.append(day)
            assert not last.broadcast
        if day == 7:
            assert_golden(last.reply, "conversation_reminder.json")
        state = last.state
    assert spoken == [7, 14, 21]


def test_any_reply_puts_the_reminder_off() -> None:
    state = after((0, report_with(EMAIL)), (6, report_with(EMAIL, TOTAL))).state
    assert said(state, report_with(EMAIL, TOTAL), 7).reply is None
    assert said(state, report_with(EMAIL, TOTAL), 13).reply is not None


def test_reminder_of_many_names_the_worst_and_counts_all() -> None:
    many = [replace(TOTAL, column=f"c{number}") for number in range(300)]
    reminder = said(after((0, report_with(EMAIL, *many))).state, report_with(EMAIL, *many), 7)
    text = reply_of(reminder)
    assert "Still open in Acme & Sons: 301 problems since 2026-01-15" in text
    assert "`email`" in text
    assert text.count("the dataset expects") == 7
    assert "[ See all 301 ] https://results.example.com/schema-sync/organizations/a" in text


def test_what_is_gone_is_named_in_the_thread_and_leaves_the_list() -> None:
    last = after((0, report_with(EMAIL, TOTAL)), (2, report_with(TOTAL)))
    assert "✅ Missing column" not in render_text(last.parent)
    assert "`email`" not in render_text(last.parent)
    assert texts_of(last.parent)[0] == "🟡 1 problem open in Acme &amp; Sons · 1 fixed"
    assert "✅ *orders* · missing column `email` · since 2026-01-15" in reply_of(last)
    assert not last.broadcast


def test_all_gone_turns_the_first_message_green_and_reads_as_agreed() -> None:
    last = after((0, report_with(EMAIL, TOTAL)), (4, report_with(NOTE, ignored=(TOTAL,))))
    assert_golden(last.parent, "conversation_parent_resolved.json")
    assert_golden(last.reply, "conversation_resolved_notice.json")
    assert last.reply_kind is MessageKind.SCHEMA_SYNC_RESOLVED
    assert not last.broadcast


def test_resolved_names_what_nobody_could_check() -> None:
    last = after((0, report_with(EMAIL)), (1, report_with(unchecked=(LAKE,))))
    for message in (last.parent, last.reply):
        assert message is not None
        assert "`Lake` was not checked this time: nothing new is known there" in render_text(message)


def test_reopened_within_a_week_turns_red_again_and_reads_as_agreed() -> None:
    story = ((0, report_with(EMAIL)), (1, report_with()), (5, report_with(EMAIL, TOTAL)))
    last = after(*story)
    assert_golden(last.parent, "conversation_parent_reopened.json")
    assert_golden(last.reply, "conversation_reply_reopened.json")
    assert last.broadcast
    assert not after(*story[:2], (5, report_with(TOTAL))).broadcast


def test_drift_after_more_than_a_week_is_a_new_message() -> None:
    last = after((0, report_with(EMAIL)), (1, report_with()), (8, report_with(TOTAL)))
    assert last.reply is None
    assert last.parent == said(None, report_with(TOTAL), 8).parent


def test_problems_that_could_not_be_checked_stay_in_the_list_and_are_never_called_resolved() -> None:
    source = replace(LAKE, data_source_id="source", dataset_ids=("dataset",))
    last = after((0, report_with(EMAIL)), (1, report_with(unchecked=(source,))))
    assert last.reply is None
    text = render_text(last.parent)
    assert "*Still open*, not checked this time" in text
    assert "`email`" in text
    assert "✅" not in text
    assert last.parent.blocks[0]["text"]["text"].startswith("🔴")


def test_failed_check_says_when_and_why_and_reminds_nobody() -> None:
    last = after((0, report_with(EMAIL)), (8, report_with(error="The database is away.")))
    assert last.reply is None
    assert "The last check failed: nothing new is known. The data team looks into it." in texts_of(last.parent)[1]
    assert "The database is away" not in render_text(last.parent)  # that is for the data team


def test_lost_first_message_is_posted_again_with_everything_that_is_open() -> None:
    state = after((0, report_with(EMAIL, RATE, NOTE))).state
    report = report_with(EMAIL, *(replace(TOTAL, column=f"c{number}") for number in range(200)), unchecked=(LAKE,))
    change = advance(state, report, min_severity=Severity.WARNING, run=run_on(2))
    assert change is not None
    again = turn(None, change, report, run_on(2))
    assert again.reply is None
    assert again.parent.replies  # a first post has pages
    text = render_text(again.parent)
    assert "since 2026-01-15" in text
    assert "`rate`" in text
    assert text.count("the dataset expects") == 200


def mentions_of(message: Message | None) -> int:
    return 0 if message is None else str([message.blocks, message.text, message.replies]).count(MENTION)


@pytest.mark.parametrize(
    ("reports", "in_parent", "in_reply"),
    [
        ((report_with(EMAIL),), 1, 0),
        ((report_with(EMAIL), report_with(EMAIL, TOTAL)), 0, 1),
        ((report_with(EMAIL), report_with(EMAIL)), 0, 0),
        ((report_with(EMAIL, TOTAL), report_with(EMAIL)), 0, 0),
        ((report_with(EMAIL), report_with()), 0, 0),
        ((report_with(EMAIL), report_with(), report_with(EMAIL)), 0, 1),
    ],
)
def test_nobody_is_called_by_an_edit_a_reminder_or_good_news(
    reports: Sequence[OrganizationReport], in_parent: int, in_reply: int
) -> None:
    # Two days apart each, then four: the reminder's week is never over.
    last = after(*((index * 2, report) for index, report in enumerate(reports)))
    assert (mentions_of(last.parent), mentions_of(last.reply)) == (in_parent, in_reply)


def test_reminder_calls_nobody() -> None:
    last = after((0, report_with(EMAIL)), (7, report_with(EMAIL)))
    assert last.reply is not None
    assert mentions_of(last.reply) == 0


def test_pages_of_a_reply_hold_what_the_reply_cannot() -> None:
    many = [replace(EMAIL, column=f"c{number}") for number in range(300)]
    last = after((0, report_with(TOTAL)), (1, report_with(TOTAL, *many)))
    assert last.reply is not None
    assert last.reply.replies
    pages = [last.reply, *last.reply.replies]
    assert sum(text.count("is not in the table") for page in pages for text in texts_of(page)) == 300


class World:
    """One organization's warehouse for sixty days: columns break, are repaired, silenced and cannot be read."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.broken: list[Discrepancy] = []
        self.all = [
            discrepancy(
                kind, organization_id=str(number), dataset_id=f"d{dataset}", table=f"t{dataset}", column=f"c{column}"
            )
            for dataset in range(3)
            for column in range(4)
            for kind in (KINDS.MISSING_COLUMN, KINDS.TYPE_MISMATCH, KINDS.UNDOCUMENTED_COLUMN)
        ]

    def report(self) -> OrganizationReport:
        breaks = self.random.choice(self.all)
        if self.random.random() < 0.18 and breaks not in self.broken:
            self.broken.append(breaks)
        self.broken = [found for found in self.broken if self.random.random() > 0.15]
        if self.random.random() < 0.04:
            return report_with(error="away")
        away = "d0" if self.random.random() < 0.15 else None
        seen = [(found, self.random.random() < 0.03) for found in self.broken if found.dataset_id != away]
        return report_with(
            *(found for found, ignored in seen if not ignored),
            ignored=tuple(found for found, ignored in seen if ignored),
            unchecked=(replace(LAKE, dataset_ids=(away,)),) if away else (),
        )


def test_sixty_days_of_twenty_organizations_reach_the_channel_only_with_incidents_and_new_criticals() -> None:
    in_channel = incidents = critical_days = checks = replies = 0
    for number in range(20):
        world = World(number)
        state: IncidentState | None = None
        open_now: set[str] = set()
        quiet_since: int | None = None  # the model's: day on which the last problem went
        spoke = 0
        for day in range(60):
            report = world.report()
            change = advance(state, report, min_severity=Severity.WARNING, run=run_on(day))
            checks += 1
            if change is None:
                continue
            fresh = not open_now and (quiet_since is None or day - quiet_since >= 7)
            last = turn(state, change, report, run_on(day))
            for message in (last.parent, last.reply):
                if message is not None:
                    assert_harmless(message)
            new_critical = any(found.severity is Severity.CRITICAL for found in change.new)
            assert last.broadcast == (new_critical and not fresh)
            incidents += fresh
            critical_days += new_critical
            in_channel += fresh + last.broadcast
            replies += last.reply is not None
            if fresh:
                assert last.reply is None
            else:
                assert last.parent.replies == ()
                if change.new or change.resolved or change.ignored:
                    assert last.reply is not None
                elif last.reply is not None:
                    assert day - spoke >= 7
            if fresh or last.reply is not None:
                spoke = day
            was_open = open_now
            open_now = {problem.fingerprint for problem in last.state.problems}
            green = last.parent.blocks[0]["text"]["text"].startswith("✅")
            assert green == (not open_now) == (last.reply_kind is MessageKind.SCHEMA_SYNC_RESOLVED)
            if was_open and not open_now:
                quiet_since = day
            state = state_from_json(state_to_json(last.state))
            assert state == last.state
    assert checks == 20 * 60
    assert in_channel <= incidents + critical_days
    # The world is lively enough for that to mean something.
    assert incidents > 30
    assert critical_days > 50
    assert replies > 150
