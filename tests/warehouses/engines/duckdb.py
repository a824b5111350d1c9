"""DuckDB: a file of its own, in this process."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engines.base import Engine, Place, Scenario, open_with_hook


@dataclass
class _Server:
    file: Path
    own_database: str = "shop"
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_place(self) -> Place:
        place = Place(self.own_database, f"place_{next(self.numbers)}")
        self._execute(f"CREATE SCHEMA {place.schema}")
        return place

    def run(self, place: Place, *statements: str) -> None:
        self._execute(f"SET schema = '{place.schema}'", *statements)

    def connect(self, database: str | None) -> Any:
        return open_with_hook("duckdb", database, host=str(self.file))

    def secret(self) -> dict[str, Any]:
        return {"path": str(self.file)}

    def hide(self, place: Place, table: str) -> None:
        raise NotImplementedError  # DuckDB has no grants

    def unplug(self, connection: Any) -> None:
        """The file goes, and what is open is closed: an open file could be read on."""
        connection.close()
        self.file.rename(self.file.with_suffix(".gone"))

    def plug_in(self) -> None:
        self.file.with_suffix(".gone").rename(self.file)

    def _execute(self, *statements: str) -> None:
        import duckdb

        with duckdb.connect(str(self.file)) as connection:
            for statement in statements:
                connection.execute(statement)


def _missing() -> str | None:
    for package in ("duckdb", "airflow.providers.duckdb"):
        if find_spec(package) is None:
            return f"the package of {package} is not installed (requirements-warehouses.txt)"
    return None


@contextmanager
def _running() -> Iterator[_Server]:
    with tempfile.TemporaryDirectory(prefix="schema-sync-duckdb-") as folder:
        yield _Server(Path(folder) / "shop.duckdb")


ENGINE = Engine(
    name="duckdb",
    dialect_name="duckdb",
    missing=_missing,
    running=_running,
    words={"integer": "INTEGER", "decimal": "DECIMAL(12,2)", "text": "VARCHAR", "timestamp": "TIMESTAMP"},
    types=(
        ("BIGINT", "integer"), ("BIT", "bit"), ("BLOB", "binary"), ("BOOLEAN", "boolean"), ("DATE", "date"),
        ("DECIMAL(10,2)", "decimal"), ("DECIMAL(38,0)", "integer"), ("DOUBLE", "float"), ("ENUM('a','b')", "string"),
        ("FLOAT", "real"), ("HUGEINT", "integer"), ("INTEGER", "number"), ("INTEGER[]", "array"),
        ("INTEGER[3]", "array"), ("FLOAT[4]", "vector"), ("INTERVAL", "interval"), ("JSON", "json"),
        ("MAP(VARCHAR, INTEGER)", "map"), ("SMALLINT", "int2"), ("STRUCT(a INTEGER, b VARCHAR)", "struct"),
        ("STRUCT(a INTEGER, b STRUCT(c DATE))[]", "array"), ("TIME", "time"), ("TIMETZ", "time"),
        ("TIMESTAMP", "datetime"), ("TIMESTAMPTZ", "timestamp"), ("TIMESTAMP_MS", "timestamp"),
        ("TIMESTAMP_NS", "timestamp"), ("TIMESTAMP_S", "timestamp"), ("TINYINT", "integer"), ("UBIGINT", "integer"),
        ("UHUGEINT", "integer"), ("UINTEGER", "uint32"), ("UNION(num INTEGER, str VARCHAR)", "union"),
        ("USMALLINT", "integer"), ("UTINYINT", "uint8"), ("UUID", "string"), ("VARCHAR", "varchar(80)"),
        ("VARCHAR[]", "text[]"), ("VARCHAR[][]", "array"), ("DECIMAL(4,1)", "number"), ("DECIMAL(18,3)", "numeric"),
        ("BIGNUM", "integer"), ("UUID[]", "array"),
    ),
    lacks={
        Scenario.MATERIALIZED_VIEW: "DuckDB has no materialized views",
        Scenario.UNREADABLE: "DuckDB has no grants: whoever opens a file reads all of it",
    },
)  # fmt: skip
