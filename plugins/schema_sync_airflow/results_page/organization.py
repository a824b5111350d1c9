"""One organization in one run: its findings by dataset, what was not checked, and which tasks to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.report import OrganizationTotals
from schema_sync_airflow.results_page import reading, stored
from schema_sync_airflow.results_page.overview import WAITING, Line, line
from schema_sync_airflow.run.xcom import CHECKS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class Dataset:
    """Findings of one dataset, worst first. :ivar name: None: of a whole schema, which several datasets share.

    :ivar patches: what repairs it, what is certain before what is probable; only beside its first findings.
    """

    id: str | None
    name: str | None
    source: str
    findings: Sequence[reading.Finding]
    patches: Sequence[reading.Patch]


@dataclass(frozen=True, slots=True)
class Detail:
    """What is known of one organization in a run.

    :ivar state: one of :data:`overview.STATES`.
    :ivar map_index: its batch, for links to its tasks.
    :ivar tasks: {task: Airflow's state}, in the order they run.
    :ivar datasets: of the chosen page.
    :ivar with_findings: how many datasets differ from their warehouses in any way.
    :ivar left_out: how many findings are counted and not kept, of the chosen severity.
    :ivar neighbours: how many other organizations share the batch, and so the tasks' logs.
    """

    organization_id: str
    name: str
    state: str
    totals: OrganizationTotals
    map_index: int
    tasks: Mapping[str, str]
    datasets: Sequence[Dataset]
    with_findings: int
    matching: int
    page: int
    severity: Severity | None
    neighbours: int
    left_out: int
    patches: Sequence[reading.Patch]
    findings: Sequence[reading.Finding]
    line: Line

    @property
    def pages(self) -> int:
        return max(1, -(-self.matching // PAGE_SIZE))


def detail(
    session: Session, run: stored.Run, organization_id: str, *, severity: Severity | None, page: int
) -> Detail | None:
    """Read one organization of a run: two statements, and the values of its own batch only.

    :param severity: show only these, None: all.
    :return: None when the run did not ask for this organization.
    :raises UnreadableError: as :func:`stored.values`.
    """
    listed = stored.values(session, run, [stored.BATCHES, stored.OLDER_BATCHES])
    batches = [
        batch
        for value in listed[stored.BATCHES] or listed[stored.OLDER_BATCHES]
        for batch in reading.batches(value.content)
    ]
    index = next((at for at, batch in enumerate(batches) if organization_id in batch.organizations), None)
    if index is None:
        return None
    batch = batches[index]
    states, contents = stored.instance(
        session, run, index, [stored.REPORTS, stored.NOTIFIED, stored.FIRST_SEEN, stored.FAILED_REPORTS]
    )
    report = reading.report(contents.get(stored.REPORTS), organization_id, contents.get(stored.FIRST_SEEN))
    report = report or reading.report(contents.get(stored.FAILED_REPORTS), organization_id, None)
    told = next(
        (each for each in reading.totals(contents.get(stored.NOTIFIED)) if each.organization_id == organization_id),
        None,
    )
    name = batch.organizations[organization_id]
    # What notify said has the last word; then the report.
    own = line(organization_id, name, told or (report.totals if report else None), run)
    findings = [each for each in (report.findings if report else ()) if severity in (None, each.severity)]
    pages = max(1, -(-len(findings) // PAGE_SIZE))
    page = min(max(page, 1), pages)
    grouped = _by_dataset(findings, batch.sources, report.patches if report else ())
    return Detail(
        organization_id=organization_id,
        name=name,
        state=own.state,
        totals=own.totals,
        map_index=index,
        tasks={task: states.get(task, "") for task in CHECKS},
        datasets=_cut(grouped, (page - 1) * PAGE_SIZE, page * PAGE_SIZE),
        with_findings=len({each.dataset_id for each in (report.findings if report else ()) if each.dataset_id}),
        matching=len(findings),
        page=page,
        severity=severity,
        neighbours=len(batch.organizations) - 1,
        left_out=max(0, _counted(report.totals, severity) - len(findings)) if report else 0,
        patches=report.patches if report else (),
        findings=findings,
        line=own,
    )


def _counted(totals: OrganizationTotals, severity: Severity | None) -> int:
    counts = {Severity.CRITICAL: totals.critical, Severity.WARNING: totals.warnings, Severity.INFO: totals.infos}
    return sum(counts.values()) if severity is None else counts[severity]


def last_known(
    session: Session, runs: Sequence[stored.Run], organization_id: str, *, severity: Severity | None, page: int
) -> tuple[stored.Run, Detail] | None:
    """The newest run that knows something of an organization, and what; else one in which its turn has not come yet."""
    waiting = None
    for run in runs:
        if not run.may_know(organization_id):
            continue
        found = detail(session, run, organization_id, severity=severity, page=page)
        if found is not None and found.state != WAITING:
            return run, found
        if found is not None:
            waiting = waiting or (run, found)
        elif run.counts is not None and run.counts.organizations:
            break  # a run that asked for everybody did not ask for it: it is no longer active
    return waiting


def _by_dataset(
    findings: Sequence[reading.Finding], sources: Mapping[str, str], patches: Sequence[reading.Patch]
) -> list[Dataset]:
    """Datasets in the order of their worst finding: a report lists the most severe first."""
    of: dict[tuple[str | None, str | None, str], list[reading.Finding]] = {}
    for finding in findings:
        place = None if finding.dataset_id else finding.place
        of.setdefault((finding.dataset_id, place, finding.data_source_id), []).append(finding)
    return [
        Dataset(
            dataset_id,
            own[0].dataset_name,
            sources.get(source_id) or source_id,
            own,
            [patch for patch in patches if patch.dataset_id == dataset_id],
        )
        for (dataset_id, _, source_id), own in of.items()
    ]


def _cut(datasets: Sequence[Dataset], start: int, end: int) -> list[Dataset]:
    """Findings number ``start`` to ``end``, still by dataset."""
    kept, at = [], 0
    for dataset in datasets:
        own = dataset.findings[max(0, start - at) : max(0, end - at)]
        if own:
            kept.append(replace(dataset, findings=own, patches=dataset.patches if at >= start else ()))
        at += len(dataset.findings)
    return kept
