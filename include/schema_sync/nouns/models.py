"""The nouns of Schema Sync as frozen values. No behaviour beyond what a value says of itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most severe; sorts ascending."""
        return _SEVERITY_RANK[self]

    def at_least(self, other: Severity) -> bool:
        """True when this severity is ``other`` or worse."""
        return self.rank <= other.rank


_SEVERITY_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


class DiscrepancyType(StrEnum):
    MISSING_SCHEMA = "missing_schema"
    MISSING_TABLE = "missing_table"
    MISSING_COLUMN = "missing_column"
    INACCESSIBLE_TABLE = "inaccessible_table"
    INVALID_YML = "invalid_yml"
    TYPE_MISMATCH = "type_mismatch"
    CASE_MISMATCH = "case_mismatch"
    UNDOCUMENTED_COLUMN = "undocumented_column"
    UNVERIFIABLE_TYPE = "unverifiable_type"
    UNVERIFIABLE_EXPRESSION = "unverifiable_expression"

    @property
    def severity(self) -> Severity:
        return _SEVERITY_OF[self]


_SEVERITY_OF = {
    DiscrepancyType.MISSING_SCHEMA: Severity.CRITICAL,
    DiscrepancyType.MISSING_TABLE: Severity.CRITICAL,
    DiscrepancyType.MISSING_COLUMN: Severity.CRITICAL,
    DiscrepancyType.INACCESSIBLE_TABLE: Severity.CRITICAL,
    DiscrepancyType.INVALID_YML: Severity.CRITICAL,
    DiscrepancyType.TYPE_MISMATCH: Severity.WARNING,
    DiscrepancyType.CASE_MISMATCH: Severity.WARNING,
    DiscrepancyType.UNDOCUMENTED_COLUMN: Severity.INFO,
    DiscrepancyType.UNVERIFIABLE_TYPE: Severity.INFO,
    DiscrepancyType.UNVERIFIABLE_EXPRESSION: Severity.INFO,
}


class Verdict(StrEnum):
    """What comparing a declared with an actual type can tell (contract, section 7)."""

    MATCH = "match"
    COMPATIBLE = "compatible"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DataSource:
    """One configured connection of an organization. ``type`` is the product's word, not yet a dialect."""

    id: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    name: str
    data_sources: tuple[DataSource, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row of ``datasets`` to check; ``yml`` is its text as stored."""

    id: str
    name: str
    organization_id: str
    data_source_id: str
    database_identifier: str | None
    schema: str
    yml: str

    @property
    def yml_hash(self) -> str:
        """Tells whether the text changed between introspection and diff."""
        return hashlib.sha256(self.yml.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Column(NamedTuple):
    """A column as the warehouse has it. A tuple, because hundreds of thousands are made in one run.

    :ivar type: type text as the warehouse spells it.
    :ivar base_type: what a user-defined type stands for (a domain's base, ``enum``…), or None.
    :ivar readable: False when the role may not select it.
    """

    name: str
    type: str
    base_type: str | None = None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A relation as the warehouse has it; columns in table order. ``kind`` in words: table, view, …"""

    name: str
    kind: str
    readable: bool
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class GroupRequest:
    """Everything asked of one (database, schema) of one data source, in one statement.

    :ivar database: None means the connection's own.
    :ivar tables: table names as the datasets write them, unique, sorted.
    :ivar columns: {table: the columns that datasets need there, as they write them, unique, sorted}. Not part of the
        statement: they tell which columns have to be confirmed before they are called missing.
    """

    data_source_id: str
    database: str | None
    schema: str
    tables: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


class ProbeAnswer(StrEnum):
    """What the warehouse itself says of a name that its catalogue does not list, unless it says: missing."""

    RUNS = "runs"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Probe(NamedTuple):
    """A name that is not simply missing, although the catalogue does not list it.

    :ivar table: an absent table as the datasets write it, or the stored name of a present one.
    :ivar column: a column as the datasets write it, or None for an absent table as a whole.
    :ivar reason: for ``UNKNOWN``, why there is no answer; fit for people.
    """

    table: str
    column: str | None
    answer: ProbeAnswer
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """What was really there for one group.

    :ivar database: the database that answered, by name.
    :ivar exists: False when the database or schema is not there.
    :ivar tables: relations whose names could be meant by the request, whatever their letter case.
    :ivar neighbours: other relations of the schema, asked for only when a requested one is absent (rename hints).
    :ivar probes: what came out otherwise than the catalogue says, when its gaps were confirmed. A table that is not
        in ``tables``, or a column that is not in its table, is missing unless it is named here; of a table that is
        named here as running, every needed column that runs is named too.
    :ivar error: reason why nothing is known (then the group is *unchecked*), else None.
    """

    data_source_id: str
    database: str | None
    schema: str
    exists: bool
    tables: tuple[Table, ...] = ()
    neighbours: tuple[str, ...] = ()
    error: str | None = None
    probes: tuple[Probe, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """What was really there in one data source, for the datasets it was asked for.

    :ivar own_database: the database that the connection opens by itself, None when not known.
    :ivar datasets: {dataset id: :attr:`Dataset.yml_hash`} of what was asked for.
    :ivar error: why nothing at all is known about this source, else None.
    :ivar elapsed_ms: how long introspecting it took.
    """

    data_source: DataSource
    own_database: str | None
    datasets: dict[str, str]
    groups: tuple[GroupSnapshot, ...] = ()
    error: str | None = None
    elapsed_ms: int = 0

    @property
    def reached(self) -> bool:
        """True when something is known: at least one group answered, or nothing had to be asked."""
        return self.error is None and (not self.groups or any(group.error is None for group in self.groups))


@dataclass(frozen=True, slots=True)
class OrganizationSnapshot:
    organization_id: str
    organization_name: str
    sources: tuple[SourceSnapshot, ...]

    @property
    def reached(self) -> bool:
        """True unless every source that has datasets stayed silent."""
        asked = [source for source in self.sources if source.datasets]
        return not asked or any(source.reached for source in asked)


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One difference between a YML and its warehouse, or one thing that could not be judged.

    :ivar line: 1-based line in the YML, or None.
    :ivar suggestion: the existing name that was probably meant, or None.
    :ivar subject: what else identifies the problem beyond its place (an expression's text, say); it goes
        into the fingerprint, never into a message.
    :ivar own_severity: what the dataset's author wants this problem to count as, or None: as its type says.
    """

    type: DiscrepancyType
    organization_id: str
    data_source_id: str
    dataset_id: str | None
    dataset_name: str | None
    database: str | None
    schema: str
    table: str | None
    column: str | None
    declared: str | None
    actual: str | None
    message: str
    line: int | None = None
    suggestion: str | None = None
    subject: str = ""
    own_severity: Severity | None = None

    @property
    def severity(self) -> Severity:
        return self.own_severity or self.type.severity

    @property
    def fingerprint(self) -> str:
        """20 hex digits, the same for the same problem on every run.

        Independent of wording, line number, declared and actual text: a column that is retyped twice is
        still one open problem.
        """
        parts = [
            self.type,
            self.organization_id,
            self.data_source_id,
            self.dataset_id,
            self.database,
            self.schema,
            self.table,
            self.column,
            self.subject,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]

    @property
    def sort_key(self) -> tuple[int, str, str, str, str, str, int, str]:
        """Most severe first, then by place, so that equal input gives equal output."""
        return (
            self.severity.rank,
            self.database or "",
            self.schema,
            self.table or "",
            self.dataset_name or "",
            self.type,
            self.line or 0,
            self.column or "",
        )


@dataclass(frozen=True, slots=True)
class UncheckedSource:
    """Datasets of one data source about which nothing is known, with the reason for a person.

    :ivar datasets: how many.
    :ivar dataset_ids: which; sorted.
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
    """

    dataset_id: str
    dataset_name: str
    diff: str
    fixes: tuple[str, ...]


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
class OrganizationReport:
    """The outcome of one organization in one run.

    :ivar datasets_checked: datasets with a verdict (an unreadable YML is a verdict).
    :ivar error: why the organization failed as a whole, or None.
    :ivar ignored: what the datasets' authors asked not to be told (``schema_sync: {ignore: …}``); in no other count.
    :ivar patches: one for each dataset that can be repaired safely.
    :ivar slowest_source: None when no source was asked.
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

    def count(self, severity: Severity) -> int:
        return sum(1 for discrepancy in self.discrepancies if discrepancy.severity is severity)

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
            ignored=len(self.ignored),
            slowest_source=self.slowest_source,
        )


@dataclass(frozen=True, slots=True)
class OrganizationTotals:
    """A report reduced to what the summary needs, small enough for thousands of organizations.

    :ivar ignored: findings that the datasets' authors silenced.
    :ivar new, new_critical, ongoing, resolved: problems against the organization's last report; None where nobody
        keeps that account (no Slack integration, a dry run, nothing was checked).
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

    @property
    def state(self) -> OrganizationState:
        if self.error is not None:
            return OrganizationState.FAILED
        if self.unchecked:
            return OrganizationState.PARTIAL
        if self.critical or self.warnings:
            return OrganizationState.DRIFTED
        return OrganizationState.CLEAN if self.datasets_checked else OrganizationState.EMPTY


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
