"""One run over all organizations: which it is, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field

from .report import OrganizationTotals


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


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Which run speaks.

    :ivar timestamp: ISO 8601, UTC.
    :ivar run_url: link to the run in Airflow, None when unknown.
    :ivar as_of: since when the run could start, ISO 8601, UTC, always with six digits of microseconds, so that runs
        compare as text; a run that is cleared and runs again keeps it. Empty: as ``timestamp``.
    """

    run_id: str
    timestamp: str
    run_url: str | None
    as_of: str = ""
