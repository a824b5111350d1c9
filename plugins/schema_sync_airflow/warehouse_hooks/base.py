"""What Airflow needs to know of one kind of warehouse, and what several kinds share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk import Connection

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


def with_extra(connection: Connection, conn_type: str, extra: Mapping[str, Any]) -> Connection:
    """The same connection with other extras: hooks read their options from there."""
    return Connection(
        conn_id=connection.conn_id,
        conn_type=conn_type,
        host=connection.host,
        port=connection.port,
        schema=connection.schema,
        login=connection.login,
        password=connection.password,
        extra=json.dumps(extra),
    )
