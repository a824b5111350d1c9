"""Datasets' YML against a snapshot of their warehouses → one organization's report. Pure.

Nothing here asks a server anything: what the snapshot does not know is *unchecked*, never clean.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

from include.schema_sync.dataset_yml import parse_dataset_yml
from include.schema_sync.errors import InvalidDatasetYml, TerminalError
from include.schema_sync.expressions import words_of
from include.schema_sync.findings import (
    Subject,
    differences,
    invalid_yml,
    missing_schema,
    needs_on_targets,
    place_name,
    undocumented,
)
from include.schema_sync.grouping import Placement, place
from include.schema_sync.known_tables import KnownGroup, KnownTable
from include.schema_sync.models import (
    Dataset,
    Discrepancy,
    OrganizationReport,
    OrganizationSnapshot,
    SourceSnapshot,
    SourceTiming,
    UncheckedSource,
)
from include.schema_sync.needs import names_for_relationships, needs_of
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.base import Dialect

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
        slowest_source=max(
            (
                SourceTiming(source.data_source.id, source.data_source.name, source.elapsed_ms)
                for source in snapshot.sources
                if source.datasets
            ),
            key=lambda timing: timing.elapsed_ms,
            default=None,
        ),
    )


@dataclass(slots=True)
class _Report:
    """What has been found so far; ``found`` by fingerprint, because one problem is told once."""

    found: dict[str, Discrepancy] = field(default_factory=dict)
    unchecked: list[UncheckedSource] = field(default_factory=list)
    checked: int = 0

    def add(self, discrepancy: Discrepancy) -> None:
        self.found.setdefault(discrepancy.fingerprint, discrepancy)


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
            report.add(invalid_yml(dataset, source, error))
            report.checked += 1
            continue
        read[dataset_id] = [place(dataset, definition, own_database=source.own_database) for definition in definitions]
    subjects: list[Subject] = []
    if source.error is not None:
        reasons.update(dict.fromkeys(read, source.error))
    elif read:
        dialect = _dialect(source)
        groups = {(group.database, group.schema): KnownGroup(group, dialect) for group in source.groups}
        for dataset_id, placements in read.items():
            for placement in placements:
                group = groups.get(placement.group)
                if group is None or group.snapshot.error is not None:
                    why = "it was not asked for" if group is None else group.snapshot.error
                    reasons[dataset_id] = f"{place_name(placement.database, placement.schema)}: {why}"
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
                dataset_ids=tuple(sorted(reasons)),
            )
        )


def _dialect(source: SourceSnapshot) -> Dialect:
    try:
        return dialect_for(source.data_source.type)
    except TerminalError as error:  # introspection reports this as the source's error, so groups cannot exist
        raise AssertionError(f"a snapshot of an unknown kind of warehouse: {error}") from None


def _compare(
    organization_id: str,
    subjects: Sequence[Subject],
    groups: Mapping[tuple[str | None, str], KnownGroup],
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
        for table, needs in needs_on_targets(subject, by_name):
            table.documented.update(name for need in needs if (name := table.names.resolve(need.column).name))
    for group in groups.values():
        if not group.snapshot.exists:
            names = sorted({subject.placement.dataset.name for subject in subjects if subject.group is group})
            if names:
                report.add(missing_schema(organization_id, group.snapshot, names))
    documented_by: dict[int, tuple[Subject, KnownTable]] = {}
    for subject in subjects:
        if not subject.group.snapshot.exists:
            continue
        for finding in differences(subject, by_name, dialect):
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
        for discrepancy in undocumented(subject, documented):
            report.add(discrepancy)


def _subject(placement: Placement, group: KnownGroup) -> Subject:
    needs, unread = needs_of(placement.definition)
    table, case_differs = group.find(placement.table)
    return Subject(placement, group, needs, unread, table, case_differs)


def _by_name(subjects: Sequence[Subject]) -> dict[str, list[Subject]]:
    names: dict[str, list[Subject]] = {}
    for subject in subjects:
        for name in names_for_relationships(subject.placement.definition, subject.placement.dataset.name):
            names.setdefault(name, []).append(subject)
    return names


def _claim(subject: Subject) -> None:
    if subject.table is None:
        return
    for need in subject.needs:
        if name := subject.table.names.resolve(need.column).name:
            subject.table.documented.add(name)
    for item in subject.unread:
        subject.table.mentioned |= words_of(item.expression)
