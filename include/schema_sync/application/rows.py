"""All SQL on the product's five tables and on its vault, on connections given by the caller.

Columns are always named: production has more of them than the contract lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ..errors import TerminalError, TransientError
from ..nouns.dataset import Dataset, DataSource, Organization
from ..text import one_line, visible

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

# One row per usable data source; an organization without one is not active and does not appear.
_ACTIVE_ORGANIZATIONS = """
SELECT o.id::text, o.name, s.id::text, s.name, s.type
  FROM organizations o
  JOIN data_sources s ON s.organization_id = o.id
 WHERE o.deleted_at IS NULL
   AND s.deleted_at IS NULL
   AND s.onboarding_status = 'completed'
   AND (%(ids)s::uuid[] IS NULL OR o.id = ANY (%(ids)s::uuid[]))
 ORDER BY o.name, o.id, s.name, s.id
"""

# Only asked when somebody named an organization that is not active: why is it not?
_WHY_NOT_ACTIVE = """
SELECT o.id::text, o.name,
       CASE WHEN o.deleted_at IS NOT NULL THEN 'deleted'
            WHEN count(s.id) = 0 THEN 'has no data source'
            ELSE format('no data source has finished onboarding (state: %%s)',
                        string_agg(DISTINCT s.onboarding_status::text, ', '))
       END
  FROM organizations o
  LEFT JOIN data_sources s ON s.organization_id = o.id AND s.deleted_at IS NULL
 WHERE o.id = ANY (%(ids)s::uuid[])
 GROUP BY o.id, o.name, o.deleted_at
"""

_DATASETS_TO_CHECK = """
SELECT d.id::text, d.name, d.organization_id::text, d.data_source_id::text,
       nullif(d.database_identifier, ''), d.schema, d.yml_file
  FROM datasets d
  JOIN data_sources s ON s.id = d.data_source_id AND s.organization_id = d.organization_id
 WHERE d.organization_id = ANY (%(ids)s::uuid[])
   AND d.yml_file IS NOT NULL
   AND d.enabled
   AND d.deleted_at IS NULL
   AND s.deleted_at IS NULL
   AND s.onboarding_status = 'completed'
 ORDER BY d.organization_id, d.data_source_id, d.name, d.id
"""

# Where an organization has several, one with a channel wins; the id makes the choice stable.
_SLACK_INTEGRATIONS = """
SELECT DISTINCT ON (i.organization_id)
       i.id::text, i.organization_id::text, nullif(i.token_vault_key, ''),
       nullif(i.default_channel ->> 'id', ''), nullif(i.default_channel ->> 'name', ''), i.default_channel -> 'mentions'
  FROM slack_integrations i
 WHERE i.organization_id = ANY (%(ids)s::uuid[])
   AND i.status = 'active'
   AND i.deleted_at IS NULL
 ORDER BY i.organization_id, (coalesce(i.default_channel ->> 'id', '') = ''), i.id
"""

_FROM_VAULT = "SELECT name, decrypted_secret FROM vault.decrypted_secrets WHERE name = ANY (%(names)s)"
_VAULT_EXISTS = "SELECT to_regclass('vault.decrypted_secrets') IS NOT NULL"


@dataclass(frozen=True, slots=True)
class SlackIntegration:
    """:ivar channel_id: None: no default channel was chosen. :ivar mentions: whom new problems call, as stored."""

    id: str
    organization_id: str
    token_vault_key: str | None
    channel_id: str | None
    channel_name: str | None
    mentions: object = None


def fetch_organizations(connection: Connection, organization_ids: Sequence[str] | None) -> list[Organization]:
    """Read the active organizations with their usable data sources, sorted by name.

    :raises TerminalError: an id is unknown or not active; the message lists each such id and why.
    """
    ids = None if organization_ids is None else list(dict.fromkeys(name.lower() for name in organization_ids))
    active = _active_organizations(connection, ids)
    if ids is not None and (absent := [name for name in ids if name not in active]):
        raise TerminalError(_explain_absence(connection, absent))
    return list(active.values())


def organizations_of_batch(connection: Connection, ids: Sequence[str]) -> list[Organization]:
    """Of a batch, in its order; one that is not active any more has no name and no data source."""
    active = _active_organizations(connection, ids)
    return [active.get(id_) or Organization(id_, id_, ()) for id_ in ids]


def _active_organizations(connection: Connection, ids: Sequence[str] | None) -> dict[str, Organization]:
    with application_errors("read the active organizations"):
        rows = connection.execute(_ACTIVE_ORGANIZATIONS, {"ids": None if ids is None else list(ids)}).fetchall()
    return {
        id_: Organization(id_, name, tuple(DataSource(*row[2:]) for row in own))
        for (id_, name), own in groupby(rows, itemgetter(0, 1))
    }


def fetch_datasets(connection: Connection, organization_ids: Sequence[str]) -> dict[str, list[Dataset]]:
    """{organization id: its datasets to check, YML included}, in one statement."""
    datasets: dict[str, list[Dataset]] = {name: [] for name in organization_ids}
    with application_errors("read the datasets"):
        rows = connection.execute(_DATASETS_TO_CHECK, {"ids": list(organization_ids)}).fetchall()
    for row in rows:
        dataset = Dataset(*row)
        datasets[dataset.organization_id].append(dataset)
    return datasets


def fetch_slack_integrations(connection: Connection, organization_ids: Sequence[str]) -> dict[str, SlackIntegration]:
    """Read each organization's active Slack integration; one without is absent from the result."""
    with application_errors("read the Slack integrations"):
        rows = connection.execute(_SLACK_INTEGRATIONS, {"ids": list(organization_ids)}).fetchall()
    integrations = [SlackIntegration(*row) for row in rows]
    return {each.organization_id: each for each in integrations}


def vault_secrets(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Read secrets from the product's vault: those that are there; none without a vault."""
    with application_errors("read the vault"):
        exists = connection.execute(_VAULT_EXISTS).fetchone()
        if exists is None or not exists[0]:
            return {}
        rows = connection.execute(_FROM_VAULT, {"names": list(names)}).fetchall()
    return {name: secret for name, secret in rows if secret is not None}


@contextmanager
def application_errors(what: str) -> Iterator[None]:
    """Turn a driver's error into one of ours.

    :raises TransientError: connection refused or lost, timeout, server shutting down.
    :raises TerminalError: table or column absent, permission refused.
    """
    import psycopg

    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise TransientError(
            f"The application database did not let Schema Sync {what}: {one_line(str(error))}. "
            "Check the Airflow connection `app_db`."
        ) from None
    except psycopg.Error as error:
        raise TerminalError(
            f"The application database refused to let Schema Sync {what}: {one_line(str(error))}. "
            "Compare the tables with include/sql/application_tables.sql and the grants of the role in `app_db`."
        ) from None


@contextmanager
def transactions(connection: Connection) -> Iterator[None]:
    """Leave autocommit mode for a while: what runs inside commits by itself, or is rolled back."""
    with application_errors("begin a transaction"):
        connection.autocommit = False
    try:
        yield
    finally:
        if not connection.broken:
            connection.rollback()
            connection.autocommit = True


def _explain_absence(connection: Connection, ids: Sequence[str]) -> str:
    with application_errors("look up organizations"):
        rows = connection.execute(_WHY_NOT_ACTIVE, {"ids": list(ids)}).fetchall()
    known = {id_: f"{id_} ({visible(name)}): {reason}" for id_, name, reason in rows}
    reasons = [known.get(id_, f"{id_}: unknown, no organization has this id") for id_ in ids]
    return (
        "These organizations cannot be checked:\n  "
        + "\n  ".join(reasons)
        + "\nCorrect organization_ids, or leave it empty to check every active organization."
    )
