"""What organizations read, and that no data can make Slack refuse it or mention anybody."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.notify.messages import blocks
from include.schema_sync.notify.messages.layout import Message, render_text
from include.schema_sync.notify.messages.organization import drift_alert, error_notice
from include.schema_sync.notify.messages.wording import in_order
from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationReport, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from tests.unit.message_checks import (
    RUN,
    assert_golden,
    assert_within_limits,
    discrepancy,
    report_of_every_type,
    texts_of,
)


def test_alert_reads_as_agreed_for_every_type() -> None:
    alert = drift_alert(report_of_every_type(), min_severity=Severity.INFO, run=RUN)
    assert_golden(alert, "drift_alert_every_type.json")


def test_alert_lists_warnings_and_worse_but_counts_infos() -> None:
    alert = drift_alert(report_of_every_type(), min_severity=Severity.WARNING, run=RUN)
    assert_golden(alert, "drift_alert_warnings.json")


def test_notice_of_a_failed_organization_reads_as_agreed() -> None:
    notice = error_notice(
        "Acme", error="The application database did not answer. Check `app_db`.", unchecked=(), run=RUN
    )
    assert_golden(notice, "error_notice_failed.json")


def test_notice_of_unchecked_sources_reads_as_agreed() -> None:
    unchecked = report_of_every_type().unchecked
    assert_golden(error_notice("Acme", error=None, unchecked=unchecked, run=RUN), "error_notice_unchecked.json")


def test_notice_is_no_drift_report_and_calls_nothing_clean() -> None:
    notice = error_notice("Acme", error=None, unchecked=report_of_every_type().unchecked, run=RUN)
    said = render_text(notice) + notice.text
    assert "not* a drift report" in said
    assert not re.search(r"clean|no drift|in order|✅", said)
    assert "Create the Airflow connection 'data_source_2'" in said


def test_no_alert_when_nothing_is_severe_enough_even_if_sources_are_unchecked() -> None:
    report = OrganizationReport(
        "a",
        "Acme",
        discrepancies=(discrepancy(DiscrepancyType.UNDOCUMENTED_COLUMN, column="x"),),
        unchecked=(UncheckedSource("s", "S", 1, "refused"),),
    )
    assert drift_alert(report, min_severity=Severity.WARNING, run=RUN) is None
    assert drift_alert(report, min_severity=Severity.INFO, run=RUN) is not None


def test_most_severe_come_first_and_neighbours_of_one_dataset_share_a_section() -> None:
    alert = drift_alert(report_of_every_type(), min_severity=Severity.INFO, run=RUN)
    assert alert is not None
    emojis = re.findall("[🔴🟡🔵]", render_text(alert))[1:]
    assert emojis == ["🔴"] * 5 + ["🟡"] * 2 + ["🔵"] * 3
    # Once with its missing column, once with its warnings and infos, which nothing more severe parts.
    assert sum("Dataset `orders`" in text for text in texts_of(alert)) == 2


def test_datasets_with_the_newest_problems_come_first_within_one_severity() -> None:
    kinds = DiscrepancyType
    old = discrepancy(kinds.MISSING_COLUMN, table="a_orders", column="old")
    older = discrepancy(kinds.MISSING_COLUMN, table="z_refunds", column="older")
    new = discrepancy(kinds.MISSING_COLUMN, table="z_refunds", column="zz_new")
    newest_warning = discrepancy(kinds.TYPE_MISMATCH, table="a_orders", column="retyped")
    dates = {old: "2026-01-10", older: "2026-01-09", new: "2026-01-14", newest_warning: "2026-01-15"}
    first_seen = {found.fingerprint: f"{date}T07:00:00Z" for found, date in dates.items()}
    assert in_order([newest_warning, older, old, new], first_seen) == [new, older, old, newest_warning]


def test_what_the_datasets_authors_ignore_is_counted() -> None:
    report = replace(
        report_of_every_type(),
        ignored=(discrepancy(DiscrepancyType.MISSING_TABLE), discrepancy(DiscrepancyType.MISSING_COLUMN, column="x")),
    )
    alert = drift_alert(report, min_severity=Severity.WARNING, run=RUN)
    assert alert is not None
    assert "2 ignored by the datasets' authors." in texts_of(alert)[1]


def test_mention_is_live_and_cut_between_two_names_when_it_is_long() -> None:
    alert = drift_alert(
        report_of_every_type(), min_severity=Severity.WARNING, run=RUN, mention=" ".join(["<@U0123456789>"] * 100)
    )
    assert alert is not None
    called = texts_of(alert)[1].splitlines()[-1]
    assert set(called.split()) == {"<@U0123456789>"}
    assert blocks.units(called) <= 500


def test_what_does_not_fit_is_counted_and_follows_in_the_thread() -> None:
    found = tuple(
        discrepancy(DiscrepancyType.MISSING_COLUMN, column=f"column_{number}_", message="It is not there.")
        for number in range(214)
    )
    alert = drift_alert(OrganizationReport("a", "Acme", 1, 0, found), min_severity=Severity.WARNING, run=RUN)
    assert alert is not None
    listed = [len(re.findall(r"column_\d+_", " ".join(texts_of(page)))) for page in (alert, *alert.replies)]
    assert sum(listed) == 214
    assert f"…and {214 - listed[0]} more problems in the thread" in texts_of(alert)
    assert (
        len({name for page in (alert, *alert.replies) for name in re.findall(r"column_\d+_", str(page.blocks))}) == 214
    )
    assert "1 of " in alert.replies[0].text


def test_many_datasets_with_one_problem_each_stay_below_fifty_blocks() -> None:
    found = tuple(
        discrepancy(DiscrepancyType.MISSING_TABLE, dataset_name=f"d{number}", table=f"t{number}", database=None)
        for number in range(200)
    )
    alert = drift_alert(OrganizationReport("a", "Acme", 200, 0, found), min_severity=Severity.INFO, run=RUN)
    assert alert is not None
    assert_within_limits(alert)
    assert len(alert.blocks) > 40


def test_long_names_keep_both_ends_so_that_they_can_be_told_apart() -> None:
    shown = blocks.name("a" * 300 + "_id")
    assert blocks.units(shown) <= blocks.NAME_LENGTH + 2
    assert shown.startswith("`aaa")
    assert shown.endswith("_id`")


def test_names_are_never_cut_inside_an_escape() -> None:
    for length in range(1, 200):
        assert re.fullmatch(r"`(&amp;)*…?(&amp;)*`", blocks.name("&" * length))


def test_invisible_characters_become_visible_in_names() -> None:
    assert blocks.name("a\nb\u202ec\u00a0\ud800") == "`a␊b\\u202ec\\u00a0\\ud800`"
    assert blocks.name("") == "_(empty)_"


def test_link_of_the_run_cannot_be_broken_by_its_address() -> None:
    run = RunFacts("run|>x", "2026-01-15T07:00:00Z", "https://airflow.example.com/a|b>c d?x=1&y=2")
    link = texts_of(error_notice("Acme", error="x", unchecked=(), run=run))[-1]
    assert "<https://airflow.example.com/a%7Cb%3Ec%20d?x=1&amp;y=2|run run|&gt;x>" in link


@pytest.mark.parametrize("address", [None, "javascript:alert(1)", "https://x/" + "a" * 2_000])
def test_run_without_a_usable_address_is_named_without_link(address: str | None) -> None:
    notice = error_notice("Acme", error="x", unchecked=(), run=RunFacts("run 1", "2026-01-15T07:00:00Z", address))
    assert texts_of(notice)[-1] == "Schema Sync · 2026-01-15T07:00:00Z · run run 1"


def test_limits_are_the_ones_of_the_sdk() -> None:
    from slack_sdk.models.blocks import Block, HeaderBlock, SectionBlock

    assert SectionBlock.text_max_length == blocks.MAX_SECTION
    assert HeaderBlock.text_max_length == blocks.MAX_HEADER
    assert Block.block_id_max_length == blocks.MAX_BLOCK_ID


def test_rendered_text_shows_replies_and_no_escape_sequence_reaches_the_terminal() -> None:
    message = Message("t", (blocks.section("a &lt;b&gt; &amp;lt;\x1b[31m"),), (Message("r", (blocks.header("Next"),)),))
    assert render_text(message) == "a <b> &lt;␛[31m\n↳ in the thread\nNext"


def marked(marker: str) -> st.SearchStrategy[OrganizationReport]:
    """Reports in which every name carries the marker of its organization."""
    word = st.text("abc_", max_size=8).map(lambda text: f"{marker}{text}")
    one = st.builds(
        lambda kind, name: discrepancy(
            kind,
            organization_id=marker,
            dataset_name=name,
            database=name,
            schema=name,
            table=name,
            column=name,
            declared=name,
            actual=name,
            message=name,
            suggestion=name,
        ),
        st.sampled_from(DiscrepancyType),
        word,
    )
    sources = st.builds(UncheckedSource, word, word, st.integers(0, 9), word)
    return st.builds(
        lambda name, found, unchecked: OrganizationReport(marker, name, 1, 1, tuple(found), tuple(unchecked)),
        word,
        st.lists(one, min_size=1, max_size=60),
        st.lists(sources, max_size=5),
    )


@settings(max_examples=50, deadline=None)
@given(ours=marked("ourmark"), theirs=marked("theirmark"))
def test_alert_never_holds_a_name_of_another_organization(ours: OrganizationReport, theirs: OrganizationReport) -> None:
    alerts = [drift_alert(report, min_severity=Severity.INFO, run=RUN) for report in (theirs, ours, theirs)]
    assert "ourmark" in str(alerts[1])
    assert "theirmark" not in str(alerts[1])
    assert "ourmark" not in str(alerts[0])
    assert alerts[0] == alerts[2]
