"""The outcome of one organization in one run, whole and reduced to its totals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from .discrepancy import Discrepancy, Severity
from .snapshot import ColumnChange


@dataclass(frozen=True, slots=True)
class UncheckedSource:
    """Datasets of one data source about which nothing is known, with the reason for a person.

    :ivar datasets: how many.
    :ivar dataset_ids: which; sorted. Empty: too many to be named, or all of the source's.
    """

    data_source_id: str
    data_source_name: str
    datasets: int
    error: str
    dataset_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SuggestedPatch:
    """Repairs of one dataset's YML, ready to be applied with ``patch``.

    :ivar diff: unified diff of the YML text.
    :ivar fixes: fingerprints of the discrepancies that are gone once it is applied; sorted.
    :ivar probable: its renames are likely, not certain: a person has to look at each. Made of the text that the
        dataset's other patch, if there is one, leaves.
    :ivar compiled: the warehouse compiled the dataset with the patch applied. False where it was not asked, or did not
        answer; what it refuses is no patch.
    """

    dataset_id: str
    dataset_name: str
    diff: str
    fixes: tuple[str, ...]
    probable: bool = False
    compiled: bool = False


class TableChanges(NamedTuple):
    """What changed in one table's columns since an earlier run (contract, section 13)."""

    data_source_id: str
    database: str | None
    schema: str
    table: str
    columns: tuple[ColumnChange, ...]


@dataclass(frozen=True, slots=True)
class SourceTiming:
    """How long introspecting one data source took."""

    data_source_id: str
    data_source_name: str
    elapsed_ms: int


class OrganizationState(StrEnum):
    CLEAN = "clean"
    DRIFTED = "drifted"
    PARTIAL = "partial"
    FAILED = "failed"
    EMPTY = "no datasets"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a bounded report only counts: findings by severity, ignored ones, patches, unchecked data sources."""

    critical: int = 0
    warnings: int = 0
    infos: int = 0
    ignored: int = 0
    patches: int = 0
    sources: int = 0

    def findings(self, severity: Severity) -> int:
        return (self.critical, self.warnings, self.infos)[severity.rank]

    @property
    def all_findings(self) -> int:
        return self.critical + self.warnings + self.infos


@dataclass(frozen=True, slots=True)
class OrganizationReport:
    """The outcome of one organization in one run.

    :ivar datasets_checked: datasets with a verdict (an unreadable YML is a verdict).
    :ivar error: why the organization failed as a whole, or None.
    :ivar ignored: what the datasets' authors asked not to be told (``schema_sync: {ignore: …}``); in no other count.
    :ivar sources_checked: data sources of which something is known.
    :ivar patches: for each dataset that can be repaired at most one of what is certain, and one of what is probable.
    :ivar slowest_source: None when no source was asked.
    :ivar left_out: found, and in none of the tuples; the counts include it.
    :ivar changes: of tables that datasets name, as far as an earlier run is remembered.
    """

    organization_id: str
    organization_name: str
    datasets_checked: int = 0
    datasets_unchecked: int = 0
    discrepancies: tuple[Discrepancy, ...] = ()
    unchecked: tuple[UncheckedSource, ...] = ()
    error: str | None = None
    ignored: tuple[Discrepancy, ...] = ()
    patches: tuple[SuggestedPatch, ...] = ()
    slowest_source: SourceTiming | None = None
    left_out: LeftOut = LeftOut()
    changes: tuple[TableChanges, ...] = ()
    sources_checked: int = 0

    def count(self, severity: Severity) -> int:
        listed = sum(1 for discrepancy in self.discrepancies if discrepancy.severity is severity)
        return listed + self.left_out.findings(severity)

    @property
    def count_ignored(self) -> int:
        return len(self.ignored) + self.left_out.ignored

    @property
    def totals(self) -> OrganizationTotals:
        return OrganizationTotals(
            organization_id=self.organization_id,
            organization_name=self.organization_name,
            datasets_checked=self.datasets_checked,
            datasets_unchecked=self.datasets_unchecked,
            critical=self.count(Severity.CRITICAL),
            warnings=self.count(Severity.WARNING),
            infos=self.count(Severity.INFO),
            unchecked=self.unchecked,
            error=self.error,
            ignored=self.count_ignored,
            slowest_source=self.slowest_source,
            sources_checked=self.sources_checked,
        )


@dataclass(frozen=True, slots=True)
class OrganizationTotals:
    """A report reduced to what the summary needs, small enough for thousands of organizations.

    :ivar ignored: findings that the datasets' authors silenced.
    :ivar new, new_critical, ongoing, resolved: problems against the organization's last report; None where nobody
        keeps that account (no Slack integration, a dry run, nothing was checked).
    :ivar not_told: there was something to tell and no way to tell it: why, in words for the data team.
    :ivar withheld: a message to it was ready and was not sent, because the installation was just switched on.
    :ivar thread: its open conversation, as ``channel/ts`` of the first message.
    """

    organization_id: str
    organization_name: str
    datasets_checked: int = 0
    datasets_unchecked: int = 0
    critical: int = 0
    warnings: int = 0
    infos: int = 0
    unchecked: tuple[UncheckedSource, ...] = ()
    error: str | None = None
    notified: bool = False
    notification_error: str | None = None
    ignored: int = 0
    new: int | None = None
    new_critical: int | None = None
    ongoing: int | None = None
    resolved: int | None = None
    slowest_source: SourceTiming | None = None
    sources_checked: int = 0
    withheld: bool = False
    not_told: str | None = None
    thread: str | None = None

    @property
    def untold(self) -> str | None:
        """Why nobody there knows what was found, or that the check failed; None: it was told, or there is nothing."""
        return self.not_told or (None if self.notified else self.notification_error)

    @property
    def state(self) -> OrganizationState:
        if self.error is not None:
            return OrganizationState.FAILED
        if self.unchecked:
            return OrganizationState.PARTIAL
        if self.critical or self.warnings:
            return OrganizationState.DRIFTED
        return OrganizationState.CLEAN if self.datasets_checked else OrganizationState.EMPTY
