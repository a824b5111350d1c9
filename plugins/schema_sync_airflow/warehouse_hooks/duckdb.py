"""DuckDB files and MotherDuck: Airflow connection → DuckDBHook."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from include.schema_sync.errors import TerminalError
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.duckdb import DUCKDB, MOTHERDUCK, DuckDBConnection, own_database, sign_in
from schema_sync_airflow.warehouse_hooks import WarehouseHook, with_extra


def _target(connection: Connection) -> str:
    """What the hook will open: a path, or ``md:database``; in the hook's own order."""
    extra = connection.extra_dejson
    if database := extra.get("database"):
        return str(database)
    if extra.get("motherduck_token") or connection.password:
        return f"{MOTHERDUCK}{connection.schema or ''}"
    return connection.host or ""


def _open(connection: Connection, database: str | None, settings: Settings) -> Any:
    target = _target(connection)
    if target in ("", ":memory:"):  # an empty database, where everything seems missing
        raise TerminalError(
            "The DuckDB connection names no file. Give the file's path as its host, or a MotherDuck token as its "
            "password and the database as its schema."
        )
    if not target.startswith(MOTHERDUCK):
        return DUCKDB.driver.open(sign_in(target, None), database, settings)
    from airflow.providers.duckdb.hooks.duckdb import DuckDBHook

    hook = DuckDBHook()
    # MotherDuck is an extension of DuckDB's own repository and takes no access mode.
    own = {"autoinstall_extensions": True, **connection.extra_dejson}
    hook.airflow_connection = with_extra(connection, "duckdb", own)
    return DuckDBConnection(hook.get_conn())


HOOK = WarehouseHook("duckdb", "duckdb", _open, lambda connection: own_database(_target(connection)))
