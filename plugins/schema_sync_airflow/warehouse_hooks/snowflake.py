"""Snowflake: Airflow connection → SnowflakeHook."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.snowflake import limits, token_options
from schema_sync_airflow.warehouse_hooks import WarehouseHook, with_extra


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    extra, bounds = dict(connection.extra_dejson), limits(settings)
    extra["session_parameters"] = {**bounds.pop("session_parameters"), **(extra.get("session_parameters") or {})}
    bounded = with_extra(connection, "snowflake", extra)
    is_token = str(extra.get("authenticator", "")).lower() == "programmatic_access_token"

    class Hook(SnowflakeHook):  # type: ignore[misc, unused-ignore]  # Any where the provider is not installed
        """Takes the connection it is given (the provider's looks its id up), and does not try for ever."""

        @classmethod
        def get_connection(cls, _conn_id: str) -> Connection:
            return bounded

        def _get_conn_params(self) -> dict[str, Any]:
            given = super()._get_conn_params()
            # Older providers do not hand a programmatic access token over.
            token = token_options(str(extra.get("token") or given.pop("password", ""))) if is_token else {}
            return {**bounds, **given, **token}

    return Hook(snowflake_conn_id=connection.conn_id).get_conn()


def _own_database(connection: Connection) -> str | None:
    extra = connection.extra_dejson
    return extra.get("database") or extra.get("extra__snowflake__database") or None


HOOK = WarehouseHook("snowflake", "airflow.providers.snowflake.hooks.snowflake", _open, _own_database)
