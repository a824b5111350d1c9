"""PostgreSQL: vault JSON → Airflow connection → PostgresHook."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra


def _from_vault(secret: Mapping[str, Any], folder: Path) -> Connection:
    extra: dict[str, Any] = _ssl(secret.get("ssl"), folder)
    if timeout_ms := secret.get("connection_timeout"):
        extra["connect_timeout"] = max(1, ceil(float(timeout_ms) / 1000))
    return Connection(
        conn_id="vault",
        conn_type="postgres",
        host=str(secret["host"]),
        port=int(secret.get("port") or 5432),
        schema=str(secret.get("database") or secret["default_database"]),
        login=str(secret["username"]),
        password=str(secret["password"]),
        extra=json.dumps(extra),
    )


def _ssl(ssl: object, folder: Path) -> dict[str, Any]:
    """The product stores TLS options as node-postgres knows them; libpq wants a mode and files.

    Source: libpq, "SSL Mode Descriptions".
    """
    if ssl is True:
        return {"sslmode": "require"}
    if not isinstance(ssl, Mapping):
        return {}
    options: dict[str, Any] = {"sslmode": "require" if ssl.get("rejectUnauthorized") is False else "verify-full"}
    for key, option in (("ca", "sslrootcert"), ("cert", "sslcert"), ("key", "sslkey")):
        if text := ssl.get(key):
            path = folder / f"{key}.pem"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(str(text))
            options[option] = str(path)
    if options["sslmode"] == "verify-full":
        options.setdefault("sslrootcert", "system")
    return options


def _open(connection: Connection, database: str | None, settings: Settings) -> Any:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    extra = {
        "connect_timeout": settings.connect_timeout_s,
        "application_name": "schema-sync",
        **connection.extra_dejson,
    }
    extra.pop("cursor", None)  # rows are read by position, whatever cursor other users of the connection like
    bounded = with_extra(connection, "postgres", extra)
    return PostgresHook(connection=bounded, database=database).get_conn()


HOOK = WarehouseHook(
    provider="apache-airflow-providers-postgres",
    from_vault=_from_vault,
    open=_open,
    own_database=lambda connection: connection.schema or None,
)
