"""DuckDB files and MotherDuck: vault JSON → Airflow connection → DuckDBHook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.errors import TerminalError
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.driver_connections import DuckDBConnection
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra

_MOTHERDUCK = "md:"
# A database is named after its file, unless the name is one of DuckDB's own.
_RESERVED_NAMES = frozenset({"main", "temp", "system"})


def _from_vault(secret: Mapping[str, Any], _folder: Path) -> Connection:
    database = str(secret.get("path") or secret["default_database"])
    token = secret.get("token")
    is_file = not token
    return Connection(
        conn_id="vault",
        conn_type="duckdb",
        host=database if is_file else None,
        schema=None if is_file else database.removeprefix(_MOTHERDUCK),
        password=None if is_file else str(token),
        extra=json.dumps({}),
    )


def _target(connection: Connection) -> str:
    """What the hook will open: a path, or ``md:database``; in the hook's own order."""
    extra = connection.extra_dejson
    if database := extra.get("database"):
        return str(database)
    if extra.get("motherduck_token") or connection.password:
        return f"{_MOTHERDUCK}{connection.schema or ''}"
    return connection.host or ""


def _own_database(connection: Connection) -> str | None:
    target = _target(connection)
    if target.startswith(_MOTHERDUCK):
        return target.removeprefix(_MOTHERDUCK).partition("?")[0] or None
    stem = Path(target).name.partition(".")[0]
    return f"{stem}_db" if stem in _RESERVED_NAMES else stem or None


def _open(connection: Connection, _database: str | None, _settings: Settings) -> Any:
    from airflow.providers.duckdb.hooks.duckdb import DuckDBHook

    target = _target(connection)
    if target in ("", ":memory:"):  # the hook would open an empty database, where everything seems missing
        raise TerminalError(
            "The DuckDB connection names no file. Give the file's path as its host, or a MotherDuck token as its "
            "password and the database as its schema."
        )
    extra = dict(connection.extra_dejson)
    if target.startswith(_MOTHERDUCK):
        # MotherDuck is an extension of DuckDB's own repository and takes no access mode.
        extra.setdefault("autoinstall_extensions", True)
    else:
        extra["read_only"] = True  # creates nothing, and neither waits for nor takes the lock of a writer
    hook = DuckDBHook()
    hook.airflow_connection = with_extra(connection, "duckdb", extra)
    return DuckDBConnection(hook.get_conn())


HOOK = WarehouseHook(
    provider="apache-airflow-providers-duckdb",
    from_vault=_from_vault,
    open=_open,
    own_database=_own_database,
)
