"""Dataset files against live warehouses, with the code of the daily run → what was found, by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from ..compare.organization import diff_organization
from ..introspect.organizations import SourceAccess, introspect_organizations
from ..needs.placement import place as place_definition
from ..nouns.dataset import Dataset, DataSource, Organization
from ..nouns.discrepancy import Discrepancy, Severity
from ..nouns.report import OrganizationReport, SuggestedPatch
from ..nouns.snapshot import OrganizationSnapshot
from ..repair.suggest import PatchOptions, with_patches
from ..settings import Settings
from ..text import counted, cut
from ..yml.dataset import DatasetDefinition, ReadDataset, read_dataset
from .configuration import Configuration
from .connections import Place, place_from_uri
from .elsewhere import with_other_schemas
from .files import (
    DATA_SOURCE_ID,
    ORGANIZATION_ID,
    DatasetFile,
    Defaults,
    Note,
    Selection,
    candidates,
    definitions_in,
    find_datasets,
    relative_path,
    repository_of,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """:ivar key: its file, relative to the repository's root. :ivar line: 1-based; 1 where the discrepancy is about no
    line in particular."""

    path: str
    key: str
    line: int
    discrepancy: Discrepancy
    dataset: str | None = None  # as its YML calls it


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check came to.

    :ivar warehouse: the kind of warehouse, for people; several are joined.
    :ivar files: every file that was compared, or should have been, in order.
    :ivar findings: by file, most severe first.
    :ivar unchecked: files about which nothing, or not everything, is known; they are never clean.
    :ivar skipped: files that are no datasets.
    :ivar ignored: how many findings the datasets' authors silenced.
    :ivar checked_keys: files about which everything is known, relative to ``root``.
    :ivar repository: the folder that scanners and annotations take paths from; None: as they are shown.
    :ivar known: how many findings a baseline took out; ``stale``: what it holds and is no longer found.
    :ivar hidden: findings that are counted and not shown.
    """

    warehouse: str
    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    unchecked: tuple[Note, ...]
    skipped: tuple[Note, ...]
    ignored: int
    patches: tuple[SuggestedPatch, ...]
    root: Path = Path()
    checked_keys: frozenset[str] = frozenset()
    known: int = 0
    stale: tuple[Note, ...] = ()
    hidden: tuple[Finding, ...] = ()
    repository: Path | None = None

    def in_repository(self, path: str) -> str:
        return path if self.repository is None else relative_path(Path(path), self.repository)

    def count(self, severity: Severity) -> int:
        return sum(1 for each in (*self.findings, *self.hidden) if each.discrepancy.severity is severity)

    def showing(self, least: Severity) -> CheckResult:
        """The same, with findings below ``least`` only counted."""
        shown = tuple(each for each in self.findings if each.discrepancy.severity.at_least(least))
        hidden = tuple(each for each in self.findings if not each.discrepancy.severity.at_least(least))
        return replace(self, findings=shown, hidden=(*self.hidden, *hidden))

    def exit_code(self, fail_on: Severity) -> int:
        """2: something could not be checked, whatever else was found; 1: found at or above ``fail_on``; 0: neither."""
        if self.unchecked or not self.files:
            return 2
        found = (*self.findings, *self.hidden)
        return int(any(finding.discrepancy.severity.at_least(fail_on) for finding in found))


def check_paths(
    paths: Sequence[Path],
    configuration: Configuration,
    settings: Settings,
    selection: Selection,
    *,
    options: PatchOptions,
    now: Callable[[str], None],
) -> CheckResult:
    """Compare the files with the warehouses that the configuration names for them.

    :param now: told what is done now.
    :raises TerminalError: a path is not there, a connection is not given or cannot be read.
    """
    now("reading the datasets")
    places: dict[str, Place] = {}
    found = find_datasets(candidates(paths), selection, lambda path: _defaults(path, configuration, settings, places))
    access = {source_id: place.access for source_id, place in places.items()}
    warehouse = " and ".join(dict.fromkeys(each.dialect.label for each in access.values()))
    sources = (DataSource(source_id, "the connection", each.dialect.name) for source_id, each in access.items())
    organization = Organization(ORGANIZATION_ID, "this check", tuple(sources))
    files = {file.dataset.id: file for file in found.files}
    datasets = [file.dataset for file in found.files]
    read = cache(read_dataset)  # asked for by each step

    def introspect(asked: Mapping[str, Sequence[Dataset]]) -> Sequence[OrganizationSnapshot]:
        return introspect_organizations(
            [organization], asked, lambda source: access[source.id], settings, read
        ).snapshots

    now(f"asking {warehouse} about {counted(len(files), 'file', 'files')}")
    snapshots = introspect({organization.id: datasets})
    now(f"comparing {counted(len(files), 'file', 'files')}")
    report = with_patches(
        diff_organization(snapshots[0], datasets, read=read),
        snapshots[0],
        datasets,
        options,
        paths={dataset_id: file.path.lstrip("/") for dataset_id, file in files.items()},
    )
    if report.patches and settings.compile_expressions:
        from ..repair.compiled import with_compiled_patches  # most checks find nothing to repair

        now("compiling the datasets with their patches")
        (report,) = with_compiled_patches([report], snapshots, {organization.id: datasets}, introspect)
    unchecked = [
        Note(path, access[source.data_source_id].redact(source.error))
        for source in report.unchecked
        for path in sorted(files[dataset_id].path for dataset_id in source.dataset_ids)
    ]
    not_checked = {note.path for note in unchecked}
    order = {dataset_id: number for number, dataset_id in enumerate(files)}
    return CheckResult(
        warehouse=warehouse,
        files=tuple(file.path for file in found.files),
        findings=tuple(_findings(report, files, access, read)),
        unchecked=(*found.unreadable, *unchecked),
        skipped=found.skipped,
        ignored=len(report.ignored),
        patches=tuple(sorted(report.patches, key=lambda patch: order[patch.dataset_id])),
        root=configuration.root,
        repository=repository_of(Path.cwd()),
        checked_keys=frozenset(file.key for file in found.files if file.path not in not_checked),
    )


def _defaults(path: Path, configuration: Configuration, settings: Settings, places: dict[str, Place]) -> Defaults:
    """What the datasets of a file do not say themselves.

    :param places: {data source id: its place}, one for each connection of the configuration; the file's is added.
    :raises TerminalError: its connection is not given, or cannot be read.
    """
    where = configuration.where(path)
    if where.connection or where.variable == configuration.default.variable:
        source_id = DATA_SOURCE_ID
    else:
        source_id = str(uuid5(NAMESPACE_URL, f"schema-sync:check:connection:{where.variable}"))
    place = places.get(source_id) or place_from_uri(where.uri(), where.dialect, settings)
    places[source_id] = place
    return Defaults(source_id, where.database, where.schema or place.schema or "", where.schema is None)


def _findings(
    report: OrganizationReport, files: Mapping[str, DatasetFile], access: Mapping[str, SourceAccess], read: ReadDataset
) -> list[Finding]:
    order = {file.path: number for number, file in enumerate(files.values())}
    found = []
    for discrepancy in with_other_schemas(report.discrepancies, files, access):
        if discrepancy.dataset_id is not None:
            file = files[discrepancy.dataset_id]
        else:  # of a whole schema: told where it is needed first
            own_database = access[discrepancy.data_source_id].own_database
            file = _first_in(discrepancy, files.values(), own_database, read)
        dataset = discrepancy.dataset_id and _dataset_name(discrepancy, definitions_in(file.dataset, read))
        found.append(Finding(file.path, file.key, max(discrepancy.line or 1, 1), discrepancy, dataset))
    return sorted(found, key=lambda each: (order[each.path], each.discrepancy.severity.rank, each.line))


def _dataset_name(discrepancy: Discrepancy, definitions: Sequence[DatasetDefinition]) -> str | None:
    """What the definition is called that a finding is about: by its line, else by its table."""
    if discrepancy.line is None:
        about = [each for each in definitions if cut(each.table).casefold() == (discrepancy.table or "").casefold()]
    else:
        about = [each for each in definitions if each.line <= discrepancy.line][-1:]
    return about[0].name if about else discrepancy.dataset_name


def _first_in(
    discrepancy: Discrepancy, files: Iterable[DatasetFile], own_database: str | None, read: ReadDataset
) -> DatasetFile:
    own = [file for file in files if file.dataset.data_source_id == discrepancy.data_source_id]
    for file in own:
        for definition in definitions_in(file.dataset, read):
            at = place_definition(file.dataset, definition, own_database=own_database)
            if at.group == (discrepancy.database, discrepancy.schema):
                return file
    return own[0]
