"""What a dialect is: documented facts about one warehouse, and the SQL that asks for columns.

A dialect touches no connection. ``introspection.py`` executes what a dialect builds and parses the rows;
callers never branch on a warehouse's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from include.schema_sync.models import GroupRequest
from include.schema_sync.names import NameCase as NameCase


class Failure(StrEnum):
    """What a driver's error means for us."""

    MISSING_DATABASE = "missing_database"
    TERMINAL = "terminal"
    TRANSIENT = "transient"


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and its bound parameters, in the driver's own placeholder style."""

    sql: str
    parameters: dict[str, object] | tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Facts about one warehouse.

    :ivar name: the canonical ``data_sources.type``; ``aliases`` are further words for it.
    :ivar sqlglot: the name of sqlglot's dialect for this engine.
    :ivar table_case, column_case: how unquoted names resolve.
    :ivar max_name_bytes: longer names are cut by the engine (None: never).
    :ivar pseudo_columns: names that can be selected from a table though no catalogue lists them.
    :ivar reconnects_per_database: True where one connection sees one database only.
    :ivar columns_query: (request) → one statement that yields rows
        ``(schema, table, kind, table_readable, column, type, base_type, column_readable)``, ordered by table and
        by the columns' order in it; ``kind`` in words. Requested tables are found whatever their letter case.
        A table without columns yields one row with ``column`` NULL. A schema that is there without any requested
        table yields at least one row with ``table`` NULL; no row means: no such schema.
        A row with ``table`` but ``table_readable`` NULL is a neighbour: another relation of the schema, worth
        returning only when a requested one is absent (it may be the same under a new name).
    :ivar session_statements: run in this order at the start of every transaction (a fresh connection, or after a
        rollback), ``{timeout_ms}`` filled in (an integer of ours).
    :ivar classify: (SQLSTATE or code, or None; error text) → Failure.
    """

    name: str
    label: str
    aliases: tuple[str, ...]
    sqlglot: str
    table_case: NameCase
    column_case: NameCase
    columns_query: Callable[[GroupRequest], Query]
    classify: Callable[[str | None, str], Failure]
    reconnects_per_database: bool = False
    max_name_bytes: int | None = None
    session_statements: tuple[str, ...] = ()
    pseudo_columns: frozenset[str] = field(default_factory=frozenset)
