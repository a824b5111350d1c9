"""Runs at a glance: every organization with its state, joined as ``summarize`` does it, filtered and sorted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from include.schema_sync.nouns.report import OrganizationState, OrganizationTotals
from include.schema_sync.nouns.run import UNTOLD, RunCounts, best_known
from schema_sync_airflow.results_page import reading, stored
from schema_sync_airflow.results_page.paging import Page, page_number, page_of
from schema_sync_airflow.run.params import DRY_RUN

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PAGE_SIZE = 100
_LEAST_OF_ID = 4  # fewer characters are in almost every id
WAITING = "waiting"  # not a state of the contract: the run has not come to this organization yet

# Worst first: how the table is sorted unless somebody asks otherwise, and the order of the tiles. What each is called,
# the sign beside it, because nothing is told by colour alone, and what it means.
STATES: Mapping[str, tuple[str, str, str]] = {
    OrganizationState.FAILED: ("Failed", "✕", "could not be checked at all"),
    OrganizationState.PARTIAL: ("Partly checked", "◐", "something was not checked"),
    OrganizationState.DRIFTED: ("Drifted", "▲", "differs from its dataset YML"),
    OrganizationState.CLEAN: ("Clean", "✓", "everything was checked, nothing differs"),
    OrganizationState.EMPTY: ("No datasets", "–", "nothing to check"),
    WAITING: ("Waiting", "…", "not checked yet in this run"),
}
_RANK = {state: rank for rank, state in enumerate(STATES)}
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
    """What the person at the page asked to see, empty: all. What is not understood counts as not asked.

    :ivar search: part of a name, or a good part of an id.
    :ivar state, only, sort: keys of :data:`STATES`, :data:`FILTERS`, :data:`SORTS`.
    """

    search: str = ""
    state: str = ""
    only: str = ""
    sort: str = "worst"
    descending: bool = False
    page: int = 1

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Choice:
        state, only, sort = query.get("state", ""), query.get("only", ""), query.get("sort", "")
        return cls(
            search=query.get("q", "").strip()[:200],
            state=state if state in STATES else "",
            only=only if only in FILTERS else "",
            sort=sort if sort in SORTS else "worst",
            descending=query.get("dir") == "desc",
            page=page_number(query.get("page", "")),
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
    """What is known of all organizations: ``lines`` are those that were chosen, in order.

    :ivar by_state, by_filter: how many of all; keys of :data:`STATES` that occur, and of :data:`FILTERS`.
    :ivar fetch_error: why no organization could be listed, else None.
    """

    lines: Sequence[Line]
    page: Page
    by_state: Mapping[str, int]
    by_filter: Mapping[str, int]
    counts: RunCounts
    fetch_error: str | None
    choice: Choice


def latest(session: Session, runs: Sequence[stored.Run]) -> tuple[list[Line], str | None]:
    """What is known last of every organization, joined over runs, newest first, back to one that asked for all.

    An organization that a run has not come to yet is as the run before left it. One or two statements a run.

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
    matching = [line for line in lines if _matches(line, choice)]
    matching.sort(key=lambda line: (line.totals.organization_name.casefold(), line.totals.organization_id))
    matching.sort(key=SORTS[choice.sort], reverse=choice.descending)
    numbers = Counter(line.state for line in lines)
    return Overview(
        lines=matching,
        page=page_of(len(matching), PAGE_SIZE, choice.page),
        by_state={state: numbers[state] for state in STATES if numbers[state]},
        by_filter={key: sum(map(is_shown, lines)) for key, (_, is_shown) in FILTERS.items()},
        counts=RunCounts.of([line.totals for line in lines]),
        fetch_error=fetch_error,
        choice=choice,
    )


def line(organization_id: str, name: str, totals: OrganizationTotals | None, run: stored.Run) -> Line:
    """:param totals: what tasks said; None: nothing, and what that means depends on whether the run goes on."""
    if totals is None and run.in_progress:
        return Line(OrganizationTotals(organization_id, name), WAITING, run)
    known = totals or OrganizationTotals(organization_id, name, error=_UNFINISHED)
    return Line(known, known.state, run)


def lines_of(session: Session, run: stored.Run) -> tuple[list[Line], str | None]:
    """Every organization of a run, and why none could be listed; one statement where it has ended well, else two."""
    said = stored.values(session, run, [stored.NOTIFIED, stored.FAILED_REPORTS, stored.ERROR_OF_FETCH])
    told = _by_id(said[stored.NOTIFIED], reading.totals)
    error = next((str(content) for _, content in said[stored.ERROR_OF_FETCH]), None)
    if run.counts is not None and run.counts.organizations == len(told) and not run.in_progress:
        return [Line(totals, totals.state, run) for totals in told.values()], error
    # Some notify tasks have not spoken (yet): what do the tasks before them say?
    more = stored.values(session, run, [*stored.BATCHES, stored.TOTALS_OF_REPORTS])
    batches = batches_of(more)
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
    names |= {key: totals.organization_name for key, totals in known.items()}
    return [line(key, name, known.get(key), run) for key, name in names.items()], error


def batches_of(said: Mapping[stored.Source, Sequence[stored.Value]]) -> list[reading.Batch]:
    """Every batch of a run, by map index. :param said: with both of :data:`stored.BATCHES`."""
    newer, older = (said[source] for source in stored.BATCHES)
    return [batch for _, content in newer or older for batch in reading.batches(content)]


def _by_id(
    values: Sequence[stored.Value],
    read: Callable[[Any], list[OrganizationTotals]],
    own: Mapping[str, int] | None = None,
) -> dict[str, OrganizationTotals]:
    """:param own: {organization id: the instance that has its batch now}; what others said of it is out of date."""
    return {
        totals.organization_id: totals
        for map_index, content in values
        for totals in read(content)
        if not own or own.get(totals.organization_id, map_index) == map_index
    }


def _matches(line: Line, choice: Choice) -> bool:
    wanted, of = choice.search.casefold(), line.totals
    return (
        choice.state in ("", line.state)
        and (not choice.only or FILTERS[choice.only][1](line))
        and (
            wanted in of.organization_name.casefold()
            or (len(wanted) >= _LEAST_OF_ID and wanted in of.organization_id.casefold())
        )
    )


SORTS: Mapping[str, Callable[[Line], Any]] = {
    "worst": lambda line: (_RANK[line.state], -line.totals.critical, -line.totals.warnings),
    "name": lambda line: line.totals.organization_name.casefold(),
    "state": lambda line: _RANK[line.state],
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
