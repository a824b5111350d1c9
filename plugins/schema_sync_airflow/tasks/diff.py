"""The mapped group's second task: dataset YML against the snapshot."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from schema_sync_airflow.airflow_versions import terminal_errors_fail_at_once
from schema_sync_airflow.run.xcom import INTROSPECT, TOTALS, pull_own, push_totals, wait_until_ended

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.application.charts import Chart
    from include.schema_sync.application.rows import Connection
    from include.schema_sync.nouns.dataset import Dataset
    from include.schema_sync.nouns.report import OrganizationReport
    from include.schema_sync.nouns.snapshot import OrganizationSnapshot
    from include.schema_sync.settings import Settings

_MOST_PATCHES = 50  # of one organization in the log; a thousand folded groups help nobody


class DatasetYmlDiffOperator(BaseOperator):
    """Compare every dataset of one batch of organizations with its warehouse.

    :param batch, snapshots: what ``SchemaIntrospectionOperator`` was given, and what it returned.
    :return: one report an organization, as plain JSON.
    """

    template_fields: Sequence[str] = ("batch", "snapshots")
    template_fields_renderers = {"batch": "json", "snapshots": "json"}  # noqa: RUF012 (Airflow reads it from the class)

    def __init__(self, *, batch: Any, snapshots: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.snapshots = snapshots
        self._ends = float("inf")
        self._reports: list[OrganizationReport] = []

    @terminal_errors_fail_at_once()
    def execute(self, context: Context) -> list[dict[str, Any]]:
        from include.schema_sync.application.rows import fetch_datasets
        from include.schema_sync.compare.charts import with_impact
        from include.schema_sync.errors import TerminalError
        from include.schema_sync.nouns.bounds import bounded
        from include.schema_sync.nouns.wire import report_to_json, snapshot_from_json, totals_to_json
        from include.schema_sync.settings import Settings
        from schema_sync_airflow.connections import application_db

        settings = Settings.from_environment()
        self._ends = time.monotonic() + settings.introspection_budget_s
        if self.snapshots is None:
            wait_until_ended(context, [(INTROSPECT, context["ti"].map_index)])
            self.snapshots = pull_own(context, INTROSPECT)
        if self.snapshots is None:
            raise TerminalError("The task introspect of these organizations left nothing; its log says why.")
        snapshots = [snapshot_from_json(value) for value in self.snapshots]
        with application_db(settings) as application:
            datasets = fetch_datasets(application, [snapshot.organization_id for snapshot in snapshots])
            whole = [self._report(snapshot, datasets[snapshot.organization_id], settings) for snapshot in snapshots]
            whole = self._compiled(whole, snapshots, datasets, application, settings)
            charts = self._charts(whole, application, settings)
        names = settings.impact == "names"
        self._reports = [
            bounded(with_impact(report, snapshot, charts.get(report.organization_id, ()), names=names))
            for report, snapshot in zip(whole, snapshots, strict=True)
        ]
        for report in self._reports:
            self._log(report)
        push_totals(context, TOTALS, [totals_to_json(report.totals) for report in self._reports])
        return [report_to_json(report) for report in self._reports]

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> Any:
        """What Airflow's OpenLineage provider asks for by this name, where it is installed.

        Snapshots are read again: kept from ``execute``, they would add to the memory of every task.
        """
        from include.schema_sync.nouns.wire import snapshot_from_json
        from schema_sync_airflow.run.lineage import operator_lineage

        return operator_lineage(zip(self._reports, map(snapshot_from_json, self.snapshots), strict=True))

    def _report(
        self, snapshot: OrganizationSnapshot, datasets: Sequence[Dataset], settings: Settings
    ) -> OrganizationReport:
        from include.schema_sync.compare.organization import diff_organization
        from include.schema_sync.introspect.organizations import unreachable_report
        from include.schema_sync.needs.budget import ReadingBudget
        from include.schema_sync.nouns.report import OrganizationReport
        from include.schema_sync.repair.suggest import PatchOptions, with_patches

        if not snapshot.reached:  # in a batch: alone, it would have failed introspection
            return unreachable_report(snapshot)
        try:
            known = sum(1 for source in snapshot.sources if source.datasets and source.reached)
            report = diff_organization(snapshot, datasets, ReadingBudget(settings.reading_timeout_s, self._ends))
            report = replace(report, sources_checked=known)
            options = PatchOptions(settings.patch_undocumented, include_probable=True)
            return with_patches(report, snapshot, datasets, options)
        except Exception as error:
            if len(self.snapshots) == 1:
                raise
            self.log.exception("schema-sync organization=%r: a defect of Schema Sync", snapshot.organization_name)
            return OrganizationReport(
                organization_id=snapshot.organization_id,
                organization_name=snapshot.organization_name,
                datasets_unchecked=len(datasets),
                error=f"Its datasets could not be compared ({type(error).__name__}): a defect of Schema Sync. "
                "The log of the task diff says where; report it together with the run's id.",
            )

    def _compiled(
        self,
        reports: Sequence[OrganizationReport],
        snapshots: Sequence[OrganizationSnapshot],
        datasets: Mapping[str, Sequence[Dataset]],
        application: Connection,
        settings: Settings,
    ) -> list[OrganizationReport]:
        """Without the patches that a warehouse refuses; nothing is connected to where nothing was renamed."""
        if not settings.compile_expressions or not any(report.patches for report in reports):
            return list(reports)
        from include.schema_sync.introspect.organizations import introspect_organizations
        from include.schema_sync.nouns.dataset import Organization
        from include.schema_sync.repair.compiled import with_compiled_patches
        from schema_sync_airflow.connections import source_opener

        owners = {source.data_source.id: each.organization_id for each in snapshots for source in each.sources}
        open_source = source_opener(application, owners, settings)

        def ask(edited: Mapping[str, Sequence[Dataset]]) -> Sequence[OrganizationSnapshot]:
            self.log.info("Compiling the datasets of %d organization(s) with their patches applied", len(edited))
            organizations = [
                Organization(each.organization_id, each.organization_name, tuple(s.data_source for s in each.sources))
                for each in snapshots
                if each.organization_id in edited
            ]
            return introspect_organizations(organizations, edited, open_source, settings, ends=self._ends).snapshots

        try:
            return with_compiled_patches(reports, snapshots, datasets, ask)
        except Exception:
            if len(reports) == 1:
                raise
            self.log.exception("schema-sync patches: a defect of Schema Sync; they are offered as only read again")
            return list(reports)

    def _charts(
        self, reports: Sequence[OrganizationReport], application: Connection, settings: Settings
    ) -> Mapping[str, Sequence[Chart]]:
        """Of organizations with findings that charts may read; their absence never costs a report."""
        from include.schema_sync.application.charts import fetch_charts
        from include.schema_sync.compare.charts import wanted_sources
        from include.schema_sync.errors import SchemaSyncError

        wanted = {report.organization_id: sources for report in reports if (sources := wanted_sources(report))}
        if settings.impact == "off" or not wanted:
            return {}
        try:
            return fetch_charts(application, wanted) or {}
        except SchemaSyncError as error:
            self.log.warning("schema-sync impact: the saved charts cannot be read: %s", error)
            return {}

    def _log(self, report: OrganizationReport) -> None:
        from include.schema_sync.report.task_log import discrepancy_table, patch_text, report_line
        from include.schema_sync.text import visible

        self.log.info(report_line(report))
        if report.discrepancies:
            self.log.info("What differs in %r:\n%s", report.organization_name, discrepancy_table(report.discrepancies))
        for patch in report.patches[:_MOST_PATCHES]:
            kind = "Probable" if patch.probable else "Suggested"
            self.log.info("::group::%s patch for the YML of dataset %s", kind, visible(patch.dataset_name))
            proof = ", and the warehouse compiles the dataset with it" if patch.compiled else ""
            self.log.info("It settles %d finding(s)%s:\n%s", len(patch.fixes), proof, patch_text(patch))
            self.log.info("::endgroup::")
        if len(report.patches) > _MOST_PATCHES:
            self.log.info("…and patches for %d more datasets, in this task's XCom", len(report.patches) - _MOST_PATCHES)
        for source in report.unchecked:
            self.log.warning(
                "Unchecked in %r: %d dataset(s) of %r, %s",
                report.organization_name, source.datasets, source.data_source_name, visible(source.error, 1_000),
            )  # fmt: skip
