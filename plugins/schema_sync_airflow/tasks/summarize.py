"""The run's last step: join what every organization's check found, tell the data team, decide the run's state."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.airflow_versions import AirflowFailException
from schema_sync_airflow.run import facts, xcom
from schema_sync_airflow.run.assets import add_asset_events
from schema_sync_airflow.run.metrics import record_run, write_embedded_metrics
from schema_sync_airflow.run.params import ORGANIZATION_IDS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.notify.messages.layout import Message
    from include.schema_sync.nouns.report import OrganizationTotals
    from include.schema_sync.nouns.run import RunResult
    from include.schema_sync.settings import Settings

log = logging.getLogger(__name__)


def summarize_run(batches: list[dict[str, Any]] | None, context: Context) -> dict[str, Any]:
    """Post the data team's message and return the run result (contract, section 2).

    :param batches: what ``fetch_organizations`` returned; None when it failed.
    :raises AirflowFailException: after posting and after the result went to XCom: every organization failed,
        nothing could be fetched, or the message could not be delivered.
    :raises TransientError: the message was not delivered, and there is another try.
    """
    from include.schema_sync.errors import SchemaSyncError, TransientError
    from include.schema_sync.notify.messages import run_alerts, summary
    from include.schema_sync.settings import Settings

    ti = context["ti"]
    run, started = facts.run_facts(context["run_id"], context["dag_run"]), facts.first_start(context)
    facts.remember_start(context, started)
    totals = [] if batches is None else _totals(batches, context)
    fetch_error: str | None = None
    if batches is None:
        pulled = ti.xcom_pull(task_ids=xcom.FETCH, key=xcom.FETCH_ERROR)
        fetch_error = pulled or "fetch_organizations did not finish; its log in this run says why."

    timestamp = facts.run_timestamp(context["dag_run"], started)
    found = summary.run_result(
        totals, timestamp=timestamp, execution_time_ms=facts.elapsed_ms(started), run_error=fetch_error
    )
    if fetch_error is None:
        message = summary.summary_message(found, run=run, quiet=any(batch.get("quiet") for batch in batches or ()))
    else:
        message = run_alerts.fetch_failed_message(fetch_error, run=run)
    undelivered: str | None = None
    settings: Settings | None = None
    try:
        settings = Settings.from_environment()
        _deliver(message, settings, context)
    except SchemaSyncError as error:
        if isinstance(error, TransientError) and ti.try_number <= ti.max_tries:
            raise
        undelivered = str(error)
        found = replace(found, success=False, execution_time_ms=facts.elapsed_ms(started))
    failure = _why_failed(fetch_error, undelivered)
    value = summary.result_json(found, failure=failure)
    if settings is not None:
        _publish(found, value, settings, context)
    log.info("schema-sync result %s", json.dumps(value))  # in ASCII: U+2028 in a name would end the line for some
    if found.success:
        return value
    ti.xcom_push(key=xcom.RETURN_VALUE, value=value)
    raise AirflowFailException(failure)


def _publish(found: RunResult, value: dict[str, Any], settings: Settings, context: Context) -> None:
    counts = found.counts
    if counts.critical:
        log.warning(
            "schema-sync: %d critical issue(s) in %d of %d organizations; queries on these datasets fail",
            counts.critical, sum(1 for each in found.organizations if each.critical), counts.organizations,
        )  # fmt: skip
    restricted = context["params"][ORGANIZATION_IDS] is not None
    record_run(found, restricted=restricted)
    write_embedded_metrics(found, settings=settings, run_id=context["run_id"], restricted=restricted)
    if not facts.is_dry(context["params"], settings):
        add_asset_events(value, context)


def _why_failed(fetch_error: str | None, undelivered: str | None) -> str:
    reasons = []
    if fetch_error is not None:
        reasons.append(f"fetch_organizations failed, so nothing was checked: {fetch_error}")
    elif undelivered is None:
        reasons.append("every organization of the run failed; `errors` in the result says why")
    if undelivered is not None:
        reasons.append(f"the summary could not be delivered: {undelivered}")
    return "The run fails because " + "; and ".join(reasons)


def _totals(batches: list[dict[str, Any]], context: Context) -> list[OrganizationTotals]:
    """Every organization once, in the order of the batches: what the instance says that has its batch now."""
    from include.schema_sync.nouns.run import UNTOLD, best_known

    states = xcom.instance_states(context)
    xcom.wait_until_ended(context, [(xcom.NOTIFY, index) for index in range(len(batches))], states)
    own = {id_: index for index, batch in enumerate(batches) for id_ in batch["organizations"].split()}

    def said(task: str, key: str) -> dict[str, OrganizationTotals]:
        pulled = xcom.pull_totals(context, task, key, states)
        return {id_: totals for (index, id_), totals in pulled.items() if own.get(id_) == index}

    known = said(xcom.NOTIFY, xcom.OUTCOMES)
    if len(known) < len(own):  # some notify task ended without a word
        known = best_known(known, (said(xcom.DIFF, xcom.TOTALS), said(xcom.INTROSPECT, xcom.FAILURES)), UNTOLD)
    if len(known) < len(own):
        known |= _unfinished(own.keys() - known.keys(), own, context, states)
    return [known[id_] for id_ in own]


def _unfinished(
    ids: Collection[str], own: Mapping[str, int], context: Context, states: xcom.States
) -> dict[str, OrganizationTotals]:
    from include.schema_sync.nouns.report import OrganizationTotals
    from include.schema_sync.nouns.wire import organizations_from_text

    directory = context["ti"].xcom_pull(task_ids=xcom.FETCH, key=xcom.DIRECTORY) or []
    names = {each.id: each.name for text in directory for each in organizations_from_text(text)}

    def why(index: int) -> str:
        ended = ", ".join(
            f"{task.rpartition('.')[2]}: {states[task, index]}" for task in xcom.CHECKS if (task, index) in states
        )
        return f"The check did not finish ({ended or 'no task ran'}); the logs of its tasks in this run say why."

    return {id_: OrganizationTotals(id_, names.get(id_, id_), error=why(own[id_])) for id_ in ids}


def _deliver(message: Message, settings: Settings, context: Context) -> None:
    from include.schema_sync.notify.delivery.outgoing import Occasion
    from include.schema_sync.notify.messages.layout import MessageKind, render_text
    from schema_sync_airflow.run.data_team_channel import tell_data_team

    if facts.is_dry(context["params"], settings):
        log.info("Dry run, nothing is sent. The data team's message would read:\n%s", render_text(message))
    elif _is_for_one_person(context):
        log.info("The run was refused, and only who started it is told. The message:\n%s", render_text(message))
    else:
        tell_data_team(message, Occasion(MessageKind.SCHEMA_SYNC_SUMMARY, context["run_id"]), settings)


def _is_for_one_person(context: Context) -> bool:
    """It was refused, and who asked sees it: at a terminal, or as a backfill. From elsewhere they may not look."""
    by_hand = facts.from_terminal or context["dag_run"].run_type == "backfill"
    return by_hand and bool(context["ti"].xcom_pull(task_ids=xcom.FETCH, key=xcom.REFUSED))
