"""What is new, what is still open and what is gone: held against a plain model, a dict and sets, run after run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.notify.incidents import (
    IncidentChange,
    IncidentState,
    advance,
    continues,
    is_older,
    state_from_json,
    state_to_json,
)
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationReport, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from tests.examples import examples
from tests.unit.message_checks import HOSTILE, discrepancy

KINDS = DiscrepancyType
START = datetime(2026, 1, 1, 7, tzinfo=UTC)


def run_on(day: float, run_id: str | None = None) -> RunFacts:
    moment = START + timedelta(days=day)
    return RunFacts(
        run_id=run_id or f"run {day}",
        timestamp=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        run_url=None,
        as_of=moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    )


def report_with(*found: Discrepancy, **changes: Any) -> OrganizationReport:
    return replace(OrganizationReport("a", "Acme", 1, 0, tuple(found)), **changes)


def opened(*found: Discrepancy) -> IncidentState:
    change = advance(None, report_with(*found), min_severity=Severity.WARNING, run=run_on(0))
    assert change is not None
    return change.state


def next_day(state: IncidentState, report: OrganizationReport, day: float = 1) -> IncidentChange:
    change = advance(state, report, min_severity=Severity.WARNING, run=run_on(day))
    assert change is not None
    return change


COLUMN = discrepancy(KINDS.MISSING_COLUMN, column="email", message="gone")
RETYPED = discrepancy(KINDS.TYPE_MISMATCH, column="total")
EXTRA = discrepancy(KINDS.UNDOCUMENTED_COLUMN, column="note")
TABLE = discrepancy(KINDS.MISSING_TABLE)
DENIED = discrepancy(KINDS.INACCESSIBLE_TABLE)
YML = discrepancy(KINDS.INVALID_YML, table=None)
SCHEMA = discrepancy(KINDS.MISSING_SCHEMA, dataset_id=None, dataset_name=None, table=None)


def test_nothing_open_and_nothing_known_is_no_incident() -> None:
    assert advance(None, report_with(), min_severity=Severity.WARNING, run=run_on(0)) is None
    assert advance(None, report_with(EXTRA), min_severity=Severity.WARNING, run=run_on(0)) is None
    assert advance(None, report_with(error="away"), min_severity=Severity.WARNING, run=run_on(0)) is None


def test_first_problem_opens_an_incident_that_names_it() -> None:
    state = opened(RETYPED, COLUMN)
    assert [problem.type for problem in state.problems] == [KINDS.MISSING_COLUMN, KINDS.TYPE_MISMATCH]
    assert state.problems[0].place == "analytics.public.orders"
    assert state.problems[0].column == "email"
    assert {problem.first_seen for problem in state.problems} == {"2026-01-01T07:00:00Z"}
    assert (state.opened, state.resolved) == ("2026-01-01T07:00:00Z", None)


def test_first_seen_survives_wording_lines_and_severity_while_the_problem_is_open() -> None:
    state = opened(COLUMN)
    for day in range(1, 30):
        changed = replace(COLUMN, message=f"{day}", line=day, own_severity=list(Severity)[day % 3])
        change = next_day(state, report_with(changed), day)
        assert change.ongoing == (changed,)
        assert change.first_seen == {COLUMN.fingerprint: "2026-01-01T07:00:00Z"}
        state = change.state
        assert state.problems[0].severity is changed.severity


def test_known_problem_stays_open_when_the_run_asks_for_worse_ones_only() -> None:
    change = advance(opened(RETYPED), report_with(RETYPED), min_severity=Severity.CRITICAL, run=run_on(1))
    assert change is not None
    assert change.ongoing == (RETYPED,)


def test_problem_seen_by_a_run_that_could_not_tell_keeps_that_runs_date() -> None:
    change = advance(
        None,
        report_with(COLUMN, RETYPED),
        min_severity=Severity.WARNING,
        run=run_on(3),
        known_since={COLUMN.fingerprint: "2026-01-02T07:00:00Z"},
    )
    assert change is not None
    assert change.first_seen[COLUMN.fingerprint] == "2026-01-02T07:00:00Z"
    assert change.first_seen[RETYPED.fingerprint] == "2026-01-04T07:00:00Z"


@pytest.mark.parametrize(
    "report",
    [
        report_with(unchecked=(UncheckedSource("source", "S", 1, "away", ("dataset",)),)),
        report_with(error="the check did not finish"),
    ],
)
def test_problem_that_was_not_checked_stays_open(report: OrganizationReport) -> None:
    change = next_day(opened(COLUMN), report)
    assert [problem.column for problem in change.kept] == ["email"]
    assert change.state.problems == opened(COLUMN).problems
    assert not change.resolved


def test_unchecked_dataset_keeps_nobody_elses_problem_open() -> None:
    report = report_with(unchecked=(UncheckedSource("source", "S", 1, "away", ("another dataset",)),))
    assert [problem.column for problem in next_day(opened(COLUMN), report).resolved] == ["email"]


def test_missing_schema_belongs_to_no_dataset_and_stays_open_while_its_source_is_unchecked() -> None:
    away = report_with(unchecked=(UncheckedSource("source", "S", 1, "away", ("another dataset",)),))
    assert len(next_day(opened(SCHEMA), away).kept) == 1
    elsewhere = report_with(unchecked=(UncheckedSource("other", "S", 1, "away", ()),))
    assert len(next_day(opened(SCHEMA), elsewhere).resolved) == 1


@pytest.mark.parametrize(
    ("smaller", "wider"),
    [
        (COLUMN, TABLE),
        (COLUMN, DENIED),
        (COLUMN, YML),
        (COLUMN, SCHEMA),
        (TABLE, SCHEMA),
        (TABLE, YML),
        (DENIED, SCHEMA),
        (RETYPED, replace(TABLE, own_severity=Severity.INFO)),
        # The schema's dataset may be the one that nobody can read now.
        (SCHEMA, YML),
    ],
)
def test_problem_is_not_repaired_by_something_wider_that_hides_it(smaller: Discrepancy, wider: Discrepancy) -> None:
    change = next_day(opened(smaller), report_with(wider))
    assert len(change.kept) == 1
    assert change.resolved == ()
    assert {problem.type for problem in change.state.problems} >= {smaller.type}
    # What hid it is gone, and so is the problem.
    assert smaller.type in {problem.type for problem in next_day(change.state, report_with(), 2).resolved}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TABLE, DENIED),
        (DENIED, TABLE),
        (YML, SCHEMA),
        (YML, COLUMN),
        (COLUMN, replace(TABLE, table="other")),
        (COLUMN, replace(TABLE, data_source_id="other")),
        (COLUMN, replace(SCHEMA, schema="pub")),
        (COLUMN, replace(YML, dataset_id="other")),
        (COLUMN, replace(DENIED, column="another")),
    ],
)
def test_problem_is_gone_when_nothing_hides_it(before: Discrepancy, after: Discrepancy) -> None:
    change = next_day(opened(before), report_with(after))
    assert [problem.type for problem in change.resolved] == [before.type]
    assert change.new == (after,)


def test_problem_its_author_silenced_is_ignored_not_resolved() -> None:
    change = next_day(opened(COLUMN, RETYPED), report_with(RETYPED, ignored=(COLUMN,)))
    assert [problem.column for problem in change.ignored] == ["email"]
    assert change.resolved == ()
    assert next_day(opened(COLUMN), report_with(ignored=(TABLE,))).ignored  # hidden by what its author silenced


def test_incident_that_comes_back_within_a_week_is_the_same_one() -> None:
    closed = next_day(opened(COLUMN), report_with()).state
    assert closed.problems == ()
    assert closed.resolved == run_on(1).as_of
    again = next_day(closed, report_with(RETYPED), 7.9)
    assert again.reopened
    assert again.state.opened == "2026-01-01T07:00:00Z"
    assert again.state.resolved is None
    later = next_day(closed, report_with(RETYPED), 8)
    assert not later.reopened
    assert later.state.opened == "2026-01-09T07:00:00Z"
    assert (continues(closed, run_on(7.9)), continues(closed, run_on(8))) == (True, False)
    assert advance(closed, report_with(), min_severity=Severity.INFO, run=run_on(2)) is None


def test_one_problem_reported_twice_is_one_problem() -> None:
    change = advance(None, report_with(COLUMN, COLUMN), min_severity=Severity.INFO, run=run_on(0))
    assert change is not None
    assert (len(change.new), len(change.state.problems)) == (1, 1)


def test_older_run_is_told_from_a_newer_one_and_from_the_same_one() -> None:
    state = replace(opened(COLUMN), run_id="b", as_of=run_on(5).as_of)
    assert is_older(run_on(4, "a"), state)
    assert not is_older(run_on(4, "b"), state)
    assert not is_older(run_on(5, "a"), state)
    assert not is_older(run_on(6, "c"), state)


def test_run_without_its_moment_is_ordered_by_its_timestamp() -> None:
    run = replace(run_on(0.5), as_of="")
    change = advance(None, report_with(COLUMN), min_severity=Severity.INFO, run=run)
    assert change is not None
    assert change.state.as_of == run_on(0.5).as_of


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [],
        {},
        {**state_to_json(opened(COLUMN)), "version": 2},
        {**state_to_json(opened(COLUMN)), "problems": [["too", "short"]]},
        {**state_to_json(opened(COLUMN)), "problems": None},
        {**state_to_json(opened(COLUMN)), "spoke": "yesterday"},
        {**state_to_json(opened(COLUMN)), "as_of": 5},
    ],
)
def test_state_that_is_not_ours_is_none(value: object) -> None:
    assert state_from_json(value) is None


@given(st.lists(st.sampled_from([*HOSTILE, "\x00", "a.b.c"]), min_size=5, max_size=5), st.sampled_from(KINDS))
def test_state_survives_json_and_holds_nothing_that_postgresql_refuses(names: list[str], kind: DiscrepancyType) -> None:
    database, schema, table, column, dataset = names
    found = discrepancy(kind, database=database, schema=schema, table=table, column=column, dataset_name=dataset)
    change = advance(None, report_with(found), min_severity=Severity.INFO, run=run_on(0))
    assert change is not None
    text = json.dumps(state_to_json(change.state))
    assert state_from_json(json.loads(text)) == change.state
    assert "\\u0000" not in text
    assert "\\ud800" not in text
    assert len(text) < 10_000
    # It is still recognised by what hides it and by itself.
    assert next_day(change.state, report_with(found)).ongoing == (found,)


# A small world: two sources with two datasets each, each problem of a type that nothing here can hide.
POOL = [
    discrepancy(kind, data_source_id=source, dataset_id=f"{source}-{dataset}", table=f"t{dataset}", column=f"c{column}")
    for source in "st"
    for dataset in (1, 2)
    for column in (1, 2)
    for kind in (KINDS.MISSING_COLUMN, KINDS.TYPE_MISMATCH, KINDS.UNDOCUMENTED_COLUMN)
] + [replace(SCHEMA, data_source_id="s", schema="absent"), replace(SCHEMA, data_source_id="t", schema="absent")]

a_day = st.fixed_dictionaries(
    {
        "there": st.sets(st.sampled_from(POOL)),
        "silenced": st.sets(st.sampled_from(POOL), max_size=3),
        "unchecked": st.sets(st.sampled_from(["s-1", "s-2", "t-1", "t-2"]), max_size=2),
        "fails": st.sampled_from([False, False, False, False, True]),
        "least": st.sampled_from(list(Severity)),
        "hours": st.sampled_from([1, 24, 24, 24, 24 * 6, 24 * 7, 24 * 9]),
        "runs": st.sampled_from([True, True, True, False]),  # False: a run restricted to other organizations
    }
)


def seen(day: dict[str, Any]) -> OrganizationReport:
    """The report of a day: what is unchecked is in no list."""
    if day["fails"]:
        return report_with(error="away")
    sources = {dataset[0] for dataset in day["unchecked"]}

    def visible(found: Discrepancy) -> bool:
        return found.dataset_id not in day["unchecked"] if found.dataset_id else found.data_source_id not in sources

    return report_with(
        *sorted((one for one in day["there"] - day["silenced"] if visible(one)), key=lambda one: one.sort_key),
        ignored=tuple(one for one in day["silenced"] & day["there"] if visible(one)),
        unchecked=tuple(
            UncheckedSource(source, source, 1, "away", tuple(sorted(d for d in day["unchecked"] if d[0] == source)))
            for source in sorted(sources)
        ),
    )


def is_unchecked(found: Discrepancy, report: OrganizationReport) -> bool:
    if found.dataset_id is None:
        return any(source.data_source_id == found.data_source_id for source in report.unchecked)
    return any(found.dataset_id in source.dataset_ids for source in report.unchecked)


def fingerprints(problems: Iterable[Any]) -> set[str]:
    values = [problem.fingerprint for problem in problems]
    assert len(values) == len(set(values))
    return set(values)


@settings(max_examples=examples(300))
@given(st.lists(a_day, min_size=1, max_size=25))
def test_every_sequence_of_runs_ends_where_a_plain_model_does(days: list[dict[str, Any]]) -> None:
    known: dict[str, str] = {}  # the model: {open fingerprint: first seen}
    closed_at: float | None = None
    state: IncidentState | None = None
    hours = 0.0
    for number, day in enumerate(days):
        hours += day["hours"]
        if not day["runs"]:
            continue
        run, report = run_on(hours / 24, f"run {number}"), seen(day)
        change = advance(state, report, min_severity=day["least"], run=run)

        in_report = {found.fingerprint: found for found in report.discrepancies}
        unknown = {found.fingerprint for found in POOL if day["fails"] or is_unchecked(found, report)}
        silenced = {found.fingerprint for found in report.ignored}
        announced = {key for key, found in in_report.items() if found.severity.rank <= day["least"].rank}
        new, ongoing = announced - known.keys(), known.keys() & in_report.keys()
        rest = known.keys() - ongoing
        ignored = rest & silenced
        kept = (rest - ignored) & unknown
        resolved = rest - ignored - kept

        if not new and not known:
            assert change is None
            continue
        assert change is not None
        assert fingerprints(change.new) == new
        assert fingerprints(change.ongoing) == ongoing
        assert fingerprints(change.kept) == kept
        assert fingerprints(change.resolved) == resolved
        assert fingerprints(change.ignored) == ignored
        assert not fingerprints(change.resolved) & unknown
        assert change.reopened == (closed_at is not None and hours - closed_at < 7 * 24)
        known = {key: known.get(key, run.timestamp) for key in new | ongoing | kept}
        assert {problem.fingerprint: problem.first_seen for problem in change.state.problems} == known
        assert change.first_seen == {key: known[key] for key in new | ongoing}
        assert (change.state.resolved is None) == bool(known)
        closed_at = None if known else hours
        state = state_from_json(json.loads(json.dumps(state_to_json(change.state))))
        assert state == change.state
        assert not is_older(run, change.state)
