"""The run's last step: join what every organization's check found, tell the data team, decide the run's state."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.run.facts import DAG_ID, elapsed_ms, run_facts, run_timestamp
from schema_sync_airflow.run.params import DRY_RUN
from schema_sync_airflow.run.run_end import publish
from schema_sync_airflow.tasks.diff import TOTALS
from schema_sync_airflow.tasks.fetch import FETCH_ERROR
from schema_sync_airflow.tasks.introspect import FAILURES
from schema_sync_airflow.tasks.notify import OUTCOMES

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.notify.messages.layout import Message
    from include.schema_sync.nouns.dataset import Organization
    from include.schema_sync.nouns.report import OrganizationTotals
    from include.schema_sync.nouns.run import RunResult
    from include.schema_sync.settings import Settings

log = logging.getLogger(__name__)

_GROUP = "check_organization"


def summarize_run(batches: list[dict[str, Any]] | None, context: Context) -> dict[str, Any]:
    """Post the data team's message and return the run result (contract, section 2).

    :param batches: what ``fetch_organizations`` returned; None when it failed.
    :raises AirflowFailException: after posting and after the result went to XCom: every organization failed,
        nothing could be fetched, or the message could not be delivered.
    :raises TransientError: the message was not delivered, and there is another try.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from include.schema_sync.errors import SchemaSyncError, TransientError
    from include.schema_sync.notify.messages.summary import (
        fetch_failed_message,
        result_json,
        run_result,
        summary_message,
    )
    from include.schema_sync.settings import Settings

    ti = context["ti"]
    run = run_facts(context)
    fetch_error = None if batches is not None else _fetch_error(context)
    totals = [] if batches is None else _totals(batches, context)

    def result(*, delivered: bool) -> RunResult:
        return run_result(
            totals,
            timestamp=run_timestamp(context),
            execution_time_ms=elapsed_ms(context),
            delivered=delivered,
            run_error=fetch_error,
        )

    found = result(delivered=True)
    message = summary_message(found, run=run) if fetch_error is None else fetch_failed_message(fetch_error, run=run)
    undelivered: str | None = None
    settings: Settings | None = None
    try:
        settings = Settings.from_environment()
        _deliver(message, settings, context)
    except SchemaSyncError as error:
        if isinstance(error, TransientError) and ti.try_number <= ti.max_tries:
            raise
        undelivered = str(error)
        found = result(delivered=False)
    value = result_json(found)
    if settings is not None:
        publish(found, value, settings, context)
    log.info("schema-sync result %s", json.dumps(value))  # in ASCII: U+2028 in a name would end the line for some
    if found.success:
        return value
    ti.xcom_push(key="return_value", value=value)
    raise AirflowFailException(_why_failed(fetch_error, undelivered))


def _why_failed(fetch_error: str | None, undelivered: str | None) -> str:
    reasons = []
    if fetch_error is not None:
        reasons.append(f"fetch_organizations failed, so nothing was checked: {fetch_error}")
    elif undelivered is None:
        reasons.append("every organization of the run failed; `errors` in the result says why")
    if undelivered is not None:
        reasons.append(f"the summary could not be delivered: {undelivered}")
    return "The run fails because " + "; and ".join(reasons)


def _fetch_error(context: Context) -> str:
    pulled = context["ti"].xcom_pull(task_ids="fetch_organizations", key=FETCH_ERROR)
    return pulled or "fetch_organizations did not finish; its log in this run says why."


def _totals(batches: list[dict[str, Any]], context: Context) -> list[OrganizationTotals]:
    """Every organization of the run exactly once, in the order of the batches.

    Joined by organization id, never by position: Airflow's lists of mapped results have no holes.
    """
    from include.schema_sync.nouns.wire import batch_from_json

    outcomes = _pulled("notify", OUTCOMES, context)
    asked = [(index, each) for index, batch in enumerate(batches) for each in batch_from_json(batch)]
    if all(organization.id in outcomes for _, organization in asked):
        return [outcomes[organization.id] for _, organization in asked]
    # Some notify task ended without a word: fall back on what the tasks before it said.
    untold = "its notify task did not finish; the log of that task in this run says why"
    found = {key: replace(value, notification_error=untold) for key, value in _pulled("diff", TOTALS, context).items()}
    failed = {key: replace(value, notification_error=untold) for key, value in _failed_reports(context).items()}
    states = _states(context)
    return [
        outcomes.get(organization.id)
        or found.get(organization.id)
        or failed.get(organization.id)
        or _unknown(organization, _states_of(index, states))
        for index, organization in asked
    ]


def _pulled(task: str, key: str, context: Context) -> dict[str, OrganizationTotals]:
    from include.schema_sync.nouns.wire import totals_from_json

    pulled: Iterable[list[dict[str, Any]] | None] = (
        context["ti"].xcom_pull(task_ids=[f"{_GROUP}.{task}"], key=key) or []
    )
    return {value["organization_id"]: totals_from_json(value) for values in pulled for value in values or []}


def _failed_reports(context: Context) -> dict[str, OrganizationTotals]:
    from include.schema_sync.nouns.wire import report_from_json

    pulled = context["ti"].xcom_pull(task_ids=[f"{_GROUP}.introspect"], key=FAILURES) or []
    return {value["organization_id"]: report_from_json(value).totals for values in pulled for value in values or []}


def _states(context: Context) -> dict[str, Any]:
    """{task of the mapped group and its number: its state}, in one call."""
    run_id = context["run_id"]
    states = context["ti"].get_task_states(dag_id=DAG_ID, task_group_id=_GROUP, run_ids=[run_id])
    of_run: dict[str, Any] = states.get(run_id, {})
    return of_run


def _states_of(index: int, states: dict[str, Any]) -> str:
    own = {
        task.removeprefix(f"{_GROUP}.").removesuffix(f"_{index}"): state
        for task, state in states.items()
        if task.endswith(f"_{index}")
    }
    return ", ".join(f"{task}: {state}" for task, state in sorted(own.items()))


def _unknown(organization: Organization, states: str) -> OrganizationTotals:
    from include.schema_sync.nouns.report import OrganizationTotals

    return OrganizationTotals(
        organization_id=organization.id,
        organization_name=organization.name,
        error=f"The check did not finish ({states or 'no task ran'}); the logs of its tasks in this run say why.",
    )


def _deliver(message: Message, settings: Settings, context: Context) -> None:
    from include.schema_sync.notify.delivery.outgoing import Occasion
    from include.schema_sync.notify.messages.layout import MessageKind, render_text
    from schema_sync_airflow.run.data_team_channel import tell_data_team

    if context["params"][DRY_RUN]:
        log.info("Dry run, nothing is sent. The data team's message would read:\n%s", render_text(message))
        return
    tell_data_team(message, Occasion(MessageKind.SCHEMA_SYNC_SUMMARY, context["run_id"]), settings)
