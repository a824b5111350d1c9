"""SQLite: a file of its own, through Python's own driver."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.base import Engine, Place, Scenario, open_with_hook


@dataclass
class _Server:
    file: Path
    own_database: str = "shop"

    def new_place(self) -> Place:
        """A new file behind the same name: a file is all the room there is."""
        self.file.unlink(missing_ok=True)
        return Place(None, "public")

    def run(self, place: Place, *statements: str) -> None:
        import sqlite3

        with closing(sqlite3.connect(self.file)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def connect(self, database: str | None) -> Any:
        return open_with_hook("sqlite", database, host=str(self.file))

    def secret(self) -> dict[str, Any]:
        return {"path": str(self.file)}

    def hide(self, place: Place, table: str) -> None:
        raise NotImplementedError  # SQLite has no grants

    def unplug(self, connection: Any) -> None:
        """The file goes, and what is open is closed: an open file could be read on."""
        connection.close()
        self.file.rename(self.file.with_suffix(".gone"))

    def plug_in(self) -> None:
        self.file.with_suffix(".gone").rename(self.file)


@contextmanager
def _running() -> Iterator[_Server]:
    with tempfile.TemporaryDirectory(prefix="schema-sync-sqlite-") as folder:
        yield _Server(Path(folder) / "shop.db")


ENGINE = Engine(
    name="sqlite",
    dialect_name="sqlite",
    missing=lambda: None,
    running=_running,
    words={"integer": "INTEGER", "decimal": "DECIMAL(12,2)", "text": "TEXT", "timestamp": "TIMESTAMP"},
    types=(
        ("BIGINT", "integer"), ("BLOB", "binary"), ("BOOLEAN", "boolean"), ("CHAR(7)", "string"),
        ("CHARACTER(20)", "char"), ("CLOB", "text"), ("DATE", "date"), ("DATETIME", "timestamp"),
        ("DECIMAL(10,5)", "number"), ("DOUBLE", "float"), ("DOUBLE PRECISION", "double"), ("FLOAT", "float"),
        ("INT", "integer"), ("INT2", "smallint"), ("INT8", "bigint"), ("INTEGER", "boolean"), ("JSON", "json"),
        ("MEDIUMINT", "integer"), ("NATIVE CHARACTER(70)", "text"), ("NCHAR(55)", "string"), ("NUMERIC", "number"),
        ("NUMERIC(10,0)", "integer"), ("NVARCHAR(100)", "string"), ("REAL", "float"), ("SMALLINT", "integer"),
        ("TEXT", "string"), ("TEXT NOT NULL", "date"), ("TEXT COLLATE NOCASE", "varchar"), ("TEXT UNIQUE", "json"),
        ("TIME", "time"), ("TIMESTAMP", "datetime"), ("TINYINT", "integer"), ("UNSIGNED BIG INT", "integer"),
        ("UUID", "uuid"), ("VARCHAR(255)", "varchar(255)"), ("VARYING CHARACTER(255)", "string"), ("BIT", "boolean"),
        ("INTEGER NOT NULL", "datetime"), ("REAL NOT NULL", "timestamp"), ("TINYTEXT", "text"),
        ("INTEGER GENERATED ALWAYS AS (c0 + 1) VIRTUAL", "integer"), ("TEXT GENERATED ALWAYS AS (c25) STORED", "text"),
    ),
    lacks={
        Scenario.MATERIALIZED_VIEW: "SQLite has no materialized views",
        Scenario.UNREADABLE: "SQLite has no grants: whoever opens a file reads all of it",
        Scenario.DROPPED_SCHEMA: "SQLite has no schemas: whatever a dataset names, the file is meant",
    },
)  # fmt: skip
