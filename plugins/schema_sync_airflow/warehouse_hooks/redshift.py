"""Redshift: vault JSON → Airflow connection → RedshiftSQLHook."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook


def _from_vault(secret: Mapping[str, Any], _folder: Path) -> Connection:
    extra: dict[str, Any] = _ssl(secret.get("ssl"))
    if timeout_ms := secret.get("connection_timeout"):
        extra["timeout"] = max(1, ceil(float(timeout_ms) / 1000))
    return Connection(
        conn_id="vault",
        conn_type="redshift",
        host=str(secret["host"]),
        port=int(secret.get("port") or 5439),
        schema=str(secret.get("database") or secret["default_database"]),
        login=str(secret["username"]),
        password=str(secret["password"]),
        extra=json.dumps(extra),
    )


def _ssl(ssl: object) -> dict[str, Any]:
    """The product stores TLS options as node-postgres knows them; the driver encrypts unless it is told not to.

    It trusts Amazon's and the system's authorities and takes no certificates of ours. The least that it verifies is
    the authority. Source: amazon-redshift-python-driver, "Connection Parameters".
    """
    if isinstance(ssl, Mapping):
        return {"ssl": True, "sslmode": "verify-ca" if ssl.get("rejectUnauthorized") is False else "verify-full"}
    return {"ssl": False} if ssl is False else {}


def _open(connection: Connection, database: str | None, settings: Settings) -> Any:
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

    extra = {"timeout": settings.connect_timeout_s, "application_name": "schema-sync", **connection.extra_dejson}
    bounded = Connection(
        conn_id=connection.conn_id,
        conn_type="redshift",
        host=connection.host,
        port=connection.port,
        schema=database or connection.schema,
        login=connection.login,
        password=connection.password,
        extra=json.dumps(extra),
    )

    class Hook(RedshiftSQLHook):  # type: ignore[misc, unused-ignore]  # Any where the provider is not installed
        """Takes the connection it is given; the provider's looks its id up."""

        @classmethod
        def get_connection(cls, _conn_id: str) -> Connection:
            return bounded

    # Unwrapped, because the provider tries five times in a row: here Airflow decides what is tried again.
    opened = inspect.unwrap(RedshiftSQLHook.get_conn)(Hook(redshift_conn_id=connection.conn_id))
    # The driver has one timeout for everything. From here on it is a statement's, a little longer than the server's
    # own, which comes with a better message.
    opened._usock.settimeout(settings.statement_timeout_s + 5)
    return opened


HOOK = WarehouseHook(
    provider="apache-airflow-providers-amazon",
    from_vault=_from_vault,
    open=_open,
    own_database=lambda connection: connection.schema or None,
)
