"""The mapped group's last task: tell each organization, and record what was said."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.introspection_operator import FAILURES
from schema_sync_airflow.params import DRY_RUN, MIN_SEVERITY
from schema_sync_airflow.runs import run_facts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.application_db import Connection, SlackIntegration
    from include.schema_sync.models import OrganizationReport, OrganizationTotals
    from include.schema_sync.settings import Settings
    from include.schema_sync.slack.messages import Message, MessageKind

OUTCOMES = "outcomes"  # XCom key: each organization's totals and whether it was told; pushed even before failing

log = logging.getLogger(__name__)


def notify_organizations(batch: dict[str, Any], reports: list[dict[str, Any]] | None, context: Context) -> None:
    """Post a drift alert or an error notice to each organization of the batch.

    :param reports: what ``DatasetYmlDiffOperator`` returned; None after an upstream failure.
    :raises TransientError: something was not delivered, and there is another try.
    :raises TerminalError: something was not delivered; the XCom ``outcomes`` says what, all else is done.
    """
    from include.schema_sync.application_db import fetch_slack_integrations
    from include.schema_sync.errors import SchemaSyncError, TerminalError, TransientError
    from include.schema_sync.settings import Settings
    from include.schema_sync.slack.outbox import ThreadIncompleteError
    from include.schema_sync.wire import totals_to_json
    from schema_sync_airflow.connections import application_db

    settings = Settings.from_environment()
    ti = context["ti"]
    own = _reports(batch, reports, context)
    outcomes: list[OrganizationTotals] = []
    errors: list[SchemaSyncError] = []
    try:
        with application_db(settings) as application:
            own = _count_unknown(own, application)
            integrations = fetch_slack_integrations(application, [report.organization_id for report in own])
            for report in own:
                totals = report.totals
                try:
                    told = _notify(report, integrations.get(report.organization_id), application, settings, context)
                    outcomes.append(replace(totals, notified=told))
                except SchemaSyncError as error:
                    log.warning("%r was not told: %s", report.organization_name, error)
                    # The alert itself may be there when only its thread is not.
                    told = isinstance(error, ThreadIncompleteError)
                    outcomes.append(replace(totals, notified=told, notification_error=str(error)))
                    errors.append(error)
    except SchemaSyncError as error:  # the application database itself
        told_of = {totals.organization_id for totals in outcomes}
        missed = [report for report in own if report.organization_id not in told_of]
        outcomes += [replace(report.totals, notification_error=str(error)) for report in missed]
        errors.append(error)
    if any(isinstance(error, TransientError) for error in errors) and ti.try_number <= ti.max_tries:
        raise TransientError(
            "Some organizations were not told; the task is tried again. " + "; ".join(map(str, errors))
        )
    ti.xcom_push(key=OUTCOMES, value=[totals_to_json(totals) for totals in outcomes])
    if errors:
        raise TerminalError("Some organizations were not told. " + "; ".join(map(str, errors)))


def _reports(batch: dict[str, Any], reports: list[dict[str, Any]] | None, context: Context) -> list[OrganizationReport]:
    """One report an organization of the batch: as found, as failed, or that nothing is known."""
    from include.schema_sync.models import OrganizationReport
    from include.schema_sync.wire import report_from_json

    if reports is None:
        ti = context["ti"]
        pulled = ti.xcom_pull(task_ids="check_organization.introspect", key=FAILURES, map_indexes=ti.map_index)
        reports = pulled or []
    known = {value["organization_id"]: report_from_json(value) for value in reports}
    return [
        known.get(organization["id"])
        or OrganizationReport(
            organization_id=organization["id"],
            organization_name=organization["name"],
            error="The check did not finish; the logs of its tasks introspect and diff in this run say why.",
        )
        for organization in batch["organizations"]
    ]


def _count_unknown(reports: Sequence[OrganizationReport], application: Connection) -> list[OrganizationReport]:
    """Where a check did not finish, all of the organization's datasets are unchecked: count them."""
    from include.schema_sync.application_db import fetch_datasets

    silent = [
        report.organization_id
        for report in reports
        if report.error is not None and not report.datasets_checked and not report.datasets_unchecked
    ]
    datasets = fetch_datasets(application, silent) if silent else {}
    return [
        replace(report, datasets_unchecked=len(datasets[report.organization_id]))
        if report.organization_id in datasets
        else report
        for report in reports
    ]


def _notify(
    report: OrganizationReport,
    integration: SlackIntegration | None,
    application: Connection,
    settings: Settings,
    context: Context,
) -> bool:
    """Tell one organization.

    :return: True when a drift alert reached it, now or on an earlier try.
    """
    from include.schema_sync.slack.client import slack_client
    from include.schema_sync.slack.messages import MessageKind, render_text
    from include.schema_sync.slack.outbox import deliver
    from schema_sync_airflow.connections import slack_token, transactions

    message, kind = _message(report, context)
    if message is None:
        log.info("schema-sync notify organization=%r: nothing to tell", report.organization_name)
        return False
    if context["params"][DRY_RUN]:
        log.info("Dry run, nothing is sent. %r would read:\n%s", report.organization_name, render_text(message))
        return False
    if integration is None or integration.channel_id is None:
        why = "it has no active Slack integration" if integration is None else "its integration has no default channel"
        log.warning(
            "schema-sync notify organization=%r: not told, %s. The message:\n%s",
            report.organization_name, why, render_text(message),
        )  # fmt: skip
        return False
    token, base_url = slack_token(integration.token_vault_key, report.organization_name, application)
    client = slack_client(token, base_url=settings.slack_base_url or base_url)
    with transactions(application):
        delivery = deliver(
            application,
            client,
            message=message,
            kind=kind,
            organization_id=report.organization_id,
            integration_id=integration.id,
            channel=integration.channel_id,
            run_id=context["run_id"],
        )
    log.info(
        "schema-sync notify organization=%r channel=%r kind=%s ts=%s%s:\n%s",
        report.organization_name,
        integration.channel_name or integration.channel_id,
        kind,
        delivery.ts,
        " (sent by an earlier try)" if delivery.already_sent else "",
        render_text(message),
    )
    return kind is MessageKind.SCHEMA_SYNC


def _message(report: OrganizationReport, context: Context) -> tuple[Message | None, MessageKind]:
    from include.schema_sync.models import Severity
    from include.schema_sync.slack.messages import MessageKind, drift_alert, error_notice

    run = run_facts(context)
    if report.error is None:
        alert = drift_alert(report, min_severity=Severity(context["params"][MIN_SEVERITY]), run=run)
        if alert is not None or not report.unchecked:
            return alert, MessageKind.SCHEMA_SYNC
    notice = error_notice(report.organization_name, error=report.error, unchecked=report.unchecked, run=run)
    return notice, MessageKind.SCHEMA_SYNC_ERROR
