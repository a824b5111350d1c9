"""SQLite: vault JSON → Airflow connection → Python's own driver.

Not the provider's SqliteHook: it opens for writing, so that a file that is not there would be made, and be empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.errors import TerminalError
from include.schema_sync.settings import Settings
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook


def _from_vault(secret: Mapping[str, Any], _folder: Path) -> Connection:
    path = secret.get("path") or secret.get("database") or secret["default_database"]
    return Connection(conn_id="vault", conn_type="sqlite", host=str(path))


def _path(connection: Connection) -> Path:
    """The file, from the host, or from a URI: ``sqlite:///folder/file.db`` has it in the schema.

    :raises TerminalError: none is named.
    """
    text = connection.host or (f"/{connection.schema.lstrip('/')}" if connection.schema else "")
    if text in ("", ":memory:"):
        raise TerminalError("The SQLite connection names no file. Give the file's path as its host.")
    return Path(text)


def _own_database(connection: Connection) -> str | None:
    try:
        return _path(connection).stem
    except TerminalError:  # connecting says so
        return None


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    import sqlite3

    uri = f"{_path(connection).absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=settings.connect_timeout_s)


HOOK = WarehouseHook(
    provider="apache-airflow-providers-sqlite",
    from_vault=_from_vault,
    open=_open,
    own_database=_own_database,
)
