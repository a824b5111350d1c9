"""Redshift: Airflow connection → RedshiftSQLHook, or Amazon's driver where the connection holds its own IAM keys."""

from __future__ import annotations

import inspect
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.redshift import connected, limits
from schema_sync_airflow.warehouse_hooks import WarehouseHook, with_extra


def _open(connection: Connection, database: str | None, settings: Settings) -> Any:
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

    extra = {**limits(settings), **connection.extra_dejson}
    bounded = with_extra(connection, "redshift", extra, schema=database or connection.schema)

    class Hook(RedshiftSQLHook):  # type: ignore[misc, unused-ignore]  # Any where the provider is not installed
        """Takes the connection it is given (the provider's looks its id up). With IAM keys among the extras the driver
        asks AWS itself; the provider would ask with another Airflow connection."""

        @classmethod
        def get_connection(cls, _conn_id: str) -> Connection:
            return bounded

        def _get_conn_params(self) -> dict[str, Any]:
            if "access_key_id" not in extra:
                return dict(super()._get_conn_params())
            own = {"host": bounded.host, "port": bounded.port, "database": bounded.schema, "db_user": bounded.login}
            return {key: value for key, value in own.items() if value}

    # Unwrapped, because the provider tries five times in a row: here Airflow decides what is tried again.
    return connected(inspect.unwrap(RedshiftSQLHook.get_conn)(Hook(redshift_conn_id=connection.conn_id)), settings)


HOOK = WarehouseHook("amazon", "airflow.providers.amazon.aws.hooks.redshift_sql", _open)
