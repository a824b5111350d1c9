"""Yesterday's open problems and today's report → new, ongoing, resolved (pure).

One drift is one incident: it opens with the first problem that is announced and ends when all of them are gone. Its
state is a small value that the caller keeps from run to run; no clock is read here, a run says itself when it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from ..nouns.report import OrganizationReport
from ..nouns.wire import plain

if TYPE_CHECKING:
    from ..nouns.run import RunFacts

# An incident that comes back within this time is the same one, in the same thread.
REOPENS_WITHIN = timedelta(days=7)

_VERSION = 1
# Characters of a name that a state keeps: as many as a message shows, whatever a YML wrote.
_NAME_LENGTH, _PLACE_LENGTH = 128, 386


class OpenProblem(NamedTuple):
    """What is remembered of an announced problem: enough to name it once it is gone, and when it was announced."""

    fingerprint: str
    type: DiscrepancyType
    severity: Severity
    first_seen: str
    data_source_id: str
    dataset_id: str | None
    dataset_name: str | None
    place: str
    column: str | None


@dataclass(frozen=True, slots=True)
class IncidentState:
    """What is kept of an incident between runs.

    :ivar run_id, as_of: the run that left it like this, and its :func:`run_moment`.
    :ivar opened: timestamp of the run that opened it.
    :ivar problems: open and announced; sorted, most severe first.
    :ivar resolved: ``as_of`` of the run that found the last problem gone, None while something is open.
    :ivar spoke: ``as_of`` of the run that last posted something people are notified of.
    """

    run_id: str
    as_of: str
    opened: str
    problems: tuple[OpenProblem, ...]
    resolved: str | None
    spoke: str


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """What one run changed. Each problem, told by its fingerprint, is in exactly one of the tuples.

    :ivar new, ongoing: as this run's report has them; sorted, most severe first.
    :ivar kept, resolved: not checked by this run, so they stay open; checked, and gone.
    :ivar ignored: the dataset's author does not want to be told of them any more.
    :ivar reopened: everything was resolved before, not long ago.
    :ivar state: after this run; the caller decides about ``spoke``.
    :ivar first_seen: {fingerprint: timestamp} of new and ongoing.
    """

    new: tuple[Discrepancy, ...]
    ongoing: tuple[Discrepancy, ...]
    kept: tuple[OpenProblem, ...]
    resolved: tuple[OpenProblem, ...]
    ignored: tuple[OpenProblem, ...]
    reopened: bool
    state: IncidentState
    first_seen: Mapping[str, str] = field(hash=False)


def advance(
    previous: IncidentState | None,
    report: OrganizationReport,
    *,
    min_severity: Severity,
    run: RunFacts,
    known_since: Mapping[str, str] | None = None,
) -> IncidentChange | None:
    """Follow an incident through one more run.

    Open afterwards is what was open and is still in the report, at whatever severity; what the report has at
    ``min_severity`` or worse; and what was open and could not be checked. That is: its dataset or data source is
    unchecked, the whole check failed, or something wider hides it (its table or schema is gone or may not be read, its
    YML is unreadable): a column is not repaired because its table vanished.

    :param previous: as the last run left it; a run that runs again passes the state before itself.
    :param known_since: {fingerprint: timestamp} of problems that an earlier run saw and could not announce.
    :return: None when nothing is open and nothing was.
    """
    if previous is not None and not continues(previous, run):
        previous = None
    before = {} if previous is None else {problem.fingerprint: problem for problem in previous.problems}
    known_since = known_since or {}
    new: dict[str, Discrepancy] = {}
    ongoing: dict[str, Discrepancy] = {}
    for found in sorted(report.discrepancies, key=lambda each: each.sort_key):
        fingerprint = found.fingerprint
        if fingerprint in before:
            ongoing.setdefault(fingerprint, found)
        elif found.severity.at_least(min_severity):
            new.setdefault(fingerprint, found)
    gone = [problem for fingerprint, problem in before.items() if fingerprint not in ongoing]
    kept, resolved, ignored = _sort_out(gone, report)
    if not (new or before):
        return None
    first_seen = {fingerprint: known_since.get(fingerprint, run.timestamp) for fingerprint in new}
    first_seen |= {fingerprint: before[fingerprint].first_seen for fingerprint in ongoing}
    problems = [_remembered(found, key, first_seen[key]) for key, found in (new | ongoing).items()]
    problems = sorted([*problems, *kept], key=_order)
    now = run_moment(run)
    return IncidentChange(
        new=tuple(new.values()),
        ongoing=tuple(ongoing.values()),
        kept=tuple(kept),
        resolved=tuple(resolved),
        ignored=tuple(ignored),
        reopened=previous is not None and previous.resolved is not None,
        state=IncidentState(
            run_id=run.run_id,
            as_of=now,
            opened=run.timestamp if previous is None else previous.opened,
            problems=tuple(problems),
            resolved=None if problems else now,
            spoke=now if previous is None else previous.spoke,
        ),
        first_seen=first_seen,
    )


def continues(previous: IncidentState, run: RunFacts) -> bool:
    """True when what ``run`` finds belongs to this incident: it is open, or was until less than a week ago."""
    return previous.resolved is None or time_between(previous.resolved, run_moment(run)) < REOPENS_WITHIN


def is_older(run: RunFacts, state: IncidentState) -> bool:
    """True when a later run has spoken since: an old run, cleared and run again, knows nothing that is news."""
    return run.run_id != state.run_id and run_moment(run) < state.as_of


def run_moment(run: RunFacts) -> str:
    """What orders runs: when this one could start, in ISO 8601 with six digits of microseconds."""
    return run.as_of or _moment(run.timestamp).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_between(earlier: str, later: str) -> timedelta:
    """Between two moments in ISO 8601."""
    return _moment(later) - _moment(earlier)


def moment_after(moment: str, time: timedelta) -> str:
    """A moment in the form of :func:`run_moment`, and later."""
    return (_moment(moment) + time).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def place_of(found: Discrepancy) -> str:
    """``database.schema.table``, as far as known."""
    return ".".join(part for part in (found.database, found.schema, found.table) if part)


def state_to_json(state: IncidentState) -> dict[str, Any]:
    """Plain JSON values that ``jsonb`` takes. Problems are lists: there may be thousands."""
    return {"version": _VERSION, **plain(state)}


def state_from_json(value: object) -> IncidentState | None:
    """The inverse of :func:`state_to_json`; None for anything that it did not write, or not in this version."""
    if not isinstance(value, dict) or value.get("version") != _VERSION:
        return None
    try:
        state = msgspec.convert(value, IncidentState)
        for moment in (state.as_of, state.spoke, state.resolved):
            if moment is not None:
                _moment(moment)
    except ValueError:
        return None
    return state


def _sort_out(
    gone: Iterable[OpenProblem], report: OrganizationReport
) -> tuple[list[OpenProblem], list[OpenProblem], list[OpenProblem]]:
    """Problems that are no longer in the report → (kept, resolved, ignored)."""
    kept: list[OpenProblem] = []
    resolved: list[OpenProblem] = []
    ignored: list[OpenProblem] = []
    silenced = {found.fingerprint for found in report.ignored}
    unchecked_datasets = {dataset_id for source in report.unchecked for dataset_id in source.dataset_ids}
    wholly_unchecked = {
        source.data_source_id for source in report.unchecked if source.datasets and not source.dataset_ids
    }
    unchecked_sources = {source.data_source_id for source in report.unchecked}
    hidden, hidden_and_silenced = _Cover(report.discrepancies), _Cover(report.ignored)
    for problem in gone:
        if problem.fingerprint in silenced:
            ignored.append(problem)
        elif (
            report.error is not None
            or report.left_out.findings(problem.severity)  # it may be among what is only counted
            or report.left_out.sources
            or problem.data_source_id in wholly_unchecked
            or problem.dataset_id in unchecked_datasets
            or (problem.dataset_id is None and problem.data_source_id in unchecked_sources)
            or hidden.hides(problem)
        ):
            kept.append(problem)
        elif hidden_and_silenced.hides(problem):
            ignored.append(problem)
        else:
            resolved.append(problem)
    return kept, resolved, ignored


class _Cover:
    """Which problems cannot be seen because something wider is wrong."""

    def __init__(self, discrepancies: Iterable[Discrepancy]) -> None:
        placed = [(each, (each.data_source_id, _kept_text(place_of(each), _PLACE_LENGTH))) for each in discrepancies]
        unread = [found for found, _ in placed if found.type is DiscrepancyType.INVALID_YML]
        self._datasets = {found.dataset_id for found in unread}
        self._sources_with_unread = {found.data_source_id for found in unread}
        self._schemas = {place for found, place in placed if found.type is DiscrepancyType.MISSING_SCHEMA}
        self._tables = {place for found, place in placed if found.column is None and found.type in _OF_A_TABLE}

    def hides(self, problem: OpenProblem) -> bool:
        if problem.type is DiscrepancyType.INVALID_YML:
            return False
        if problem.type is DiscrepancyType.MISSING_SCHEMA:
            # It belongs to no dataset; one that needs the schema may be the one that cannot be read.
            return problem.data_source_id in self._sources_with_unread
        if problem.dataset_id is not None and problem.dataset_id in self._datasets:
            return True
        # Names may hold dots themselves: then a problem is kept once too often, not lost.
        dots = (at for at, letter in enumerate(problem.place) if letter == ".")
        if any((problem.data_source_id, problem.place[:at]) in self._schemas for at in dots):
            return True
        # One state of a whole table follows another, and hides what is smaller only.
        smaller = problem.column is not None or problem.type not in _OF_A_TABLE
        return smaller and (problem.data_source_id, problem.place) in self._tables


_OF_A_TABLE = frozenset({DiscrepancyType.MISSING_TABLE, DiscrepancyType.INACCESSIBLE_TABLE})


def _remembered(found: Discrepancy, fingerprint: str, first_seen: str) -> OpenProblem:
    return OpenProblem(
        fingerprint=fingerprint,
        type=found.type,
        severity=found.severity,
        first_seen=first_seen,
        data_source_id=found.data_source_id,
        dataset_id=found.dataset_id,
        dataset_name=None if found.dataset_name is None else _kept_text(found.dataset_name, _NAME_LENGTH),
        place=_kept_text(place_of(found), _PLACE_LENGTH),
        column=None if found.column is None else _kept_text(found.column, _NAME_LENGTH),
    )


def _kept_text(text: str, limit: int) -> str:
    """Without what PostgreSQL's ``jsonb`` or UTF-8 cannot hold, and the middle cut when it is long."""
    if not text.isascii() or "\0" in text:
        text = text.replace("\0", "␀").encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= limit else f"{text[: limit * 2 // 3]}…{text[-(limit // 3) + 1 :]}"


def _order(problem: OpenProblem) -> tuple[int | str, ...]:
    where = problem.place, problem.dataset_name or "", problem.type, problem.column or ""
    return problem.severity.rank, *where, problem.fingerprint


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
