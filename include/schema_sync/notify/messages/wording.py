"""How single findings, problems and counts are put into words, escaped (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from ...nouns.discrepancy_names import DISCREPANCY_NAMES
from ...nouns.report import OrganizationReport, UncheckedSource
from ...text import counted
from ..incidents import OpenProblem, place_of
from .blocks import Item, Listing, name, prose, units

EMOJI = {severity: severity.sign for severity in Severity}


PROBLEMS = ("problem", "problems")


CONSEQUENCE = "Queries that use what is missing fail until the YML or the warehouse is changed."
# For these, column, types and place do not tell all; the discrepancy's own sentence says what happened, or who needs
# the column.
_NEEDS_ITS_MESSAGE = frozenset(
    {
        DiscrepancyType.MISSING_SCHEMA,
        DiscrepancyType.MISSING_COLUMN,
        DiscrepancyType.INACCESSIBLE_TABLE,
        DiscrepancyType.BROKEN_VIEW,
        DiscrepancyType.BROKEN_EXPRESSION,
        DiscrepancyType.BROKEN_RELATIONSHIP,
        DiscrepancyType.KEY_TYPE_MISMATCH,
        DiscrepancyType.INVALID_YML,
        DiscrepancyType.UNVERIFIABLE_EXPRESSION,
    }
)


_TYPE_LENGTH = 200
_MENTION_LENGTH = 500
_PLACE_LENGTH = 386  # three names of 128 and their dots


def in_order(found: Sequence[Discrepancy], first_seen: Mapping[str, str] | None = None) -> list[Discrepancy]:
    """As people are to read them: most severe first, then by dataset, the dataset with the newest problem first.

    :param first_seen: {fingerprint: timestamp} of each; None: all are as old.
    """
    ordered = sorted(found, key=lambda each: each.sort_key)
    if first_seen is None:
        return ordered
    dated = [(first_seen[each.fingerprint], _group(each), each) for each in ordered]
    newest: dict[tuple[int, str, str, str, str], str] = {}
    for since, group, _ in dated:
        newest[group] = max(since, newest.get(group, ""))
    dated.sort(key=lambda row: row[0], reverse=True)
    dated.sort(key=lambda row: row[1])
    dated.sort(key=lambda row: newest[row[1]], reverse=True)
    dated.sort(key=lambda row: row[1][0])
    return [each for *_, each in dated]


def discrepancy_item(found: Discrepancy, since: str = "") -> Item:
    """One discrepancy in a listing, under its dataset's heading.

    :param since: how long it has been there, escaped; empty: is not said.
    """
    what = f"{EMOJI[found.severity]} *{DISCREPANCY_NAMES[found.type].title}*"
    if found.column is not None:
        what += f" {name(found.column)}"
    sides = (("YML says", found.declared), ("warehouse has", found.actual))
    facts = [f"{side} {name(value, _TYPE_LENGTH)}" for side, value in sides if value is not None]
    # What is declared of a schema is its name, which the heading says.
    details = [", ".join(facts)] if facts and found.type is not DiscrepancyType.MISSING_SCHEMA else []
    if found.suggestion is not None and found.suggestion != found.actual:
        details.append(f"did you mean {name(found.suggestion)}?")
    if found.line is not None:
        details.append(f"YML line {found.line}")
    if since:
        details.append(since)
    line = " · ".join([what, *details])
    if found.type in _NEEDS_ITS_MESSAGE:
        line += f"\n{prose(found.message)}"
    place = name(place_of(found), _PLACE_LENGTH)
    heading = place if found.dataset_name is None else f"Dataset {name(found.dataset_name)} on {place}"
    return Item(line, heading)


def problem_line(problem: OpenProblem, sign: str) -> str:
    """A problem of which only the memory is left, in one line; escaped."""
    what = f"*{DISCREPANCY_NAMES[problem.type].title}*" + (
        f" {name(problem.column)}" if problem.column is not None else ""
    )
    of_dataset = f"dataset {name(problem.dataset_name)} on " if problem.dataset_name is not None else ""
    place = name(problem.place, _PLACE_LENGTH)
    return f"{sign} {what} · {of_dataset}{place} · first seen {day(problem.first_seen)}"


def unchecked_listing(unchecked: Sequence[UncheckedSource]) -> Listing:
    heading = "*Not checked*: nothing is known about these"
    return Listing(
        len(unchecked),
        lambda index: Item(f"⚪ {unchecked_line(unchecked[index])}", heading),
        ("unchecked data source", "unchecked data sources"),
    )


def first_of(shown: Sequence[Discrepancy]) -> str:
    """The first few, for a fallback text; escaped."""
    return f"First: {'; '.join(map(_in_short, shown[:3]))}."


def report_counts(report: OrganizationReport) -> str:
    return severity_counts(*map(report.count, Severity))


def datasets_line(report: OrganizationReport) -> str:
    """What was checked, what was not, and what nobody wants to hear of."""
    line = f"{counted(report.datasets_checked, 'dataset', 'datasets')} checked"
    line += f", {report.datasets_unchecked} not checked." if report.datasets_unchecked else "."
    if report.count_ignored:
        line += f" {report.count_ignored} ignored by the datasets' authors."
    left_out = report.left_out.all_findings
    return f"{line} …and {left_out:,} more findings, which are only counted." if left_out else line


def called_by_name(mention: str) -> list[str]:
    """A line that calls people, or none. Slack's own markup, so it is cut between two names only."""
    names = mention.split()
    while names and units(" ".join(names)) > _MENTION_LENGTH:
        names.pop()
    return [" ".join(names)] if names else []


def day(timestamp: str) -> str:
    """The date of a timestamp in ISO 8601; escaped."""
    return prose(timestamp[:10])


def severity_counts(critical: int, warnings: int, infos: int) -> str:
    return f"{critical} critical, {counted(warnings, 'warning', 'warnings')}, {counted(infos, 'info', 'infos')}"


def unchecked_line(source: UncheckedSource) -> str:
    """One data source that was not checked, with the reason; escaped."""
    datasets = counted(source.datasets, "dataset", "datasets")
    return f"{name(source.data_source_name)} ({datasets}): {prose(source.error)}"


def _in_short(found: Discrepancy) -> str:
    column = f" {name(found.column, 64)}" if found.column is not None else ""
    words = DISCREPANCY_NAMES[found.type].title
    return f"{words[0].lower()}{words[1:]}{column} in {name(place_of(found), 200)}"


def _group(found: Discrepancy) -> tuple[int, str, str, str, str]:
    return (found.severity.rank, found.database or "", found.schema, found.table or "", found.dataset_name or "")
