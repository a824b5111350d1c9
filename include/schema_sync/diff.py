"""Datasets' YML against a snapshot of their warehouses → one organization's report. Pure.

Nothing here asks a server anything: what the snapshot does not know is *unchecked*, never clean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from include.schema_sync.column_types import compare_types
from include.schema_sync.dataset_yml import parse_dataset_yml
from include.schema_sync.errors import InvalidDatasetYml, TerminalError
from include.schema_sync.expressions import words_of
from include.schema_sync.grouping import Placement, place
from include.schema_sync.models import (
    Column,
    Dataset,
    Discrepancy,
    DiscrepancyType,
    GroupSnapshot,
    OrganizationReport,
    OrganizationSnapshot,
    Probe,
    ProbeAnswer,
    SourceSnapshot,
    Table,
    UncheckedSource,
    Verdict,
)
from include.schema_sync.names import NameIndex
from include.schema_sync.needs import Need, Unread, names_for_relationships, needs_of, needs_on_target
from include.schema_sync.suggestions import closest_name
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.base import Dialect

_NAME_LIMIT = 256  # characters of a name that a report keeps; no engine allows longer ones

NOT_IN_CATALOGUE = "not in the catalogue, but it can be queried"
CHANGED_MEANWHILE = "its YML changed between introspection and diff; the next run checks it"


def diff_organization(snapshot: OrganizationSnapshot, datasets: Sequence[Dataset]) -> OrganizationReport:
    """Compare every dataset that was asked for with what was found.

    :param datasets: the organization's datasets as they are now; one that is gone is no longer anybody's concern,
        one whose text changed since the snapshot is unchecked.
    :return: discrepancies sorted most severe first, each problem once; what is unchecked, by data source.
    """
    now = {dataset.id: dataset for dataset in datasets}
    report = _Report()
    for source in snapshot.sources:
        _diff_source(snapshot.organization_id, source, now, report)
    return OrganizationReport(
        organization_id=snapshot.organization_id,
        organization_name=snapshot.organization_name,
        datasets_checked=report.checked,
        datasets_unchecked=sum(source.datasets for source in report.unchecked),
        discrepancies=tuple(sorted(report.found.values(), key=lambda discrepancy: discrepancy.sort_key)),
        unchecked=tuple(report.unchecked),
    )


@dataclass(slots=True)
class _Report:
    """What has been found so far; ``found`` by fingerprint, because one problem is told once."""

    found: dict[str, Discrepancy] = field(default_factory=dict)
    unchecked: list[UncheckedSource] = field(default_factory=list)
    checked: int = 0

    def add(self, discrepancy: Discrepancy) -> None:
        self.found.setdefault(discrepancy.fingerprint, discrepancy)


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """Something that may be missing or not: nobody knows, so the dataset is unchecked."""

    reason: str


@dataclass
class _Subject:
    """A definition with the group that it lives in, and the table that its name resolved to (or None)."""

    placement: Placement
    group: _Group
    needs: list[Need]
    unread: list[Unread]
    table: _Table | None
    case_differs: bool


class _Table:
    """A table of the snapshot, its names indexed once for every dataset that uses it.

    :ivar listed: False for a table that is there although the catalogue does not list it.
    :ivar probes: {column that the catalogue does not list: what the warehouse says of it, unless it is missing}.
    """

    def __init__(self, table: Table, dialect: Dialect, *, listed: bool = True) -> None:
        self.table = table
        self.listed = listed
        self.probes: dict[str, Probe] = {}
        self.columns: dict[str, Column] = {column.name: column for column in table.columns}
        self.names = NameIndex(self.columns, dialect.column_case, dialect.max_name_bytes)
        self.documented: set[str] = set()
        self.mentioned: set[str] = set()

    @cached_property
    def unclaimed(self) -> list[Column]:
        """Columns in no dataset of the table, and in no expression that could not be read.

        A nested field (``address.city`` beside ``address``) belongs to its column: it is no column of its own, and
        claiming it claims the column. Only to be asked when every dataset has made its claims.
        """
        claimed = self.documented | {name.partition(".")[0] for name in self.documented}
        return [
            column
            for column in self.table.columns
            if column.name not in claimed
            and column.name.lower() not in self.mentioned
            and ("." not in column.name or column.name.partition(".")[0] not in self.columns)
        ]


class _Group:
    """A group of the snapshot with its tables indexed.

    :ivar not_listed: {table as datasets write it: the table}, for those that only probes know to be there.
    :ivar unknown: {table as datasets write it: why nobody knows whether it is there}.
    """

    def __init__(self, snapshot: GroupSnapshot, dialect: Dialect) -> None:
        self.snapshot = snapshot
        self.tables = {table.name: _Table(table, dialect) for table in snapshot.tables}
        self.names = NameIndex(self.tables, dialect.table_case, dialect.max_name_bytes)
        self.not_listed: dict[str, _Table] = {}
        self.unknown: dict[str, str] = {}
        for probe in snapshot.probes:
            if probe.column is not None:
                continue
            if probe.answer is ProbeAnswer.UNKNOWN:
                self.unknown[probe.table] = probe.reason or ""
            else:
                table = Table(probe.table, "table", probe.answer is ProbeAnswer.RUNS, ())
                self.not_listed[probe.table] = _Table(table, dialect, listed=False)
        for probe in snapshot.probes:
            if probe.column is not None:
                (self.tables.get(probe.table) or self.not_listed[probe.table]).probes[probe.column] = probe

    def find(self, written: str) -> tuple[_Table | None, bool]:
        """The table that a name stands for, if any, and whether its letter case differs."""
        resolution = self.names.resolve(written)
        if resolution.name is None:
            return self.not_listed.get(written), False
        return self.tables[resolution.name], resolution.case_differs


def _diff_source(organization_id: str, source: SourceSnapshot, now: Mapping[str, Dataset], report: _Report) -> None:
    reasons: dict[str, str] = {}  # dataset id → why it is unchecked
    read: dict[str, list[Placement]] = {}
    for dataset_id, yml_hash in source.datasets.items():
        dataset = now.get(dataset_id)
        if dataset is None:
            continue
        if dataset.yml_hash != yml_hash:
            reasons[dataset_id] = f"dataset {dataset.name}: {CHANGED_MEANWHILE}"
            continue
        try:
            definitions = parse_dataset_yml(dataset.yml, name=dataset.name)
        except InvalidDatasetYml as error:
            report.add(_invalid_yml(dataset, source, error))
            report.checked += 1
            continue
        read[dataset_id] = [place(dataset, definition, own_database=source.own_database) for definition in definitions]
    subjects: list[_Subject] = []
    if source.error is not None:
        reasons.update(dict.fromkeys(read, source.error))
    elif read:
        dialect = _dialect(source)
        groups = {(group.database, group.schema): _Group(group, dialect) for group in source.groups}
        for dataset_id, placements in read.items():
            for placement in placements:
                group = groups.get(placement.group)
                if group is None or group.snapshot.error is not None:
                    why = "it was not asked for" if group is None else group.snapshot.error
                    reasons[dataset_id] = f"{_place_name(placement.database, placement.schema)}: {why}"
                else:
                    subjects.append(_subject(placement, group))
        _compare(organization_id, subjects, groups, dialect, report, reasons)
    report.checked += sum(1 for dataset_id in read if dataset_id not in reasons)
    if reasons:
        report.unchecked.append(
            UncheckedSource(
                data_source_id=source.data_source.id,
                data_source_name=source.data_source.name,
                datasets=len(reasons),
                error="; ".join(sorted(set(reasons.values()))),
            )
        )


def _dialect(source: SourceSnapshot) -> Dialect:
    try:
        return dialect_for(source.data_source.type)
    except TerminalError as error:  # introspection reports this as the source's error, so groups cannot exist
        raise AssertionError(f"a snapshot of an unknown kind of warehouse: {error}") from None


def _compare(
    organization_id: str,
    subjects: Sequence[_Subject],
    groups: Mapping[tuple[str | None, str], _Group],
    dialect: Dialect,
    report: _Report,
    reasons: MutableMapping[str, str],
) -> None:
    """Claims first, comparison second: what counts as unclaimed depends on every dataset of a table.

    :param reasons: {dataset id: why it is unchecked}; what could not be confirmed is added.
    """
    by_name = _by_name(subjects)
    for subject in subjects:
        _claim(subject)
        for table, needs in _needs_on_targets(subject, by_name):
            table.documented.update(name for need in needs if (name := table.names.resolve(need.column).name))
    for group in groups.values():
        if not group.snapshot.exists:
            _add_missing_schema(organization_id, group, subjects, report)
    documented_by: dict[int, tuple[_Subject, _Table]] = {}
    for subject in subjects:
        if not subject.group.snapshot.exists:
            continue
        for finding in _differences(subject, by_name, dialect):
            if isinstance(finding, Discrepancy):
                report.add(finding)
            else:
                reasons.setdefault(subject.placement.dataset.id, finding.reason)
        documented = subject.table
        if documented is not None and documented.table.readable:
            other, _ = documented_by.setdefault(id(documented), (subject, documented))
            if subject.placement.dataset.id < other.placement.dataset.id:
                documented_by[id(documented)] = (subject, documented)
    for subject, documented in documented_by.values():
        for discrepancy in _undocumented(subject, documented):
            report.add(discrepancy)


def _subject(placement: Placement, group: _Group) -> _Subject:
    needs, unread = needs_of(placement.definition)
    table, case_differs = group.find(placement.table)
    return _Subject(placement, group, needs, unread, table, case_differs)


def _by_name(subjects: Sequence[_Subject]) -> dict[str, list[_Subject]]:
    names: dict[str, list[_Subject]] = {}
    for subject in subjects:
        for name in names_for_relationships(subject.placement.definition, subject.placement.dataset.name):
            names.setdefault(name, []).append(subject)
    return names


def _needs_on_targets(
    subject: _Subject, by_name: Mapping[str, Sequence[_Subject]]
) -> Iterator[tuple[_Table, list[Need]]]:
    """What relationships need of other tables. A target that is no dataset, or several, is not judged."""
    for relationship in subject.placement.definition.relationships:
        if not relationship.target_columns:
            continue
        tables = {id(other.table): other.table for other in by_name.get(relationship.target, ()) if other.table}
        if len(tables) != 1:
            continue
        (table,) = tables.values()
        yield table, needs_on_target(relationship)


def _claim(subject: _Subject) -> None:
    if subject.table is None:
        return
    for need in subject.needs:
        if name := subject.table.names.resolve(need.column).name:
            subject.table.documented.add(name)
    for item in subject.unread:
        subject.table.mentioned |= words_of(item.expression)


def _differences(
    subject: _Subject, by_name: Mapping[str, Sequence[_Subject]], dialect: Dialect
) -> Iterator[Discrepancy | _Unanswered]:
    for item in subject.unread:
        yield _discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_EXPRESSION,
            message=f"The expression of {_cut(item.by)} cannot be read safely, so its columns are not checked.",
            declared=item.expression,
            line=item.line,
            subject_text=item.expression,
        )
    table = subject.table
    if table is None:
        unknown = subject.group.unknown.get(subject.placement.table)
        yield _missing_table(subject) if unknown is None else _unanswered(subject, unknown)
        return
    if not table.listed and table.table.readable:
        yield _discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_TYPE,
            message="The catalogue does not list the table, but the warehouse can query it; types are not checked.",
            actual=NOT_IN_CATALOGUE,
            line=subject.placement.definition.line,
        )
    if subject.case_differs:
        yield _discrepancy(
            subject,
            DiscrepancyType.CASE_MISMATCH,
            message=f"The table is there as `{_cut(table.table.name)}`; {dialect.label} tells letter case apart.",
            declared=subject.placement.table,
            actual=table.table.name,
            line=subject.placement.definition.line,
            suggestion=table.table.name,
        )
    if not table.table.readable:
        yield _discrepancy(
            subject,
            DiscrepancyType.INACCESSIBLE_TABLE,
            message=f"The {table.table.kind} exists but the role may not read it; grant it SELECT.",
            line=subject.placement.definition.line,
        )
        return
    for need in subject.needs:
        yield from _column_differences(subject, table, need, dialect)
    for target, needs in _needs_on_targets(subject, by_name):
        if target.table.readable:
            for need in needs:
                yield from _column_differences(subject, target, need, dialect)


def _column_differences(
    subject: _Subject, table: _Table, need: Need, dialect: Dialect
) -> Iterator[Discrepancy | _Unanswered]:
    resolution = table.names.resolve(need.column)
    if resolution.name is None:
        if not need.maybe_alias and not dialect.is_pseudo_column(need.column):
            yield from _not_listed_column(subject, table, need, dialect)
        return
    column = table.columns[resolution.name]
    if resolution.case_differs:
        yield _discrepancy(
            subject,
            DiscrepancyType.CASE_MISMATCH,
            message=f"The column is there as `{_cut(column.name)}`; {dialect.label} tells letter case apart.",
            table=table.table.name,
            column=need.column,
            declared=need.column,
            actual=column.name,
            line=need.line,
            suggestion=column.name,
        )
    if not column.readable:
        yield _inaccessible_column(subject, table, need, column.name)
    if need.type is None:
        return
    verdict = _verdict(dialect, column, need.type)
    if verdict is Verdict.MISMATCH:
        yield _discrepancy(
            subject,
            DiscrepancyType.TYPE_MISMATCH,
            message=f"The YML says `{_cut(need.type)}`, the warehouse has `{_cut(column.type)}`.",
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
            message=f"`{_cut(need.type)}` against `{_cut(column.type)}`: one of them is no type that can be judged.",
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
    subject: _Subject, table: _Table, need: Need, dialect: Dialect
) -> Iterator[Discrepancy | _Unanswered]:
    """What the warehouse itself said of a column; without its word, the catalogue's stands."""
    probe = table.probes.get(need.column)
    if probe is None:
        yield _missing_column(subject, table, need, dialect)
    elif probe.answer is ProbeAnswer.DENIED:
        yield _inaccessible_column(subject, table, need, need.column)
    elif probe.answer is ProbeAnswer.UNKNOWN:
        yield _unanswered(subject, probe.reason or "")
    elif table.listed:  # of a table that is not listed, this is told once
        yield _discrepancy(
            subject,
            DiscrepancyType.UNVERIFIABLE_TYPE,
            message=f"The catalogue does not list `{_cut(need.column)}`, but the warehouse can query it; "
            "its type is not checked.",
            table=table.table.name,
            column=need.column,
            declared=need.type,
            actual=NOT_IN_CATALOGUE,
            line=need.line,
        )


def _unanswered(subject: _Subject, reason: str) -> _Unanswered:
    place_name = _place_name(subject.placement.database, subject.placement.schema)
    return _Unanswered(f"{place_name}: what its catalogue does not list could not be confirmed: {reason}")


def _inaccessible_column(subject: _Subject, table: _Table, need: Need, column: str) -> Discrepancy:
    return _discrepancy(
        subject,
        DiscrepancyType.INACCESSIBLE_TABLE,
        message=f"The role may not read `{_cut(column)}`, which {_cut(need.by)} needs; grant it SELECT.",
        table=table.table.name,
        column=column,
        line=need.line,
    )


def _missing_column(subject: _Subject, table: _Table, need: Need, dialect: Dialect) -> Discrepancy:
    rivals = table.names.resolve(need.column).rivals
    suggestion = rivals[0] if rivals else _renamed_to(table, need, dialect)
    return _discrepancy(
        subject,
        DiscrepancyType.MISSING_COLUMN,
        message=f"Column `{_cut(need.column)}` is not in the {table.table.kind}, and {_cut(need.by)} needs it.",
        table=table.table.name,
        column=need.column,
        declared=need.type,
        line=need.line,
        suggestion=suggestion,
    )


def _renamed_to(table: _Table, need: Need, dialect: Dialect) -> str | None:
    """Only a column that nobody claims can be the renamed one."""
    candidates = table.unclaimed
    declared = need.type
    agrees = None
    if declared is not None:
        agrees = [_verdict(dialect, each, declared) in (Verdict.MATCH, Verdict.COMPATIBLE) for each in candidates]
    return closest_name(need.column, [column.name for column in candidates], same_type=agrees)


def _missing_table(subject: _Subject) -> Discrepancy:
    wanted = subject.placement.table
    rivals = subject.group.names.resolve(wanted).rivals
    return _discrepancy(
        subject,
        DiscrepancyType.MISSING_TABLE,
        message=f"No table or view `{_cut(wanted)}` is in schema `{_cut(subject.placement.schema)}`.",
        line=subject.placement.definition.line,
        suggestion=rivals[0] if rivals else closest_name(wanted, subject.group.snapshot.neighbours),
    )


def _add_missing_schema(organization_id: str, group: _Group, subjects: Sequence[_Subject], report: _Report) -> None:
    names = sorted({subject.placement.dataset.name for subject in subjects if subject.group is group})
    if not names:
        return
    snapshot = group.snapshot
    listed = ", ".join(_cut(name) for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    report.add(
        Discrepancy(
            type=DiscrepancyType.MISSING_SCHEMA,
            organization_id=organization_id,
            data_source_id=snapshot.data_source_id,
            dataset_id=None,
            dataset_name=None,
            database=None if snapshot.database is None else _cut(snapshot.database),
            schema=_cut(snapshot.schema),
            table=None,
            column=None,
            declared=_place_name(snapshot.database, snapshot.schema),
            actual=None,
            message=f"The database or schema {_place_name(snapshot.database, snapshot.schema)} is not there; "
            f"{f'{len(names)} datasets need' if len(names) > 1 else '1 dataset needs'} it: {listed}.",
        )
    )


def _undocumented(subject: _Subject, table: _Table) -> Iterator[Discrepancy]:
    for column in table.unclaimed:
        yield _discrepancy(
            subject,
            DiscrepancyType.UNDOCUMENTED_COLUMN,
            message=f"Column `{_cut(column.name)}` is in the {table.table.kind} and in no dataset of it.",
            table=table.table.name,
            column=column.name,
            actual=column.type,
        )


def _invalid_yml(dataset: Dataset, source: SourceSnapshot, error: InvalidDatasetYml) -> Discrepancy:
    return Discrepancy(
        type=DiscrepancyType.INVALID_YML,
        organization_id=dataset.organization_id,
        data_source_id=source.data_source.id,
        dataset_id=dataset.id,
        dataset_name=_cut(dataset.name),
        database=None if dataset.database_identifier is None else _cut(dataset.database_identifier),
        schema=_cut(dataset.schema),
        table=None,
        column=None,
        declared=None,
        actual=None,
        message=str(error),
        line=error.line,
    )


def _discrepancy(
    subject: _Subject,
    kind: DiscrepancyType,
    *,
    message: str,
    table: str | None = None,
    column: str | None = None,
    declared: str | None = None,
    actual: str | None = None,
    line: int | None = None,
    suggestion: str | None = None,
    subject_text: str = "",
) -> Discrepancy:
    placement = subject.placement
    return Discrepancy(
        type=kind,
        organization_id=placement.dataset.organization_id,
        data_source_id=placement.dataset.data_source_id,
        dataset_id=placement.dataset.id,
        dataset_name=_cut(placement.dataset.name),
        database=None if placement.database is None else _cut(placement.database),
        schema=_cut(placement.schema),
        table=_cut(placement.table if table is None else table),
        column=None if column is None else _cut(column),
        declared=None if declared is None else _cut(declared),
        actual=None if actual is None else _cut(actual),
        message=message,
        line=line,
        suggestion=suggestion,
        subject=_cut(subject_text),
    )


def _place_name(database: str | None, schema: str) -> str:
    return f"`{_cut(schema)}`" if database is None else f"`{_cut(database)}.{_cut(schema)}`"


def _cut(text: str) -> str:
    text = text.replace("\0", "␀")  # YAML can write NUL; PostgreSQL's jsonb, where Airflow keeps reports, has none
    return text if len(text) <= _NAME_LIMIT else f"{text[: _NAME_LIMIT - 1]}…"
