"""The mapped group's last task: tell each organization, and record what was said."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.run.facts import is_dry, run_facts
from schema_sync_airflow.run.params import MIN_SEVERITY
from schema_sync_airflow.run.xcom import (
    DIFF,
    FAILURES,
    FIRST_SEEN,
    INTROSPECT,
    OUTCOMES,
    pull_own,
    push_totals,
    wait_until_ended,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context
    from slack_sdk import WebClient

    from include.schema_sync.application.rows import Connection, SlackIntegration
    from include.schema_sync.notify.incidents import IncidentChange
    from include.schema_sync.notify.messages.layout import Message
    from include.schema_sync.nouns.discrepancy import Severity
    from include.schema_sync.nouns.report import OrganizationReport, OrganizationTotals
    from include.schema_sync.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    """What came of telling one organization.

    :ivar notified: a drift or resolved message reached it, now or on an earlier try of this run.
    :ivar withheld: a message was ready, and is not sent because the installation was just switched on.
    :ivar change: against its last report; None where nobody keeps that account.
    """

    notified: bool = False
    withheld: bool = False
    change: IncidentChange | None = None


@dataclass
class _Account:
    """What became of the batch's organizations so far.

    :ivar quiet: nobody is to be told.
    """

    quiet: bool = False
    outcomes: list[OrganizationTotals] = field(default_factory=list)
    first_seen: dict[str, Mapping[str, str]] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)


def notify_organizations(batch: dict[str, Any], reports: list[dict[str, Any]] | None, context: Context) -> None:
    """Tell each organization of the batch what is new, what is over, or that its check failed.

    :param reports: what ``DatasetYmlDiffOperator`` returned; None after an upstream failure.
    :raises TransientError: something was not delivered, and there is another try.
    :raises TerminalError: something was not delivered; the XCom ``outcomes`` says what, all else is done.
    """
    from include.schema_sync.application.rows import fetch_slack_integrations
    from include.schema_sync.errors import SchemaSyncError, TerminalError, TransientError
    from include.schema_sync.nouns.wire import totals_to_json
    from include.schema_sync.settings import Settings
    from schema_sync_airflow.connections import application_db

    settings = Settings.from_environment()
    ti = context["ti"]
    own = _reports(batch, reports, context)
    account = _Account(quiet=bool(batch.get("quiet")))
    try:
        with application_db(settings) as application:
            own = _count_unknown(_named(own, application), application)
            integrations = fetch_slack_integrations(application, [report.organization_id for report in own])
            for report in own:
                _tell(report, integrations.get(report.organization_id), application, settings, context, account)
    except SchemaSyncError as error:  # the application database itself
        told_of = {totals.organization_id for totals in account.outcomes}
        missed = [report for report in own if report.organization_id not in told_of]
        account.outcomes += [replace(report.totals, notification_error=str(error)) for report in missed]
        account.errors.append(error)
    why = "; ".join(map(str, account.errors))
    if any(isinstance(error, TransientError) for error in account.errors) and ti.try_number <= ti.max_tries:
        raise TransientError(f"Some organizations were not told; the task is tried again. {why}")
    ti.xcom_push(key=FIRST_SEEN, value=account.first_seen)
    push_totals(context, OUTCOMES, [totals_to_json(totals) for totals in account.outcomes])
    if account.errors:
        raise TerminalError(f"Some organizations were not told. {why}")


def _reports(batch: dict[str, Any], reports: list[dict[str, Any]] | None, context: Context) -> list[OrganizationReport]:
    """One report an organization of the batch: as found, as failed, or that nothing is known."""
    from include.schema_sync.nouns.report import OrganizationReport
    from include.schema_sync.nouns.wire import report_from_json

    if reports is None:
        index = context["ti"].map_index
        wait_until_ended(context, [(INTROSPECT, index), (DIFF, index)])
        reports = pull_own(context, INTROSPECT, FAILURES) or []
    ids = batch["organizations"].split()
    known = {value["organization_id"]: report_from_json(value) for value in reports}
    return [
        known.get(id_)
        or OrganizationReport(
            organization_id=id_,
            organization_name=batch["label"] if len(ids) == 1 else id_,
            error="The check did not finish; the logs of its tasks introspect and diff in this run say why.",
        )
        for id_ in ids
    ]


def _named(reports: Sequence[OrganizationReport], application: Connection) -> list[OrganizationReport]:
    """A batch has ids only: of checks that did not finish the names are asked for."""
    from include.schema_sync.application.rows import organizations_of_batch

    nameless = [report.organization_id for report in reports if report.organization_name == report.organization_id]
    names = {each.id: each.name for each in organizations_of_batch(application, nameless)} if nameless else {}
    return [
        replace(each, organization_name=names.get(each.organization_id, each.organization_name)) for each in reports
    ]


def _count_unknown(reports: Sequence[OrganizationReport], application: Connection) -> list[OrganizationReport]:
    """Where a check did not finish, all of the organization's datasets are unchecked: count them."""
    from include.schema_sync.application.rows import fetch_datasets

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


def _tell(
    report: OrganizationReport,
    integration: SlackIntegration | None,
    application: Connection,
    settings: Settings,
    context: Context,
    account: _Account,
) -> None:
    """Tell one organization; whatever goes wrong stays its own and is entered into the account."""
    from include.schema_sync.errors import SchemaSyncError, TerminalError
    from include.schema_sync.notify.delivery.outbox import ThreadIncompleteError

    failure: SchemaSyncError | None = None
    told = _Told()
    try:
        told = _notify(report, integration, application, settings, context, quiet=account.quiet)
    except SchemaSyncError as error:
        # The alert itself may be there when only its thread is not.
        told = _Told(notified=isinstance(error, ThreadIncompleteError))
        failure = error
    except Exception as error:  # noqa: BLE001 - a secrets backend's own error, or a defect; its text may hold a secret
        frames = reversed(extract_tb(error.__traceback__))
        log.error(  # noqa: TRY400 - a traceback shows the text
            "schema-sync notify: an unexpected %s at %s",
            type(error).__name__, " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames),
        )  # fmt: skip
        failure = TerminalError(
            f"An unexpected {type(error).__name__} stopped the message for organization {report.organization_id}. "
            "Check the secrets backend and its Slack connection; if both are right, report it as a defect."
        )
    totals = replace(report.totals, notified=told.notified, withheld=told.withheld)
    if failure is not None:
        log.warning("%r was not told: %s", report.organization_name, failure)
        totals = replace(totals, notification_error=str(failure))
        account.errors.append(failure)
    if told.change is not None:
        totals = _with_change(totals, told.change)
        account.first_seen[report.organization_id] = dict(told.change.first_seen)
    account.outcomes.append(totals)


def _with_change(totals: OrganizationTotals, change: IncidentChange) -> OrganizationTotals:
    from include.schema_sync.nouns.discrepancy import Severity

    return replace(
        totals,
        new=len(change.new),
        new_critical=sum(1 for found in change.new if found.severity is Severity.CRITICAL),
        ongoing=len(change.ongoing) + len(change.kept),
        resolved=len(change.resolved),
    )


def _notify(
    report: OrganizationReport,
    integration: SlackIntegration | None,
    application: Connection,
    settings: Settings,
    context: Context,
    *,
    quiet: bool,
) -> _Told:
    from include.schema_sync.notify.messages.layout import render_text
    from include.schema_sync.notify.slack.client import deferred_client, slack_client
    from schema_sync_airflow.connections import slack_token, transactions

    dry = is_dry(context["params"], settings)
    if dry or quiet or integration is None or integration.channel_id is None:
        withheld = False
        message = _first_message(report, context)
        if message is None:
            log.info("schema-sync notify organization=%r: nothing to tell", report.organization_name)
        elif dry or quiet:
            why = "Dry run" if dry else "Just switched on (the summary says how to send now)"
            log.info("%s, nothing is sent. %r would read:\n%s", why, report.organization_name, render_text(message))
            withheld = not dry and integration is not None and integration.channel_id is not None
        else:
            why = (
                "it has no active Slack integration"
                if integration is None
                else "its integration has no default channel"
            )
            log.warning(
                "schema-sync notify organization=%r: not told, %s. The message:\n%s",
                report.organization_name, why, render_text(message),
            )  # fmt: skip
        return _Told(withheld=withheld)

    def make() -> WebClient:
        token, base_url = slack_token(integration.token_vault_key, report.organization_name, application)
        return slack_client(token, base_url=settings.slack_base_url or base_url)

    # Where something is to be told, a missing token must be found before anything is reserved.
    client = make() if _first_message(report, context) is not None else deferred_client(make)
    with transactions(application):
        return _speak(report, integration, integration.channel_id, application, client, settings, context)


def _speak(
    report: OrganizationReport,
    integration: SlackIntegration,
    channel: str,
    application: Connection,
    client: WebClient,
    settings: Settings,
    context: Context,
) -> _Told:
    """Go on with the organization's conversation, or say that its check failed."""
    from include.schema_sync.notify.conversation.carry_out import converse
    from include.schema_sync.notify.conversation.failures import tell_failure
    from include.schema_sync.notify.messages.layout import render_text
    from include.schema_sync.notify.messages.organization import error_notice
    from include.schema_sync.nouns.discrepancy import Severity

    run = run_facts(context)
    where = integration.channel_name or channel
    told = _Told()
    if report.error is None:
        said = converse(
            application,
            client,
            report=report,
            integration_id=integration.id,
            channel=channel,
            run=run,
            min_severity=Severity(context["params"][MIN_SEVERITY]),
            mention=lambda change: _mention(change, integration, settings),
        )
        told = _Told(said.reached, change=said.change)
        log.info(
            "schema-sync notify organization=%r channel=%r ts=%s: %s%s",
            report.organization_name, where, said.ts, said.note or ("told" if said.reached else "nothing to tell"),
            "\n↳ in the thread".join(f"\n{render_text(message)}" for message in said.messages),
        )  # fmt: skip
        if said.reached or said.change is not None or not report.unchecked:
            return told
    notice = error_notice(report.organization_name, error=report.error, unchecked=report.unchecked, run=run)
    delivery = tell_failure(
        application,
        client,
        notice=notice,
        organization_id=report.organization_id,
        integration_id=integration.id,
        channel=channel,
        run=run,
    )
    if delivery is None:
        log.info("schema-sync notify organization=%r: a later run has spoken already", report.organization_name)
        return told
    log.info(
        "schema-sync notify organization=%r channel=%r kind=schema_sync_error ts=%s%s:\n%s",
        report.organization_name, where, delivery.ts,
        " (sent by an earlier try)" if delivery.already_sent else "", render_text(notice),
    )  # fmt: skip
    return told


def _first_message(report: OrganizationReport, context: Context) -> Message | None:
    """What an organization would read that never heard of these problems; None: nothing."""
    from include.schema_sync.notify.messages.organization import drift_alert, error_notice
    from include.schema_sync.nouns.discrepancy import Severity

    run = run_facts(context)
    if report.error is None:
        alert = drift_alert(report, min_severity=Severity(context["params"][MIN_SEVERITY]), run=run)
        if alert is not None or not report.unchecked:
            return alert
    return error_notice(report.organization_name, error=report.error, unchecked=report.unchecked, run=run)


def _mention(change: IncidentChange, integration: SlackIntegration, settings: Settings) -> str:
    """Whom this change calls: the organization's own word first, then the setting for it, then that for everybody."""
    from include.schema_sync.notify.owners import EVERYBODY, called_for, mentions_by_organization, read_mentions

    mentions = mentions_by_organization(settings.mentions)
    chosen = mentions.get(integration.organization_id.lower(), mentions.get(EVERYBODY))
    if integration.mentions is not None:
        try:
            chosen = read_mentions(integration.mentions)
        except ValueError as error:
            log.warning(
                "The owners in default_channel of Slack integration %s cannot be read: %s.", integration.id, error
            )
    severities: list[Severity] = [found.severity for found in change.new]
    return called_for(severities, chosen)
