"""A report's XCom stays under 1 MiB whatever was found; what it does not hold is counted, and nothing ends unseen."""

from __future__ import annotations

import json

import pytest

from include.schema_sync.notify.incidents import advance
from include.schema_sync.notify.messages.conversation import drift_alert
from include.schema_sync.nouns.bounds import MOST_FINDINGS, bounded
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationReport, SuggestedPatch, UncheckedSource
from include.schema_sync.nouns.run import RunFacts
from include.schema_sync.nouns.snapshot import Column
from include.schema_sync.nouns.wire import report_from_json, report_to_json

MIB = 2**20
RUN = RunFacts("scheduled__1", "2026-01-15T07:00:00Z", None)
KINDS = (DiscrepancyType.MISSING_COLUMN, DiscrepancyType.TYPE_MISMATCH, DiscrepancyType.UNDOCUMENTED_COLUMN)


def finding(number: int, kind: DiscrepancyType, text: str) -> Discrepancy:
    name = f"{number}{text}"[:256]
    return Discrepancy(
        kind, "org", "source", f"dataset-{number}", name, name, name, name, name, name, name, f"{text} {name}" * 3,
        users=(name,) * 100, columns=(Column(name, name),) * 200 if kind is KINDS[2] else (),
    )  # fmt: skip


def report(per_kind: int, text: str) -> OrganizationReport:
    found = [finding(number, kind, text) for kind in KINDS for number in range(per_kind)]
    return OrganizationReport(
        "org", "Acme", 5, 20_000, tuple(sorted(found, key=lambda each: each.sort_key)), ignored=tuple(found),
        unchecked=tuple(
            UncheckedSource(f"s{n}", text * 9, 1_000, text * 9_000, tuple(f"{n}-{m:032}" for m in range(1_000)))
            for n in range(20)
        ),
        patches=tuple(SuggestedPatch(f"dataset-{n}", "d", text * 60_000, ("f",)) for n in range(9)),
        error=text * 9_000,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["x", "🧨", "\\", "\n"])
@pytest.mark.parametrize("per_kind", [10, 2_000])
def test_a_reports_xcom_is_under_one_mebibyte_and_counts_everything(per_kind, text):
    whole = report(per_kind, text)
    kept = bounded(whole)
    assert len(json.dumps(report_to_json(kept))) < MIB
    assert [kept.count(severity) for severity in Severity] == [per_kind] * 3
    assert kept.totals.ignored == 3 * per_kind
    assert len(kept.patches) + kept.left_out.patches == 9
    assert len(kept.unchecked) + kept.left_out.sources == 20
    shown = [each.severity for each in kept.discrepancies]
    assert shown == sorted(shown, key=lambda each: each.rank)
    assert len(shown) <= MOST_FINDINGS
    assert report_from_json(json.loads(json.dumps(report_to_json(kept)))) == kept


def test_an_ordinary_report_is_left_as_it_is():
    found = tuple(
        Discrepancy(KINDS[number % 2], "org", "s", "d", "orders", None, "public", "orders", f"c{number}", "text", "int",
                    "Column is not in the table.")
        for number in range(1_000)
    )  # fmt: skip
    ordinary = OrganizationReport("org", "Acme", 5, discrepancies=tuple(sorted(found, key=lambda each: each.sort_key)))
    assert bounded(ordinary) == ordinary


def test_a_problem_that_is_only_counted_now_is_still_open_and_the_message_says_how_many_are():
    whole = report(2_000, "x")
    whole = OrganizationReport("org", "Acme", 5, discrepancies=whole.discrepancies)
    kept = bounded(whole)
    told = advance(None, kept, min_severity=Severity.WARNING, run=RUN)
    assert told is not None
    fewer = bounded(OrganizationReport("org", "Acme", 5, discrepancies=tuple(reversed(whole.discrepancies[:2_000]))))
    tomorrow = RunFacts("scheduled__2", "2026-01-16T07:00:00Z", None)
    change = advance(told.state, fewer, min_severity=Severity.WARNING, run=tomorrow)
    assert change is not None
    assert not change.resolved  # each of yesterday's is in the report or may be among what it only counts
    alert = drift_alert(kept, min_severity=Severity.WARNING, run=RUN)
    assert alert is not None
    assert f" · {6_000 - len(kept.discrepancies):,} more findings are counted only" in json.dumps(
        [alert.text, *map(str, alert.blocks)], ensure_ascii=False
    )


def test_open_problems_of_a_source_with_too_many_unchecked_datasets_to_name_stay_open():
    drifted = OrganizationReport("org", "Acme", 5, discrepancies=(finding(1, KINDS[0], "x"),))
    told = advance(None, drifted, min_severity=Severity.WARNING, run=RUN)
    assert told is not None
    ids = tuple(f"dataset-{number}" for number in range(20_000))
    away = bounded(
        OrganizationReport("org", "Acme", 0, 20_000, unchecked=(UncheckedSource("source", "S", 20_000, "away", ids),))
    )
    change = advance(told.state, away, min_severity=Severity.WARNING, run=RunFacts("2", "2026-01-16T07:00:00Z", None))
    assert change is not None
    assert (len(change.kept), change.resolved) == (1, ())
