"""Views of a group: can the warehouse select from them what the datasets need?

A view stays in the catalogue when its base table is gone, or when its owner may not read it any more; only the
warehouse knows. Many are asked in one statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from ..nouns.snapshot import GroupSnapshot, Table
from ..warehouses.engine import Failure, Query
from ..warehouses.names import NameIndex
from ..warehouses.proofs import all_of
from .bisect import refusals
from .confirm import Asking

_VIEWS_PER_STATEMENT = 50
_OTHER_KINDS = frozenset({"synonym", "external table", "dynamic table"})


def confirm_views(
    snapshot: GroupSnapshot, asking: Asking, read: Callable[[Query], Mapping[str, Table]]
) -> GroupSnapshot:
    """Mark the views that cannot be selected from as ``broken``, in the engine's words.

    :param read: a columns query → its tables by their names; run for views that answered, where the catalogue knows
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
    known: Mapping[str, Table] = {}
    if answered and proofs.view_columns is not None:
        known = read(proofs.view_columns(replace(asking.request, tables=tuple(answered))))
    return replace(
        snapshot,
        tables=tuple(
            replace(known.get(table.name, table), broken=broken.get(table.name)) if _is_view(table) else table
            for table in snapshot.tables
        ),
    )


def _is_view(table: Table) -> bool:
    return "view" in table.kind or table.kind in _OTHER_KINDS


def _needed(tables: Iterable[Table], asking: Asking) -> dict[str, list[str]]:
    """{stored name: stored columns that the datasets need, and the role may read}."""
    dialect = asking.dialect
    by_name = {table.name: table for table in tables}
    index = NameIndex(by_name, dialect.table_case, dialect.max_name_bytes)
    needed: dict[str, dict[str, None]] = {}
    for written, columns in asking.request.columns.items():
        name = index.resolve(written).name
        if name is None:
            continue
        readable = {column.name for column in by_name[name].columns if column.readable}
        names = NameIndex(readable, dialect.column_case, dialect.max_name_bytes)
        found = (names.resolve(column).name for column in columns)
        needed.setdefault(name, {}).update(dict.fromkeys(each for each in found if each is not None))
    return {name: list(columns) for name, columns in needed.items()}
