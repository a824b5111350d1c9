"""MySQL and MariaDB: Airflow connection → MySqlHook."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.mysql import limits
from schema_sync_airflow.warehouse_hooks import WarehouseHook, with_extra


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.mysql.hooks.mysql import MySqlHook

    bounds = limits(settings)

    class BoundedHook(MySqlHook):
        """The provider hands over no timeouts, and the drivers' own is to wait for ever."""

        def _get_conn_config_mysql_connector_python(self, conn: Any) -> dict[str, Any]:
            return {**bounds, **super()._get_conn_config_mysql_connector_python(conn)}

        def _get_conn_config_mysql_client(self, conn: Any) -> dict[str, Any]:
            own = {key.replace("connection_timeout", "connect_timeout"): bounds[key] for key in bounds}
            return {**own, **super()._get_conn_config_mysql_client(conn)}

    # Oracle's own driver, because it is a plain wheel: the hook's default wants a C compiler and MySQL's headers.
    extra = {"client": "mysql-connector-python", **connection.extra_dejson}
    extra.pop("cursor", None)  # rows are read by position, whatever cursor other users of the connection like
    # No database is opened: names are qualified, and one that is gone must not take the others with it.
    return BoundedHook(connection=with_extra(connection, "mysql", extra, schema=None)).get_conn()


HOOK = WarehouseHook("mysql", "airflow.providers.mysql.hooks.mysql", _open)
