"""Databricks: vault JSON → Airflow connection → DatabricksSqlHook.

The connection type's own hook is DatabricksHook (jobs), so the SQL one is made directly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.driver_connections import AutocommitConnection
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra


def _from_vault(secret: Mapping[str, Any], _folder: Path) -> Connection:
    extra = {
        "http_path": str(secret.get("http_path") or f"/sql/1.0/warehouses/{secret['warehouse_id']}"),
        "catalog": secret.get("default_catalog"),
        "schema": secret.get("default_schema"),
    }
    return Connection(
        conn_id="vault",
        conn_type="databricks",
        host=str(secret["host"]),
        password=str(secret.get("access_token") or secret["api_key"]),
        extra=json.dumps({key: value for key, value in extra.items() if value}),
    )


class _Connection(AutocommitConnection):
    @property
    def closed(self) -> bool:
        return not self.raw.open


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.databricks.hooks.databricks_sql import DatabricksSqlHook

    own = connection.extra_dejson
    extra = {
        # The driver would try for 15 minutes. A stopped warehouse starts when it is connected to, so connecting gets
        # the time of a statement.
        "_socket_timeout": settings.statement_timeout_s,
        "_retry_stop_after_attempts_duration": settings.statement_timeout_s,
        # Rows of a catalogue are small; downloading them from cloud storage would need a way through firewalls.
        "use_cloud_fetch": False,
        "enable_telemetry": False,
        **own,
        "session_configuration": {
            "STATEMENT_TIMEOUT": str(settings.statement_timeout_s),
            **(own.get("session_configuration") or {}),
        },
    }
    hook = DatabricksSqlHook()
    hook.databricks_conn = with_extra(connection, "databricks", extra)  # or it would look one up by id
    return _Connection(hook.get_conn())


HOOK = WarehouseHook(
    provider="apache-airflow-providers-databricks",
    from_vault=_from_vault,
    open=_open,
    own_database=lambda connection: connection.extra_dejson.get("catalog") or None,
)
