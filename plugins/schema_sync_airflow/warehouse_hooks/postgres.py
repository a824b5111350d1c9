"""PostgreSQL: Airflow connection → PostgresHook."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.postgres import limits
from schema_sync_airflow.warehouse_hooks import WarehouseHook, with_extra


def _open(connection: Connection, database: str | None, settings: Settings) -> Any:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    extra = {**limits(settings), **connection.extra_dejson}
    extra.pop("cursor", None)  # rows are read by position, whatever cursor other users of the connection like
    bounded = with_extra(connection, "postgres", extra)
    return PostgresHook(connection=bounded, database=database).get_conn()


HOOK = WarehouseHook("postgres", "airflow.providers.postgres.hooks.postgres", _open)
