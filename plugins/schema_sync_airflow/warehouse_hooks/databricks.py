"""Databricks: Airflow connection → DatabricksSqlHook.

The connection type's own hook is DatabricksHook (jobs), so the SQL one is made directly. It knows OAuth by itself:
the extra ``service_principal_oauth`` with the client's id and secret as login and password.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.databricks import DatabricksConnection, limits
from schema_sync_airflow.warehouse_hooks import WarehouseHook, with_extra


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.databricks.hooks.databricks_sql import DatabricksSqlHook

    own, bounds = connection.extra_dejson, limits(settings)
    session = {**bounds.pop("session_configuration"), **(own.get("session_configuration") or {})}
    hook = DatabricksSqlHook()
    # Given, or it would look one up by id.
    hook.databricks_conn = with_extra(connection, "databricks", {**bounds, **own, "session_configuration": session})
    return DatabricksConnection(hook.get_conn())


HOOK = WarehouseHook(
    "databricks",
    "airflow.providers.databricks.hooks.databricks_sql",
    _open,
    lambda connection: connection.extra_dejson.get("catalog") or None,
)
