"""Organizations and their datasets → snapshots of what their warehouses really hold.

Each data source is asked once per (database, schema). Sources and organizations run side by side; none stops another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any

from ..errors import InvalidDatasetYml, SchemaSyncError, TransientError
from ..needs.budget import ReadingBudget
from ..needs.needs import folded
from ..needs.placement import MOST_PARTS, group_requests, place
from ..nouns.dataset import Dataset, DataSource, Organization
from ..nouns.proof import NOBODY_KNOWS
from ..nouns.report import OrganizationReport, UncheckedSource
from ..nouns.snapshot import GroupRequest, OrganizationSnapshot, SourceSnapshot
from ..settings import Settings
from ..text import counted, raised_at, visible
from ..warehouses.engine import Dialect, Failure
from ..yml.dataset import ReadDataset, read_dataset
from .source import GroupOutcome, introspect_source
from .watch import Limits
from .workers import side_by_side

log = logging.getLogger(__name__)

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """How to reach one data source.

    :ivar connect: (database, None: the connection's own) → open DB-API connection.
    :ivar redact: takes the source's secrets out of a text.
    :ivar host: what server it is on, None when there is none or it is not known. Many organizations may share one.
    """

    dialect: Dialect
    own_database: str | None
    connect: Callable[[str | None], Any]
    redact: Callable[[str], str]
    host: str | None = None


OpenSource = Callable[[DataSource], SourceAccess]


@dataclass(frozen=True, slots=True)
class SourceResult:
    """One source's snapshot. :ivar transient: trying again may tell more."""

    organization: Organization
    snapshot: SourceSnapshot
    outcomes: tuple[GroupOutcome, ...] = ()
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Introspection:
    snapshots: tuple[OrganizationSnapshot, ...]
    results: tuple[SourceResult, ...]

    @property
    def transient(self) -> list[SourceResult]:
        return [result for result in self.results if result.transient]


@dataclass(frozen=True, slots=True)
class Job:
    """A source to ask.

    :ivar known: its result without an answer, an error where it cannot be reached.
    :ivar unread: {dataset id: why it was not read, so that nothing is asked for it}.
    """

    known: SourceResult
    datasets: Sequence[Dataset]
    access: SourceAccess | None
    requests: Sequence[GroupRequest] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


def introspect_organizations(
    organizations: Sequence[Organization],
    datasets: Mapping[str, Sequence[Dataset]],
    open_source: OpenSource,
    settings: Settings,
    read: ReadDataset = read_dataset,
    ends: float | None = None,
) -> Introspection:
    """Introspect every data source of every organization that has datasets.

    :param open_source: finds credentials; its errors make that one source unchecked.
    :param read: what a dataset's YML says; whoever asks for it more than once remembers it.
    :param ends: when its time is up, by the monotonic clock; None: a task's whole time from now.
    :return: one snapshot an organization, in the given order, whatever failed.
    """
    # Credentials one after another: secrets backends and Airflow's task API are not ours to hurry.
    jobs = [
        [
            _prepare(organization, source, own, open_source)
            for source in organization.data_sources
            if (own := [dataset for dataset in datasets[organization.id] if dataset.data_source_id == source.id])
        ]
        for organization in organizations
    ]
    ends = time.monotonic() + settings.introspection_budget_s if ends is None else ends
    results = _run(jobs, settings, read, ends=ends)
    return Introspection(
        snapshots=tuple(
            OrganizationSnapshot(organization.id, organization.name, tuple(result.snapshot for result in own))
            for organization, own in zip(organizations, results, strict=True)
        ),
        results=tuple(chain.from_iterable(results)),
    )


def unreachable_report(snapshot: OrganizationSnapshot) -> OrganizationReport:
    """The report of an organization of which nothing at all could be reached: failed, never clean."""
    unchecked = tuple(
        UncheckedSource(
            data_source_id=source.data_source.id,
            data_source_name=source.data_source.name,
            datasets=len(source.datasets),
            error=source.error or "; ".join(dict.fromkeys(group.error for group in source.groups if group.error)),
            dataset_ids=tuple(sorted(source.datasets)),
        )
        for source in snapshot.sources
    )
    return OrganizationReport(
        organization_id=snapshot.organization_id,
        organization_name=snapshot.organization_name,
        datasets_unchecked=sum(source.datasets for source in unchecked),
        unchecked=unchecked,
        error="None of the data sources that its datasets need could be reached.",
    )


def _prepare(
    organization: Organization,
    source: DataSource,
    datasets: Sequence[Dataset],
    open_source: OpenSource,
) -> Job:
    access, error, transient = None, None, False
    try:
        access = open_source(source)
    except SchemaSyncError as refusal:
        error, transient = str(refusal), isinstance(refusal, TransientError)
    except Exception as unforeseen:  # noqa: BLE001 - a secrets backend's own error, or a defect: it stays this source's
        error, transient = _unexpected("looking up its credentials", unforeseen), True
    hashes = {dataset.id: dataset.yml_hash for dataset in datasets}
    snapshot = SourceSnapshot(source, None, hashes, error=error)
    return Job(SourceResult(organization, snapshot, transient=transient), datasets, access)


def _unexpected(doing: str, error: Exception) -> str:
    """Why a source is unchecked. The error's text may hold a secret, so only its place is told."""
    log.error("schema-sync source: an unexpected %s while %s, at %s", type(error).__name__, doing, raised_at(error))
    return (
        f"an unexpected {type(error).__name__} while {doing}; the log of the task introspect says where. "
        "Check the secrets backend and the connection; if both are right, report it as a defect"
    )


# A source's own deadline comes first, and then its answer has to come through.
_GRACE_S = 5.0


def _run(
    jobs: Sequence[Sequence[Job]], settings: Settings, read: ReadDataset, *, ends: float
) -> list[list[SourceResult]]:
    # How many connections each server gets from this process at once: customers' servers do other work too.
    hosts = {
        job.access.host: threading.Semaphore(settings.host_concurrency)
        for job in chain.from_iterable(jobs)
        if job.access is not None and job.access.host is not None
    }

    def run_organization(own: Sequence[Job]) -> list[SourceResult]:
        # One after another: reading is work for this process, whatever the number of threads.
        budget = ReadingBudget(settings.reading_timeout_s, ends)
        asked = [_with_requests(job, budget, read, compile_parts=settings.compile_expressions) for job in own]
        tasks = [partial(_introspect, job, hosts, settings, ends) for job in asked]
        outcomes = side_by_side(tasks, settings.source_concurrency, ends + _GRACE_S, "source")
        return [
            outcome if isinstance(outcome, SourceResult) else _unfinished(job.known, outcome)
            for job, outcome in zip(own, outcomes, strict=True)
        ]

    outcomes = side_by_side(
        [partial(run_organization, own) for own in jobs],
        settings.organization_concurrency,
        ends + 2 * _GRACE_S,
        "organization",
    )
    return [
        outcome if isinstance(outcome, list) else [_unfinished(job.known, outcome) for job in own]
        for own, outcome in zip(jobs, outcomes, strict=True)
    ]


def _unfinished(known: SourceResult, error: Exception | None) -> SourceResult:
    if error is None:
        reason = "the time of the task was up before it was done (SCHEMA_SYNC_TASK_TIMEOUT_MINUTES)"
    else:
        reason = _unexpected("introspecting it", error)
    return replace(known, snapshot=replace(known.snapshot, error=reason), transient=error is not None)


def _introspect(job: Job, hosts: Mapping[str, threading.Semaphore], settings: Settings, ends: float) -> SourceResult:
    known, snapshot = job.known, job.known.snapshot
    if not job.requests:  # every YML is invalid: there is nothing to ask, so nothing that could stay unanswered
        return replace(known, snapshot=replace(snapshot, error=None, unread=job.unread), transient=False)
    if job.access is None:
        log.warning(
            "schema-sync source organization=%r source=%r: unchecked, %s",
            known.organization.name, snapshot.data_source.name, visible(snapshot.error or "", 1_000),
        )  # fmt: skip
        return known
    host = hosts.get(job.access.host or "", threading.Semaphore())
    if not host.acquire(timeout=max(0.0, ends - time.monotonic())):
        error = "its turn on a server that it shares with others did not come in time (SCHEMA_SYNC_HOST_CONCURRENCY)"
        return replace(known, snapshot=replace(snapshot, error=error))
    started = time.monotonic()
    try:
        outcomes = introspect_source(
            job.access.connect,
            job.access.dialect,
            job.requests,
            timeout_s=settings.statement_timeout_s,
            wake_up_s=settings.wake_up_s,
            deadline_s=max(1.0, ends - started),
            confirm=settings.confirm_missing,
            redact=job.access.redact,
            limits=Limits(settings.most_columns, settings.most_mebibytes * 2**20),
        )
    finally:
        host.release()
    for outcome in outcomes:
        _log_group(known, outcome)
    snapshot = replace(
        snapshot,
        own_database=job.access.own_database,
        groups=tuple(outcome.snapshot for outcome in outcomes),
        elapsed_ms=round((time.monotonic() - started) * 1000),
        unread=job.unread,
    )
    transient = any(outcome.failure is Failure.TRANSIENT for outcome in outcomes)
    return SourceResult(known.organization, snapshot, outcomes, transient)


def _with_requests(job: Job, budget: ReadingBudget, read: ReadDataset, *, compile_parts: bool) -> Job:
    own_database, dialect = (job.access.own_database, job.access.dialect.name) if job.access else (None, "")
    placements = []
    for dataset in job.datasets:
        if budget.is_over(dataset.id):
            continue
        try:
            definitions = read(dataset)
        except InvalidDatasetYml:
            continue  # the diff reports it, with its line; here it only means: no table to ask for
        placements += [place(dataset, definition, own_database=own_database) for definition in definitions]
    compiler = job.access.dialect.proofs if job.access and compile_parts else None
    requests = group_requests(job.known.snapshot.data_source.id, placements, dialect, budget, compiler)
    own = job.known.snapshot.datasets
    unread = {dataset_id: why for dataset_id, why in budget.unread.items() if dataset_id in own}
    return replace(job, requests=requests, unread=unread)


def _log_group(source: SourceResult, outcome: GroupOutcome) -> None:
    snapshot = outcome.snapshot
    if snapshot.error is not None:
        result = f"unchecked, {snapshot.error}"
    elif not snapshot.exists:
        result = "the database or schema is not there"
    else:
        columns = sum(len(table.columns) for table in snapshot.tables)
        result = f"{counted(len(snapshot.tables), 'table', 'tables')} found, {counted(columns, 'column', 'columns')}"
        there = {table.name.casefold() for table in snapshot.tables}
        absent = [table for table in outcome.request.tables if folded(table) not in there]
        if absent:
            named = ", ".join(map(visible, absent[:_MOST_NAMED]))
            result += f", absent: {named}{' …' if len(absent) > _MOST_NAMED else ''}"
    beyond = sum(1 for each in snapshot.proof or () if each.user == NOBODY_KNOWS)
    if beyond:
        result += (
            f", {counted(beyond, 'definition was', 'definitions were')} not compiled (beyond {MOST_PARTS:,} parts)"
        )
    unanswered = {probe.reason: None for probe in snapshot.probes if probe.reason is not None}
    if unanswered:
        result += f", not all of what is absent could be confirmed: {'; '.join(unanswered)}"
    further = f", {outcome.probes} probe(s)" if outcome.probes else ""
    further += f", compiled in {outcome.compiled}" if outcome.compiled else ""
    log.info(
        "schema-sync group organization=%r source=%r %r: %s asked for, %s; %d statement(s)%s, %.0f ms",
        source.organization.name, source.snapshot.data_source.name,
        f"{snapshot.database or '(own database)'}.{snapshot.schema}",
        counted(len(outcome.request.tables), "table", "tables"), result,
        outcome.statements, further, outcome.elapsed_s * 1000,
    )  # fmt: skip
