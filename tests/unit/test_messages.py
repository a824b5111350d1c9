"""What organizations read, and that no data can make Slack refuse it or mention anybody."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.models import Discrepancy, DiscrepancyType, OrganizationReport, Severity, UncheckedSource
from include.schema_sync.slack import blocks
from include.schema_sync.slack.messages import (
    MAX_REPLIES,
    Message,
    RunFacts,
    drift_alert,
    error_notice,
    render_text,
)

RUN = RunFacts(
    run_id="scheduled__2026-01-15T07:00:00+00:00",
    timestamp="2026-01-15T07:00:00Z",
    run_url="https://airflow.example.com/dags/schema_sync/runs/scheduled__1?a=1&b=2",
)
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
HOSTILE = [
    "<!channel>",
    "<@U012345>",
    "@here",
    "@Channel",
    "@everyone",
    "`rm`",
    "a&b&amp;",
    "x" * 5_000,
    "&" * 500,
    "😀" * 300,
    "line\nbreak\r\n",
    "\u202eright\u200f",
    "\x00\x1b[31m\x7f\x85",
    "\ud800",
    '"\\' * 200,
    "",
    " ",
]


def discrepancy(kind: DiscrepancyType, **changes: Any) -> Discrepancy:
    usual: dict[str, Any] = {
        "organization_id": "00000000-0000-0000-0000-00000000000a",
        "data_source_id": "source",
        "dataset_id": "dataset",
        "dataset_name": "orders",
        "database": "analytics",
        "schema": "public",
        "table": "orders",
        "column": None,
        "declared": None,
        "actual": None,
        "message": "",
    }
    return Discrepancy(kind, **(usual | changes))


def report_of_every_type() -> OrganizationReport:
    kinds = DiscrepancyType
    return OrganizationReport(
        organization_id="00000000-0000-0000-0000-00000000000a",
        organization_name="Acme & Sons",
        datasets_checked=12,
        datasets_unchecked=3,
        discrepancies=(
            discrepancy(kinds.UNVERIFIABLE_EXPRESSION, declared="{{ x }}", message="The expression cannot be read."),
            discrepancy(kinds.UNVERIFIABLE_TYPE, column="payload", declared="{{TODO}}", actual="jsonb"),
            discrepancy(kinds.UNDOCUMENTED_COLUMN, column="note", actual="text"),
            discrepancy(
                kinds.CASE_MISMATCH,
                column="Email",
                declared="Email",
                actual="email",
                suggestion="email",
                line=9,
            ),
            discrepancy(kinds.TYPE_MISMATCH, column="total", declared="integer", actual="numeric(10,2)", line=20),
            discrepancy(
                kinds.INVALID_YML,
                dataset_name="broken",
                table=None,
                message="Line 3, column 7: expected a list of dimensions.",
                line=3,
            ),
            discrepancy(
                kinds.INACCESSIBLE_TABLE, dataset_name="salaries", table="salaries", message="Grant the role SELECT."
            ),
            discrepancy(
                kinds.MISSING_COLUMN,
                column="customer_email",
                declared="string",
                message="Column `customer_email` is not in the table, and dimension `email` needs it.",
                suggestion="customer_mail",
                line=12,
            ),
            discrepancy(
                kinds.MISSING_TABLE,
                dataset_name="refunds",
                table="refunds",
                suggestion="refund",
                message="No table or view `refunds` is in schema `public`.",
            ),
            discrepancy(
                kinds.MISSING_SCHEMA,
                dataset_id=None,
                dataset_name=None,
                schema="sales",
                table=None,
                declared="`analytics.sales`",
                message="The schema is not there; 2 datasets need it.",
            ),
        ),
        unchecked=(UncheckedSource("source-2", "Warehouse B", 3, "Create the Airflow connection `data_source_2`."),),
    )


def as_json(message: Message) -> dict[str, Any]:
    return {
        "text": message.text,
        "blocks": list(message.blocks),
        "replies": [as_json(reply) for reply in message.replies],
    }


def assert_golden(message: Message | None, file: str) -> None:
    """UPDATE_GOLDEN=1 rewrites the files: then read the difference as a customer would."""
    assert message is not None
    path = GOLDEN / file
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(json.dumps(as_json(message), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert as_json(message) == json.loads(path.read_text(encoding="utf-8"))


def texts_of(message: Message) -> list[str]:
    """Every text of the first message only."""
    found = []
    for block in message.blocks:
        holders = [block["text"]] if "text" in block else block.get("elements", [])
        found += [holder["text"] for holder in holders]
    return found


def assert_within_limits(message: Message) -> None:
    assert 1 <= len(message.blocks) <= 50
    ids = [block["block_id"] for block in message.blocks if "block_id" in block]
    assert len(ids) == len(set(ids))
    for block in message.blocks:
        limit = {"header": 150, "section": 3_000, "context": 3_000}[block["type"]]
        holders = [block["text"]] if "text" in block else block["elements"]
        assert all(1 <= blocks.units(holder["text"]) <= limit for holder in holders)
    # Room for the marker that the outbox writes into the first block.
    assert len(json.dumps(message.blocks, ensure_ascii=False)) <= 9_000 - 60
    assert sum(blocks.units(text) for text in texts_of(message)) <= 9_000
    assert 1 <= blocks.units(message.text) <= 3_000
    for reply in message.replies:
        assert reply.replies == ()
        assert_within_limits(reply)


def assert_harmless(message: Message) -> None:
    for text in [message.text, *texts_of(message)]:
        ours = re.sub(r"<https://airflow\.example\.com/[^<>|]*\|[^<>]*>", "", text)
        assert "<" not in ours
        assert ">" not in ours
        # What remains of code spans once each is taken out whole is no backtick of ours, nor one of the data's.
        assert "`" not in re.sub(r"`[^`\n]+`", "", ours)
        assert not re.search(r"@(here|channel|everyone)", ours, re.IGNORECASE)
        assert all(character == "\n" or character.isprintable() or character in "\u200c\u200d" for character in ours)
        ours.encode("utf-8")
    for reply in message.replies:
        assert_harmless(reply)


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


def test_twenty_thousand_problems_stay_within_limits_and_none_is_lost_uncounted() -> None:
    found = tuple(
        discrepancy(
            DiscrepancyType.MISSING_COLUMN,
            column=f"c{number}{HOSTILE[number % len(HOSTILE)]}",
            declared=HOSTILE[(number + 1) % len(HOSTILE)],
            dataset_name=f"ds{number % 7_000}",
            message="m" * 400,
            suggestion=HOSTILE[(number + 2) % len(HOSTILE)],
        )
        for number in range(20_000)
    )
    unchecked = tuple(UncheckedSource("s", f"source {number}", 1, "refused " * 80) for number in range(500))
    report = OrganizationReport("a", "Acme", 20_000, 500, found, unchecked)
    alert = drift_alert(report, min_severity=Severity.INFO, run=RUN)
    assert alert is not None
    assert_within_limits(alert)
    assert_harmless(alert)
    assert len(alert.replies) == MAX_REPLIES
    # The long listing does not push the short one out of the first message.
    assert "`source 0`" in " ".join(texts_of(alert))
    everything = " ".join(text for page in (alert, *alert.replies) for text in texts_of(page))
    left = int(re.search(r"and (\d+) more problems, not listed", everything)[1])  # type: ignore[index]
    assert everything.count("*Missing column*") + left == 20_000


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


hostile = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(), max_size=40),
    st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join),
)
discrepancies = st.builds(
    Discrepancy,
    st.sampled_from(DiscrepancyType),
    organization_id=st.just("a"),
    data_source_id=st.just("s"),
    dataset_id=st.none(),
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
)
unchecked_sources = st.builds(UncheckedSource, hostile, hostile, st.integers(0, 10**6), hostile)


@settings(max_examples=150, deadline=None)
@given(
    organization=hostile,
    found=st.lists(discrepancies, max_size=30),
    copies=st.sampled_from([1, 1, 40]),
    unchecked=st.lists(unchecked_sources, max_size=8),
    least=st.sampled_from(Severity),
    run_id=hostile,
)
def test_no_data_breaks_a_limit_or_gets_markup_through(
    organization: str,
    found: list[Discrepancy],
    copies: int,
    unchecked: list[UncheckedSource],
    least: Severity,
    run_id: str,
) -> None:
    run = RunFacts(run_id, "2026-01-15T07:00:00Z", RUN.run_url)
    report = OrganizationReport("a", organization, 1, 1, tuple(found) * copies, tuple(unchecked))
    alert = drift_alert(report, min_severity=least, run=run)
    assert (alert is None) == (not any(one.severity.at_least(least) for one in found))
    for message in (alert, error_notice(organization, error=run_id, unchecked=unchecked, run=run)):
        if message is not None:
            assert_within_limits(message)
            assert_harmless(message)
            render_text(message).encode("utf-8")


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
