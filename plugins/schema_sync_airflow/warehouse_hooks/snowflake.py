"""Snowflake: vault JSON → Airflow connection → SnowflakeHook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra


def _from_vault(secret: Mapping[str, Any], _folder: Path) -> Connection:
    extra = {
        "account": str(secret["account_id"]),
        "warehouse": str(secret["warehouse_id"]),
        "database": str(secret["default_database"]),
    }
    if role := secret.get("role"):
        extra["role"] = str(role)
    return Connection(
        conn_id="vault",
        conn_type="snowflake",
        schema=str(secret.get("default_schema") or ""),
        login=str(secret["username"]),
        password=str(secret["password"]),
        extra=json.dumps(extra),
    )


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    # A session's parameters rather than statements: they come with the login, without a round trip.
    # https://docs.snowflake.com/en/sql-reference/parameters
    extra = dict(connection.extra_dejson)
    extra["session_parameters"] = {
        "QUERY_TAG": "schema-sync",
        "STATEMENT_TIMEOUT_IN_SECONDS": settings.statement_timeout_s,
        **(extra.get("session_parameters") or {}),
    }
    bounded = with_extra(connection, "snowflake", extra)

    class Hook(SnowflakeHook):  # type: ignore[misc, unused-ignore]  # Any where the provider is not installed
        """Takes the connection it is given (the provider's looks its id up), and does not try for ever."""

        @classmethod
        def get_connection(cls, _conn_id: str) -> Connection:
            return bounded

        def _get_conn_params(self) -> dict[str, Any]:
            # Otherwise the connector tries to log in for minutes, and repeats a lost request without end.
            return {
                "login_timeout": settings.connect_timeout_s,
                "network_timeout": settings.connect_timeout_s,
                **super()._get_conn_params(),
            }

    return Hook(snowflake_conn_id=connection.conn_id).get_conn()


def _own_database(connection: Connection) -> str | None:
    extra = connection.extra_dejson
    return extra.get("database") or extra.get("extra__snowflake__database") or None


HOOK = WarehouseHook(
    provider="apache-airflow-providers-snowflake",
    from_vault=_from_vault,
    open=_open,
    own_database=_own_database,
)
