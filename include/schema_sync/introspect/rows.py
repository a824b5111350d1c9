"""Rows of a columns query → a snapshot of one group. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from ..nouns.snapshot import Column, GroupRequest, GroupSnapshot, Table
from ..warehouses.engine import Dialect, Failure
from ..warehouses.names import NameCase, can_be_asked, cut_name, fold, unquote
from .bisect import Refusal

# Columns of a table that no dataset names and that are kept all the same, for hints; others are counted.
OTHER_COLUMNS = 200
_TEXT_OR_NOTHING = (str, type(None))
_NEIGHBOURS_PER_TABLE = 5
_NEIGHBOUR_COMPARISONS = 2_000_000  # about half a second
_ROW = 8  # values of a row; the numbers of table and column follow where the engine has them
_relation_of = itemgetter(1)


def snapshot_of_rows(request: GroupRequest, rows: Iterable[Any], dialect: Dialect) -> tuple[GroupSnapshot, str | None]:
    """Rows as :class:`Dialect` describes them → (a snapshot, the schema's stored name). No rows: no such schema.

    What is kept is bounded: the asked tables, their columns that a dataset names, and some others.

    :raises Refusal: these are not the rows that were asked for.
    """
    wrong_answer = Refusal(
        Failure.TERMINAL, f"cannot read {dialect.label}: the server answered with something else than what was asked"
    )
    exists = False
    stored_schema: str | None = None
    asked = _asked(request, dialect)
    tables: dict[str, Table] = {}
    neighbours: list[str] = []
    # Tables share columns that are the same in both: most have an id or a created_at, and finding one is
    # several times faster than making and keeping another.
    shared: dict[str, Column] = {}
    for name, group in groupby(rows, _relation_of):
        exists = True
        first = next(group)
        if len(first) not in (_ROW, _ROW + 2) or not all(isinstance(each, _TEXT_OR_NOTHING) for each in first[:3]):
            raise wrong_answer
        stored_schema, _, kind, readable = first[:4]
        if name is None:
            continue
        if readable is None:
            neighbours.append(name)
            continue
        named = asked.get(name.casefold())
        if named is None or name in tables:  # nobody could mean it, or it has been told already
            continue
        columns: list[Column] = []
        others = more = 0
        for _, _, _, _, column, type_, base_type, column_readable, *numbers in chain((first,), group):
            if column is None:
                continue
            if not (isinstance(column, str) and isinstance(type_, str)):
                raise wrong_answer
            if column.casefold() not in named:
                if others == OTHER_COLUMNS:
                    more += 1
                    continue
                others += 1
            known = shared.get(column)
            number = numbers[1] if numbers else None
            if known is None or known[1:] != (type_, base_type, column_readable, number):
                known = shared[column] = Column(column, type_, base_type, column_readable, number)
            columns.append(known)
        identity = first[_ROW] if len(first) > _ROW else None
        if identity is not None and not str(identity).isdigit():
            raise wrong_answer
        number = None if identity is None else int(identity)
        tables[name] = Table(name, kind, bool(readable), tuple(columns), number, more=more)
    snapshot = GroupSnapshot(
        request.data_source_id,
        request.database,
        request.schema,
        exists=exists,
        tables=tuple(tables.values()),
        neighbours=_closest(neighbours, request, tables, dialect) if neighbours else (),
    )
    return snapshot, stored_schema


def _asked(request: GroupRequest, dialect: Dialect) -> dict[str, set[str]]:
    """{a name that a requested table may be stored by: the names that its columns may be meant by}, folded."""
    asked: dict[str, set[str]] = {}
    for table in request.tables:
        names = set(request.named.get(table, ()))
        for form in (unquote(table)[0], fold(table, NameCase.SENSITIVE, dialect.max_name_bytes)):
            asked.setdefault(form.casefold(), set()).update(names)
    if dialect.max_name_bytes is not None:
        for columns in asked.values():
            columns |= {cut_name(name, dialect.max_name_bytes) for name in columns}
    return asked


def _closest(
    neighbours: Sequence[str], request: GroupRequest, tables: Iterable[str], dialect: Dialect
) -> tuple[str, ...]:
    """The neighbours that look like an absent table, sorted: a schema may have 100 000, and all would go into XCom."""
    from rapidfuzz import fuzz, process

    found = dialect.index_tables(tables)
    absent = [table for table in request.tables if found.resolve(table).name is None and can_be_asked(table)]
    lowered = [name.lower() for name in neighbours]
    chosen: set[str] = set()
    for table in absent[: max(1, _NEIGHBOUR_COMPARISONS // len(neighbours))]:
        hits = process.extract(
            unquote(table)[0].lower(), lowered, scorer=fuzz.ratio, limit=_NEIGHBOURS_PER_TABLE, score_cutoff=50
        )
        chosen.update(neighbours[index] for _, _, index in hits)
    return tuple(sorted(chosen))
