"""Lets a warehouse compile what datasets' queries would run, once its tables are known. Executes nothing.

Only what can be refused for no other reason is asked: every table is there and may be read, every column too. Names are
written as the catalogue has them; expressions as their authors wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from ..nouns.proof import Argument, ColumnOf, Outcome, Part, PartOutcome, PartTable, Sql
from ..nouns.snapshot import GroupRequest, GroupSnapshot, Table
from ..warehouses.engine import Dialect, Failure
from ..warehouses.names import NameIndex
from ..warehouses.proofs import Compiler, all_of
from .bisect import Ask, refusals

_Place = tuple[str | None, str]


class _ReadyPart(NamedTuple):
    """A part with its tables found. :ivar source: what stands behind FROM."""

    part: Part
    source: str
    value: tuple[str | Argument, ...]


def prove(request: GroupRequest, tables: Tables, compiler: Compiler, ask: Ask) -> tuple[PartOutcome, ...]:
    """Compile every part of one group.

    :param request: its schema as statements spell it.
    :return: who did not simply compile; everybody else of the group's datasets did.
    """
    outcomes = [PartOutcome(*user, Outcome.UNPROVEN) for user in request.left_out]
    ready: list[_ReadyPart] = []
    for part in request.parts:
        found = tables.ready(part)
        if found is None:  # what it lacks is told as missing, or not known
            outcomes.append(PartOutcome(part.dataset_id, part.tables[0].table, part.user, Outcome.UNPROVEN))
        else:
            ready.append(found)
    for number, refusal in sorted(refusals(ready, lambda some: _statement_of(some, compiler), ask).items()):
        part = ready[number].part
        of_unknown = "unknown" in refusal.words and any(isinstance(piece, Argument) for piece in ready[number].value)
        outcome = compiler.meaning(refusal.code, refusal.words)
        if refusal.failure is Failure.TRANSIENT or of_unknown:  # an argument's type, which a query will know
            outcome = Outcome.UNPROVEN
        words = "" if outcome is Outcome.UNPROVEN else refusal.words
        outcomes.append(PartOutcome(part.dataset_id, part.tables[0].table, part.user, outcome, words))
    return tuple(outcomes)


def _statement_of(ready: Sequence[_ReadyPart], compiler: Compiler) -> str:
    """One SELECT of all these parts; those that stand on the same tables share them."""
    numbers = count(1)
    values: dict[tuple[str, bool], list[str]] = {}
    for each in ready:
        text = "".join(piece if isinstance(piece, str) else compiler.argument(next(numbers)) for piece in each.value)
        values.setdefault((each.source, each.part.aggregates), []).append(text)
    return all_of(
        [
            f"SELECT {', '.join(f'{text} AS c{number}' for number, text in enumerate(own))} FROM {source}"  # noqa: S608 (checked by sql.compilable)
            for (source, _), own in values.items()
        ]
    )


class _Readable(NamedTuple):
    """A table that may be read. :ivar relation: what FROM calls it. :ivar readable: its columns that may be."""

    relation: str
    quoted: str
    columns: NameIndex
    readable: frozenset[str]


class Tables:
    """The tables of several groups that one connection can read, as parts find them."""

    def __init__(
        self, groups: Iterable[tuple[GroupRequest, GroupSnapshot]], dialect: Dialect, compiler: Compiler
    ) -> None:
        """:param groups: (request with its schema as statements spell it, snapshot) of groups that were read."""
        self._dialect = dialect
        self._compiler = compiler
        self._groups = {(snapshot.database, snapshot.schema): (request, snapshot) for request, snapshot in groups}
        self._tables: dict[_Place, tuple[NameIndex, dict[str, Table]]] = {}
        self._readable: dict[tuple[_Place, str], _Readable] = {}

    def ready(self, part: Part) -> _ReadyPart | None:
        """The part with its tables, or None: what it needs is not there, or not as it is written."""
        tables = [table for wanted in part.tables if (table := self._find(wanted)) is not None]
        if len(tables) < len(part.tables):
            return None
        aliases = [
            table.quoted if wanted.alias is None else wanted.alias
            for wanted, table in zip(part.tables, tables, strict=True)
        ]
        sources = [f"{table.relation} AS {alias}" for table, alias in zip(tables, aliases, strict=True)]

        def written(sql: Sql) -> Iterator[str | Argument]:
            for piece in sql:
                if isinstance(piece, ColumnOf):
                    stored = tables[piece.table].columns.resolve(piece.name).name or piece.name
                    yield f"{aliases[piece.table]}.{self._dialect.quote(stored)}"
                else:
                    yield piece

        keys = [[["".join(map(str, written(side))) for side in pair] for pair in wanted.keys] for wanted in part.tables]
        if not part.value:
            return _ReadyPart(part, _join_of(sources, keys[1]), ("1",))
        joins = (
            f" LEFT JOIN {source} ON {' AND '.join(map(' = '.join, own))}"
            for source, own in zip(sources[1:], keys[1:], strict=True)
        )
        return _ReadyPart(part, sources[0] + "".join(joins), tuple(written(part.value)))

    def _find(self, wanted: PartTable) -> _Readable | None:
        dialect = self._dialect
        place = (wanted.database, wanted.schema)
        if place not in self._groups:
            return None
        request, snapshot = self._groups[place]
        if place not in self._tables:
            by_name = {table.name: table for table in snapshot.tables}
            self._tables[place] = dialect.index_tables(by_name), by_name
        index, by_name = self._tables[place]
        resolution = index.resolve(wanted.table)
        if resolution.name is None or resolution.case_differs:
            return None
        table = by_name[resolution.name]
        if not table.can_be_queried:
            return None
        if (place, table.name) not in self._readable:
            quoted = dialect.quote(table.name)
            self._readable[place, table.name] = _Readable(
                self._compiler.relation(request, quoted),
                quoted,
                dialect.index_columns(column.name for column in table.columns),
                frozenset(column.name for column in table.columns if column.readable),
            )
        found = self._readable[place, table.name]
        for column in wanted.columns:
            stored = found.columns.resolve(column)
            if not dialect.is_pseudo_column(column) and (stored.case_differs or stored.name not in found.readable):
                return None
        return found


def _join_of(sources: Sequence[str], keys: Sequence[Sequence[str]]) -> str:
    """The keys are made where only their own table is in sight: a name may be in both."""
    one, other = (
        f"(SELECT {', '.join(f'{pair[side]} AS k{number}' for number, pair in enumerate(keys))} FROM {sources[side]})"  # noqa: S608 (names are quoted)
        for side in (0, 1)
    )
    on = " AND ".join(f"one_side.k{number} = other_side.k{number}" for number in range(len(keys)))
    return f"{one} AS one_side LEFT JOIN {other} AS other_side ON {on}"
