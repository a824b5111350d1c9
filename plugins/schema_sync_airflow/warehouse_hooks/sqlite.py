"""SQLite: Airflow connection → Python's own driver.

Not the provider's SqliteHook: it opens for writing, so that a file that is not there would be made, and be empty.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.errors import TerminalError
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.sqlite import SQLITE, sign_in
from schema_sync_airflow.warehouse_hooks import WarehouseHook


def _path(connection: Connection) -> str:
    """The file, from the host, or from a URI: ``sqlite:///folder/file.db`` has it in the schema."""
    return connection.host or (f"/{connection.schema.lstrip('/')}" if connection.schema else "")


def _open(connection: Connection, database: str | None, settings: Settings) -> Any:
    path = _path(connection)
    if path in ("", ":memory:"):
        raise TerminalError("The SQLite connection names no file. Give the file's path as its host.")
    return SQLITE.driver.open(sign_in(Path(path)), database, settings)


HOOK = WarehouseHook("sqlite", "sqlite3", _open, lambda connection: Path(_path(connection)).stem or None)
