"""A snapshot's tables as the diff looks them up: names indexed once, probes beside the columns they are about. Pure."""

from __future__ import annotations

from functools import cached_property, lru_cache

from ..nouns.discrepancy import Verdict
from ..nouns.proof import PartOutcome
from ..nouns.snapshot import Column, GroupSnapshot, Probe, ProbeAnswer, Table
from ..types.compare import compare_types
from ..warehouses.engine import Dialect
from .likeness import Names


class KnownTable:
    """A table of the snapshot, its names indexed once for every dataset that uses it.

    :ivar listed: False for a table that is there although the catalogue does not list it.
    :ivar schema_is_closed: the role may not look into its schema.
    :ivar probes: {column that the catalogue does not list: what the warehouse says of it, unless it is missing}.
    """

    mentioned: frozenset[str] = frozenset()  # of most tables nothing: an empty set each costs more than it seems to

    def __init__(self, table: Table, group: GroupSnapshot, dialect: Dialect, *, listed: bool = True) -> None:
        self.table = table
        self.database, self.schema = group.database, group.schema
        self.dialect = dialect
        self.listed = listed
        self.schema_is_closed = False
        self.probes: dict[str, Probe] = {}
        self.columns: dict[str, Column] = {column.name: column for column in table.columns}
        self.names = dialect.index_columns(self.columns)
        # Perhaps several times: of thousands of tables, sets would cost three times this.
        self.documented: list[str] = []

    @property
    def alike(self) -> Names:
        return _names_of(self)

    @cached_property
    def unclaimed(self) -> list[Column]:
        """:meth:`find_unclaimed`, for those who ask for each missing column; most tables are asked once."""
        return self.find_unclaimed()

    def find_unclaimed(self) -> list[Column]:
        """Columns in no dataset of the table, and in no expression that could not be read.

        A nested field (``address.city`` beside ``address``) belongs to its column: it is no column of its own, and
        claiming it claims the column. Only to be asked when every dataset has made its claims.
        """
        claimed = {*self.documented, *(name.partition(".")[0] for name in self.documented)}
        return [
            column
            for column in self.table.columns
            if column.name not in claimed
            and column.name.lower() not in self.mentioned
            and ("." not in column.name or column.name.partition(".")[0] not in self.columns)
        ]


@lru_cache(maxsize=32)  # of the tables at hand: of thousands they are the most of what the diff remembers
def _names_of(table: KnownTable) -> Names:
    return Names(table.columns)


class KnownGroup:
    """A group of the snapshot with its tables indexed.

    :ivar not_listed: {table as datasets write it: the table}, for those that only probes know to be there.
    :ivar unknown: {table as datasets write it: why nobody knows whether it is there}.
    """

    def __init__(self, snapshot: GroupSnapshot, dialect: Dialect) -> None:
        self.snapshot = snapshot
        self.dialect = dialect
        self.tables = {table.name: KnownTable(table, snapshot, dialect) for table in snapshot.tables}
        self.names = dialect.index_tables(self.tables)
        self.not_listed: dict[str, KnownTable] = {}
        self.unknown: dict[str, str] = {}
        for probe in snapshot.probes:
            if probe.column is not None:
                continue
            if probe.answer is ProbeAnswer.UNKNOWN:
                self.unknown[probe.table] = probe.reason or ""
            elif probe.table in self.tables:
                self.tables[probe.table].schema_is_closed = True
            else:
                table = Table(probe.table, "table", probe.answer is ProbeAnswer.RUNS, ())
                self.not_listed[probe.table] = KnownTable(table, snapshot, dialect, listed=False)
                self.not_listed[probe.table].schema_is_closed = probe.answer is ProbeAnswer.SCHEMA_DENIED
        for probe in snapshot.probes:
            if probe.column is not None:
                (self.tables.get(probe.table) or self.not_listed[probe.table]).probes[probe.column] = probe

    @cached_property
    def proof(self) -> dict[tuple[str, str], dict[str, PartOutcome]] | None:
        """{(dataset id, table): {who did not simply compile: what was said}}; None: nothing was compiled."""
        if self.snapshot.proof is None:
            return None
        outcomes: dict[tuple[str, str], dict[str, PartOutcome]] = {}
        for outcome in self.snapshot.proof:
            outcomes.setdefault((outcome.dataset_id, outcome.table), {})[outcome.user] = outcome
        return outcomes

    @cached_property
    def alike(self) -> Names:
        """Of the schema's relations that nobody asked for."""
        return Names(self.snapshot.neighbours)

    def find(self, written: str) -> tuple[KnownTable | None, bool]:
        """The table that a name stands for, if any, and whether its letter case differs."""
        resolution = self.names.resolve(written)
        if resolution.name is None:
            return self.not_listed.get(written), False
        return self.tables[resolution.name], resolution.case_differs


def column_verdict(dialect: Dialect, column: Column, declared: str) -> Verdict:
    """A user-defined type is judged by its own name first, then by what it stands for."""
    verdict = compare_types(dialect.name, column.type, declared)
    if column.base_type is None or verdict is Verdict.MATCH:
        return verdict
    return compare_types(dialect.name, column.base_type, declared)
