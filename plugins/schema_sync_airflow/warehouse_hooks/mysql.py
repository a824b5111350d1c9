"""MySQL and MariaDB: vault JSON → Airflow connection → MySqlHook."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra

# Oracle's own driver, because it is a plain wheel: the hook's default wants a C compiler and MySQL's headers.
_DRIVER = "mysql-connector-python"


def _from_vault(secret: Mapping[str, Any], folder: Path) -> Connection:
    extra: dict[str, Any] = {"client": _DRIVER, **_ssl(secret.get("ssl"), folder)}
    if charset := secret.get("charset"):
        extra["charset"] = str(charset)
    return Connection(
        conn_id="vault",
        conn_type="mysql",
        host=str(secret["host"]),
        port=int(secret.get("port") or 3306),
        schema=str(secret["database"]),
        login=str(secret["username"]),
        password=str(secret["password"]),
        extra=json.dumps(extra),
    )


def _ssl(ssl: object, folder: Path) -> dict[str, Any]:
    """The product stores TLS options as Node's drivers know them; the connector wants files.

    Without any option the connector encrypts where the server can, and verifies nothing.
    Source: MySQL Connector/Python, "Connector/Python Connection Arguments".
    """
    if not isinstance(ssl, Mapping):
        return {}
    options: dict[str, Any] = {}
    for key in ("ca", "cert", "key"):
        if text := ssl.get(key):
            path = folder / f"{key}.pem"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(str(text))
            options[f"ssl_{key}"] = str(path)
    if ssl.get("rejectUnauthorized") is not False:
        options.setdefault("ssl_ca", _system_certificates())
        options.update(ssl_verify_cert=True, ssl_verify_identity=True)
    return options


def _system_certificates() -> str | None:
    import ssl

    return ssl.get_default_verify_paths().cafile


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.mysql.hooks.mysql import MySqlHook

    connect_s = settings.connect_timeout_s
    # A little longer than the server's own limit, which comes with a better message.
    read_s = settings.statement_timeout_s + 5

    class BoundedHook(MySqlHook):
        """The provider hands over no timeouts, and the drivers' own is to wait for ever."""

        def _get_conn_config_mysql_connector_python(self, conn: Any) -> dict[str, Any]:
            config: dict[str, Any] = super()._get_conn_config_mysql_connector_python(conn)
            return {"connection_timeout": connect_s, "read_timeout": read_s, "write_timeout": read_s, **config}

        def _get_conn_config_mysql_client(self, conn: Any) -> dict[str, Any]:
            config: dict[str, Any] = super()._get_conn_config_mysql_client(conn)
            return {"connect_timeout": connect_s, "read_timeout": read_s, "write_timeout": read_s, **config}

    extra = {"client": _DRIVER, "charset": "utf8mb4", **connection.extra_dejson}
    extra.pop("cursor", None)  # rows are read by position, whatever cursor other users of the connection like
    bounded = with_extra(connection, "mysql", extra)
    # No database is opened: names are qualified, and one that is gone must not take the others with it.
    bounded.schema = None
    return BoundedHook(connection=bounded).get_conn()


HOOK = WarehouseHook(
    provider="apache-airflow-providers-mysql",
    from_vault=_from_vault,
    open=_open,
    own_database=lambda connection: connection.schema or None,
)
