"""Per kind of warehouse: vault JSON → Airflow connection, and Airflow connection → open DB-API connection.

Authentication is the provider hooks' business; theirs knows IAM, key files and proxies. One entry per
dialect in ``HOOKS``; a provider's package is imported inside the function that needs it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.errors import TerminalError
from include.schema_sync.settings import Settings


@dataclass(frozen=True, slots=True)
class WarehouseHook:
    """What Airflow needs to know of one kind of warehouse.

    :ivar provider: package to install when importing the hook fails.
    :ivar from_vault: (vault JSON, folder for certificates) → Airflow connection; KeyError names a missing key.
    :ivar open: (connection, database or None, settings) → open DB-API connection.
    :ivar own_database: the database that a connection opens by itself.
    """

    provider: str
    from_vault: Callable[[Mapping[str, Any], Path], Connection]
    open: Callable[[Connection, str | None, Settings], Any]
    own_database: Callable[[Connection], str | None]


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


def _postgres_from_vault(secret: Mapping[str, Any], folder: Path) -> Connection:
    extra: dict[str, Any] = _postgres_ssl(secret.get("ssl"), folder)
    if timeout_ms := secret.get("connection_timeout"):
        extra["connect_timeout"] = max(1, ceil(float(timeout_ms) / 1000))
    return Connection(
        conn_id="vault",
        conn_type="postgres",
        host=str(secret["host"]),
        port=int(secret.get("port") or 5432),
        schema=str(secret.get("database") or secret["default_database"]),
        login=str(secret["username"]),
        password=str(secret["password"]),
        extra=json.dumps(extra),
    )


def _postgres_ssl(ssl: object, folder: Path) -> dict[str, Any]:
    """The product stores TLS options as node-postgres knows them; libpq wants a mode and files.

    Source: libpq, "SSL Mode Descriptions".
    """
    if ssl is True:
        return {"sslmode": "require"}
    if not isinstance(ssl, Mapping):
        return {}
    options: dict[str, Any] = {"sslmode": "require" if ssl.get("rejectUnauthorized") is False else "verify-full"}
    for key, option in (("ca", "sslrootcert"), ("cert", "sslcert"), ("key", "sslkey")):
        if text := ssl.get(key):
            path = folder / f"{key}.pem"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(str(text))
            options[option] = str(path)
    if options["sslmode"] == "verify-full":
        options.setdefault("sslrootcert", "system")
    return options


def _open_postgres(connection: Connection, database: str | None, settings: Settings) -> Any:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    extra = {
        "connect_timeout": settings.connect_timeout_s,
        "application_name": "schema-sync",
        **connection.extra_dejson,
    }
    extra.pop("cursor", None)  # rows are read by position, whatever cursor other users of the connection like
    bounded = Connection(
        conn_id=connection.conn_id,
        conn_type="postgres",
        host=connection.host,
        port=connection.port,
        schema=connection.schema,
        login=connection.login,
        password=connection.password,
        extra=json.dumps(extra),
    )
    return PostgresHook(connection=bounded, database=database).get_conn()


HOOKS: dict[str, WarehouseHook] = {
    "postgres": WarehouseHook(
        provider="apache-airflow-providers-postgres",
        from_vault=_postgres_from_vault,
        open=_open_postgres,
        own_database=lambda connection: connection.schema or None,
    ),
}
