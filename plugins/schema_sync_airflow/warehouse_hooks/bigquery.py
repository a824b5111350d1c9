"""BigQuery: Airflow connection → BigQueryHook → the client's own DB-API connection."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.bigquery import LocatedConnection, service_account_key
from schema_sync_airflow.warehouse_hooks import WarehouseHook, with_extra


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

    given = with_extra(connection, "google_cloud_platform", connection.extra_dejson)
    # The hook looks its Airflow connection up by id while it is made; one that was made here has none.
    hook_class = type("GivenConnectionHook", (BigQueryHook,), {"get_connection": staticmethod(lambda _conn_id: given)})
    hook = hook_class(use_legacy_sql=False)
    return LocatedConnection(
        lambda location: hook.get_client(project_id=hook.project_id, location=location), hook.location or None, settings
    )


def _own_database(connection: Connection) -> str | None:
    """The project that is named in the connection, or in its key; the machine's own cannot be told from here."""
    extra = connection.extra_dejson
    named = extra.get("project") or extra.get("extra__google_cloud_platform__project")
    key = extra.get("keyfile_dict") or extra.get("extra__google_cloud_platform__keyfile_dict")
    if named or not key:
        return str(named) if named else None
    project = service_account_key(key).get("project_id")  # opening the connection will say what is wrong with it
    return str(project) if project else None


HOOK = WarehouseHook("google", "airflow.providers.google.cloud.hooks.bigquery", _open, _own_database)
