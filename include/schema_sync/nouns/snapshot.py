"""What was asked of a warehouse, and what was really there. Frozen values without behaviour beyond themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from .columns import Column as Column
from .columns import ColumnChange as ColumnChange
from .dataset import DataSource
from .proof import Part, PartOutcome


@dataclass(frozen=True, slots=True)
class Table:
    """A relation as the warehouse has it; columns in table order. ``kind`` in words: table, view, …

    :ivar identity: a number that a table keeps as long as it is the same one, where the engine has one; else None.
    :ivar broken: why the warehouse cannot select from this view, in its own words; None: it can, or nobody asked.
    :ivar more: how many further columns it has. All that a dataset names are in ``columns``: where there are more,
        a column that no dataset names may be there although it is not listed.
    :ivar changes: what changed since the last good run, and what is still not as it was at an earlier one.
    """

    name: str
    kind: str
    readable: bool
    columns: tuple[Column, ...]
    identity: int | None = None
    broken: str | None = None
    more: int = 0
    changes: tuple[ColumnChange, ...] = ()

    @property
    def can_be_queried(self) -> bool:
        return self.readable and self.broken is None


@dataclass(frozen=True, slots=True)
class GroupRequest:
    """Everything asked of one (database, schema) of one data source, in one statement.

    :ivar database: None means the connection's own.
    :ivar tables: table names as the datasets write them, unique, sorted.
    :ivar columns: {table: the columns that datasets need there, as they write them, unique, sorted}. Not part of the
        statement: they tell which columns have to be confirmed before they are called missing.
    :ivar named: {table: every name that a dataset may mean a column of it by, without quotes and letter case}: these
        columns are kept, of the others only some.
    :ivar parts: what the warehouse may compile of its datasets.
    :ivar left_out: (dataset id, table, who) of what cannot be sent.
    """

    data_source_id: str
    database: str | None
    schema: str
    tables: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    named: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False, repr=False)
    parts: tuple[Part, ...] = field(default=(), hash=False, repr=False)
    left_out: tuple[tuple[str, str, str], ...] = field(default=(), hash=False, repr=False)


class ProbeAnswer(StrEnum):
    """What the warehouse itself says of a name that its catalogue does not list, unless it says: missing."""

    RUNS = "runs"
    DENIED = "denied"
    SCHEMA_DENIED = "schema_denied"  # the role may not look into the schema
    UNKNOWN = "unknown"


class Probe(NamedTuple):
    """A name that is not simply missing, although the catalogue does not list it.

    :ivar table: an absent table as the datasets write it, or the stored name of a present one.
    :ivar column: a column as the datasets write it, or None for a table as a whole: an absent one, or (only
        ``SCHEMA_DENIED``) one that may not be read.
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
    :ivar proof: whatever its datasets offer compiles, except for what is named here; None: nothing was compiled.
    """

    data_source_id: str
    database: str | None
    schema: str
    exists: bool
    tables: tuple[Table, ...] = ()
    neighbours: tuple[str, ...] = ()
    error: str | None = None
    probes: tuple[Probe, ...] = ()
    proof: tuple[PartOutcome, ...] | None = None


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """What was really there in one data source, for the datasets it was asked for.

    :ivar own_database: the database that the connection opens by itself, None when not known.
    :ivar datasets: {dataset id: :attr:`Dataset.yml_hash`} of what was asked for.
    :ivar error: why nothing at all is known about this source, else None.
    :ivar elapsed_ms: how long introspecting it took.
    :ivar unread: {dataset id: why it was not read to its end}, so that nothing was asked for it.
    """

    data_source: DataSource
    own_database: str | None
    datasets: dict[str, str]
    groups: tuple[GroupSnapshot, ...] = ()
    error: str | None = None
    elapsed_ms: int = 0
    unread: Mapping[str, str] = field(default_factory=dict, hash=False)

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
