"""The last good run's snapshot beside this one → what became of columns (contract, section 13). Pure.

Only what cannot be otherwise is said. A column is *renamed* when its table is the same one and its number has another
name; a table is the same one only where its engine numbers tables, and where every column that kept its name kept its
number too. A column is *dropped* when that number is gone, or when no column came that it could have become. Anything
else is *gone*: rebuilt tables, and engines without numbers, where a rename and a drop with an addition look the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..nouns.discrepancy import Change, ChangeKind, Discrepancy, DiscrepancyType, Verdict
from ..nouns.report import TableChanges
from ..nouns.snapshot import Column, ColumnChange, GroupSnapshot, OrganizationSnapshot, SourceSnapshot, Table
from ..text import cut
from ..types.compare import compare_types
from .tables import KnownTable

_MOST_CHANGES = 50  # of one table; a table in which more changed was made anew
_MOST_TABLES = 200  # of one organization's report
_FINDING_KINDS = (ChangeKind.RENAMED, ChangeKind.DROPPED, ChangeKind.RETYPED)
_Place = tuple[str, str | None, str]  # data source, database, schema


class Memory(NamedTuple):
    """What an earlier run saw of an organization. :ivar since: that run's timestamp, ISO 8601, UTC."""

    since: str
    snapshot: OrganizationSnapshot


def remember(now: OrganizationSnapshot, memories: Sequence[Memory]) -> OrganizationSnapshot:
    """This run's snapshot, its tables with what changed in them since the last run that could read them.

    :param memories: of earlier runs, newest first; none: nothing is remembered, and nothing said.
    """
    known = [(memory.since, _tables(memory.snapshot)) for memory in memories]

    def with_changes(place: _Place, table: Table) -> Table:
        for since, places in known:
            before = next((each for each in places.get(place, ()) if each.name == table.name), None)
            if before is not None and _is_comparable(before):
                changes = _changes(before, table, since) if _is_comparable(table) else before.changes
                return replace(table, changes=tuple(changes)[:_MOST_CHANGES]) if changes else table
        return table

    sources = []
    for source in now.sources if known else ():
        groups = []
        for group in source.groups:
            place = _place(source, group)
            groups.append(replace(group, tables=tuple(with_changes(place, table) for table in group.tables)))
        sources.append(replace(source, groups=tuple(groups)))
    return replace(now, sources=tuple(sources)) if known else now


def is_remembered(now: OrganizationSnapshot, memories: Sequence[Memory]) -> bool:
    """True when looking at still earlier runs can tell no more: each place of this run was read in one of these."""
    read = {place for memory in memories for place in _tables(memory.snapshot)}
    return all(_place(source, group) in read for source in now.sources for group in source.groups)


def changes_of(snapshot: OrganizationSnapshot) -> tuple[TableChanges, ...]:
    """What changed, by table: for the report."""
    found = [
        TableChanges(source.data_source.id, group.database, group.schema, table.name, table.changes)
        for source in snapshot.sources
        for group in source.groups
        for table in group.tables
        if table.changes
    ]
    return tuple(found[:_MOST_TABLES])


def with_change(found: Discrepancy, table: KnownTable | None) -> Discrepancy:
    """The finding with what became of its column, and without a hint that this contradicts."""
    if table is None or not table.table.changes or found.column is None:
        return found
    by_name = {each.name: each for each in table.table.changes if each.kind is not ChangeKind.ADDED}
    name = table.dialect.index_columns(by_name).resolve(found.column).name
    change = None if name is None else by_name[name]
    if change is None:
        return found
    told = Change(change.since, change.kind, None if change.to is None else cut(change.to))
    if found.type is DiscrepancyType.TYPE_MISMATCH:
        return replace(found, changed=told) if change.kind is ChangeKind.RETYPED else found
    if found.type not in (DiscrepancyType.MISSING_COLUMN, DiscrepancyType.CASE_MISMATCH):
        return found
    if change.kind is ChangeKind.GONE:
        came = {each.name for each in table.table.changes if _came_after(each, change)}
        return found if found.suggestion in came else replace(found, suggestion=None)
    if change.kind is ChangeKind.RENAMED and change.to in table.columns:
        # Of another sort now, an expression that compiled with it may compile no more: then there is no patch.
        now = table.columns[change.to].type
        retyped = compare_types(table.dialect.name, now, change.was) is Verdict.MISMATCH
        if found.type is DiscrepancyType.CASE_MISMATCH:  # its ``actual`` is the name that is there
            return replace(found, changed=told, suggestion=None if retyped else told.to)
        return replace(found, changed=told, suggestion=told.to, actual=cut(now) if retyped else None)
    return replace(found, changed=told, suggestion=None) if change.kind is ChangeKind.DROPPED else found


def _changes(before: Table, now: Table, since: str) -> list[ColumnChange]:
    old = {column.name: column for column in before.columns}
    new = {column.name: column for column in now.columns}
    came = [name for name in new if name not in old]
    whole = not came and not before.more and not now.more
    numbers = _names_by_number(before, now)
    found = [
        *_of_known(old, new, numbers, ChangeKind.DROPPED if whole else ChangeKind.GONE, since),
        *(ColumnChange(name, ChangeKind.ADDED, since) for name in came if not before.more),
    ]
    fresh = {each.name for each in found}
    carried = (_carried(each, new, found, numbers) for each in before.changes if each.name not in fresh)
    known = [*found, *(each for each in carried if each is not None)]
    renamed_to = {each.to for each in found if each.kind is ChangeKind.RENAMED}
    lost = [each for each in known if each.kind is ChangeKind.GONE]
    # An addition is news once; it is kept for as long as it may be what a lost column became.
    added = [
        each
        for each in known
        if each.kind is ChangeKind.ADDED
        and each.name not in renamed_to
        and (each.name in fresh or any(_came_after(each, other) for other in lost))
    ]
    return [*(each for each in known if each.kind is not ChangeKind.ADDED), *added]


def _of_known(
    old: Mapping[str, Column],
    new: Mapping[str, Column],
    numbers: Mapping[int, str] | None,
    otherwise: ChangeKind,
    since: str,
) -> Iterator[ColumnChange]:
    """What became of each old column: first of those whose names are still there, then of the others.

    :param otherwise: what a column is whose number tells nothing.
    """
    kept = [name for name in old if name in new]
    same = numbers is not None and all(old[name].identity == new[name].identity for name in kept)
    for name in kept:
        number, was = old[name].identity, old[name].type
        to = None if numbers is None or number is None else numbers.get(number)
        if to not in (None, name):  # columns that exchanged their names
            yield ColumnChange(name, ChangeKind.RENAMED, since, was, to)
        elif was != new[name].type:
            yield ColumnChange(name, ChangeKind.RETYPED, since, was, new[name].type)
    for name, column in old.items():
        if name not in new:
            to, kind = None, otherwise
            if numbers is not None and same and column.identity is not None:
                to = numbers.get(column.identity)
                kind = ChangeKind.DROPPED if to is None else ChangeKind.RENAMED
            yield ColumnChange(name, kind, since, column.type, to)


def _names_by_number(before: Table, now: Table) -> Mapping[int, str] | None:
    """{column's number: its name now} where this is surely the same table, and all of it is known; else None."""
    if before.identity is None or before.identity != now.identity or now.more:
        return None
    return {column.identity: column.name for column in now.columns if column.identity is not None}


def _carried(
    each: ColumnChange, new: Mapping[str, Column], found: Sequence[ColumnChange], numbers: Mapping[int, str] | None
) -> ColumnChange | None:
    """What an earlier run found out, as it is today; None when it is as it was again."""
    if each.kind is ChangeKind.ADDED:
        return each if each.name in new else None
    if each.name in new:
        today = new[each.name].type
        if each.kind is not ChangeKind.RETYPED or today == each.was:
            return None
        return each._replace(to=today)
    if each.kind is ChangeKind.RETYPED:
        return None
    if each.kind is not ChangeKind.RENAMED or each.to in new:
        return each
    after = next((other for other in found if other.name == each.to), None)
    if after is None or numbers is None:
        return each._replace(kind=ChangeKind.GONE, to=None)
    return each._replace(kind=after.kind, to=after.to)


def _came_after(added: ColumnChange, lost: ColumnChange) -> bool:
    return added.kind is ChangeKind.ADDED and added.since >= lost.since


def _is_comparable(table: Table) -> bool:
    return table.can_be_queried and bool(table.columns)


def _tables(snapshot: OrganizationSnapshot) -> Mapping[_Place, Sequence[Table]]:
    """What was read."""
    return {
        _place(source, group): group.tables
        for source in snapshot.sources
        if source.error is None
        for group in source.groups
        if group.error is None
    }


def _place(source: SourceSnapshot, group: GroupSnapshot) -> _Place:
    return (source.data_source.id, group.database, group.schema)


def words(
    changes: Collection[ColumnChange],
    name: Callable[[str], str] = lambda text: f"`{cut(text)}`",
    type_: Callable[[str], str] = cut,
) -> str:
    """What changed, for people: ``also new: `currency`; `status` was varchar(8)``.

    :param name, type_: how columns' names and types are written; as they are they are cut, not escaped.
    """
    said = {
        ChangeKind.ADDED: "{0} is new",
        ChangeKind.GONE: "{0} is gone",
        ChangeKind.DROPPED: "{0} was dropped",
        ChangeKind.RENAMED: "{0} was renamed to {1}",
        ChangeKind.RETYPED: "{0} was {2}, now {3}",
    }
    return "; ".join(
        said[each.kind].format(name(each.name), name(each.to or ""), type_(each.was), type_(each.to or ""))
        for each in changes
    )
