"""Snowflake: ``fakesnow`` as a server in a process of its own, spoken to by the real connector and the real hook.

It answers from DuckDB, over TLS with a certificate made for this run. What it cannot do is in ``lacks``; what only
Snowflake itself can tell (grants, timeouts, external and dynamic tables) is in ``tests/unit/test_snowflake_dialect.py``
as golden rows and texts.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engines.base import HOSTILE_NAMES, Engine, Place, Scenario, open_with_hook
from engines.relay import Relay, running_relay
from include.schema_sync.settings import Settings

_START_TIMEOUT_S = 60.0
_PACKAGES = {
    "airflow.providers.snowflake": "apache-airflow-providers-snowflake",
    "fakesnow": "'fakesnow[server]>=0.12'",
    "trustme": "trustme",
}


@dataclass
class _Server:
    port: int
    relay: Relay
    own_database: str = "WAREHOUSE"
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_place(self) -> Place:
        place = Place(self.own_database, f"PLACE_{next(self.numbers)}")
        self._execute(f"CREATE SCHEMA {place.schema}")
        return place

    def run(self, place: Place, *statements: str) -> None:
        self._execute(f"USE SCHEMA {place.schema}", *statements)

    def connect(self, database: str | None) -> Any:
        return self._open(database, self.relay.port)

    def hide(self, place: Place, table: str) -> None:
        raise NotImplementedError

    def unplug(self, connection: Any) -> None:
        self.relay.cut()

    def plug_in(self) -> None:
        self.relay.restore()

    def _open(self, database: str | None, port: int) -> Any:
        # No account of Snowflake's, and nobody to ask whether the certificate was revoked.
        here = {"host": "localhost", "port": port, "insecure_mode": True}
        extra = {"account": "fakesnow", "warehouse": "wh", "database": self.own_database, **here}
        settings = Settings.from_environment({"SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS": "5"})
        who = {"login": "reader", "password": "reader-secret"}
        return open_with_hook("snowflake", database, settings, schema="PUBLIC", **who, extra=extra)

    def secret(self) -> None:
        """A vault secret names an account of Snowflake's, never a server."""

    def _execute(self, *statements: str) -> None:
        connection = self._open(None, self.port)
        try:
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()


@contextmanager
def _running() -> Iterator[_Server]:
    import trustme

    with tempfile.TemporaryDirectory(prefix="schema-sync-fakesnow-") as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "authority.pem"))
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            str(folder / "server.pem")
        )
        with _trusting(folder / "authority.pem"), _started(folder) as port, running_relay(port) as relay:
            yield _Server(port, relay)


@contextmanager
def _trusting(authority: Path) -> Iterator[None]:
    before = os.environ.get("REQUESTS_CA_BUNDLE")
    os.environ["REQUESTS_CA_BUNDLE"] = str(authority)
    try:
        yield
    finally:
        if before is None:
            del os.environ["REQUESTS_CA_BUNDLE"]
        else:
            os.environ["REQUESTS_CA_BUNDLE"] = before


@contextmanager
def _started(folder: Path) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "fakesnow_app:app", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--app-dir", str(Path(__file__).parents[1])]
    command += ["--ssl-keyfile", str(folder / "server.pem"), "--ssl-certfile", str(folder / "server.pem")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            ends = time.monotonic() + _START_TIMEOUT_S
            while not _accepts(port):
                if server.poll() is not None or time.monotonic() > ends:
                    raise RuntimeError(f"fakesnow does not start; its log:\n{(folder / 'log').read_text()[-4000:]}")
                time.sleep(0.1)
            yield port
        finally:
            server.kill()
            server.wait()


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _missing() -> str | None:
    absent = [package for module, package in _PACKAGES.items() if not _installed(module)]
    return f"not installed here: pip install {' '.join(absent)}" if absent else None


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent is absent
        return False


ENGINE = Engine(
    name="snowflake",
    dialect_name="snowflake",
    missing=_missing,
    running=_running,
    words={"integer": "INTEGER", "decimal": "NUMBER(12, 2)", "text": "VARCHAR", "timestamp": "TIMESTAMP_TZ"},
    types=(
        ("NUMBER", "integer"), ("NUMBER(38,0)", "bigint"), ("NUMBER(18,2)", "number"), ("DECIMAL(10,2)", "decimal"),
        ("NUMERIC(10)", "numeric"), ("INT", "int"), ("INTEGER", "integer"), ("BIGINT", "int64"),
        ("SMALLINT", "smallint"), ("TINYINT", "number"), ("BYTEINT", "integer"), ("FLOAT", "float"),
        ("FLOAT4", "float"), ("FLOAT8", "float8"), ("DOUBLE", "double"), ("DOUBLE PRECISION", "double precision"),
        ("REAL", "real"), ("VARCHAR", "varchar"), ("VARCHAR(20)", "varchar(20)"), ("CHAR", "char"),
        ("CHAR(3)", "string"), ("CHARACTER(5)", "character(5)"), ("STRING", "string"), ("STRING(40)", "text"),
        ("TEXT", "text"), ("TEXT(40)", "varchar(40)"), ("NCHAR", "string"), ("NVARCHAR(10)", "nvarchar(10)"),
        ("BINARY", "binary"), ("VARBINARY", "varbinary"), ("BOOLEAN", "boolean"),
        ("DATE", "date"), ("TIME", "time"), ("TIME(3)", "time"), ("DATETIME", "datetime"), ("TIMESTAMP", "timestamp"),
        ("TIMESTAMP_NTZ", "timestamp_ntz"), ("TIMESTAMP_NTZ(3)", "timestamp"), ("TIMESTAMP_LTZ", "timestamp_ltz"),
        ("TIMESTAMP_TZ", "timestamp_tz"), ("VARIANT", "variant"), ("OBJECT", "object"), ("ARRAY", "array"),
    ),
    hostile_names=tuple(name for name in HOSTILE_NAMES if "'" not in name),  # fakesnow cannot create such a table
    lacks={
        Scenario.MATERIALIZED_VIEW: "fakesnow has no materialized views",
        Scenario.UNREADABLE: "fakesnow has no grants; Snowflake hides such a table (unit test of classify)",
    },
)  # fmt: skip
