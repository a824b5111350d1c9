"""Airflow connection → open DB-API connection, by the provider's own hook: it knows IAM, key files and proxies.

One file per engine, found by the engine's name; a provider's package is imported inside the function that needs it.
Vault secrets and connection URIs need no provider: they are signed in by the engine's own file in ``warehouses``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from airflow.sdk import Connection

from include.schema_sync.errors import TerminalError
from include.schema_sync.settings import Settings


@dataclass(frozen=True, slots=True)
class WarehouseHook:
    """What Airflow needs to know of one kind of warehouse.

    :ivar provider: its name without ``apache-airflow-providers-``: what to install when importing it fails.
    :ivar module: what ``open`` imports; a first import may take longer than connecting may, so it comes before.
    :ivar open: (connection, database or None, settings) → open DB-API connection; a database is given only for
        dialects that reconnect per database.
    :ivar own_database: the database that a connection opens by itself, or None where it cannot be told.
    """

    provider: str
    module: str
    open: Callable[[Connection, str | None, Settings], Any]
    own_database: Callable[[Connection], str | None] = lambda connection: connection.schema or None


def warehouse_hook(dialect_name: str) -> WarehouseHook:
    """:raises TerminalError: Airflow has no way to connect to this kind of warehouse here."""
    name = f"{__name__}.{dialect_name}"
    try:
        return cast("WarehouseHook", import_module(name).HOOK)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
    raise TerminalError(
        f"No Airflow hook is known for {dialect_name}. Store the credentials in the vault, or add warehouse_hooks/"
        f"{dialect_name}.py as include/schema_sync/warehouses/README.md says."
    )


def with_extra(connection: Connection, conn_type: str, extra: Mapping[str, Any], **changes: Any) -> Connection:
    """The same connection with other extras, where hooks read their options, and with other fields."""
    changed = copy(connection)
    for name, value in {"conn_type": conn_type, "extra": json.dumps(extra), **changes}.items():
        setattr(changed, name, value)
    return changed
