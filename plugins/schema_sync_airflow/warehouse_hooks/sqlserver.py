"""SQL Server: Airflow connection → MsSqlHook (pymssql), or mssql-python where the extras name an Entra tenant."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.sqlserver import connection as driver
from schema_sync_airflow.warehouse_hooks import WarehouseHook, with_extra


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    extra = {**driver.limits(settings), **connection.extra_dejson}
    port = connection.port or 1433  # the hook would pass the word None
    if extra.get("tenant_id"):
        place = {"server": connection.host, "port": port, "database": connection.schema or ""}
        who = {"client_id": connection.login, "client_secret": connection.password}
        return driver.connect_service_principal({**extra, **place, **who})
    from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

    extra.pop("as_dict", None)  # rows are read by position, whatever other users of the connection like
    with driver.sql_server_errors():
        raw = MsSqlHook(connection=with_extra(connection, "mssql", extra, port=port)).get_conn()
        raw.autocommit(True)  # only catalogues are read: no transaction to hold locks
    return driver.SqlServerConnection(raw)


HOOK = WarehouseHook("microsoft-mssql", "airflow.providers.microsoft.mssql.hooks.mssql", _open)
