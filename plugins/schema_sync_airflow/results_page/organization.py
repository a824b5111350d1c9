"""One organization in one run: its findings by dataset, what was not checked, and which tasks to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.report import LeftOut
from schema_sync_airflow.results_page import reading, stored
from schema_sync_airflow.results_page.overview import WAITING, Line, batches_of, line
from schema_sync_airflow.results_page.paging import Page, page_of
from schema_sync_airflow.run.xcom import CHECKS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class Dataset:
    """Findings of one dataset, worst first; without a name those of a whole schema, which several datasets share.

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

    :ivar tasks: {task: Airflow's state}, in the order they run, of the instance ``map_index``.
    :ivar datasets: of the page.
    :ivar findings: of the chosen severity, on all pages; ``left_out`` more are only counted.
    :ivar with_findings: how many datasets differ from their warehouses in any way.
    :ivar neighbours: how many other organizations share the batch, and so the tasks' logs.
    """

    organization_id: str
    name: str
    line: Line
    map_index: int
    tasks: Mapping[str, str]
    datasets: Sequence[Dataset]
    page: Page
    severity: Severity | None
    findings: Sequence[reading.Finding]
    left_out: int
    with_findings: int
    patches: Sequence[reading.Patch]
    neighbours: int


def detail(
    session: Session, run: stored.Run, organization_id: str, severity: Severity | None = None, page: int = 1
) -> Detail | None:
    """Read one organization of a run: two statements, and the values of its own batch only.

    :param severity: show only these, None: all.
    :return: None when the run did not ask for this organization.
    """
    batches = batches_of(stored.values(session, run, stored.BATCHES))
    index = next((at for at, batch in enumerate(batches) if organization_id in batch.organizations), None)
    if index is None:
        return None
    batch = batches[index]
    states, contents = stored.instance(
        session, run, index, [stored.REPORTS, stored.NOTIFIED, stored.FIRST_SEEN, stored.FAILED_REPORTS]
    )
    own_reports = (
        report
        for source in (stored.REPORTS, stored.FAILED_REPORTS)
        for report in reading.reports(contents.get(source), contents.get(stored.FIRST_SEEN), organization_id)
    )
    report = next(own_reports, None)
    told = (each for each in reading.totals(contents.get(stored.NOTIFIED)) if each.organization_id == organization_id)
    name = batch.organizations[organization_id]
    # What notify said has the last word; then the report.
    own = line(organization_id, name, next(told, report.totals if report else None), run)
    report = report or reading.Report(own.totals, (), (), LeftOut())
    findings = [each for each in report.findings if severity in (None, each.severity)]
    shown = page_of(len(findings), PAGE_SIZE, page)
    return Detail(
        organization_id=organization_id,
        name=name,
        line=own,
        map_index=index,
        tasks={task: states.get(task, "") for task in CHECKS},
        datasets=_by_dataset(findings, shown.part, batch.sources, report.patches),
        page=shown,
        severity=severity,
        findings=findings,
        left_out=report.left_out.all_findings if severity is None else report.left_out.findings(severity),
        with_findings=len({each.dataset_id for each in report.findings if each.dataset_id}),
        patches=report.patches,
        neighbours=len(batch.organizations) - 1,
    )


def last_known(
    session: Session, runs: Sequence[stored.Run], organization_id: str, severity: Severity | None = None, page: int = 1
) -> Detail | None:
    """What the newest run that knows something of an organization knows; else a run that has not come to it yet."""
    waiting = None
    for run in runs:
        if not run.may_know(organization_id):
            continue
        found = detail(session, run, organization_id, severity, page)
        if found is not None and found.line.state != WAITING:
            return found
        if found is not None:
            waiting = waiting or found
        elif run.counts is not None and run.counts.organizations:
            break  # a run that asked for everybody did not ask for it: it is no longer active
    return waiting


def _by_dataset(
    findings: Sequence[reading.Finding], part: slice, sources: Mapping[str, str], patches: Sequence[reading.Patch]
) -> list[Dataset]:
    """A page of findings. Datasets are in the order of their worst finding: a report lists the most severe first."""
    of: dict[tuple[str | None, str | None, str], list[reading.Finding]] = {}
    for finding in findings:
        of.setdefault(_dataset(finding), []).append(finding)
    datasets = []
    for key, group in groupby([each for own in of.values() for each in own][part], _dataset):
        (dataset_id, _, source_id), shown = key, list(group)
        own = [patch for patch in patches if patch.dataset_id == dataset_id] if shown[0] is of[key][0] else []
        datasets.append(Dataset(dataset_id, shown[0].dataset_name, sources.get(source_id) or source_id, shown, own))
    return datasets


def _dataset(finding: reading.Finding) -> tuple[str | None, str | None, str]:
    return finding.dataset_id, None if finding.dataset_id else finding.place, finding.data_source_id
