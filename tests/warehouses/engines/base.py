"""What an engine row is. ``test_scenarios.py`` runs the same scenario on every row of ``ENGINES``.

To plug an engine in: write ``engines/<name>.py`` with one ``ENGINE = Engine(…)``, and list it in
``engines/__init__.py``. A row says four things:

- ``missing``: why the engine cannot run on this machine (then its tests skip with that reason), or None;
- ``running``: a context manager that starts a private server and yields a :class:`Server`; it stops on every exit path;
- ``words`` and ``types``: how the engine spells the scenario's columns, and at least 40 of its own types, each with
  what a YML would say of it and no discrepancy to be found;
- ``lacks`` and ``expected``: what the engine or its emulator cannot do, each with its reason, and what it therefore
  reports otherwise.

A dialect without a row fails the suite unless ``GOLDEN_ONLY`` (``engines/__init__.py``) names it with a reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from include.schema_sync.nouns.discrepancy import DiscrepancyType
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import DIALECTS
from include.schema_sync.warehouses.engine import Dialect

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")

# Characters that break naive SQL, messages or format strings; an engine may refuse some of them in names.
HOSTILE_NAMES = (
    'drop"; --', "it's", "100% {x} %(schema)s", "back\\slash", "a.b", "tick`s", "two words", "<!channel>", "émoji 😀",
    "two\nlines", "[square", "select",
)  # fmt: skip

# A schema that datasets still name. Where an engine denies whatever is not granted, the reading role has a grant on it.
DROPPED_SCHEMA = "dropped_schema"


class Scenario(StrEnum):
    """One dataset of the suite; an engine may lack some."""

    CLEAN = "clean"
    DRIFTED = "drifted"
    DROPPED_TABLE = "dropped table"
    DROPPED_SCHEMA = "dropped schema"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    OTHER_CASE = "other case"
    QUOTED_CASE = "quoted case"
    HOSTILE_NAMES = "hostile names"
    UNREADABLE = "unreadable"
    TYPES = "types"


class Place(NamedTuple):
    """Where a scenario's tables are made. ``database`` None: the connection's own."""

    database: str | None
    schema: str


class Found(NamedTuple):
    """A discrepancy as the suite expects it; ``suggestion`` is compared where it says anything."""

    type: DiscrepancyType
    table: str | None
    column: str | None = None


def open_with_hook(
    engine: str,
    database: str | None,
    settings: Settings | None = None,
    *,
    extra: Mapping[str, Any] = MappingProxyType({}),
    **fields: Any,
) -> Any:
    """Open an Airflow connection of these fields as the daily run does."""
    from airflow.sdk import Connection
    from schema_sync_airflow.warehouse_hooks import warehouse_hook

    connection = Connection(conn_id="x", conn_type=engine, **fields, extra=json.dumps(dict(extra)))
    return warehouse_hook(engine).open(connection, database, settings or Settings.from_environment({}))


class Server(Protocol):
    """A running engine, private to the tests.

    :ivar own_database: as ``WarehouseHook.own_database`` tells.
    """

    @property
    def own_database(self) -> str | None: ...

    def new_place(self) -> Place:
        """Make an empty schema that the reading role may use."""
        ...

    def run(self, place: Place, *statements: str) -> None:
        """Execute DDL there, as the owner; unqualified names are of this place."""
        ...

    def connect(self, database: str | None) -> Any:
        """A new connection as the reading role, opened by this project's own ``WarehouseHook``."""
        ...

    def secret(self) -> dict[str, Any] | None:
        """The vault JSON that signs the reading role in, None where none can name this server."""
        ...

    def hide(self, place: Place, table: str) -> None:
        """Take the reading role's right to this table away. Never called where ``lacks`` has UNREADABLE."""
        ...

    def unplug(self, connection: Any) -> None:
        """Break this connection for good, and let no other be opened until :meth:`plug_in`: kill the server, drop
        the proxy, close the file. What is left of ``connection`` must answer nothing more."""
        ...

    def plug_in(self) -> None:
        """Undo :meth:`unplug`; the data need not survive."""
        ...


@dataclass(frozen=True)
class Engine:
    """One row of the suite.

    :ivar name: of the row (``mariadb``); ``dialect`` is the name in DIALECTS (``mysql``).
    :ivar words: this engine's spelling of ``integer``, ``decimal``, ``text``, ``timestamp``.
    :ivar types: (column type in DDL, type that a YML would declare, no discrepancy expected).
    :ivar hostile_names: of tables and columns; default all of them.
    :ivar lacks: scenarios that cannot be built here, each with the reason.
    :ivar expected: {scenario: findings} where this engine rightly reports something else than the others.
    :ivar materialized_view: DDL with ``{name}`` and ``{query}``.
    """

    name: str
    dialect_name: str
    missing: Callable[[], str | None]
    running: Callable[[], AbstractContextManager[Server]]
    words: Mapping[str, str]
    types: tuple[tuple[str, str], ...]
    hostile_names: tuple[str, ...] = HOSTILE_NAMES
    lacks: Mapping[Scenario, str] = field(default_factory=dict)
    expected: Mapping[Scenario, frozenset[Found]] = field(default_factory=dict)
    materialized_view: str = "CREATE MATERIALIZED VIEW {name} AS {query}"

    @property
    def dialect(self) -> Dialect:
        return DIALECTS[self.dialect_name]

    def written(self, name: str) -> str:
        """A name for DDL: plain ones unquoted, so that the engine folds them as it does for a customer."""
        return name if _PLAIN.fullmatch(name) and name != "select" else self.dialect.quote(name)

    def create_table(self, name: str, columns: Mapping[str, str]) -> str:
        """DDL of a table; column types are ``words`` or the engine's own."""
        written = (f"{self.written(column)} {self.words.get(type_, type_)}" for column, type_ in columns.items())
        return f"CREATE TABLE {self.written(name)} ({', '.join(written)})"
