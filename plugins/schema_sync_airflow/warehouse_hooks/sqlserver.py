"""SQL Server: vault JSON → Airflow connection → MsSqlHook (pymssql)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.driver_connections import SqlServerConnection, sql_server_errors
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra


def _from_vault(secret: Mapping[str, Any], _folder: Path) -> Connection:
    """``trust_server_certificate`` changes nothing: FreeTDS checks certificates only where its own file freetds.conf
    names an authority, so there is nothing to switch off here, and nothing that a driver option could switch on."""
    server, instance, domain = str(secret["server"]), secret.get("instance"), secret.get("domain")
    username = str(secret["username"])
    extra: dict[str, Any] = {}
    encrypt = secret.get("encrypt")
    if encrypt is not None:
        # Without `encrypt` the product's driver still encrypts the login, which FreeTDS calls "request".
        extra["encryption"] = "require" if encrypt not in (False, "false", "no", "optional") else "request"
    return Connection(
        conn_id="vault",
        conn_type="mssql",
        # An instance is found by asking the server's browser service; a port says where it is, so it comes first.
        host=f"{server}\\{instance}" if instance and not secret.get("port") else server,
        port=int(secret.get("port") or 1433),
        schema=str(secret["database"]),
        login=f"{domain}\\{username}" if domain else username,
        password=str(secret["password"]),
        extra=json.dumps(extra),
    )


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

    extra = {
        "login_timeout": settings.connect_timeout_s,
        "timeout": settings.statement_timeout_s,
        "appname": "schema-sync",
        **connection.extra_dejson,
    }
    extra.pop("as_dict", None)  # rows are read by position, whatever other users of the connection like
    bounded = with_extra(connection, "mssql", extra)
    bounded.port = connection.port or 1433  # the hook would pass the word None
    with sql_server_errors():
        raw = MsSqlHook(connection=bounded).get_conn()
        raw.autocommit(True)  # only catalogues are read: no transaction to hold locks
    return SqlServerConnection(raw)


HOOK = WarehouseHook(
    provider="apache-airflow-providers-microsoft-mssql",
    from_vault=_from_vault,
    open=_open,
    own_database=lambda connection: connection.schema or None,
)
