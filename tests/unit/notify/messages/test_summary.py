"""The run's result, word for word as the contract has it, and what the data team reads."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.notify.messages.blocks import units
from include.schema_sync.notify.messages.layout import MAX_REPLIES, Message, render_text
from include.schema_sync.notify.messages.run_alerts import fetch_failed_message
from include.schema_sync.notify.messages.summary import result_json, run_result, summary_message
from include.schema_sync.nouns.report import OrganizationTotals, SourceTiming, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from tests.examples import examples

RUN = RunFacts("scheduled__1", "2026-01-15T07:00:00Z", "https://airflow.example.com/runs/1")
GOLDEN = Path(__file__).resolve().parents[3] / "golden"

CLEAN = OrganizationTotals("id-clean", "Clean Inc", datasets_checked=10, infos=1)
DRIFTED = OrganizationTotals("id-drift", "Drift <!channel> Ltd", 20, critical=2, warnings=1, notified=True)
WARNED = OrganizationTotals("id-warn", "Warned", 5, warnings=3, notification_error="channel_not_found: invite the app.")
PARTIAL = OrganizationTotals(
    "id-partial",
    "Partial",
    datasets_checked=1,
    datasets_unchecked=4,
    critical=1,
    unchecked=(UncheckedSource("source-1", "Lake", 4, "Create the Airflow connection `data_source_1`."),),
    notified=True,
)
FAILED = OrganizationTotals("id-failed", "Failed", datasets_unchecked=7, error="every data source refused")
EMPTY = OrganizationTotals("id-empty", "Empty")


def result_of(*totals: OrganizationTotals, **changes: Any) -> Any:
    return run_result(totals, timestamp="2026-01-15T07:00:00Z", execution_time_ms=45_000, **changes)


def assert_golden(message: Message, file: str) -> None:
    """UPDATE_GOLDEN=1 rewrites the files."""
    path = GOLDEN / file
    content = {"text": message.text, "blocks": list(message.blocks), "replies": len(message.replies)}
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert content == json.loads(path.read_text(encoding="utf-8"))


def test_result_is_the_contracts_json_in_its_key_order() -> None:
    said = result_json(result_of(CLEAN, DRIFTED, WARNED, PARTIAL, FAILED, EMPTY))
    assert json.dumps(said) == json.dumps(
        {
            "success": True,
            "timestamp": "2026-01-15T07:00:00Z",
            "result": {
                "success": True,
                "executionTimeMs": 45_000,
                "organizationsProcessed": 6,
                "totalDiscrepancies": 7,
                "criticalIssues": 3,
                "warnings": 4,
                "infos": 1,
                "datasetsChecked": 36,
                "datasetsUnchecked": 11,
                "notificationsSent": 2,
                "errors": [
                    {
                        "organizationId": "id-partial",
                        "organizationName": "Partial",
                        "dataSourceId": "source-1",
                        "error": "Create the Airflow connection `data_source_1`.",
                    },
                    {
                        "organizationId": "id-failed",
                        "organizationName": "Failed",
                        "dataSourceId": None,
                        "error": "every data source refused",
                    },
                ],
            },
        }
    )


@pytest.mark.parametrize(
    ("totals", "changes", "success"),
    [
        ((), {}, True),
        ((CLEAN,), {}, True),
        ((FAILED, CLEAN), {}, True),
        ((FAILED, PARTIAL), {}, True),
        ((FAILED,), {}, False),
        ((FAILED, FAILED), {}, False),
        ((), {"run_error": "the organizations could not be read"}, False),
    ],
)
def test_run_fails_only_when_all_failed_or_it_could_not_begin(
    totals: tuple[OrganizationTotals, ...], changes: dict[str, Any], success: bool
) -> None:
    said = result_json(result_of(*totals, **changes))
    assert (said["success"], said["result"]["success"]) == (success, success)


def test_error_of_the_run_itself_belongs_to_no_organization() -> None:
    (error,) = result_json(result_of(run_error="boom"))["result"]["errors"]
    assert error == {"organizationId": None, "organizationName": None, "dataSourceId": None, "error": "boom"}


def test_summary_reads_as_agreed() -> None:
    message = summary_message(result_of(CLEAN, WARNED, DRIFTED, PARTIAL, FAILED, EMPTY), run=RUN)
    assert_golden(message, "summary.json")


FOLLOWED = (
    replace(DRIFTED, new=1, new_critical=0, ongoing=2, resolved=4, slowest_source=SourceTiming("1", "Lake", 61_250)),
    OrganizationTotals(
        "id-new", "Newly broken", 3, critical=1, notified=True, ignored=2, new=1, new_critical=1, ongoing=0, resolved=0,
        slowest_source=SourceTiming("2", "Shop `x`", 900),
    ),
    replace(CLEAN, new=0, new_critical=0, ongoing=0, resolved=3, slowest_source=SourceTiming("3", "Store", 1_500)),
)  # fmt: skip


def test_summary_of_what_changed_reads_as_agreed() -> None:
    assert_golden(summary_message(result_of(*FOLLOWED, WARNED, FAILED), run=RUN), "summary_changes.json")


def test_changes_are_added_up_over_those_who_are_followed_and_nobody_else_counts_as_unchanged() -> None:
    said = render_text(summary_message(result_of(*FOLLOWED, WARNED, FAILED), run=RUN))
    assert "2 new, 1 of them critical; 2 ongoing, 7 resolved (known for 3 of 5 organizations)." in said
    assert "Problems:" not in render_text(summary_message(result_of(WARNED, FAILED), run=RUN))
    assert "known for" not in render_text(summary_message(result_of(*FOLLOWED), run=RUN))


def test_organizations_with_new_criticals_come_before_those_with_more_but_older_ones() -> None:
    said = render_text(summary_message(result_of(*FOLLOWED), run=RUN))
    assert said.index("`Newly broken`") < said.index("`Drift <")


def test_the_five_slowest_sources_are_named_slowest_first() -> None:
    totals = [
        OrganizationTotals(f"{n}", f"Org {n}", slowest_source=SourceTiming("s", f"Source {n}", n * 1_000))
        for n in (3, 7, 1, 5, 6, 2, 4)
    ]
    said = render_text(summary_message(result_of(*totals), run=RUN))
    assert re.findall(r"`Source (\d)`: (\S+) s", said) == [(str(n), f"{n}.0") for n in (7, 6, 5, 4, 3)]


def test_ignored_findings_are_counted_apart() -> None:
    said = render_text(summary_message(result_of(*FOLLOWED), run=RUN))
    assert "Found: 3 critical, 1 warning, 1 info; 2 more ignored by the datasets' authors." in said


def test_summary_names_who_was_not_told_first_then_failures_then_gaps_then_drift_with_criticals_first() -> None:
    unreached = replace(DRIFTED, organization_id="id-u", organization_name="Unreached", not_told="it has no channel")
    said = render_text(summary_message(result_of(CLEAN, WARNED, DRIFTED, PARTIAL, FAILED, unreached), run=RUN))
    expected = [
        "*Not told*: nobody there knows of this",
        "🔴 `Unreached` (2 critical, 1 warning, 0 infos): it has no channel",
        "⚠️ `Warned` (0 critical, 3 warnings, 0 infos): channel_not_found",
        "every data source refused",
        "`Lake` (4 datasets): Create the Airflow connection",
        "`Drift <!channel> Ltd`: 2 critical, 1 warning",
        "`Partial`: 1 critical, 0 warnings, 0 infos (checked only in part)",
        "`Warned`: 0 critical, 3 warnings",
    ]
    places = [said.index(part) for part in expected]
    assert places == sorted(places)
    assert "Clean Inc" not in said


@pytest.mark.parametrize(
    ("totals", "headline"),
    [
        ((), "⚪ Schema Sync: no active organization exists, nothing was checked"),
        ((CLEAN, EMPTY), "✅ Schema Sync: no drift in 1 organization"),
        ((EMPTY,), "⚪ Schema Sync: none of 1 organization has a dataset to check"),
        ((CLEAN, WARNED), "🟡 Schema Sync: drift in 1 of 2 organizations"),
        ((CLEAN, DRIFTED), "🔴 Schema Sync: drift in 1 of 2 organizations"),
        ((DRIFTED, PARTIAL), "⚠️ Schema Sync: 1 of 2 organizations checked only in part"),
        ((FAILED, PARTIAL, CLEAN), "🔴 Schema Sync: 1 of 3 organizations failed"),
    ],
)
def test_headline_says_the_worst_and_calls_nothing_clean_that_was_not_checked(
    totals: tuple[OrganizationTotals, ...], headline: str
) -> None:
    assert summary_message(result_of(*totals), run=RUN).blocks[0]["text"]["text"] == headline


def test_summary_without_organizations_says_so_plainly() -> None:
    message = summary_message(result_of(), run=RUN)
    assert "No active organization exists" in render_text(message)
    assert "No active organization exists" in message.text


def test_failed_fetch_says_that_nothing_was_checked() -> None:
    assert_golden(
        fetch_failed_message("The application database is away. Check `app_db`.", run=RUN), "fetch_failed.json"
    )


def assert_within_limits(message: Message) -> None:
    for page in (message, *message.replies):
        assert len(page.blocks) <= 50
        assert len(json.dumps(page.blocks, ensure_ascii=False)) <= 9_000 - 60
        assert units(page.text) <= 3_000
        assert all(units(block["text"]["text"]) <= 3_000 for block in page.blocks if block["type"] == "section")


def test_five_thousand_organizations_fit_and_every_kind_of_news_is_in_the_first_message() -> None:
    totals = [
        OrganizationTotals(
            f"id-{number}",
            f"Organization {number} " + "&" * 90,
            critical=number % 5,
            unchecked=(UncheckedSource("s", "Lake", 1, "refused " * 90),) if number % 3 == 0 else (),
            error="broken " * 90 if number % 2 else None,
            notification_error="gone " * 90,
            new=number % 7,
            new_critical=number % 2,
            ongoing=1,
            resolved=0,
            slowest_source=SourceTiming("s", "Lake " + "`" * 200, number),
        )
        for number in range(5_000)
    ]
    started = time.process_time()
    message = summary_message(result_of(*totals), run=RUN)
    assert time.process_time() - started < 5  # a tenth of a second or so, unless a step became quadratic
    assert_within_limits(message)
    assert len(message.replies) == MAX_REPLIES
    first = " ".join(str(block) for block in message.blocks)
    for heading in ("*Not told*", "*Failed*", "*Not checked*", "*Drift*", "*Slowest sources*"):
        assert heading in first


names = st.text(st.characters(), max_size=60)


@settings(max_examples=examples(60))
@given(
    st.lists(
        st.builds(
            OrganizationTotals,
            names,
            names,
            *[st.integers(0, 10**6)] * 5,
            unchecked=st.lists(st.builds(UncheckedSource, names, names, st.integers(0, 9), names), max_size=3).map(
                tuple
            ),
            error=st.none() | names,
            notification_error=st.none() | names,
        ),
        max_size=30,
    ),
    st.none() | names,
)
def test_no_data_breaks_the_summary(totals: list[OrganizationTotals], run_error: str | None) -> None:
    result = result_of(*totals, run_error=run_error)
    message = summary_message(result, run=RUN)
    assert_within_limits(message)
    render_text(message).encode("utf-8")
    json.dumps(result_json(result))
    assert "<!" not in re.sub(r"<!date\^\d+\^", "", str(message.blocks))
