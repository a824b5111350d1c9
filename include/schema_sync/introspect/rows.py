"""Rows of a columns query → a snapshot of one group. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from ..nouns.snapshot import Column, GroupRequest, GroupSnapshot, Table
from ..warehouses.engine import Dialect
from ..warehouses.names import NameIndex, can_be_asked, unquote

_NEIGHBOURS_PER_TABLE = 5
_NEIGHBOUR_COMPARISONS = 2_000_000  # about half a second
_ROW = 8  # values of a row; the numbers of table and column follow where the engine has them
_relation_of = itemgetter(1)


def snapshot_of_rows(request: GroupRequest, rows: Iterable[Any], dialect: Dialect) -> tuple[GroupSnapshot, str | None]:
    """Rows as :class:`Dialect` describes them → (a snapshot, the schema's stored name). No rows: no such schema."""
    exists = False
    stored_schema: str | None = None
    tables: list[Table] = []
    neighbours: list[str] = []
    # Tables share columns that are the same in both: most have an id or a created_at, and finding one is
    # several times faster than making and keeping another.
    shared: dict[str, Column] = {}
    for name, group in groupby(rows, _relation_of):
        exists = True
        own = list(group)
        stored_schema = own[0][0]
        kind, readable, first_column = own[0][2:5]
        if name is None:
            continue
        if readable is None:
            neighbours.append(name)
            continue
        columns: list[Column] = []
        for _, _, _, _, column, type_, base_type, column_readable, *numbers in own if first_column is not None else ():
            known = shared.get(column)
            number = numbers[1] if numbers else None
            if known is None or known[1:] != (type_, base_type, column_readable, number):
                known = shared[column] = Column(column, type_, base_type, column_readable, number)
            columns.append(known)
        identity = None if len(own[0]) == _ROW or own[0][_ROW] is None else int(own[0][_ROW])
        tables.append(Table(name, kind, bool(readable), tuple(columns), identity))
    snapshot = GroupSnapshot(
        request.data_source_id,
        request.database,
        request.schema,
        exists=exists,
        tables=tuple(tables),
        neighbours=_closest(neighbours, request, tables, dialect) if neighbours else (),
    )
    return snapshot, stored_schema


def _closest(
    neighbours: Sequence[str], request: GroupRequest, tables: Iterable[Table], dialect: Dialect
) -> tuple[str, ...]:
    """The neighbours that look like an absent table, sorted: a schema may have 100 000, and all would go into XCom."""
    from rapidfuzz import fuzz, process

    found = NameIndex([table.name for table in tables], dialect.table_case, dialect.max_name_bytes)
    absent = [table for table in request.tables if found.resolve(table).name is None and can_be_asked(table)]
    lowered = [name.lower() for name in neighbours]
    chosen: set[str] = set()
    for table in absent[: max(1, _NEIGHBOUR_COMPARISONS // len(neighbours))]:
        hits = process.extract(
            unquote(table)[0].lower(), lowered, scorer=fuzz.ratio, limit=_NEIGHBOURS_PER_TABLE, score_cutoff=50
        )
        chosen.update(neighbours[index] for _, _, index in hits)
    return tuple(sorted(chosen))
