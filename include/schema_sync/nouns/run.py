"""One run over all organizations: which it is, and what it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .report import OrganizationState, OrganizationTotals

UNTOLD = "Its notify task did not finish; the log of that task in this run says why."


@dataclass(frozen=True, slots=True)
class RunError:
    organization_id: str
    organization_name: str
    data_source_id: str | None
    error: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one run found, over all of its organizations."""

    success: bool
    timestamp: str
    execution_time_ms: int
    organizations: tuple[OrganizationTotals, ...]
    errors: tuple[RunError, ...] = field(default=())

    @property
    def counts(self) -> RunCounts:
        return RunCounts.of(self.organizations)


@dataclass(frozen=True, slots=True)
class RunCounts:
    """A run in numbers, as its result, its messages, its metrics and the page give them.

    :ivar by_state: how many organizations are in each state; every state is named.
    :ivar drifted: organizations with something critical or to warn of, also where they were checked only in part.
    :ivar notified: organizations that a drift or resolved message reached.
    :ivar undelivered: organizations whose message did not reach them, though there was one and it was tried.
    :ivar withheld: organizations whose message was ready and not sent, because the installation was just switched on.
    """

    organizations: int
    by_state: Mapping[OrganizationState, int]
    drifted: int
    critical: int
    warnings: int
    infos: int
    ignored: int
    datasets_checked: int
    datasets_unchecked: int
    sources_checked: int
    notified: int
    undelivered: int
    withheld: int

    @classmethod
    def of(cls, organizations: Sequence[OrganizationTotals]) -> RunCounts:
        by_state = dict.fromkeys(OrganizationState, 0)
        for each in organizations:
            by_state[each.state] += 1
        return cls(
            organizations=len(organizations),
            by_state=by_state,
            drifted=sum(1 for each in organizations if each.critical or each.warnings),
            critical=sum(each.critical for each in organizations),
            warnings=sum(each.warnings for each in organizations),
            infos=sum(each.infos for each in organizations),
            ignored=sum(each.ignored for each in organizations),
            datasets_checked=sum(each.datasets_checked for each in organizations),
            datasets_unchecked=sum(each.datasets_unchecked for each in organizations),
            sources_checked=sum(each.sources_checked for each in organizations),
            notified=sum(each.notified for each in organizations),
            undelivered=sum(each.notification_error is not None for each in organizations),
            withheld=sum(each.withheld for each in organizations),
        )


def best_known(
    told: Mapping[str, OrganizationTotals], before: Iterable[Mapping[str, OrganizationTotals]], untold: str | None
) -> dict[str, OrganizationTotals]:
    """What is known of each organization: what its last task says, else what the tasks before it said.

    :param told: {organization id: totals} of the task that tells organizations.
    :param before: the same of earlier tasks, the later ones first.
    :param untold: why nobody told an organization whose last task has not spoken; None: the run goes on.
    """
    known = dict(told)
    for totals in before:
        known.update(
            (key, replace(each, notification_error=untold)) for key, each in totals.items() if key not in known
        )
    return known


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Which run speaks.

    :ivar timestamp: ISO 8601, UTC.
    :ivar run_url: link to the run in Airflow, None when unknown.
    :ivar as_of: since when the run could start, ISO 8601, UTC, always with six digits of microseconds, so that runs
        compare as text; a run that is cleared and runs again keeps it. Empty: as ``timestamp``.
    :ivar results_url: of the results page, None when unknown.
    """

    run_id: str
    timestamp: str
    run_url: str | None
    as_of: str = ""
    results_url: str | None = None
