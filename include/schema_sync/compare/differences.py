"""One definition against its table, and its relationships against theirs → what is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..needs.needs import Need
from ..nouns.discrepancy import Discrepancy, DiscrepancyType, Verdict
from ..nouns.snapshot import ProbeAnswer
from ..text import cut
from .discrepancies import (
    NOT_IN_CATALOGUE,
    discrepancy,
    inaccessible_column,
    inaccessible_table,
    missing_table,
    place_name,
    unplaced_column,
)
from .likeness import Likeness, only
from .subjects import Subject, Target, Targets
from .tables import KnownTable, column_verdict


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Something that may be missing or not: nobody knows, so the dataset is unchecked.

    :ivar column: what it is about, or None when it is more than one column.
    """

    reason: str
    column: str | None = None


def differences(subject: Subject, targets: Targets) -> Iterator[Discrepancy | Unanswered]:
    """Everything that is wrong with one definition, or cannot be judged; undocumented columns apart."""
    for item in subject.needs.unread:
        reason = f" ({cut(item.reason)})" if item.reason else ""
        yield discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_EXPRESSION,
            message=f"The expression of {cut(item.by)} cannot be read safely{reason}, so its columns are not checked.",
            declared=item.expression,
            line=item.line,
            subject_text=item.expression,
        )
    table = subject.table
    if table is None:
        unknown = subject.group.unknown.get(subject.placement.table)
        yield missing_table(subject) if unknown is None else _unanswered(subject, unknown)
        return
    yield from _table_differences(subject, table)
    if not table.table.can_be_queried:
        return
    for need in subject.needs.columns:
        yield from _column_differences(subject, table, need)
    for need in subject.needs.unplaced:
        root = subject.root_column(need)
        if root is None:
            why = f"`{cut(need.qualifier or '')}` is none of its relationships and no column"
            yield unplaced_column(subject, need, why)
        else:
            yield from _column_differences(subject, table, replace(need, column=root))
    for word, needs in subject.needs.on_targets.items():
        yield from _target_differences(subject, word, needs, targets.of(word))


def _table_differences(subject: Subject, table: KnownTable) -> Iterator[Discrepancy]:
    line = subject.placement.definition.line
    if not table.listed and table.table.readable:
        yield discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_TYPE,
            message="The catalogue does not list the table, but the warehouse can query it; types are not checked.",
            actual=NOT_IN_CATALOGUE,
            line=line,
        )
    if subject.case_differs:
        yield discrepancy(
            subject,
            DiscrepancyType.CASE_MISMATCH,
            message=f"The table is there as `{cut(table.table.name)}`; {table.dialect.label} tells letter case apart.",
            declared=subject.placement.table,
            actual=table.table.name,
            line=line,
            suggestion=table.table.name,
        )
    if not table.table.readable:
        yield inaccessible_table(subject, table)


def _target_differences(
    subject: Subject, word: str, needs: Sequence[Need], target: Target
) -> Iterator[Discrepancy | Unanswered]:
    """What is needed of another dataset's table. Where that leads nowhere, a relationship says nothing."""
    if target.unanswered is not None:
        yield Unanswered(f"what it needs of `{cut(word)}`: {target.unanswered}")
    elif target.table is None:
        for need in needs:
            if need.qualifier is not None and target.problem is not None and subject.root_column(need) is None:
                yield unplaced_column(subject, need, f"`{cut(word)}`: {target.problem}")
    elif target.table.table.can_be_queried:
        for need in needs:
            if target.owner_of(need.column) is None or target.table.names.resolve(need.column).name is not None:
                yield from _column_differences(subject, target.table, need)


def _column_differences(subject: Subject, table: KnownTable, need: Need) -> Iterator[Discrepancy | Unanswered]:
    dialect = table.dialect
    resolution = table.names.resolve(need.column)
    if resolution.name is None:
        of_a_column = subject.root_column(need) is not None  # ``address.city`` of a column ``address``
        if not (need.maybe_alias or of_a_column or dialect.is_pseudo_column(need.column)):
            yield from _not_listed_column(subject, table, need)
        return
    column = table.columns[resolution.name]
    folds = need.in_sql and dialect.folds_away(need.column, column.name)
    if resolution.case_differs or folds:
        why = "folds what SQL does not quote" if folds else "tells letter case apart"
        yield discrepancy(
            subject,
            DiscrepancyType.CASE_MISMATCH,
            message=f"The column is there as `{cut(column.name)}`; {dialect.label} {why}.",
            table=table,
            column=need.column,
            declared=need.column,
            actual=column.name,
            line=need.line,
            suggestion=column.name,
        )
    if not column.readable:
        yield inaccessible_column(subject, table, need, column.name)
    if need.type is None:
        return
    verdict = column_verdict(dialect, column, need.type)
    if verdict not in (Verdict.MISMATCH, Verdict.UNKNOWN):
        return
    yours, theirs = f"`{cut(need.type)}`", f"`{cut(column.type)}`" if column.type else "no type"  # as in SQLite
    kind, message = DiscrepancyType.TYPE_MISMATCH, f"The YML says {yours}, the warehouse has {theirs}."
    if verdict is Verdict.UNKNOWN:
        kind = DiscrepancyType.UNVERIFIABLE_TYPE
        message = f"{yours} against {theirs}: one of them is no type that can be judged."
    yield discrepancy(
        subject,
        kind,
        message=message,
        table=table,
        column=column.name,
        declared=need.type,
        actual=column.type,
        line=need.type_line,
    )


def _not_listed_column(subject: Subject, table: KnownTable, need: Need) -> Iterator[Discrepancy | Unanswered]:
    """What the warehouse itself said of a column; without its word, the catalogue's stands."""
    probe = table.probes.get(need.column)
    if probe is None:
        yield discrepancy(
            subject,
            DiscrepancyType.MISSING_COLUMN,
            message=f"Column `{cut(need.column)}` is not in the {table.table.kind}, and {cut(need.by)} needs it.",
            table=table,
            column=need.column,
            declared=need.type,
            line=need.line,
            suggestion=_renamed_to(table, need),
        )
    elif probe.answer in (ProbeAnswer.DENIED, ProbeAnswer.SCHEMA_DENIED):
        yield inaccessible_column(subject, table, need, need.column)
    elif probe.answer is ProbeAnswer.UNKNOWN:
        yield _unanswered(subject, probe.reason or "", need.column)
    elif table.listed:  # of a table that is not listed, this is told once
        yield discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_TYPE,
            message=f"The catalogue does not list `{cut(need.column)}`, but the warehouse can query it; "
            "its type is not checked.",
            table=table,
            column=need.column,
            declared=need.type,
            actual=NOT_IN_CATALOGUE,
            line=need.line,
        )


def _unanswered(subject: Subject, reason: str, column: str | None = None) -> Unanswered:
    place = place_name(subject.placement)
    return Unanswered(f"{place}: what its catalogue does not list could not be confirmed: {reason}", column)


def _renamed_to(table: KnownTable, need: Need) -> str | None:
    """The column that is plainly the missing one: readable, of a fitting type, claimed by nobody, and the only one."""
    found = []
    for name, likeness in table.alike.like(need.column).items():
        column = table.columns[name]
        verdict = Verdict.UNKNOWN if need.type is None else column_verdict(table.dialect, column, need.type)
        fits = verdict in (Verdict.MATCH, Verdict.COMPATIBLE)
        if column.readable and (fits or (verdict is Verdict.UNKNOWN and likeness is not Likeness.NUMBERED)):
            found.append(name)
    likely = only(found)
    return likely if likely is not None and table.columns[likely] in table.unclaimed else None
