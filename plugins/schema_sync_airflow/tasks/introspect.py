"""The mapped group's first task: introspect once per (data source, database, schema)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from schema_sync_airflow.airflow_versions import terminal_errors_fail_at_once
from schema_sync_airflow.run.xcom import FAILURES, push_totals

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.introspect.organizations import Introspection


class SchemaIntrospectionOperator(BaseOperator):
    """Read what the warehouses of one batch of organizations really hold.

    :param batch: ``{"label": …, "organizations": "<id> <id> …"}`` as ``fetch_organizations`` returns it.
    :return: one compact snapshot an organization, as plain JSON.
    :raises TransientError: something may work on the next try, and there is one.
    :raises TerminalError: nothing at all could be reached; what is known went to the XCom ``failures`` before.
    """

    template_fields: Sequence[str] = ("batch",)
    template_fields_renderers = {"batch": "json"}  # noqa: RUF012 (Airflow reads it from the class)

    def __init__(self, *, batch: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch

    @terminal_errors_fail_at_once()
    def execute(self, context: Context) -> list[dict[str, Any]]:
        from include.schema_sync.application.rows import fetch_datasets, organizations_of_batch
        from include.schema_sync.introspect.organizations import introspect_organizations, unreachable_report
        from include.schema_sync.nouns.bounds import bounded
        from include.schema_sync.nouns.wire import report_to_json, snapshot_to_json
        from include.schema_sync.settings import Settings
        from schema_sync_airflow.connections import application_db, source_opener
        from schema_sync_airflow.run.memory import with_memory
        from schema_sync_airflow.run.metrics import record_introspection

        settings = Settings.from_environment()
        ids = self.batch["organizations"].split()
        with application_db(settings) as application:
            organizations = organizations_of_batch(application, ids)
            owners = {source.id: each.id for each in organizations for source in each.data_sources}
            datasets = fetch_datasets(application, ids)
            open_source = source_opener(application, owners, settings)
            introspection = introspect_organizations(organizations, datasets, open_source, settings)
        record_introspection(introspection)
        self._log_queries(introspection)
        self._raise_to_retry(introspection, context)
        if not any(snapshot.reached for snapshot in introspection.snapshots):
            self._fail([report_to_json(bounded(unreachable_report(each))) for each in introspection.snapshots], context)
        return [snapshot_to_json(snapshot) for snapshot in with_memory(introspection.snapshots, context)]

    def _log_queries(self, introspection: Introspection) -> None:
        """Each distinct statement once, folded in the UI: every group of a dialect runs the same one."""
        outcomes = (outcome for result in introspection.results for outcome in result.outcomes if outcome.statements)
        for sql in dict.fromkeys(outcome.sql for outcome in outcomes):
            self.log.info("::group::The query, run once per group with its schema and tables as parameters")
            self.log.info("schema-sync query\n%s", sql)
            self.log.info("::endgroup::")

    def _raise_to_retry(self, introspection: Introspection, context: Context) -> None:
        from include.schema_sync.errors import TransientError

        ti, again = context["ti"], introspection.transient
        if again and ti.try_number <= ti.max_tries:
            names = ", ".join(f"{each.organization.name!r}: {each.snapshot.data_source.name!r}" for each in again)
            raise TransientError(
                f"{len(again)} of {len(introspection.results)} data sources gave no complete answer ({names}); "
                "the reasons are above. The task is tried again."
            )

    def _fail(self, reports: list[dict[str, Any]], context: Context) -> None:
        from include.schema_sync.errors import TerminalError
        from include.schema_sync.text import visible

        push_totals(context, FAILURES, reports)
        lines = [
            f"{report['organization_name']!r}, {source['data_source_name']!r}: {visible(source['error'], 1_000)}"
            for report in reports
            for source in report["unchecked"]
        ]
        raise TerminalError("No data source of this task's organizations could be reached:\n" + "\n".join(lines))
