"""The run's first step: which organizations, in which batches."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schema_sync_airflow.run.params import ORGANIZATION_IDS, unknown_keys_message

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.schema_sync.nouns.dataset import Organization

FETCH_ERROR = "error"  # XCom key: why fetching failed, for the message to the data team

log = logging.getLogger(__name__)


def fetch_batches(context: Context) -> list[dict[str, Any]]:
    """Read the active organizations and deal them out to mapped task instances.

    :return: ``[{"label": …, "organizations": "[{id, name, data_sources}]"}]``: ids and names only, the inner list as
        JSON text.
    :raises TerminalError: unknown configuration keys, or organizations that cannot be checked.
    """
    from include.schema_sync.application.rows import fetch_organizations
    from include.schema_sync.errors import SchemaSyncError, TerminalError
    from include.schema_sync.notify.owners import mentions_by_organization
    from include.schema_sync.settings import Settings
    from schema_sync_airflow.connections import application_db

    try:
        if (message := unknown_keys_message(context["dag_run"].conf or {})) is not None:
            raise TerminalError(message)
        settings = Settings.from_environment()
        mentions_by_organization(settings.mentions)  # a slip there is told before anything is done
        with application_db(settings) as application:
            organizations = fetch_organizations(application, context["params"][ORGANIZATION_IDS])
    except SchemaSyncError as error:
        context["ti"].xcom_push(key=FETCH_ERROR, value=str(error))
        raise
    batches = into_batches(organizations, settings.max_mapped)
    log.info(
        "schema-sync fetched organizations=%d data_sources=%d batches=%d",
        len(organizations),
        sum(len(organization.data_sources) for organization in organizations),
        len(batches),
    )
    return batches


def into_batches(organizations: Sequence[Organization], most: int) -> list[dict[str, Any]]:
    """One organization a batch up to ``most`` batches, then evenly more: sizes differ by one at the most."""
    from include.schema_sync.nouns.wire import batch_to_json

    count = min(len(organizations), most)
    batches = []
    for index in range(count):
        start, end = index * len(organizations) // count, (index + 1) * len(organizations) // count
        batch = organizations[start:end]
        label = batch[0].name if len(batch) == 1 else f"{len(batch)} organizations, {batch[0].name} to {batch[-1].name}"
        batches.append(batch_to_json(label[:200], batch))
    return batches
