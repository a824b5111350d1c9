"""What is wrong with one definition, as discrepancies: each type of the contract, section 5, is made here. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from ..errors import InvalidDatasetYml
from ..needs.needs import Need, Unread
from ..needs.placement import Placement
from ..nouns.dataset import Dataset
from ..nouns.discrepancy import Discrepancy, DiscrepancyType
from ..nouns.snapshot import Column, GroupSnapshot, SourceSnapshot
from ..text import cut, without_full_stop
from ..warehouses.engine import Dialect
from .subjects import Subject
from .suggestions import closest_name, renamed_to
from .tables import KnownTable

_NAMED = 5  # undocumented columns, in a message
NOT_IN_CATALOGUE = "not in the catalogue, but it can be queried"


def unread_expression(subject: Subject, item: Unread) -> Discrepancy:
    why = f" ({cut(item.reason)})" if item.reason else ""
    return discrepancy(
        subject,
        DiscrepancyType.UNVERIFIABLE_EXPRESSION,
        message=f"The expression of {cut(item.by)} cannot be read safely{why}, so its columns are not checked.",
        declared=item.expression,
        line=item.line,
        subject_text=item.expression,
    )


def unplaced_column(subject: Subject, need: Need, why: str) -> Discrepancy:
    column = f"{need.qualifier}.{need.column}"
    return discrepancy(
        subject,
        DiscrepancyType.UNVERIFIABLE_EXPRESSION,
        message=f"`{cut(column)}`, which {cut(need.by)} needs, is not checked: {why}.",
        declared=need.expression,
        line=need.line,
        subject_text=need.expression,
    )


def broken_view(subject: Subject, table: KnownTable) -> Discrepancy:
    return discrepancy(
        subject,
        DiscrepancyType.BROKEN_VIEW,
        message=f"The warehouse itself cannot select from the {table.table.kind} `{cut(table.table.name)}`: "
        f"{without_full_stop(table.table.broken or '')}.",
        table=table.table.name,
        actual=table.table.broken,
        line=subject.placement.definition.line,
    )


def inaccessible_table(subject: Subject, table: KnownTable, dialect: Dialect) -> Discrepancy:
    """Only what is known is said: not every engine tells what is hidden from what is not there."""
    name = f"`{cut(table.table.name)}`"
    if table.schema_is_closed and table.listed:
        message = f"The {table.table.kind} {name} exists, but the role lacks USAGE on its schema; grant it that."
    elif table.schema_is_closed:
        message = f"The role lacks USAGE on the schema, so nobody can tell whether {name} is there; grant it that."
    elif table.listed or dialect.denies_only_what_exists:
        message = f"The {table.table.kind} {name} exists, but the role lacks SELECT on it; grant it that."
    else:
        message = f"{name} is not there, or the role may not see it: {dialect.label} does not tell which."
    line = subject.placement.definition.line
    return discrepancy(subject, DiscrepancyType.INACCESSIBLE_TABLE, message=message, line=line)


def inaccessible_column(
    subject: Subject, table: KnownTable, need: Need, column: str, at: Placement | None
) -> Discrepancy:
    return discrepancy(
        subject,
        DiscrepancyType.INACCESSIBLE_TABLE,
        message=f"The role may not read `{cut(column)}`, which {cut(need.by)} needs; grant it SELECT.",
        at=at,
        table=table.table.name,
        column=column,
        line=need.line,
    )


def missing_column(
    subject: Subject, table: KnownTable, need: Need, dialect: Dialect, at: Placement | None
) -> Discrepancy:
    return discrepancy(
        subject,
        DiscrepancyType.MISSING_COLUMN,
        message=f"Column `{cut(need.column)}` is not in the {table.table.kind}, and {cut(need.by)} needs it.",
        at=at,
        table=table.table.name,
        column=need.column,
        declared=need.type,
        line=need.line,
        suggestion=renamed_to(table, need, dialect),
    )


def missing_table(subject: Subject) -> Discrepancy:
    wanted = subject.placement.table
    return discrepancy(
        subject,
        DiscrepancyType.MISSING_TABLE,
        message=f"No table or view `{cut(wanted)}` is in schema `{cut(subject.placement.schema)}`.",
        line=subject.placement.definition.line,
        suggestion=closest_name(wanted, subject.group.alike),
    )


def missing_schema(organization_id: str, group: GroupSnapshot, dataset_names: Sequence[str]) -> Discrepancy:
    """One discrepancy for the whole group, not one for each of its tables."""
    listed = ", ".join(map(cut, dataset_names[:5]))
    more = f" and {len(dataset_names) - 5} more" if len(dataset_names) > 5 else ""
    need = f"{len(dataset_names)} datasets need" if len(dataset_names) > 1 else "1 dataset needs"
    place = place_name(group.database, group.schema)
    return Discrepancy(
        type=DiscrepancyType.MISSING_SCHEMA,
        organization_id=organization_id,
        data_source_id=group.data_source_id,
        dataset_id=None,
        dataset_name=None,
        database=None if group.database is None else cut(group.database),
        schema=cut(group.schema),
        table=None,
        column=None,
        declared=place,
        actual=None,
        message=f"The database or schema {place} is not there; {need} it: {listed}{more}.",
    )


def undocumented(subject: Subject, table: KnownTable, columns: Sequence[Column], more: int = 0) -> Discrepancy:
    """One finding a table; the same as long as these are its columns.

    :param more: how many columns there are beside these, whose names are not kept.
    """
    columns = sorted(columns, key=lambda column: column.name)
    alone = columns[0] if len(columns) == 1 and not more else None
    if alone is not None:
        message = f"Column `{cut(alone.name)}` is in the {table.table.kind} and in no dataset of it."
    else:
        listed = ", ".join(f"`{cut(column.name)}`" for column in columns[:_NAMED])
        rest = len(columns) + more - _NAMED
        and_more = f" and {rest:,} more" if rest > 0 else ""
        count = f"{len(columns) + more:,} columns"
        message = f"{count} are in the {table.table.kind} and in no dataset of it: {listed}{and_more}."
    found = discrepancy(
        subject,
        DiscrepancyType.UNDOCUMENTED_COLUMN,
        message=message,
        table=table.table.name,
        column=None if alone is None else alone.name,
        actual=None if alone is None else alone.type,
        subject_text=""
        if alone is not None
        else sha256("\0".join(column.name for column in columns).encode("utf-8", "replace")).hexdigest(),
    )
    return replace(found, columns=tuple(columns))


def invalid_yml(dataset: Dataset, source: SourceSnapshot, error: InvalidDatasetYml) -> Discrepancy:
    return Discrepancy(
        type=DiscrepancyType.INVALID_YML,
        organization_id=dataset.organization_id,
        data_source_id=source.data_source.id,
        dataset_id=dataset.id,
        dataset_name=cut(dataset.name),
        database=None if dataset.database_identifier is None else cut(dataset.database_identifier),
        schema=cut(dataset.schema),
        table=None,
        column=None,
        declared=None,
        actual=None,
        message=str(error),
        line=error.line,
    )


def discrepancy(
    subject: Subject,
    kind: DiscrepancyType,
    *,
    message: str,
    at: Placement | None = None,
    table: str | None = None,
    column: str | None = None,
    declared: str | None = None,
    actual: str | None = None,
    line: int | None = None,
    suggestion: str | None = None,
    subject_text: str = "",
) -> Discrepancy:
    """A finding about a definition.

    :param at: where the table is, when it is another dataset's; else the definition's own place.
    """
    placement = subject.placement
    place = at or placement
    return Discrepancy(
        type=kind,
        organization_id=placement.dataset.organization_id,
        data_source_id=placement.dataset.data_source_id,
        dataset_id=placement.dataset.id,
        dataset_name=cut(placement.dataset.name),
        database=None if place.database is None else cut(place.database),
        schema=cut(place.schema),
        table=cut(placement.table if table is None else table),
        column=None if column is None else cut(column),
        declared=None if declared is None else cut(declared),
        actual=None if actual is None else cut(actual),
        message=message,
        line=line,
        suggestion=suggestion,
        subject=cut(subject_text),
    )


def place_name(database: str | None, schema: str) -> str:
    return f"`{cut(schema)}`" if database is None else f"`{cut(database)}.{cut(schema)}`"
