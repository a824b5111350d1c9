"""Parts of datasets → statements that a warehouse compiles and never runs. Pure.

Only what can be refused for no other reason is asked: every table is there and may be read, every column too. Names are
written as the catalogue has them; expressions as their authors wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from ..nouns.proof import Argument, ColumnOf, Part, PartTable, Sql
from ..nouns.snapshot import GroupRequest, GroupSnapshot, Table
from ..warehouses.engine import Dialect
from ..warehouses.names import NameIndex
from ..warehouses.proofs import Compiler, all_of

Place = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class ReadyPart:
    """A part with its tables found. :ivar source: what stands behind FROM."""

    part: Part
    source: str
    value: tuple[str | Argument, ...]


def statement_of(ready: Sequence[ReadyPart], compiler: Compiler) -> str:
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


class Tables:
    """The tables of several groups that one connection can read, as parts find them."""

    def __init__(self, groups: Iterable[tuple[GroupRequest, GroupSnapshot]], dialect: Dialect) -> None:
        """:param groups: (request with its schema as statements spell it, snapshot) of groups that were read."""
        self._dialect = dialect
        self._groups = {(snapshot.database, snapshot.schema): (request, snapshot) for request, snapshot in groups}
        self._relations: dict[tuple[Place, str], tuple[str, str]] = {}
        self._tables: dict[Place, tuple[NameIndex, dict[str, Table]]] = {}
        self._columns: dict[tuple[Place, str], tuple[NameIndex, frozenset[str]]] = {}

    def ready(self, part: Part) -> ReadyPart | None:
        """The part with its tables, or None: what it needs is not there, or not as it is written."""
        proofs = self._dialect.proofs
        found = [self._find(table) for table in part.tables]
        tables = [each for each in found if each is not None]
        if proofs is None or len(tables) < len(found):
            return None
        aliases, sources = [], []
        for table, (place, name) in zip(part.tables, tables, strict=True):
            if (place, name) not in self._relations:
                quoted = self._dialect.quote(name)
                self._relations[place, name] = (proofs.relation(self._groups[place][0], quoted), quoted)
            relation, quoted = self._relations[place, name]
            aliases.append(quoted if table.alias is None else table.alias)
            sources.append(f"{relation} AS {aliases[-1]}")
        if not part.value:
            return ReadyPart(part, self._join_of(part, tables, sources, aliases), ("1",))
        source = sources[0]
        for number, table in enumerate(part.tables[1:], 1):
            on = " AND ".join(
                " = ".join("".join(map(str, self._written(side, tables, aliases))) for side in pair)
                for pair in table.keys
            )
            source += f" LEFT JOIN {sources[number]} ON {on}"
        return ReadyPart(part, source, tuple(self._written(part.value, tables, aliases)))

    def _join_of(
        self, part: Part, tables: Sequence[tuple[Place, str]], sources: Sequence[str], aliases: Sequence[str]
    ) -> str:
        """The keys are made where only their own table is in sight: a name may be in both."""
        sides = []
        for side in (0, 1):
            keys = ("".join(map(str, self._written(pair[side], tables, aliases))) for pair in part.tables[1].keys)
            named = ", ".join(f"{key} AS k{number}" for number, key in enumerate(keys))
            sides.append(f"(SELECT {named} FROM {sources[side]})")  # noqa: S608 (names are quoted)
        on = " AND ".join(f"one_side.k{number} = other_side.k{number}" for number in range(len(part.tables[1].keys)))
        return f"{sides[0]} AS one_side LEFT JOIN {sides[1]} AS other_side ON {on}"

    def _written(
        self, sql: Sql, tables: Sequence[tuple[Place, str]], aliases: Sequence[str]
    ) -> Iterator[str | Argument]:
        for piece in sql:
            if isinstance(piece, ColumnOf):
                names, _ = self._columns[tables[piece.table]]
                stored = names.resolve(piece.name).name or piece.name
                yield f"{aliases[piece.table]}.{self._dialect.quote(stored)}"
            else:
                yield piece

    def _find(self, wanted: PartTable) -> tuple[Place, str] | None:
        place = (wanted.database, wanted.schema)
        if place not in self._groups:
            return None
        if place not in self._tables:
            by_name = {table.name: table for table in self._groups[place][1].tables}
            index = NameIndex(by_name, self._dialect.table_case, self._dialect.max_name_bytes)
            self._tables[place] = (index, by_name)
        index, by_name = self._tables[place]
        resolution = index.resolve(wanted.table)
        if resolution.name is None or resolution.case_differs:
            return None
        table = by_name[resolution.name]
        key = (place, table.name)
        if not table.readable or table.broken is not None:
            return None
        if key not in self._columns:
            stored = {column.name for column in table.columns}
            readable = frozenset(column.name for column in table.columns if column.readable)
            self._columns[key] = NameIndex(stored, self._dialect.column_case, self._dialect.max_name_bytes), readable
        names, readable = self._columns[key]
        for column in wanted.columns:
            found = names.resolve(column)
            if not self._dialect.is_pseudo_column(column) and (found.case_differs or found.name not in readable):
                return None
        return key
