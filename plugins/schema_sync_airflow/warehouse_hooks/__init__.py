"""Airflow connection → open DB-API connection, by the provider's own hook: it knows IAM, key files and proxies.

One file per engine, found by the engine's name; a provider's package is imported inside the function that needs it.
Vault secrets and connection URIs need no provider: they are signed in by the engine's own file in ``warehouses``.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from include.schema_sync.errors import TerminalError
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook as WarehouseHook


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
