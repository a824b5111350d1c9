"""Dataset files against a live warehouse, with the code of the daily run → what was found, by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ..compare.organization import diff_organization
from ..errors import InvalidDatasetYml
from ..introspect.organizations import SourceAccess, introspect_organizations
from ..needs.placement import place as place_definition
from ..nouns.dataset import DataSource, Organization
from ..nouns.discrepancy import Discrepancy, Severity
from ..nouns.report import OrganizationReport, SuggestedPatch
from ..repair.suggest import PatchOptions, with_patches
from ..settings import Settings
from ..yml.dataset import parse_dataset_yml
from .connections import Place
from .files import DATA_SOURCE_ID, ORGANIZATION_ID, DatasetFile, Found, Note


@dataclass(frozen=True, slots=True)
class Finding:
    """:ivar line: 1-based; 1 where the discrepancy is about no line in particular."""

    path: str
    line: int
    discrepancy: Discrepancy


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check came to.

    :ivar warehouse: the kind of warehouse, for people.
    :ivar files: every file that was compared, or should have been, in order.
    :ivar findings: by file, most severe first.
    :ivar unchecked: files about which nothing, or not everything, is known; they are never clean.
    :ivar skipped: files that are no datasets.
    :ivar ignored: how many findings the datasets' authors silenced.
    """

    warehouse: str
    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    unchecked: tuple[Note, ...]
    skipped: tuple[Note, ...]
    ignored: int
    patches: tuple[SuggestedPatch, ...]

    def count(self, severity: Severity) -> int:
        return sum(1 for finding in self.findings if finding.discrepancy.severity is severity)

    def exit_code(self, fail_on: Severity) -> int:
        """2: something could not be checked, whatever else was found; 1: found at or above ``fail_on``; 0: neither."""
        if self.unchecked or not self.files:
            return 2
        return int(any(finding.discrepancy.severity.at_least(fail_on) for finding in self.findings))


def check_files(found: Found, place: Place, settings: Settings, options: PatchOptions) -> CheckResult:
    """Compare the files with the warehouse."""
    source = DataSource(DATA_SOURCE_ID, "the connection", place.type)
    organization = Organization(ORGANIZATION_ID, "this check", (source,))
    datasets = [file.dataset for file in found.files]

    @contextmanager
    def open_source(_source: DataSource) -> Iterator[SourceAccess]:
        yield place.access

    introspection = introspect_organizations([organization], {organization.id: datasets}, open_source, settings)
    paths = {file.dataset.id: file.path for file in found.files}
    report = with_patches(
        diff_organization(introspection.snapshots[0], datasets),
        introspection.snapshots[0],
        datasets,
        options,
        paths={dataset_id: path.lstrip("/") for dataset_id, path in paths.items()},
    )
    unchecked = [
        Note(paths[dataset_id], place.access.redact(source.error))
        for source in report.unchecked
        for dataset_id in sorted(source.dataset_ids, key=paths.__getitem__)
    ]
    return CheckResult(
        warehouse=place.access.dialect.label,
        files=tuple(file.path for file in found.files),
        findings=tuple(_findings(report, found.files, paths, place.access.own_database)),
        unchecked=(*found.unreadable, *unchecked),
        skipped=found.skipped,
        ignored=len(report.ignored),
        patches=_in_order_of_files(report.patches, found.files),
    )


def _findings(
    report: OrganizationReport, files: Sequence[DatasetFile], paths: Mapping[str, str], own_database: str | None
) -> Iterator[Finding]:
    order = {file.path: number for number, file in enumerate(files)}
    found = []
    for discrepancy in report.discrepancies:
        if discrepancy.dataset_id is not None:
            path = paths[discrepancy.dataset_id]
        else:  # of a whole schema: told where it is needed first
            path = _first_in(discrepancy, files, own_database)
        found.append(Finding(path, max(discrepancy.line or 1, 1), discrepancy))
    yield from sorted(found, key=lambda each: (order[each.path], each.discrepancy.severity.rank, each.line))


def _first_in(discrepancy: Discrepancy, files: Sequence[DatasetFile], own_database: str | None) -> str:
    for file in files:
        try:
            definitions = parse_dataset_yml(file.dataset.yml, name=file.dataset.name)
        except InvalidDatasetYml:
            continue
        for definition in definitions:
            at = place_definition(file.dataset, definition, own_database=own_database)
            if at.group == (discrepancy.database, discrepancy.schema):
                return file.path
    return files[0].path


def _in_order_of_files(patches: Sequence[SuggestedPatch], files: Sequence[DatasetFile]) -> tuple[SuggestedPatch, ...]:
    order = {file.dataset.id: number for number, file in enumerate(files)}
    return tuple(sorted(patches, key=lambda patch: order[patch.dataset_id]))
