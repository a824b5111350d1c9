"""One run at a glance: every organization with its state, filtered, sorted and cut into pages.

The statements are ``stored``'s; what is found is joined by organization id, as ``summarize`` does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from include.schema_sync.nouns.report import OrganizationState, OrganizationTotals
from include.schema_sync.nouns.run import UNTOLD, RunCounts, best_known
from schema_sync_airflow.results_page import reading, stored
from schema_sync_airflow.run.params import DRY_RUN

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PAGE_SIZE = 100
_LEAST_OF_ID = 4  # fewer characters are in almost every id
WAITING = "waiting"  # not a state of the contract: the run has not come to this organization yet

# Worst first: how the table is sorted unless somebody asks otherwise, and the order of the tiles.
STATES = (
    str(OrganizationState.FAILED),
    str(OrganizationState.PARTIAL),
    str(OrganizationState.DRIFTED),
    str(OrganizationState.CLEAN),
    str(OrganizationState.EMPTY),
    WAITING,
)
_UNFINISHED = "The check did not finish; the logs of its tasks in this run say why."


@dataclass(frozen=True, slots=True)
class Line:
    """One organization as one run knows it. :ivar state: one of :data:`STATES`."""

    totals: OrganizationTotals
    state: str
    run: stored.Run

    @property
    def told(self) -> tuple[str, str]:
        """``yes``, ``no`` or nothing (nothing was due), and why it was not told."""
        of = self.totals
        if of.untold is not None or of.notified:
            return "yes" if of.untold is None else "no", of.untold or ""
        if of.withheld:
            return "no", "just switched on: trigger the DAG to tell it now"
        was_due = of.critical or of.warnings or of.unchecked or of.error
        return ("no", "dry run") if was_due and self.run.conf.get(DRY_RUN) is True else ("", "")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person at the page asked to see; what is not understood counts as not asked.

    :ivar search: part of a name, or a good part of an id, whatever its letter case.
    :ivar state: one of :data:`STATES`, or empty: all.
    :ivar only: a key of :data:`FILTERS`, or empty: all.
    :ivar sort: a key of :data:`SORTS`.
    :ivar page: from 1.
    """

    search: str = ""
    state: str = ""
    only: str = ""
    sort: str = "worst"
    descending: bool = False
    page: int = 1

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Choice:
        state, sort, page = query.get("state", ""), query.get("sort", ""), query.get("page", "")
        known = sort if sort in SORTS else "worst"
        return cls(
            search=query.get("q", "").strip()[:200],
            state=state if state in STATES else "",
            only=query.get("only", "") if query.get("only") in FILTERS else "",
            sort=known,
            descending=query.get("dir") == "desc",
            page=int(page) if page.isascii() and page.isdigit() and 0 < int(page[:7]) < 1_000_000 else 1,
        )

    def query(self, **changes: Any) -> dict[str, str]:
        """As parameters of an address, with changes; everything but a new page starts at the first page."""
        to = replace(self, **{"page": 1, **changes})
        every = {
            "q": to.search,
            "state": to.state,
            "only": to.only,
            "sort": "" if to.sort == "worst" else to.sort,
            "dir": "desc" if to.descending else "",
            "page": str(to.page) if to.page > 1 else "",
        }
        return {key: value for key, value in every.items() if value}


@dataclass(frozen=True, slots=True)
class Overview:
    """What one run found.

    :ivar lines: of the chosen page.
    :ivar matching: how many the search and the state leave.
    :ivar by_state: {state: how many}, of the whole run, in the order of :data:`STATES`.
    :ivar by_filter: {key of :data:`FILTERS`: how many}.
    :ivar every: all that match, in order.
    :ivar fetch_error: why no organization could be listed, else None.
    """

    lines: Sequence[Line]
    every: Sequence[Line]
    matching: int
    organizations: int
    by_state: Mapping[str, int]
    by_filter: Mapping[str, int]
    counts: RunCounts
    fetch_error: str | None
    choice: Choice

    @property
    def pages(self) -> int:
        return max(1, -(-self.matching // PAGE_SIZE))

    @property
    def waiting(self) -> int:
        return self.by_state.get(WAITING, 0)


def latest(session: Session, runs: Sequence[stored.Run]) -> tuple[list[Line], str | None]:
    """What is known last of every organization, joined over the runs back to the last one that asked for all.

    An organization that a run has not come to yet is as the run before left it. One or two statements a run.

    :param runs: newest first.
    :return: (lines, why the newest run could list no organization, else None).
    """
    lines: dict[str, Line] = {}
    fetch_error = None
    for run in runs:
        own, error = lines_of(session, run)
        fetch_error = error if run is runs[0] else fetch_error
        for each in own:
            known = lines.get(each.totals.organization_id)
            if known is None or known.state == WAITING:
                lines[each.totals.organization_id] = each
        if own and not run.in_progress and not run.is_restricted:
            break
    return list(lines.values()), fetch_error


def arranged(lines: Sequence[Line], fetch_error: str | None, choice: Choice) -> Overview:
    """Filter, sort, count and cut into pages."""
    by_state = {state: sum(1 for line in lines if line.state == state) for state in STATES}
    matching = [line for line in lines if _matches(line, choice)]
    matching.sort(key=lambda line: (line.totals.organization_name.casefold(), line.totals.organization_id))
    matching.sort(key=SORTS[choice.sort], reverse=choice.descending)
    pages = max(1, -(-len(matching) // PAGE_SIZE))
    page = min(choice.page, pages)
    counts = RunCounts.of([line.totals for line in lines])
    return Overview(
        every=matching,
        by_filter={key: sum(map(is_shown, lines)) for key, (_, is_shown) in FILTERS.items()},
        lines=matching[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
        matching=len(matching),
        organizations=len(lines),
        by_state={state: number for state, number in by_state.items() if number},
        counts=counts,
        fetch_error=fetch_error,
        choice=replace(choice, page=page),
    )


def line(organization_id: str, name: str, totals: OrganizationTotals | None, run: stored.Run) -> Line:
    """What is to be said of an organization of which tasks said this much.

    :param totals: None: nothing, and what that means depends on whether the run goes on.
    """
    if totals is not None:
        return Line(totals, str(totals.state), run)
    if run.in_progress:
        return Line(OrganizationTotals(organization_id, name), WAITING, run)
    return Line(OrganizationTotals(organization_id, name, error=_UNFINISHED), str(OrganizationState.FAILED), run)


def lines_of(session: Session, run: stored.Run) -> tuple[list[Line], str | None]:
    """Every organization of a run, and why none could be listed; one statement where it has ended well, else two.

    :raises UnreadableError: as :func:`stored.values`.
    """
    said = stored.values(session, run, [stored.NOTIFIED, stored.FAILED_REPORTS, stored.ERROR_OF_FETCH])
    told = _by_id(said[stored.NOTIFIED], reading.totals)
    error = next((str(value.content) for value in said[stored.ERROR_OF_FETCH]), None)
    if run.counts is not None and run.counts.organizations == len(told) and not run.in_progress:
        return [Line(totals, str(totals.state), run) for totals in told.values()], error
    # Some notify tasks have not spoken (yet): what do the tasks before them say?
    more = stored.values(session, run, [stored.BATCHES, stored.OLDER_BATCHES, stored.TOTALS_OF_REPORTS])
    batches = [
        batch
        for value in more[stored.BATCHES] or more[stored.OLDER_BATCHES]
        for batch in reading.batches(value.content)
    ]
    names = {key: name for batch in batches for key, name in batch.organizations.items()}
    own = {key: index for index, batch in enumerate(batches) for key in batch.organizations}
    known = best_known(
        _by_id(said[stored.NOTIFIED], reading.totals, own),
        (
            _by_id(more[stored.TOTALS_OF_REPORTS], reading.totals, own),
            _by_id(said[stored.FAILED_REPORTS], reading.totals_of_reports, own),
        ),
        None if run.in_progress else UNTOLD,
    )
    names = {**names, **{key: totals.organization_name for key, totals in known.items()}}
    return [line(key, name, known.get(key), run) for key, name in names.items()], error


def _by_id(
    values: Sequence[stored.Value],
    read: Callable[[Any], list[OrganizationTotals]],
    own: Mapping[str, int] | None = None,
) -> dict[str, OrganizationTotals]:
    """:param own: {organization id: the instance that has its batch now}; what others said of it is out of date."""
    return {
        totals.organization_id: totals
        for value in values
        for totals in read(value.content)
        if not own or own.get(totals.organization_id, value.map_index) == value.map_index
    }


def _matches(line: Line, choice: Choice) -> bool:
    wanted = choice.search.casefold()
    if choice.only and not FILTERS[choice.only][1](line):
        return False
    return (not choice.state or line.state == choice.state) and (
        not wanted
        or wanted in line.totals.organization_name.casefold()
        or (len(wanted) >= _LEAST_OF_ID and wanted in line.totals.organization_id.casefold())
    )


SORTS: Mapping[str, Callable[[Line], Any]] = {
    "worst": lambda line: (STATES.index(line.state), -line.totals.critical, -line.totals.warnings),
    "name": lambda line: line.totals.organization_name.casefold(),
    "state": lambda line: STATES.index(line.state),
    "critical": lambda line: line.totals.critical,
    "warnings": lambda line: line.totals.warnings,
    "infos": lambda line: line.totals.infos,
    "datasets": lambda line: line.totals.datasets_checked,
    "unchecked": lambda line: line.totals.datasets_unchecked,
    "told": lambda line: line.told[0],
}
FILTERS: Mapping[str, tuple[str, Callable[[Line], bool]]] = {
    "critical": ("Critical", lambda line: line.totals.critical > 0),
    "warning": ("Warnings", lambda line: line.totals.warnings > 0),
    "new": ("New", lambda line: bool(line.totals.new)),
    "untold": ("Not told", lambda line: line.told[0] == "no"),
    "unchecked": ("Not checked", lambda line: bool(line.totals.unchecked or line.totals.error)),
}
