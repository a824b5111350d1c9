"""What is wrong with one definition, as discrepancies: each type of the contract, section 5, is made here. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from ..errors import InvalidDatasetYml
from ..needs.needs import Need
from ..needs.placement import Placement
from ..nouns.dataset import Dataset
from ..nouns.discrepancy import Discrepancy, DiscrepancyType
from ..nouns.snapshot import Column, SourceSnapshot
from ..text import cut, without_full_stop
from .likeness import closest_name
from .subjects import Subject
from .tables import KnownTable

_NAMED = 5  # undocumented columns, or datasets, in a message
NOT_IN_CATALOGUE = "not in the catalogue, but it can be queried"


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
        table=table,
        actual=table.table.broken,
        line=subject.placement.definition.line,
    )


def inaccessible_table(subject: Subject, table: KnownTable) -> Discrepancy:
    """Only what is known is said: not every engine tells what is hidden from what is not there."""
    name = f"`{cut(table.table.name)}`"
    if table.schema_is_closed and table.listed:
        message = f"The {table.table.kind} {name} exists, but the role lacks USAGE on its schema; grant it that."
    elif table.schema_is_closed:
        message = f"The role lacks USAGE on the schema, so nobody can tell whether {name} is there; grant it that."
    elif table.listed or table.dialect.denies_only_what_exists:
        message = f"The {table.table.kind} {name} exists, but the role lacks SELECT on it; grant it that."
    else:
        message = f"{name} is not there, or the role may not see it: {table.dialect.label} does not tell which."
    line = subject.placement.definition.line
    return discrepancy(subject, DiscrepancyType.INACCESSIBLE_TABLE, message=message, line=line)


def inaccessible_column(subject: Subject, table: KnownTable, need: Need, column: str) -> Discrepancy:
    return discrepancy(
        subject,
        DiscrepancyType.INACCESSIBLE_TABLE,
        message=f"The role may not read `{cut(column)}`, which {cut(need.by)} needs; grant it SELECT.",
        table=table,
        column=column,
        line=need.line,
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


def missing_schema(subjects: Sequence[Subject]) -> Discrepancy:
    """One discrepancy for the whole group, not one for each of its tables. :param subjects: every definition in it."""
    names = sorted({subject.placement.dataset.name for subject in subjects})
    listed = ", ".join(map(cut, names[:_NAMED]))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    need = f"{len(names)} datasets need" if len(names) > 1 else "1 dataset needs"
    place = place_name(subjects[0].placement)
    message = f"The database or schema {place} is not there; {need} it: {listed}{more}."
    found = discrepancy(subjects[0], DiscrepancyType.MISSING_SCHEMA, message=message)
    return replace(found, dataset_id=None, dataset_name=None, table=None, declared=place)


def undocumented(subject: Subject, table: KnownTable, columns: Sequence[Column], more: int = 0) -> Discrepancy:
    """One finding a table; the same as long as these are its columns.

    :param more: how many columns there are beside these, whose names are not kept.
    """
    columns = sorted(columns, key=lambda column: column.name)
    column = actual = None
    names = ""
    if len(columns) == 1 and not more:
        column, actual = columns[0].name, columns[0].type
        message = f"Column `{cut(column)}` is in the {table.table.kind} and in no dataset of it."
    else:
        names = sha256("\0".join(each.name for each in columns).encode("utf-8", "replace")).hexdigest()
        listed = ", ".join(f"`{cut(each.name)}`" for each in columns[:_NAMED])
        rest = len(columns) + more - _NAMED
        and_more = f" and {rest:,} more" if rest > 0 else ""
        count = f"{len(columns) + more:,} columns"
        message = f"{count} are in the {table.table.kind} and in no dataset of it: {listed}{and_more}."
    kind = DiscrepancyType.UNDOCUMENTED_COLUMN
    found = discrepancy(subject, kind, message=message, table=table, column=column, actual=actual, subject_text=names)
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
    table: KnownTable | None = None,
    column: str | None = None,
    declared: str | None = None,
    actual: str | None = None,
    line: int | None = None,
    suggestion: str | None = None,
    subject_text: str = "",
) -> Discrepancy:
    """A finding about a definition. :param table: which it is about; None: the own one, as the definition names it."""
    placement = subject.placement
    place = placement if table is None else table
    return Discrepancy(
        type=kind,
        organization_id=placement.dataset.organization_id,
        data_source_id=placement.dataset.data_source_id,
        dataset_id=placement.dataset.id,
        dataset_name=cut(placement.dataset.name),
        database=None if place.database is None else cut(place.database),
        schema=cut(place.schema),
        table=cut(placement.table if table is None else table.table.name),
        column=None if column is None else cut(column),
        declared=None if declared is None else cut(declared),
        actual=None if actual is None else cut(actual),
        message=message,
        line=line,
        suggestion=suggestion,
        subject=cut(subject_text),
    )


def place_name(placement: Placement) -> str:
    database = "" if placement.database is None else f"{cut(placement.database)}."
    return f"`{database}{cut(placement.schema)}`"
