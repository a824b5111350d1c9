"""The mapped group's second task: dataset YML against the snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

TOTALS = "totals"  # XCom key: the reports reduced to numbers, for the summary


class DatasetYmlDiffOperator(BaseOperator):
    """Compare every dataset of one batch of organizations with its warehouse.

    :param batch: as for ``SchemaIntrospectionOperator``; names the instance in the grid.
    :param snapshots: what ``SchemaIntrospectionOperator`` returned.
    :return: one report an organization, as plain JSON.
    """

    template_fields: Sequence[str] = ("batch", "snapshots")
    template_fields_renderers = {"batch": "json", "snapshots": "json"}  # noqa: RUF012 (Airflow reads it from the class)

    def __init__(self, *, batch: Any, snapshots: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.snapshots = snapshots

    def execute(self, context: Context) -> list[dict[str, Any]]:
        from include.schema_sync.application_db import fetch_datasets
        from include.schema_sync.diff import diff_organization
        from include.schema_sync.organization_introspection import unreachable_report
        from include.schema_sync.settings import Settings
        from include.schema_sync.task_log import discrepancy_table, report_line, visible
        from include.schema_sync.wire import report_to_json, snapshot_from_json, totals_to_json
        from schema_sync_airflow.connections import application_db

        settings = Settings.from_environment()
        snapshots = [snapshot_from_json(value) for value in self.snapshots]
        with application_db(settings) as application:
            datasets = fetch_datasets(application, [snapshot.organization_id for snapshot in snapshots])
        reports = []
        for snapshot in snapshots:
            if snapshot.reached:
                report = diff_organization(snapshot, datasets[snapshot.organization_id])
            else:  # in a batch: alone, it would have failed introspection
                report = unreachable_report(snapshot)
            self.log.info(report_line(report))
            if report.discrepancies:
                self.log.info(
                    "What differs in %r:\n%s", report.organization_name, discrepancy_table(report.discrepancies)
                )
            for source in report.unchecked:
                self.log.warning(
                    "Unchecked in %r: %d dataset(s) of %r, %s",
                    report.organization_name, source.datasets, source.data_source_name, visible(source.error, 1_000),
                )  # fmt: skip
            reports.append(report)
        context["ti"].xcom_push(key=TOTALS, value=[totals_to_json(report.totals) for report in reports])
        return [report_to_json(report) for report in reports]
