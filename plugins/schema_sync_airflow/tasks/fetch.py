"""The run's first step: which organizations, in which batches."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.run.facts import first_start, is_first_and_late, remember_start
from schema_sync_airflow.run.params import ORGANIZATION_IDS, unknown_keys_message
from schema_sync_airflow.run.xcom import DIRECTORY, FETCH_ERROR, REFUSED

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.nouns.dataset import Organization

_BACKFILL_REFUSED = (
    "Schema Sync does no backfills: a warehouse of today says nothing about a day that is past. Nothing was checked; "
    "trigger the DAG to check now."
)

log = logging.getLogger(__name__)


def fetch_batches(context: Context) -> list[dict[str, Any]]:
    """Read the active organizations and deal them out to mapped task instances.

    :return: ``[{"label": …, "organizations": "<id> <id> …"}]``, with ``"quiet": true`` where organizations are not to
        be told. Every mapped instance reads this list whole, so names and data sources are not in it.
    :raises TerminalError: a backfill, unknown configuration keys, or organizations that cannot be checked.
    """
    from include.schema_sync.application.rows import fetch_organizations
    from include.schema_sync.errors import SchemaSyncError, TerminalError
    from include.schema_sync.notify.owners import mentions_by_organization
    from include.schema_sync.nouns.wire import organizations_to_text
    from include.schema_sync.settings import Settings
    from schema_sync_airflow.connections import application_db

    ti, run = context["ti"], context["dag_run"]
    started = first_start(context)
    remember_start(context, started)
    refusal = _BACKFILL_REFUSED if run.run_type == "backfill" else unknown_keys_message(run.conf or {})
    try:
        if refusal is not None:
            raise TerminalError(refusal)
        settings = Settings.from_environment()
        mentions_by_organization(settings.mentions)  # a slip there is told before anything is done
        with application_db(settings) as application:
            organizations = fetch_organizations(application, context["params"][ORGANIZATION_IDS])
    except SchemaSyncError as error:
        ti.xcom_push(key=FETCH_ERROR, value=str(error))
        ti.xcom_push(key=REFUSED, value=refusal is not None)
        raise
    quiet = {"quiet": True} if is_first_and_late(context, started, settings) else {}
    dealt = deal_out(organizations, settings.max_mapped)
    ti.xcom_push(key=DIRECTORY, value=[organizations_to_text(own) for own in dealt])
    sources = sum(len(organization.data_sources) for organization in organizations)
    log.info("schema-sync fetched organizations=%d data_sources=%d batches=%d", len(organizations), sources, len(dealt))
    return [{"label": label(own), "organizations": " ".join(each.id for each in own), **quiet} for own in dealt]


def deal_out(organizations: Sequence[Organization], most: int) -> list[Sequence[Organization]]:
    """One organization a batch up to ``most`` batches, then evenly more: sizes differ by one at the most."""
    count = min(len(organizations), most)
    ends = [index * len(organizations) // count for index in range(count + 1)] if count else []
    return [organizations[start:end] for start, end in pairwise(ends)]


def label(batch: Sequence[Organization]) -> str:
    """How a batch is called in the grid, and in a line of Airflow's own log."""
    from include.schema_sync.text import visible

    name = batch[0].name if len(batch) == 1 else f"{len(batch)} organizations, {batch[0].name} to {batch[-1].name}"
    return visible(name, 200)[:200]  # escapes make it longer
