"""Redshift: Amazon's own driver and Airflow's RedshiftSQLHook over the real wire, answered by a private PostgreSQL.

PostgreSQL refuses the driver's own start-up parameters, so a proxy takes them out. What Redshift has and PostgreSQL has
not is made in the test database under the same names: types, ``svv_external_*``, ``pg_attribute_info`` and the function
that lists late-binding views. Their rows are golden: as Amazon documents them, see ``GOLDEN_SQL``.
"""

from __future__ import annotations

import itertools
import socket
import socketserver
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engines.base import Engine, Place, open_with_hook
from engines.relay import Relay, running_relay
from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.warehouses import dialect_for

_ROLE, _PASSWORD = "reader", "reader-secret"
_KNOWN_PARAMETERS = frozenset({b"user", b"database", b"application_name"})
_OWN_TYPES = ("super", "hllsketch", "geometry", "geography", "varbyte", "intervaly2m", "intervald2s")

# The columns are those of the vendor's pages (``redshift.py`` names them), the rows are for the tests.
GOLDEN_SQL = (
    *(f"CREATE DOMAIN {name} AS text" for name in _OWN_TYPES),
    "CREATE VIEW pg_attribute_info AS SELECT attrelid, attname, attnum, attacl FROM pg_attribute",
    "CREATE TABLE svv_external_schemas (esoid oid, eskind int, schemaname text, databasename text, esoptions text)",
    """CREATE TABLE svv_external_columns (
         redshift_database_name text, schemaname text, tablename text, columnname text, external_type text,
         columnnum int, part_key int, is_nullable text
       )""",
    "CREATE TABLE late_binding (a name, b name, c name, d varchar, e int)",
    """CREATE FUNCTION pg_get_late_binding_view_cols() RETURNS SETOF record
       LANGUAGE SQL STABLE AS 'SELECT a, b, c, d, e FROM public.late_binding'""",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {_ROLE}",
)


@dataclass
class RedshiftServer:
    uri: str
    relay: Relay
    own_database: str = "postgres"
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_place(self) -> Place:
        place = Place(self.own_database, f"place_{next(self.numbers)}")
        self.execute(
            f"CREATE SCHEMA {place.schema}",
            f"GRANT USAGE ON SCHEMA {place.schema} TO {_ROLE}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {place.schema} GRANT SELECT ON TABLES TO {_ROLE}",
        )
        return place

    def run(self, place: Place, *statements: str) -> None:
        self.execute(f"SET search_path = {place.schema}, public", *statements)

    def connect(self, database: str | None) -> Any:
        place: dict[str, Any] = {"host": "127.0.0.1", "port": self.relay.port, "schema": self.own_database}
        return open_with_hook("redshift", database, **place, login=_ROLE, password=_PASSWORD, extra={"ssl": False})

    def secret(self) -> dict[str, Any]:
        place = {"host": "127.0.0.1", "port": self.relay.port, "database": self.own_database}
        return {**place, "username": _ROLE, "password": _PASSWORD, "ssl": False}

    def hide(self, place: Place, table: str) -> None:
        self.execute(f"REVOKE SELECT ON {place.schema}.{dialect_for('redshift').quote(table)} FROM {_ROLE}")

    def unplug(self, connection: Any) -> None:
        self.relay.cut()

    def plug_in(self) -> None:
        self.relay.restore()

    def execute(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self.uri, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def running_redshift() -> Iterator[RedshiftServer]:
    with tempfile.TemporaryDirectory(prefix="schema-sync-redshift-") as name:
        # The server may run as another user. The driver knows MD5, which PostgreSQL must be asked for twice.
        folder = Path(name)
        folder.chmod(0o755)
        rules = folder / "pg_hba.conf"
        rules.write_text("host all all 127.0.0.1/32 md5\n")
        settings = {"hba_file": str(rules), "password_encryption": "md5"}
        with (
            running_postgres(settings=settings) as uri,
            _startup_proxy(urlsplit(uri).port or 0) as port,
            running_relay(port) as relay,
        ):
            server = RedshiftServer(uri, relay)
            server.execute(f"CREATE ROLE {_ROLE} LOGIN PASSWORD '{_PASSWORD}'", *GOLDEN_SQL)
            yield server


class _Startup(socketserver.BaseRequestHandler):
    """One connection: its first message without the parameters that PostgreSQL refuses, then whatever comes."""

    target = 0

    def handle(self) -> None:
        length = self._read(4)
        if len(length) < 4:
            return
        message = self._read(struct.unpack("!I", length)[0] - 4)
        version, words = message[:4], message[4:].rstrip(b"\0").split(b"\0")
        kept = b"".join(
            name + b"\0" + value + b"\0"
            for name, value in zip(words[::2], words[1::2], strict=False)
            if name in _KNOWN_PARAMETERS
        )
        start = version + kept + b"\0"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as server:
            server.sendall(struct.pack("!I", len(start) + 4) + start)
            back = threading.Thread(target=_pump, args=(server, self.request), daemon=True)
            back.start()
            _pump(self.request, server)
            back.join()

    def _read(self, size: int) -> bytes:
        read = b""
        while len(read) < size and (data := self.request.recv(size - len(read))):
            read += data
        return read


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def _startup_proxy(target: int) -> Iterator[int]:
    handler = type("_StartupTo", (_Startup,), {"target": target})
    with _Proxy(("127.0.0.1", 0), handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield int(proxy.server_address[1])
        finally:
            proxy.shutdown()
            thread.join()


def missing() -> str | None:
    try:
        present = find_spec("airflow.providers.amazon.aws.hooks.redshift_sql") and find_spec("redshift_connector")
    except ModuleNotFoundError:  # a parent is absent
        present = None
    return None if present else "not installed here: pip install apache-airflow-providers-amazon"


ENGINE = Engine(
    name="redshift",
    dialect_name="redshift",
    missing=missing,
    running=running_redshift,
    words={
        "integer": "integer", "decimal": "numeric(12, 2)", "text": "character varying(256)",
        "timestamp": "timestamp with time zone",
    },
    types=(
        ("smallint", "smallint"), ("int2", "integer"), ("integer", "integer"), ("int", "number"), ("int4", "int"),
        ("bigint", "bigint"), ("int8", "integer"), ("decimal(10,2)", "decimal"), ("decimal", "number"),
        ("numeric(18,0)", "integer"), ("numeric(38,0)", "bigint"), ("numeric(12,4)", "numeric(12,4)"),
        ("real", "float4"), ("float4", "real"), ("double precision", "float"), ("float8", "double"),
        ("float", "number"), ("boolean", "boolean"), ("bool", "bool"), ("char(7)", "char(7)"),
        ("character(3)", "string"), ("nchar(3)", "string"), ("bpchar", "char"),
        ("varchar(80)", "varchar(80)"), ("character varying", "string"),
        ("character varying(256)", "text"), ("varchar(65535)", "json"), ("text", "text"), ("date", "date"),
        ("time", "time"), ("time without time zone", "time"), ("timetz", "timetz"), ("time with time zone", "time"),
        ("timestamp", "timestamp"), ("timestamp without time zone", "datetime"), ("timestamptz", "timestamptz"),
        ("timestamp with time zone", "timestamp"), ("interval", "interval"), ("super", "super"),
        ("hllsketch", "hllsketch"), ("geometry", "geometry"), ("geography", "geography"), ("varbyte", "varbyte"),
        ("intervaly2m", "interval"), ("intervald2s", "interval"),
    ),
)  # fmt: skip
