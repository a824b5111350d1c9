"""Datasets' YML against a snapshot of their warehouses → one organization's report. Pure.

Nothing here asks a server anything: what the snapshot does not know is *unchecked*, never clean.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from ..errors import InvalidDatasetYml
from ..needs.budget import ReadingBudget
from ..needs.placement import Placement, place
from ..needs.qualifiers import names_for_relationships
from ..nouns.dataset import Dataset
from ..nouns.discrepancy import Discrepancy
from ..nouns.report import OrganizationReport, SourceTiming, UncheckedSource
from ..nouns.snapshot import Column, OrganizationSnapshot, SourceSnapshot
from ..sql.expressions import words_of
from ..warehouses import dialect_for
from ..warehouses.engine import Dialect
from ..yml.dataset import ReadDataset, read_dataset
from .differences import differences
from .discrepancies import broken_view, invalid_yml, missing_schema, place_name, undocumented
from .history import changes_of, with_change
from .impact import Users
from .proof import proof_differences, with_queries
from .subjects import Subject, Target, Targets
from .tables import KnownGroup, KnownTable

_MOST_REASONS = 20  # of one data source
CHANGED_MEANWHILE = "its YML changed between introspection and diff; the next run checks it"


def diff_organization(
    snapshot: OrganizationSnapshot,
    datasets: Sequence[Dataset],
    budget: ReadingBudget | None = None,
    read: ReadDataset = read_dataset,
) -> OrganizationReport:
    """Compare every dataset that was asked for with what was found.

    :param datasets: the organization's datasets as they are now; one that is gone is no longer anybody's concern,
        one whose text changed since the snapshot is unchecked.
    :param budget: what reading them may cost; a dataset beyond it is unchecked.
    :param read: what a dataset's YML says.
    :return: discrepancies sorted most severe first, each problem once; what is unchecked, by data source. Patches are
        not made here: ``repair.suggest.with_patches`` adds them.
    """
    now = {dataset.id: dataset for dataset in datasets}
    report = _Report()
    budget = budget or ReadingBudget()
    for source in snapshot.sources:
        _diff_source(source, now, report, budget, read)
    ignored = [each for fingerprint, each in report.silenced.items() if fingerprint not in report.found]
    timings = [
        SourceTiming(source.data_source.id, source.data_source.name, source.elapsed_ms)
        for source in snapshot.sources
        if source.datasets
    ]
    return OrganizationReport(
        organization_id=snapshot.organization_id,
        organization_name=snapshot.organization_name,
        datasets_checked=report.checked,
        datasets_unchecked=sum(source.datasets for source in report.unchecked),
        discrepancies=tuple(sorted(report.found.values(), key=lambda each: each.sort_key)),
        unchecked=tuple(report.unchecked),
        ignored=tuple(sorted(ignored, key=lambda each: each.sort_key)),
        slowest_source=max(timings, key=lambda timing: timing.elapsed_ms, default=None),
        changes=changes_of(snapshot),
    )


@dataclass(slots=True)
class _Report:
    """What has been found so far; by fingerprint, because one problem is told once.

    :ivar silenced: what a definition does not want to be told; another definition of its dataset may tell it.
    """

    found: dict[str, Discrepancy] = field(default_factory=dict)
    silenced: dict[str, Discrepancy] = field(default_factory=dict)
    unchecked: list[UncheckedSource] = field(default_factory=list)
    checked: int = 0

    def add(self, found: Discrepancy, *subjects: Subject, ignored: bool = False) -> None:
        """:param subjects: the definitions it is about: it is as severe as the most demanding of them wants it."""
        known = self.silenced if ignored else self.found
        fingerprint = found.fingerprint
        for subject in subjects:
            weighed = replace(found, own_severity=subject.placement.definition.silence.severity_of(found.type))
            first = known.setdefault(fingerprint, weighed)
            if weighed.severity.rank < first.severity.rank:
                known[fingerprint] = weighed


def _diff_source(
    source: SourceSnapshot, now: Mapping[str, Dataset], report: _Report, budget: ReadingBudget, read: ReadDataset
) -> None:
    budget.unread.update(source.unread)
    reasons: dict[str, str] = {}  # dataset id → why it is unchecked
    placed: dict[str, list[Placement]] = {}
    targets = Targets()
    for dataset_id, yml_hash in source.datasets.items():
        dataset = now.get(dataset_id)
        if dataset is None:
            continue
        try:
            if dataset.yml_hash != yml_hash:
                reasons[dataset_id] = f"dataset {dataset.name}: {CHANGED_MEANWHILE}"
            elif budget.is_over(dataset_id):
                reasons[dataset_id] = budget.unread[dataset_id]
            else:
                placed[dataset_id] = [place(dataset, each, own_database=source.own_database) for each in read(dataset)]
        except InvalidDatasetYml as error:
            invalid = invalid_yml(dataset, source, error)
            report.found[invalid.fingerprint] = invalid
            report.checked += 1
            targets.add((dataset.name,), Target(None, problem="its YML cannot be read"))
        if dataset_id in reasons:
            targets.add((dataset.name,), Target(None, unanswered=reasons[dataset_id]))
    if source.error is not None:
        reasons.update(dict.fromkeys(placed, source.error))
    elif placed:
        dialect = dialect_for(source.data_source.type)
        groups = {(group.database, group.schema): KnownGroup(group, dialect) for group in source.groups}
        finder = _Finder(groups, dialect, targets, budget)
        _compare(_subjects(placed, finder, reasons), finder, report, reasons)
    report.checked += len(placed.keys() - reasons)
    if reasons:
        different = sorted(set(reasons.values()))
        more = f"; and {len(different) - _MOST_REASONS} more reasons" if len(different) > _MOST_REASONS else ""
        report.unchecked.append(
            UncheckedSource(
                data_source_id=source.data_source.id,
                data_source_name=source.data_source.name,
                datasets=len(reasons),
                error="; ".join(different[:_MOST_REASONS]) + more,
                dataset_ids=tuple(sorted(reasons)),
            )
        )


@dataclass(frozen=True, slots=True)
class _Finder:
    """What the definitions of one data source are compared with."""

    groups: Mapping[tuple[str | None, str], KnownGroup]
    dialect: Dialect
    targets: Targets
    budget: ReadingBudget

    def found(self, placement: Placement) -> Placement:
        """Of the schemas that a definition's table may be in the one that has it, else one that nobody knows, else one
        that exists; the first of several."""

        def rank(each: Placement) -> int:
            group = self.groups.get(each.group)
            if group is None or group.snapshot.error is not None:
                return 1
            return 0 if group.find(each.table)[0] is not None else 2 if group.snapshot.exists else 3

        return min(placement.everywhere, key=rank) if placement.other_schemas else placement


def _subjects(
    read: Mapping[str, Sequence[Placement]], finder: _Finder, reasons: MutableMapping[str, str]
) -> list[Subject]:
    """Every definition whose group answered; of the others, their datasets' reasons, here and for who needs them."""
    subjects: list[Subject] = []
    errors = {group.snapshot.error for group in finder.groups.values()}
    of_all = errors.pop() if len(errors) == 1 < len(finder.groups) else None  # a wrong password is told once
    for dataset_id, placements in read.items():
        for placement in placements:
            placement = finder.found(placement)
            group = finder.groups.get(placement.group)
            needs = None
            names = names_for_relationships(placement.definition, placement.dataset.name)
            if group is None or group.snapshot.error is not None:
                why = "it was not asked for" if group is None else group.snapshot.error
                where = place_name(placement)
                reasons[dataset_id] = why if why and why == of_all else f"{where}: {why}"
            elif (needs := placement.needs(finder.dialect.name, finder.budget)) is None:
                reasons[dataset_id] = finder.budget.unread[dataset_id]
            if group is None or needs is None:
                finder.targets.add(names, Target(None, unanswered=reasons[dataset_id]))
            else:
                table, case_differs = group.find(placement.table)
                subject = Subject(placement, group, needs, table, case_differs)
                subjects.append(subject)
                finder.targets.add(names, subject)
    return subjects


def _compare(subjects: Sequence[Subject], finder: _Finder, report: _Report, reasons: MutableMapping[str, str]) -> None:
    """Claims first, comparison second: what counts as unclaimed depends on every dataset of a table.

    :param reasons: {dataset id: why it is unchecked}; what could not be confirmed is added.
    """
    dialect, targets = finder.dialect, finder.targets
    without_schema: dict[KnownGroup, list[Subject]] = {}
    for subject in subjects:
        _claim(subject, targets)
        if not subject.group.snapshot.exists:
            without_schema.setdefault(subject.group, []).append(subject)
    users = Users(subjects, targets, dialect)
    for own in without_schema.values():
        report.add(users.failing_with_schema(missing_schema(own), own), *own)
    documented_by: dict[KnownTable, list[Subject]] = {}
    for subject in subjects:
        dataset_id = subject.placement.dataset.id
        silence = subject.placement.definition.silence
        if not subject.group.snapshot.exists:
            continue
        if finder.budget.is_over(dataset_id):
            reasons[dataset_id] = finder.budget.unread[dataset_id]
            continue
        for finding in chain(differences(subject, targets), proof_differences(subject, targets)):
            ignored = finding.column is not None and silence.ignores(finding.column, dialect.column_case)
            if isinstance(finding, Discrepancy):
                table = users.table_of(finding)
                remembered = with_change(with_queries(finding, subject, table), table)
                report.add(users.failing_with(remembered, subject), subject, ignored=ignored)
            elif not ignored:
                reasons.setdefault(dataset_id, finding.reason)
        if subject.table is not None and subject.table.table.readable:
            documented_by.setdefault(subject.table, []).append(subject)
    for table, own in documented_by.items():
        teller = min(own, key=lambda subject: subject.placement.dataset.id)
        if table.table.broken is not None:
            report.add(users.failing_with(broken_view(teller, table), teller), *own)
        else:
            _tell_undocumented(table, own, teller, report)


def _tell_undocumented(table: KnownTable, own: Sequence[Subject], teller: Subject, report: _Report) -> None:
    """About the table, so whoever describes it may silence it."""
    silences = {subject.placement.definition.silence for subject in own}
    told: list[Column] = []
    silenced: list[Column] = []
    for column in table.find_unclaimed():
        is_silenced = any(silence.ignores(column.name, table.dialect.column_case) for silence in silences)
        (silenced if is_silenced else told).append(column)
    if told:
        report.add(undocumented(teller, table, told, table.table.more), teller)
    if silenced:
        report.add(undocumented(teller, table, silenced), teller, ignored=True)


def _claim(subject: Subject, targets: Targets) -> None:
    """Every column that a definition uses is documented by it, on whichever table it is."""
    for word, needs in subject.needs.on_targets.items():
        if table := targets.of(word).table:
            table.documented.extend(name for need in needs if (name := table.names.resolve(need.column).name))
    table = subject.table
    if table is None:
        return
    on_targets = (need for needs in subject.needs.on_targets.values() for need in needs)
    own = [table.names.resolve(need.column).name for need in subject.needs.columns]
    for need in (*subject.needs.columns, *subject.needs.unplaced, *on_targets):
        if need.qualifier is not None:
            own += subject.root_column(need), table.names.resolve(f"{need.qualifier}.{need.column}").name
    table.documented.extend(filter(None, own))
    for item in subject.needs.unread:
        table.mentioned |= words_of(item.expression)
