"""Asks the warehouse itself, before anything is called missing or a view is believed to work.

A catalogue may be stale, hide what the role may not read, or spell names in another case than queries resolve them. So
whatever a group's datasets need and the catalogue does not list (only that) is selected once, without a row: what
runs is there, what is denied is there but not readable, and only what the warehouse answers to with *no such table or
column* is missing. Anything else is no answer.

Catalogues are mostly right. Where the engine has a statement that runs only if *none* of many names is there, that one
is asked first: on a customer's worst day it answers for thousands at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

from ..nouns.snapshot import GroupRequest, GroupSnapshot, Probe, ProbeAnswer, Table
from ..warehouses.engine import Dialect, Failure, Query
from ..warehouses.names import NameCase, unquote
from ..warehouses.proofs import absent_columns, all_of
from .bisect import Ask, Refusal, refusals

# A schema that the catalogue does not list is missing when this many of its tables are: not every engine's answer
# tells a missing schema from a missing table.
_TABLES_FOR_A_SCHEMA = 5
_COLUMNS_PER_STATEMENT = 1000  # PostgreSQL selects at most 1 664
_TABLES_PER_STATEMENT = 2000
_VIEWS_PER_STATEMENT = 50
_LIKE_VIEWS = frozenset({"synonym", "external table", "dynamic table"})

_NO_TABLE = (Failure.MISSING_DATABASE, Failure.MISSING_TABLE)
_MISSING = (*_NO_TABLE, Failure.MISSING_COLUMN)
_ANSWERS = {Failure.DENIED: ProbeAnswer.DENIED, Failure.SCHEMA_DENIED: ProbeAnswer.SCHEMA_DENIED}


class _Gap(NamedTuple):
    """Columns that a table should have: ``table`` is its name for answers, ``spelled`` the one for statements."""

    table: str
    spelled: str
    columns: dict[str, None]


@dataclass(slots=True)
class Asking:
    """Asks for one group's names.

    :ivar request: its ``schema`` as probes spell it.
    :ivar can_be_asked: False for names that the server cannot even be asked for: nothing is called so.
    :ivar no_schema: some answer said so.
    """

    request: GroupRequest
    dialect: Dialect
    ask: Ask
    can_be_asked: Callable[[str], bool]
    no_schema: bool = False

    def absent_tables(self, tables: Sequence[str]) -> list[Probe]:
        """Tables that the catalogue does not list, with their columns; of those that are missing there is no probe."""
        asked = [table for table in tables if self.can_be_asked(table)]
        spellings = {table: self.dialect.spellings(table, self.dialect.table_case) for table in asked}
        if len(asked) > 1:
            asked = self._unless_all_are_absent(asked, spellings)
        probes: dict[str, list[Probe]] = {}
        gaps: list[_Gap] = []
        columns = {table: self.askable(self.request.columns.get(table, ())) for table in asked}
        for turn in range(max(map(len, spellings.values()), default=0)):
            open_tables = [each for each in asked if each not in probes and turn < len(spellings[each])]
            wanted = [(spellings[each][turn], columns[each][:_COLUMNS_PER_STATEMENT]) for each in open_tables]
            answers = self.select(wanted)
            # Is it the table, or a column?
            doubtful = [
                number
                for number, answer in enumerate(answers)
                if answer is not None and wanted[number][1] and answer.failure not in (*_NO_TABLE, Failure.TRANSIENT)
            ]
            whole = dict(zip(doubtful, self.select([(wanted[each][0], []) for each in doubtful]), strict=True))
            for number, table in enumerate(open_tables):
                spelled, together = wanted[number]
                answer = whole.get(number, answers[number])
                if answer is None:
                    ran = [] if number in whole else together
                    probes[table] = [Probe(table, name, ProbeAnswer.RUNS) for name in (None, *ran)]
                    gaps.append(_Gap(table, spelled, dict.fromkeys(columns[table][len(ran) :])))
                elif answer.failure not in _MISSING:
                    probes[table] = [_told(table, None, answer)]
        return [probe for table in asked for probe in probes.get(table, ())] + self.columns(gaps)

    def columns(self, gaps: Sequence[_Gap]) -> list[Probe]:
        """Columns of tables that are there; those of which there is no probe are missing."""
        probes: list[Probe] = []
        for gap in self._unless_none_is_there([gap for gap in gaps if gap.columns]):
            missing = list(gap.columns)
            for turn in (0, 1):
                by_spelling: dict[str, list[str]] = {}
                for column in missing:
                    spellings = self._spellings(column)
                    if turn < len(spellings):
                        by_spelling.setdefault(spellings[turn], []).append(column)
                missing = []
                for name, answer in self._each(gap.spelled, list(by_spelling)):
                    if answer is not None and answer.failure in _MISSING:
                        missing += by_spelling[name]
                    else:
                        probes += [_told(gap.table, column, answer) for column in by_spelling[name]]
        return probes

    def _unless_all_are_absent(self, tables: Sequence[str], spellings: Mapping[str, tuple[str, ...]]) -> list[str]:
        """The tables of which some may be there."""
        proofs = self.dialect.proofs
        if proofs is None or proofs.absent_tables is None:
            return list(tables)
        build, relation = proofs.absent_tables, proofs.relation

        def statement(some: Sequence[str]) -> str:
            return build(
                self.request, [relation(self.request, spelled) for table in some for spelled in spellings[table]]
            )

        chunks = [tables[at : at + _TABLES_PER_STATEMENT] for at in range(0, len(tables), _TABLES_PER_STATEMENT)]
        answers = self.ask([statement(chunk) for chunk in chunks])
        return [table for chunk, answer in zip(chunks, answers, strict=True) if answer is not None for table in chunk]

    def _unless_none_is_there(self, gaps: Sequence[_Gap]) -> list[_Gap]:
        """The gaps of which some columns may be there."""
        proofs = self.dialect.proofs
        names = [self._all_spellings(gap) for gap in gaps]
        if proofs is None or sum(map(len, names)) < 2:
            return list(gaps)
        certain = [number for number, own in enumerate(names) if 0 < len(own) <= _COLUMNS_PER_STATEMENT]

        def statement(some: Sequence[int]) -> str:
            relations = [proofs.relation(self.request, gaps[number].spelled) for number in some]
            return all_of([absent_columns(one, names[number]) for one, number in zip(relations, some, strict=True)])

        refused = refusals(certain, statement, self.ask, most=50)
        absent = {number for at, number in enumerate(certain) if at not in refused}
        return [gap for number, gap in enumerate(gaps) if number not in absent]

    def _all_spellings(self, gap: _Gap) -> list[str]:
        """Every name that any of the columns may have, quoted; none where not all of them are simple names."""
        spelled = [each for column in gap.columns for each in self._spellings(column)]
        if not all(unquote(each)[1] for each in spelled):
            return []
        ignores_case = self.dialect.column_case in (NameCase.INSENSITIVE, NameCase.SENSITIVE)
        by_key = {(name.casefold() if ignores_case else name): name for name in (unquote(each)[0] for each in spelled)}
        return [self.dialect.quote(name) for name in by_key.values()]

    def _each(self, table: str, columns: Sequence[str]) -> Iterable[tuple[str, Refusal | None]]:
        def statement(some: Sequence[str]) -> str:
            return self.dialect.probe(self.request, table, tuple(some))

        of_all = (*_NO_TABLE, Failure.TRANSIENT)
        refused = refusals(columns, statement, self.ask, most=_COLUMNS_PER_STATEMENT, of_all=of_all)
        return ((column, refused.get(number)) for number, column in enumerate(columns))

    def select(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[Refusal | None]:
        if not wanted:
            return []
        probe, request = self.dialect.probe, self.request
        firsts = [tuple(dict.fromkeys(self._spellings(column)[0] for column in columns)) for _, columns in wanted]
        tables = (table for table, _ in wanted)
        answers = self.ask([probe(request, table, own) for table, own in zip(tables, firsts, strict=True)])
        self.no_schema |= any(answer is not None and answer.failure is Failure.MISSING_DATABASE for answer in answers)
        return answers

    def _spellings(self, column: str) -> tuple[str, ...]:
        return self.dialect.spellings(column, self.dialect.column_case)

    def askable(self, columns: Iterable[str]) -> list[str]:
        return [name for name in columns if self.can_be_asked(name) and not self.dialect.is_pseudo_column(name)]


def _told(table: str, column: str | None, refusal: Refusal | None) -> Probe:
    if refusal is None:
        return Probe(table, column, ProbeAnswer.RUNS)
    answer = _ANSWERS.get(refusal.failure, ProbeAnswer.UNKNOWN)
    return Probe(table, column, answer, str(refusal) if answer is ProbeAnswer.UNKNOWN else None)


def confirm_views(snapshot: GroupSnapshot, asking: Asking, read: Callable[[Query], Iterable[Table]]) -> GroupSnapshot:
    """Mark views that cannot be selected from as ``broken``: they stay in the catalogue when their base table is gone.

    :param read: a columns query → its tables; run for views that answered, where the catalogue knows
        their columns only then.
    """
    proofs = asking.dialect.proofs
    views = [table for table in snapshot.tables if table.readable and _is_view(table)]
    if proofs is None or not views:
        return snapshot
    needed = _needed(snapshot.tables, asking) if proofs.view_columns is None else {}

    def select(view: Table) -> str:
        selected = ", ".join(map(asking.dialect.quote, needed.get(view.name, ()))) or "1 AS one"
        relation = proofs.relation(asking.request, asking.dialect.quote(view.name))
        return f"SELECT {selected} FROM {relation} AS schema_sync_probe LIMIT 0"  # noqa: S608 (names are quoted)

    def statement(some: Sequence[Table]) -> str:
        return proofs.statement(all_of([select(view) for view in some]))

    refused = refusals(views, statement, asking.ask, most=_VIEWS_PER_STATEMENT)
    broken = {
        views[number].name: refusal.words
        for number, refusal in refused.items()
        if refusal.failure is not Failure.TRANSIENT and not proofs.lacks(refusal.code, refusal.words)
    }
    answered = [view.name for number, view in enumerate(views) if number not in refused]
    known: dict[str, Table] = {}
    if answered and proofs.view_columns is not None:
        query = proofs.view_columns(replace(asking.request, tables=tuple(answered)))
        known = {table.name: table for table in read(query)}
    return replace(
        snapshot,
        tables=tuple(
            replace(known.get(table.name, table), broken=broken.get(table.name)) if _is_view(table) else table
            for table in snapshot.tables
        ),
    )


def _is_view(table: Table) -> bool:
    return "view" in table.kind or table.kind in _LIKE_VIEWS


def _needed(tables: Iterable[Table], asking: Asking) -> Mapping[str, Iterable[str]]:
    """{stored name: stored columns that the datasets need, and the role may read}."""
    dialect = asking.dialect
    by_name = {table.name: table for table in tables}
    index = dialect.index_tables(by_name)
    needed: dict[str, dict[str, None]] = {}
    for written, columns in asking.request.columns.items():
        name = index.resolve(written).name
        if name is None:
            continue
        readable = {column.name for column in by_name[name].columns if column.readable}
        names = dialect.index_columns(readable)
        found = (names.resolve(column).name for column in columns)
        needed.setdefault(name, {}).update(dict.fromkeys(each for each in found if each is not None))
    return needed


def confirm_missing(snapshot: GroupSnapshot, asking: Asking) -> GroupSnapshot:
    """Probe what is absent from a snapshot: tables, needed columns of readable tables, the schema as a whole; and why a
    table may not be read.

    :return: the snapshot with its ``probes``. A schema that can be queried after all ``exists``; if nobody can tell,
        ``error`` says why.
    """
    if not snapshot.exists:
        return _confirm_schema(snapshot, asking)
    request, dialect = asking.request, asking.dialect
    stored = {table.name: table for table in snapshot.tables}
    index = dialect.index_tables(stored)
    absent: list[str] = []
    gaps: dict[str, _Gap] = {}
    unreadable: dict[str, str] = {}  # stored name → as spelled
    for written in request.tables:
        name = index.resolve(written).name
        if name is None:
            absent.append(written)
            continue
        spelled = dialect.spelling_of(written, name, dialect.table_case)
        if not stored[name].readable:
            unreadable.setdefault(name, spelled)
        elif stored[name].broken is None and (
            columns := _not_listed(stored[name], request.columns.get(written, ()), asking)
        ):
            gaps.setdefault(name, _Gap(name, spelled, {})).columns.update(dict.fromkeys(columns))
    probes = asking.absent_tables(absent)
    if dialect.lists_everything:  # what is denied for the schema's sake alone is not in it
        hidden = {each.table for each in probes if each.answer is ProbeAnswer.SCHEMA_DENIED}
        probes = [each for each in probes if each.table not in hidden]
    probes += asking.columns(list(gaps.values()))
    if unreadable and not any(table.readable for table in snapshot.tables):
        (answer,) = asking.select([(next(iter(unreadable.values())), [])])
        if answer is not None and answer.failure is Failure.SCHEMA_DENIED:  # then it is the schema's fault for all
            probes += [Probe(table, None, ProbeAnswer.SCHEMA_DENIED) for table in unreadable]
    return replace(snapshot, probes=tuple(probes)) if probes else snapshot


def _confirm_schema(snapshot: GroupSnapshot, asking: Asking) -> GroupSnapshot:
    unknown: Probe | None = None
    request, dialect = asking.request, asking.dialect
    for schema in dialect.spellings(request.schema, dialect.table_case):
        prober = replace(asking, request=replace(request, schema=schema))
        probes = prober.absent_tables(request.tables[:1])  # most engines say here that there is no such schema
        if not prober.no_schema:
            probes += prober.absent_tables(request.tables[1:_TABLES_FOR_A_SCHEMA])
        unknown = unknown or next((each for each in probes if each.answer is ProbeAnswer.UNKNOWN), None)
        if any(each.answer is not ProbeAnswer.UNKNOWN for each in probes):
            probes += prober.absent_tables(request.tables[_TABLES_FOR_A_SCHEMA:])
            return replace(snapshot, exists=True, probes=tuple(probes))
    return snapshot if unknown is None else replace(snapshot, exists=True, error=unknown.reason)


_name_of = itemgetter(0)  # a Column's; this runs for every column of every table


def _not_listed(table: Table, needed: Sequence[str], asking: Asking) -> list[str]:
    stored = set(map(_name_of, table.columns))
    if stored.issuperset(needed):
        return []
    index = asking.dialect.index_columns(stored)
    return [name for name in asking.askable(needed) if index.resolve(name).name is None]
