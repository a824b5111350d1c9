"""What organizations read, and that no data can make Slack refuse it or mention anybody."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.notify.incidents import advance
from include.schema_sync.notify.messages import blocks
from include.schema_sync.notify.messages.conversation import drift_alert, error_notice, turn
from include.schema_sync.notify.messages.layout import Message, render_text
from include.schema_sync.notify.messages.run_alerts import late_message
from include.schema_sync.notify.messages.wording import in_order, what_to_do
from include.schema_sync.nouns.discrepancy import DiscrepancyType, Impact, Severity
from include.schema_sync.nouns.report import OrganizationReport, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from tests.examples import examples
from tests.unit.message_checks import (
    RUN,
    assert_golden,
    assert_within_limits,
    bluebird,
    discrepancy,
    report_of_every_type,
    texts_of,
)

FAILED = OrganizationReport(
    "a", "Acme", error="The Airflow connection `app_db` did not answer: set AIRFLOW_CONN_APP_DB"
)


def test_alert_reads_as_agreed_for_every_type() -> None:
    alert = drift_alert(report_of_every_type(), min_severity=Severity.INFO, run=RUN)
    assert_golden(alert, "drift_alert_every_type.json")


def test_alert_says_what_broke_who_is_hit_since_when_and_that_the_fix_is_ready() -> None:
    alert = drift_alert(bluebird(), min_severity=Severity.WARNING, run=RUN)
    assert_golden(alert, "drift_alert_bluebird.json")
    said = render_text(alert) if alert else ""
    assert "2 columns broke in Bluebird Coffee" in said
    assert "`coupon` is gone since 2026-01-14: dimension coupon, metric coupon_rate and 4 charts fail" in said
    assert "`amount` was renamed to `amount_usd` since 2026-01-14: measure revenue fails · the fix is ready" in said
    assert "[ See all 2 and the fix ] https://results.example.com/schema-sync/organizations/" in said


def test_a_probable_patch_is_no_fix_that_is_ready() -> None:
    certain = bluebird()
    patches = tuple(replace(patch, probable=True) for patch in certain.patches)
    found = tuple(
        replace(each, changed=None, suggestion="amount_usd" if each.column == "amount" else None)
        for each in certain.discrepancies
    )
    alert = drift_alert(replace(certain, patches=patches, discrepancies=found), min_severity=Severity.WARNING, run=RUN)
    said = render_text(alert) if alert else ""
    assert patches
    assert "did you mean `amount_usd`?" in said
    assert "fix" not in said


def test_of_a_type_that_differs_the_alert_tells_who_fails_from_who_reads_it() -> None:
    found = discrepancy(DiscrepancyType.TYPE_MISMATCH, column="day", declared="date", actual="text")
    impact = Impact(2, 0, 0, (), 0)
    sentences = {
        ": measure a and measure b fail, 2 charts use it": replace(
            found, users=("measure a", "measure b"), impact=impact
        ),
        ": measure a fails": replace(found, users=("measure a",)),
        ": 2 charts use it": replace(found, users=(), impact=impact),
    }
    for sentence, each in sentences.items():
        alert = drift_alert(
            OrganizationReport("a", "Acme", 1, discrepancies=(each,)), min_severity=Severity.INFO, run=RUN
        )
        assert alert is not None
        assert f"the dataset expects `date`{sentence}" in render_text(alert)


FORBIDDEN = (
    r"airflow|conn(ection)?[ _]id|data_source_|app_db|vault|xcom|[A-Z]+_[A-Z_]{3,}|dag\b|infos|YML says|only counted"
)


def test_no_message_for_an_organization_speaks_of_the_operators_world() -> None:
    """Whatever a check was refused for: the reason is in the summary and the log."""
    everything = replace(report_of_every_type(), error=None)
    fine = OrganizationReport(everything.organization_id, "Acme", 12)
    days = [
        RunFacts(f"r{day}", f"2026-01-{day:02}T07:00:00Z", RUN.run_url, results_url=RUN.results_url)
        for day in range(1, 10)
    ]
    said: list[Message | None] = [error_notice(FAILED, RUN), error_notice(everything, RUN)]
    for story in ([everything, fine, everything], [bluebird(), everything, FAILED], [everything] * 9):
        state = None
        for run, report in zip(days, story, strict=False):
            change = advance(state, report, min_severity=Severity.INFO, run=run)
            if change is not None:
                last = turn(state, change, report, run)
                state = last.state
                said += [last.parent, *last.parent.replies, last.reply]
    texts = [text for message in said if message is not None for text in (message.text, *texts_of(message))]
    assert len(texts) > 60
    for text in texts:
        assert not re.search(FORBIDDEN, text), text
        assert not re.search(r"airflow|vault|xcom", text, re.IGNORECASE), text
        assert not re.search(r"\d{4}-\d\d-\d\dT\d\d:", text), text


def test_alert_lists_warnings_and_worse_but_counts_infos() -> None:
    alert = drift_alert(report_of_every_type(), min_severity=Severity.WARNING, run=RUN)
    assert_golden(alert, "drift_alert_warnings.json")


def test_notice_of_a_failed_organization_reads_as_agreed() -> None:
    assert_golden(error_notice(FAILED, RUN), "error_notice_failed.json")


def test_notice_of_unchecked_sources_reads_as_agreed() -> None:
    assert_golden(error_notice(replace(report_of_every_type(), discrepancies=()), RUN), "error_notice_unchecked.json")


def test_notice_is_no_drift_report_and_calls_nothing_clean() -> None:
    for report in (report_of_every_type(), FAILED):
        notice = error_notice(report, RUN)
        said = render_text(notice) + notice.text
        assert "not* a drift report" in said
        assert not re.search(r"clean|no drift|in order|✅", said)
        assert "There is nothing that you need to do: the data team looks into it" in said


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
    lines = [line for line in render_text(alert).splitlines() if re.match(" *[🔴🟡🔵] [*]", line)]
    datasets = [re.findall(r"\*(.*?)\*", line)[0] for line in lines]
    # A dataset's findings are neighbours, its worst first; datasets come by their worst.
    assert [dataset for dataset, _ in groupby(datasets)] == list(dict.fromkeys(datasets))
    assert "".join(line.strip()[0] for line in lines if "*orders*" in line) == "🔴🔴🟡🟡🔵🔵🔵"
    assert datasets[0] == "orders"  # most hit


def test_datasets_with_the_newest_problems_come_first_within_one_severity() -> None:
    kinds = DiscrepancyType
    old = discrepancy(kinds.MISSING_COLUMN, dataset_name="a_orders", column="old")
    older = discrepancy(kinds.MISSING_COLUMN, dataset_name="z_refunds", column="older")
    new = discrepancy(kinds.MISSING_COLUMN, dataset_name="z_refunds", column="zz_new")
    newest_warning = discrepancy(kinds.TYPE_MISMATCH, dataset_name="a_orders", column="retyped")
    dates = {old: "2026-01-10", older: "2026-01-09", new: "2026-01-14", newest_warning: "2026-01-15"}
    first_seen = {found.fingerprint: f"{date}T07:00:00Z" for found, date in dates.items()}
    assert in_order([newest_warning, older, old, new], first_seen) == [new, older, old, newest_warning]
    # What hits more comes before what is newer.
    hit = replace(old, impact=Impact(charts=4), users=("dimension old",))
    assert in_order([newest_warning, older, hit, new], first_seen) == [hit, newest_warning, new, older]


def test_what_the_datasets_authors_ignore_is_counted() -> None:
    report = replace(
        report_of_every_type(),
        ignored=(discrepancy(DiscrepancyType.MISSING_TABLE), discrepancy(DiscrepancyType.MISSING_COLUMN, column="x")),
    )
    alert = drift_alert(report, min_severity=Severity.WARNING, run=RUN)
    assert alert is not None
    assert "2 silenced in the datasets" in texts_of(alert)[-1]


def test_mention_is_live_and_cut_between_two_names_when_it_is_long() -> None:
    report = report_of_every_type()
    change = advance(None, report, min_severity=Severity.WARNING, run=RUN)
    assert change is not None
    alert = turn(None, change, report, RUN, mention=" ".join(["<@U0123456789>"] * 100)).parent
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
    assert sum(len(page.blocks) for page in (alert, *alert.replies)) < 20


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
    link = texts_of(late_message(late_after_min=1, run_timeout_min=2, run=run))[-1]
    assert "<https://airflow.example.com/a%7Cb%3Ec%20d?x=1&amp;y=2|run run|&gt;x>" in link


@pytest.mark.parametrize("address", [None, "javascript:alert(1)", "https://x/" + "a" * 2_000])
def test_run_without_a_usable_address_is_named_without_link(address: str | None) -> None:
    run = RunFacts("run 1", "2026-01-15T07:00:00Z", address, results_url=address)
    late = late_message(late_after_min=1, run_timeout_min=2, run=run)
    assert render_text(late).splitlines()[-1] == "Schema Sync · 2026-01-15 07:00 UTC · run run 1"
    assert "actions" not in [block["type"] for block in error_notice(FAILED, run).blocks]


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


@settings(max_examples=examples(50))
@given(ours=marked("ourmark"), theirs=marked("theirmark"))
def test_alert_never_holds_a_name_of_another_organization(ours: OrganizationReport, theirs: OrganizationReport) -> None:
    alerts = [drift_alert(report, min_severity=Severity.INFO, run=RUN) for report in (theirs, ours, theirs)]
    assert "ourmark" in str(alerts[1])
    assert "theirmark" not in str(alerts[1])
    assert "ourmark" not in str(alerts[0])
    assert alerts[0] == alerts[2]


def test_what_may_not_be_read_is_for_whoever_runs_the_warehouse():
    everything = report_of_every_type().discrepancies
    closed = [each for each in everything if each.type is DiscrepancyType.INACCESSIBLE_TABLE][:1]
    other = [each for each in everything if each.type is DiscrepancyType.MISSING_COLUMN][:1]
    grants = "whoever runs the warehouse grants the right to read"
    corrects = "whoever maintains the datasets or tables corrects this"
    fixed = {other[0].fingerprint}
    assert what_to_do(closed, ()) == f"*Next:* {grants}; the next check notices."
    assert what_to_do([*other, *closed], ()) == f"*Next:* {corrects}; {grants}; the next check notices."
    assert what_to_do([*other, *closed], fixed) == (
        f"*Next:* whoever maintains the datasets applies the fix that is ready for 1 of these; {grants}."
    )
