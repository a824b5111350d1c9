"""DuckDB files and MotherDuck: Airflow connection → DuckDBHook."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from include.schema_sync.errors import TerminalError
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.duckdb import MOTHERDUCK, DuckDBConnection, own_database
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra


def _target(connection: Connection) -> str:
    """What the hook will open: a path, or ``md:database``; in the hook's own order."""
    extra = connection.extra_dejson
    if database := extra.get("database"):
        return str(database)
    if extra.get("motherduck_token") or connection.password:
        return f"{MOTHERDUCK}{connection.schema or ''}"
    return connection.host or ""


def _open(connection: Connection, _database: str | None, _settings: Settings) -> Any:
    from airflow.providers.duckdb.hooks.duckdb import DuckDBHook

    target = _target(connection)
    if target in ("", ":memory:"):  # the hook would open an empty database, where everything seems missing
        raise TerminalError(
            "The DuckDB connection names no file. Give the file's path as its host, or a MotherDuck token as its "
            "password and the database as its schema."
        )
    extra = dict(connection.extra_dejson)
    if target.startswith(MOTHERDUCK):
        # MotherDuck is an extension of DuckDB's own repository and takes no access mode.
        extra.setdefault("autoinstall_extensions", True)
    else:
        extra["read_only"] = True  # creates nothing, and neither waits for nor takes the lock of a writer
    hook = DuckDBHook()
    hook.airflow_connection = with_extra(connection, "duckdb", extra)
    return DuckDBConnection(hook.get_conn())


HOOK = WarehouseHook(
    provider="apache-airflow-providers-duckdb",
    open=_open,
    own_database=lambda connection: own_database(_target(connection)),
)
