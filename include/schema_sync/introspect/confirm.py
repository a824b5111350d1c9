"""Asks the warehouse itself about what its catalogue does not list, before anything is called missing.

A catalogue may be stale, hide what the role may not read, or spell names in another case than queries resolve them. So
whatever a group's datasets need and the catalogue does not list (only that) is selected once, without a row: what
runs is there, what is denied is there but not readable, and only what the warehouse answers to with *no such table or
column* is missing. Anything else is no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

from ..nouns.snapshot import GroupRequest, GroupSnapshot, Probe, ProbeAnswer, Table
from ..warehouses.engine import Dialect, Failure
from ..warehouses.names import NameIndex, can_be_asked

# A schema that the catalogue does not list is missing when this many of its tables are: not every engine's answer
# tells a missing schema from a missing table.
_TABLES_FOR_A_SCHEMA = 5
_COLUMNS_PER_STATEMENT = 1000  # PostgreSQL selects at most 1 664

_NO_TABLE = (Failure.MISSING_DATABASE, Failure.MISSING_TABLE)
_MISSING = (*_NO_TABLE, Failure.MISSING_COLUMN)


class Refusal(NamedTuple):
    """Why a probe did not run, and what that means."""

    failure: Failure
    text: str


Ask = Callable[[str], Refusal | None]


def confirm_missing(
    snapshot: GroupSnapshot, request: GroupRequest, dialect: Dialect, ask: Ask, *, stored_schema: str | None
) -> GroupSnapshot:
    """Probe what is absent from a snapshot: tables, needed columns of readable tables, the schema as a whole.

    One statement a table; a second one only where it fails and the name may stand for several things; columns singly
    only where they cannot be answered together. Nothing absent: nothing is asked.

    :param ask: runs one statement → None: it ran, else the refusal. It never raises for what a server answers.
    :param stored_schema: the schema's name as the catalogue has it.
    :return: the snapshot with its ``probes``. A schema that can be queried after all ``exists``; if nobody can tell,
        ``error`` says why.
    """
    if not snapshot.exists:
        return _confirm_schema(snapshot, request, dialect, ask)
    schema = dialect.spelling_of(request.schema, stored_schema or request.schema, dialect.table_case)
    prober = _Prober(replace(request, schema=schema), dialect, ask)
    index = NameIndex([table.name for table in snapshot.tables], dialect.table_case, dialect.max_name_bytes)
    stored = {table.name: table for table in snapshot.tables}
    probes: list[Probe] = []
    gaps: dict[str, tuple[str, dict[str, None]]] = {}  # stored table → (how to spell it, columns)
    for written in request.tables:
        name = index.resolve(written).name
        if name is None:
            probes += prober.absent_table(written)
        elif stored[name].readable and (
            columns := _not_listed(stored[name], request.columns.get(written, ()), dialect)
        ):
            spelled = dialect.spelling_of(written, name, dialect.table_case)
            gaps.setdefault(name, (spelled, {}))[1].update(dict.fromkeys(columns))
    for name, (spelled, columns_of) in gaps.items():
        probes += prober.columns(name, spelled, list(columns_of))
    return replace(snapshot, probes=tuple(probes)) if probes else snapshot


def _confirm_schema(snapshot: GroupSnapshot, request: GroupRequest, dialect: Dialect, ask: Ask) -> GroupSnapshot:
    unknown: Probe | None = None
    for schema in dialect.spellings(request.schema, dialect.table_case):
        prober = _Prober(replace(request, schema=schema), dialect, ask)
        probes: list[Probe] = []
        exists = False
        for number, table in enumerate(request.tables):
            if not exists and (number == _TABLES_FOR_A_SCHEMA or prober.no_schema):
                break
            found = prober.absent_table(table)
            probes += found
            if found and found[0].answer is ProbeAnswer.UNKNOWN:
                unknown = unknown or found[0]
            elif found:
                exists = True
        if exists:
            return replace(snapshot, exists=True, probes=tuple(probes))
    return snapshot if unknown is None else replace(snapshot, exists=True, error=unknown.reason)


_name_of = itemgetter(0)  # a Column's; this runs for every column of every table


def _not_listed(table: Table, needed: Sequence[str], dialect: Dialect) -> list[str]:
    stored = set(map(_name_of, table.columns))
    if stored.issuperset(needed):
        return []
    index = NameIndex(stored, dialect.column_case, dialect.max_name_bytes)
    return [name for name in _askable(needed, dialect) if index.resolve(name).name is None]


def _askable(columns: Iterable[str], dialect: Dialect) -> list[str]:
    return [name for name in columns if can_be_asked(name) and not dialect.is_pseudo_column(name)]


@dataclass
class _Prober:
    """Asks about names of one schema; ``request`` has the schema as probes spell it."""

    request: GroupRequest
    dialect: Dialect
    ask: Ask
    no_schema: bool = False  # some answer said so

    def absent_table(self, table: str) -> list[Probe]:
        """A table that the catalogue does not list, with its columns: nothing means that it is missing."""
        if not can_be_asked(table):
            return []
        columns = _askable(self.request.columns.get(table, ()), self.dialect)
        together, later = columns[:_COLUMNS_PER_STATEMENT], columns[_COLUMNS_PER_STATEMENT:]
        for spelled in self.dialect.spellings(table, self.dialect.table_case):
            refusal = self._select(spelled, [self._spellings(column)[0] for column in together])
            if refusal is None:
                runs = [Probe(table, column, ProbeAnswer.RUNS) for column in (None, *together)]
                return runs + self.columns(table, spelled, later)
            whole: Refusal | None = refusal
            if columns and refusal.failure not in (*_NO_TABLE, Failure.TRANSIENT):  # is it the table, or a column?
                whole = self._select(spelled, [])
            if whole is None:
                one = Probe(table, None, ProbeAnswer.RUNS)
                return [one, *self.columns(table, spelled, together, refusal), *self.columns(table, spelled, later)]
            if whole.failure not in _MISSING:
                return _told(table, None, whole)
        return []

    def columns(self, table: str, spelled: str, columns: Sequence[str], refusal: Refusal | None = None) -> list[Probe]:
        """Columns of a table that is there; those that are not named in the answer are missing.

        :param table: the name for the answer, ``spelled`` the one for the statement.
        :param refusal: what all of them together were answered, if they were asked for already.
        """
        probes: list[Probe] = []
        missing = list(columns)
        for turn in (0, 1):
            by_spelling: dict[str, list[str]] = {}
            for column in missing:
                spellings = self._spellings(column)
                if turn < len(spellings):
                    by_spelling.setdefault(spellings[turn], []).append(column)
            missing = []
            for name, answer in self._each(spelled, list(by_spelling), refusal if turn == 0 else None):
                if answer is not None and answer.failure in _MISSING:
                    missing += by_spelling[name]
                else:
                    probes += [probe for column in by_spelling[name] for probe in _told(table, column, answer)]
        return probes

    def _each(self, table: str, columns: Sequence[str], known: Refusal | None) -> Iterable[tuple[str, Refusal | None]]:
        for start in range(0, len(columns), _COLUMNS_PER_STATEMENT):
            some = columns[start : start + _COLUMNS_PER_STATEMENT]
            refusal = known or self._select(table, some)
            if refusal is None or len(some) == 1 or refusal.failure in (*_NO_TABLE, Failure.TRANSIENT):
                yield from ((column, refusal) for column in some)
            else:
                yield from ((column, self._select(table, [column])) for column in some)

    def _select(self, table: str, columns: Sequence[str]) -> Refusal | None:
        refusal = self.ask(self.dialect.probe(self.request, table, tuple(dict.fromkeys(columns))))
        self.no_schema |= refusal is not None and refusal.failure is Failure.MISSING_DATABASE
        return refusal

    def _spellings(self, column: str) -> tuple[str, ...]:
        return self.dialect.spellings(column, self.dialect.column_case)


def _told(table: str, column: str | None, refusal: Refusal | None) -> list[Probe]:
    if refusal is None:
        return [Probe(table, column, ProbeAnswer.RUNS)]
    if refusal.failure is Failure.DENIED:
        return [Probe(table, column, ProbeAnswer.DENIED)]
    return [Probe(table, column, ProbeAnswer.UNKNOWN, refusal.text)]
