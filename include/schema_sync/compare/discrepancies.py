"""What is wrong with one definition, as discrepancies: each type of the contract, section 5, is made here. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from include.schema_sync.compare.subjects import Subject, Targets
from include.schema_sync.compare.suggestions import closest_name
from include.schema_sync.compare.tables import KnownTable
from include.schema_sync.errors import InvalidDatasetYml
from include.schema_sync.needs.needs import Need, Unread
from include.schema_sync.needs.placement import Placement
from include.schema_sync.nouns.models import (
    Column,
    Dataset,
    Discrepancy,
    DiscrepancyType,
    GroupSnapshot,
    ProbeAnswer,
    SourceSnapshot,
    Verdict,
)
from include.schema_sync.types.compare import compare_types
from include.schema_sync.warehouses.engine import Dialect

_NAME_LIMIT = 256  # characters of a name that a report keeps; no engine allows longer ones

NOT_IN_CATALOGUE = "not in the catalogue, but it can be queried"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Something that may be missing or not: nobody knows, so the dataset is unchecked.

    :ivar column: what it is about, or None when it is more than one column.
    """

    reason: str
    column: str | None = None


def differences(subject: Subject, targets: Targets, dialect: Dialect) -> Iterator[Discrepancy | Unanswered]:
    """Everything that is wrong with one definition, or cannot be judged; undocumented columns apart."""
    for item in subject.needs.unread:
        yield _unread_expression(subject, item)
    table = subject.table
    if table is None:
        unknown = subject.group.unknown.get(subject.placement.table)
        yield _missing_table(subject) if unknown is None else _unanswered(subject, unknown)
        return
    yield from _table_differences(subject, table, dialect)
    if not table.table.readable:
        return
    for need in subject.needs.columns:
        yield from _column_differences(subject, table, need, dialect)
    for need in subject.needs.unplaced:
        root = subject.root_column(need)
        if root is None:
            why = f"`{cut(need.qualifier or '')}` is none of its relationships and no column"
            yield _unplaced_column(subject, need, why)
        else:
            yield from _column_differences(subject, table, replace(need, column=root), dialect)
    for word, needs in subject.needs.on_targets.items():
        yield from _target_differences(subject, word, needs, targets, dialect)


def _table_differences(subject: Subject, table: KnownTable, dialect: Dialect) -> Iterator[Discrepancy]:
    line = subject.placement.definition.line
    if not table.listed and table.table.readable:
        yield _discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_TYPE,
            message="The catalogue does not list the table, but the warehouse can query it; types are not checked.",
            actual=NOT_IN_CATALOGUE,
            line=line,
        )
    if subject.case_differs:
        yield _discrepancy(
            subject,
            DiscrepancyType.CASE_MISMATCH,
            message=f"The table is there as `{cut(table.table.name)}`; {dialect.label} tells letter case apart.",
            declared=subject.placement.table,
            actual=table.table.name,
            line=line,
            suggestion=table.table.name,
        )
    if not table.table.readable:
        yield _discrepancy(
            subject,
            DiscrepancyType.INACCESSIBLE_TABLE,
            message=f"The {table.table.kind} exists but the role may not read it; grant it SELECT.",
            line=line,
        )


def _target_differences(
    subject: Subject, word: str, needs: Sequence[Need], targets: Targets, dialect: Dialect
) -> Iterator[Discrepancy | Unanswered]:
    """What is needed of another dataset's table. Where that leads nowhere, a relationship says nothing."""
    target = targets.of(word)
    if target.unanswered is not None:
        yield Unanswered(f"what it needs of `{cut(word)}`: {target.unanswered}")
    elif target.table is None:
        for need in needs:
            if need.qualifier is not None and target.problem is not None and subject.root_column(need) is None:
                yield _unplaced_column(subject, need, f"`{cut(word)}`: {target.problem}")
    elif target.table.table.readable:
        for need in needs:
            if not target.is_alias(need.column) or target.table.names.resolve(need.column).name is not None:
                place = target.subjects[0].placement
                yield from _column_differences(subject, target.table, need, dialect, place)


def _unread_expression(subject: Subject, item: Unread) -> Discrepancy:
    why = f" ({cut(item.reason)})" if item.reason else ""
    return _discrepancy(
        subject,
        DiscrepancyType.UNVERIFIABLE_EXPRESSION,
        message=f"The expression of {cut(item.by)} cannot be read safely{why}, so its columns are not checked.",
        declared=item.expression,
        line=item.line,
        subject_text=item.expression,
    )


def _unplaced_column(subject: Subject, need: Need, why: str) -> Discrepancy:
    column = f"{need.qualifier}.{need.column}"
    return _discrepancy(
        subject,
        DiscrepancyType.UNVERIFIABLE_EXPRESSION,
        message=f"`{cut(column)}`, which {cut(need.by)} needs, is not checked: {why}.",
        declared=need.expression,
        line=need.line,
        subject_text=need.expression,
    )


def _column_differences(
    subject: Subject, table: KnownTable, need: Need, dialect: Dialect, at: Placement | None = None
) -> Iterator[Discrepancy | Unanswered]:
    resolution = table.names.resolve(need.column)
    if resolution.name is None:
        of_a_column = subject.root_column(need) is not None  # ``address.city`` of a column ``address``
        if not (need.maybe_alias or of_a_column or dialect.is_pseudo_column(need.column)):
            yield from _not_listed_column(subject, table, need, dialect, at)
        return
    column = table.columns[resolution.name]
    if resolution.case_differs:
        yield _discrepancy(
            subject,
            DiscrepancyType.CASE_MISMATCH,
            message=f"The column is there as `{cut(column.name)}`; {dialect.label} tells letter case apart.",
            at=at,
            table=table.table.name,
            column=need.column,
            declared=need.column,
            actual=column.name,
            line=need.line,
            suggestion=column.name,
        )
    if not column.readable:
        yield _inaccessible_column(subject, table, need, column.name, at)
    if need.type is None:
        return
    verdict = _verdict(dialect, column, need.type)
    if verdict is Verdict.MISMATCH:
        yield _discrepancy(
            subject,
            DiscrepancyType.TYPE_MISMATCH,
            message=f"The YML says `{cut(need.type)}`, the warehouse has `{cut(column.type)}`.",
            at=at,
            table=table.table.name,
            column=column.name,
            declared=need.type,
            actual=column.type,
            line=need.type_line,
        )
    elif verdict is Verdict.UNKNOWN:
        yield _discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_TYPE,
            message=f"`{cut(need.type)}` against `{cut(column.type)}`: one of them is no type that can be judged.",
            at=at,
            table=table.table.name,
            column=column.name,
            declared=need.type,
            actual=column.type,
            line=need.type_line,
        )


def _verdict(dialect: Dialect, column: Column, declared: str) -> Verdict:
    """A user-defined type is judged by its own name first, then by what it stands for."""
    verdict = compare_types(dialect.name, column.type, declared)
    if column.base_type is None or verdict is Verdict.MATCH:
        return verdict
    return compare_types(dialect.name, column.base_type, declared)


def _not_listed_column(
    subject: Subject, table: KnownTable, need: Need, dialect: Dialect, at: Placement | None = None
) -> Iterator[Discrepancy | Unanswered]:
    """What the warehouse itself said of a column; without its word, the catalogue's stands."""
    probe = table.probes.get(need.column)
    if probe is None:
        yield _missing_column(subject, table, need, dialect, at)
    elif probe.answer is ProbeAnswer.DENIED:
        yield _inaccessible_column(subject, table, need, need.column, at)
    elif probe.answer is ProbeAnswer.UNKNOWN:
        yield _unanswered(subject, probe.reason or "", need.column)
    elif table.listed:  # of a table that is not listed, this is told once
        yield _discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_TYPE,
            message=f"The catalogue does not list `{cut(need.column)}`, but the warehouse can query it; "
            "its type is not checked.",
            at=at,
            table=table.table.name,
            column=need.column,
            declared=need.type,
            actual=NOT_IN_CATALOGUE,
            line=need.line,
        )


def _unanswered(subject: Subject, reason: str, column: str | None = None) -> Unanswered:
    place = place_name(subject.placement.database, subject.placement.schema)
    return Unanswered(f"{place}: what its catalogue does not list could not be confirmed: {reason}", column)


def _inaccessible_column(
    subject: Subject, table: KnownTable, need: Need, column: str, at: Placement | None
) -> Discrepancy:
    return _discrepancy(
        subject,
        DiscrepancyType.INACCESSIBLE_TABLE,
        message=f"The role may not read `{cut(column)}`, which {cut(need.by)} needs; grant it SELECT.",
        at=at,
        table=table.table.name,
        column=column,
        line=need.line,
    )


def _missing_column(
    subject: Subject, table: KnownTable, need: Need, dialect: Dialect, at: Placement | None
) -> Discrepancy:
    rivals = table.names.resolve(need.column).rivals
    suggestion = rivals[0] if rivals else _renamed_to(table, need, dialect)
    return _discrepancy(
        subject,
        DiscrepancyType.MISSING_COLUMN,
        message=f"Column `{cut(need.column)}` is not in the {table.table.kind}, and {cut(need.by)} needs it.",
        at=at,
        table=table.table.name,
        column=need.column,
        declared=need.type,
        line=need.line,
        suggestion=suggestion,
    )


def _renamed_to(table: KnownTable, need: Need, dialect: Dialect) -> str | None:
    """Only a column that nobody claims, and that may be read, can be the renamed one."""
    candidates = [column for column in table.unclaimed if column.readable]
    declared = need.type
    agrees = None
    if declared is not None:
        agrees = [_verdict(dialect, each, declared) in (Verdict.MATCH, Verdict.COMPATIBLE) for each in candidates]
    return closest_name(need.column, [column.name for column in candidates], same_type=agrees)


def _missing_table(subject: Subject) -> Discrepancy:
    wanted = subject.placement.table
    rivals = subject.group.names.resolve(wanted).rivals
    return _discrepancy(
        subject,
        DiscrepancyType.MISSING_TABLE,
        message=f"No table or view `{cut(wanted)}` is in schema `{cut(subject.placement.schema)}`.",
        line=subject.placement.definition.line,
        suggestion=rivals[0] if rivals else closest_name(wanted, subject.group.snapshot.neighbours),
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


def undocumented(subject: Subject, table: KnownTable) -> Iterator[Discrepancy]:
    for column in table.unclaimed:
        yield _discrepancy(
            subject,
            DiscrepancyType.UNDOCUMENTED_COLUMN,
            message=f"Column `{cut(column.name)}` is in the {table.table.kind} and in no dataset of it.",
            table=table.table.name,
            column=column.name,
            actual=column.type,
        )


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


def _discrepancy(
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


def cut(text: str) -> str:
    text = text.replace("\0", "␀")  # YAML can write NUL; PostgreSQL's jsonb, where Airflow keeps reports, has none
    return text if len(text) <= _NAME_LIMIT else f"{text[: _NAME_LIMIT - 1]}…"
