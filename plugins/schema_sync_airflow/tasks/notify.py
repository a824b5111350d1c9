"""The mapped group's last task: tell each organization, and record what was said."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.run import xcom
from schema_sync_airflow.run.facts import is_dry, run_facts
from schema_sync_airflow.run.params import MIN_SEVERITY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.application.rows import Connection
    from include.schema_sync.notify.tell import Desk
    from include.schema_sync.nouns.report import OrganizationReport
    from include.schema_sync.settings import Settings


def notify_organizations(batch: dict[str, Any], reports: list[dict[str, Any]] | None, context: Context) -> None:
    """Tell each organization of the batch what is new, what is over, or that its check failed.

    :param reports: what ``DatasetYmlDiffOperator`` returned; None after an upstream failure.
    :raises TransientError: something was not delivered, and there is another try.
    :raises TerminalError: something was not delivered; the XCom ``outcomes`` says what, all else is done.
    """
    from include.schema_sync.errors import SchemaSyncError, TerminalError, TransientError
    from include.schema_sync.notify.tell import Account, complete, tell_organizations
    from include.schema_sync.nouns.wire import totals_to_json
    from include.schema_sync.settings import Settings
    from schema_sync_airflow.connections import application_db

    settings = Settings.from_environment()
    ti = context["ti"]
    own = _reports(batch, reports, context)
    account = Account()
    try:
        with application_db(settings) as application:
            own = complete(own, application)
            desk = _desk(application, settings, context, quiet=bool(batch.get("quiet")))
            tell_organizations(own, desk, account)
    except SchemaSyncError as error:  # the application database itself
        account.fail(own, error)
    why = "; ".join(map(str, account.errors))
    if account.is_transient and ti.try_number <= ti.max_tries:
        raise TransientError(f"Some organizations were not told; the task is tried again. {why}")
    ti.xcom_push(key=xcom.FIRST_SEEN, value=account.first_seen)
    xcom.push_totals(context, xcom.OUTCOMES, [totals_to_json(totals) for totals in account.outcomes])
    if account.errors:
        raise TerminalError(f"Some organizations were not told. {why}")


def _reports(batch: dict[str, Any], reports: list[dict[str, Any]] | None, context: Context) -> list[OrganizationReport]:
    """One report an organization of the batch: as found, as failed, or that nothing is known."""
    from include.schema_sync.nouns.report import OrganizationReport
    from include.schema_sync.nouns.wire import report_from_json

    if reports is None:
        index = context["ti"].map_index
        xcom.wait_until_ended(context, [(xcom.INTROSPECT, index), (xcom.DIFF, index)])
        reports = xcom.pull_own(context, xcom.DIFF) or xcom.pull_own(context, xcom.INTROSPECT, xcom.FAILURES) or []
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


def _desk(application: Connection, settings: Settings, context: Context, *, quiet: bool) -> Desk:
    from include.schema_sync.notify.tell import Desk
    from include.schema_sync.nouns.discrepancy import Severity
    from schema_sync_airflow.connections import organization_slack, slack_default

    shared = cache(slack_default)

    return Desk(
        application=application,
        client_of=lambda integration, name: organization_slack(
            integration.token_vault_key, name, application, settings, shared
        ),
        run=run_facts(context["run_id"], context["dag_run"]),
        min_severity=Severity(context["params"][MIN_SEVERITY]),
        mentions=settings.mentions,
        dry=is_dry(context["params"], settings),
        quiet=quiet,
    )
