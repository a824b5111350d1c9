"""Dataset files against live warehouses, with the code of the daily run → what was found, by file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from ..compare.organization import diff_organization
from ..errors import InvalidDatasetYml
from ..introspect.organizations import SourceAccess, introspect_organizations
from ..needs.placement import place as place_definition
from ..nouns.dataset import DataSource, Organization
from ..nouns.discrepancy import Discrepancy, Severity
from ..nouns.report import OrganizationReport, SuggestedPatch
from ..repair.suggest import PatchOptions, with_patches
from ..settings import Settings
from ..text import counted, cut
from ..yml.dataset import DatasetDefinition, ReadDataset, read_dataset
from .configuration import Configuration, Where
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


class Sources:
    """One data source for each connection of the configuration. Nothing is connected here."""

    def __init__(self, configuration: Configuration, settings: Settings) -> None:
        self._configuration = configuration
        self._settings = settings
        self._places: dict[str, Place] = {}

    def defaults(self, path: Path) -> Defaults:
        """What the datasets of a file do not say themselves.

        :raises TerminalError: its connection is not given, or cannot be read.
        """
        where = self._configuration.where(path)
        source_id = self._id(where)
        place = self._places.get(source_id) or place_from_uri(where.uri(), where.dialect, self._settings)
        self._places[source_id] = place
        return Defaults(source_id, where.database, where.schema or place.schema or "", where.schema is None)

    def __getitem__(self, source_id: str) -> Place:
        return self._places[source_id]

    def data_sources(self) -> tuple[DataSource, ...]:
        return tuple(DataSource(each, "the connection", place.type) for each, place in self._places.items())

    @property
    def access(self) -> dict[str, SourceAccess]:
        return {source_id: place.access for source_id, place in self._places.items()}

    @property
    def labels(self) -> str:
        return " and ".join(dict.fromkeys(place.access.dialect.label for place in self._places.values()))

    def _id(self, where: Where) -> str:
        if where.connection or where.variable == self._configuration.default.variable:
            return DATA_SOURCE_ID
        return str(uuid5(NAMESPACE_URL, f"schema-sync:check:connection:{where.variable}"))


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
    sources = Sources(configuration, settings)
    found = find_datasets(candidates(paths), selection, sources.defaults)
    organization = Organization(ORGANIZATION_ID, "this check", sources.data_sources())
    datasets = [file.dataset for file in found.files]
    read = cache(read_dataset)  # asked for by each step

    def open_source(source: DataSource) -> SourceAccess:
        return sources[source.id].access

    now(f"asking {sources.labels} about {counted(len(datasets), 'file', 'files')}")
    introspection = introspect_organizations([organization], {organization.id: datasets}, open_source, settings, read)
    now(f"comparing {counted(len(datasets), 'file', 'files')}")
    paths_of = {file.dataset.id: file.path for file in found.files}
    report = with_patches(
        diff_organization(introspection.snapshots[0], datasets, read=read),
        introspection.snapshots[0],
        datasets,
        options,
        paths={dataset_id: path.lstrip("/") for dataset_id, path in paths_of.items()},
    )
    if report.patches and settings.compile_expressions:
        from ..repair.compiled import with_compiled_patches  # most checks find nothing to repair

        now("compiling the datasets with their patches")
        (report,) = with_compiled_patches(
            [report],
            introspection.snapshots,
            {organization.id: datasets},
            lambda edited: introspect_organizations([organization], edited, open_source, settings, read).snapshots,
        )
    unchecked = [
        Note(paths_of[dataset_id], sources[source.data_source_id].access.redact(source.error))
        for source in report.unchecked
        for dataset_id in sorted(source.dataset_ids, key=paths_of.__getitem__)
    ]
    not_checked = {note.path for note in unchecked}
    return CheckResult(
        warehouse=sources.labels,
        files=tuple(file.path for file in found.files),
        findings=tuple(_findings(report, found.files, sources, read)),
        unchecked=(*found.unreadable, *unchecked),
        skipped=found.skipped,
        ignored=len(report.ignored),
        patches=_in_order_of_files(report.patches, found.files),
        root=configuration.root,
        repository=repository_of(Path.cwd()),
        checked_keys=frozenset(file.key for file in found.files if file.path not in not_checked),
    )


def _findings(
    report: OrganizationReport, files: Sequence[DatasetFile], sources: Sources, read: ReadDataset
) -> Iterator[Finding]:
    order = {file.path: number for number, file in enumerate(files)}
    by_id = {file.dataset.id: file for file in files}
    found = []
    for discrepancy in with_other_schemas(report.discrepancies, by_id, sources.access):
        if discrepancy.dataset_id is not None:
            file = by_id[discrepancy.dataset_id]
        else:  # of a whole schema: told where it is needed first
            file = _first_in(discrepancy, files, sources[discrepancy.data_source_id].access.own_database, read)
        dataset = discrepancy.dataset_id and _dataset_name(discrepancy, _definitions(file, read))
        found.append(Finding(file.path, file.key, max(discrepancy.line or 1, 1), discrepancy, dataset))
    yield from sorted(found, key=lambda each: (order[each.path], each.discrepancy.severity.rank, each.line))


def _definitions(file: DatasetFile, read: ReadDataset) -> list[DatasetDefinition]:
    try:
        return read(file.dataset)
    except InvalidDatasetYml:  # told already
        return []


def _dataset_name(discrepancy: Discrepancy, definitions: Sequence[DatasetDefinition]) -> str | None:
    """What the definition is called that a finding is about: by its line, else by its table."""
    if discrepancy.line is None:
        about = [each for each in definitions if cut(each.table).casefold() == (discrepancy.table or "").casefold()]
    else:
        about = [each for each in definitions if each.line <= discrepancy.line][-1:]
    return about[0].name if about else discrepancy.dataset_name


def _first_in(
    discrepancy: Discrepancy, files: Sequence[DatasetFile], own_database: str | None, read: ReadDataset
) -> DatasetFile:
    own = [file for file in files if file.dataset.data_source_id == discrepancy.data_source_id]
    for file in own:
        for definition in _definitions(file, read):
            at = place_definition(file.dataset, definition, own_database=own_database)
            if at.group == (discrepancy.database, discrepancy.schema):
                return file
    return own[0]


def _in_order_of_files(patches: Sequence[SuggestedPatch], files: Sequence[DatasetFile]) -> tuple[SuggestedPatch, ...]:
    order = {file.dataset.id: number for number, file in enumerate(files)}
    return tuple(sorted(patches, key=lambda patch: order[patch.dataset_id]))
