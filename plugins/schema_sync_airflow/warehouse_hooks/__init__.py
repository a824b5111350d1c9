"""Per kind of warehouse: vault JSON → Airflow connection, and Airflow connection → open DB-API connection.

Authentication is the provider hooks' business; theirs knows IAM, key files and proxies. One file per dialect,
listed here by hand; a provider's package is imported inside the function that needs it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.schema_sync.errors import TerminalError
from schema_sync_airflow.warehouse_hooks import (
    bigquery,
    databricks,
    duckdb,
    mysql,
    postgres,
    redshift,
    snowflake,
    sqlite,
    sqlserver,
)
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook as WarehouseHook

HOOKS: dict[str, WarehouseHook] = {
    "postgres": postgres.HOOK,
    "redshift": redshift.HOOK,
    "snowflake": snowflake.HOOK,
    "bigquery": bigquery.HOOK,
    "databricks": databricks.HOOK,
    "mysql": mysql.HOOK,
    "sqlserver": sqlserver.HOOK,
    "duckdb": duckdb.HOOK,
    "sqlite": sqlite.HOOK,
}


def warehouse_hook(dialect_name: str) -> WarehouseHook:
    """:raises TerminalError: Airflow has no way to connect to this kind of warehouse here."""
    try:
        return HOOKS[dialect_name]
    except KeyError:
        raise TerminalError(
            f"No Airflow hook is known for {dialect_name}; known are: {', '.join(sorted(HOOKS))}."
        ) from None


@contextmanager
def certificate_folder() -> Iterator[Path]:
    """A private folder for certificates that a driver wants to read from files."""
    with tempfile.TemporaryDirectory(prefix="schema-sync-") as folder:
        yield Path(folder)
