"""MariaDB: ``mariadbd`` where the machine has it, with its own data folder, port and socket."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engines.base import DROPPED_SCHEMA, HOSTILE_NAMES, Engine, Place, Scenario, open_with_hook
from engines.relay import Relay, running_relay
from include.schema_sync.warehouses import dialect_for

_ROLE, _PASSWORD = "reader", "reader-secret"
_START_TIMEOUT_S = 60.0


@dataclass
class _Server:
    port: int
    relay: Relay
    own_database: str = "test_own"
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_place(self) -> Place:
        place = Place(self.own_database, f"place_{next(self.numbers)}")
        self.execute(f"CREATE DATABASE {place.schema}")
        return place

    def run(self, place: Place, *statements: str) -> None:
        """Every table is granted by itself: a grant on the whole database could not be taken away from one."""
        self.execute(f"USE {place.schema}", *statements)
        self.execute(f"USE {place.schema}", *(f"GRANT SELECT ON {name} TO {_ROLE}" for name in self._tables(place)))

    def connect(self, database: str | None) -> Any:
        place: dict[str, Any] = {"host": "127.0.0.1", "port": self.relay.port, "schema": self.own_database}
        return open_with_hook("mysql", database, **place, login=_ROLE, password=_PASSWORD)

    def secret(self) -> dict[str, Any]:
        place = {"host": "127.0.0.1", "port": self.relay.port, "database": self.own_database}
        return {**place, "username": _ROLE, "password": _PASSWORD}

    def hide(self, place: Place, table: str) -> None:
        self.execute(f"REVOKE SELECT ON {place.schema}.{dialect_for('mysql').quote(table)} FROM {_ROLE}")

    def unplug(self, connection: Any) -> None:
        self.relay.cut()

    def plug_in(self) -> None:
        self.relay.restore()

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        import mysql.connector

        with (
            mysql.connector.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            rows: Any = []
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.with_rows else []
            return rows

    def _tables(self, place: Place) -> list[str]:
        quote = dialect_for("mysql").quote
        rows = self.execute(f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{place.schema}'")
        return [quote(name) for (name,) in rows]


def missing() -> str | None:
    """Why MariaDB cannot run here, or None."""
    for program in ("mariadbd", "mariadb-install-db"):
        if _program(program) is None:
            return f"{program} is not on this machine (Debian, Ubuntu: apt-get install mariadb-server)"
    for package in ("mysql.connector", "airflow.providers.mysql"):
        if find_spec(package.rpartition(".")[0]) is None or find_spec(package) is None:
            return f"the package of {package} is not installed (requirements-warehouses.txt)"
    return None


@contextmanager
def running(*options: str) -> Iterator[_Server]:
    """Run a private server on a free 127.0.0.1 port until the block ends, then stop it and delete its data."""
    with tempfile.TemporaryDirectory(prefix="schema-sync-mariadb-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            account = pwd.getpwnam(user)
            os.chown(home, account.pw_uid, account.pw_gid)
        _install(home, user)
        process, port = _start(home, user, options)
        try:
            with running_relay(port) as relay:
                server = _Server(port, relay)
                server.execute(
                    f"CREATE DATABASE {server.own_database}",
                    f"CREATE USER {_ROLE} IDENTIFIED BY '{_PASSWORD}'",
                    f"GRANT SELECT ON {DROPPED_SCHEMA}.* TO {_ROLE}",  # grants outlive what they were made for
                )
                yield server
        finally:
            _stop(process)


def _install(home: Path, user: str) -> None:
    command = [
        str(_program("mariadb-install-db")), "--no-defaults", f"--datadir={home / 'data'}", f"--user={user}",
        "--auth-root-authentication-method=normal", "--skip-test-db",
    ]  # fmt: skip
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=home)
    if outcome.returncode != 0:
        raise RuntimeError(f"mariadb-install-db failed:\n{outcome.stdout}\n{outcome.stderr}")


def _start(home: Path, user: str, options: tuple[str, ...]) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(5):  # a free port can be taken between looking and listening
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [
            str(_program("mariadbd")), "--no-defaults", f"--datadir={home / 'data'}", f"--user={user}",
            "--bind-address=127.0.0.1", f"--port={port}", f"--socket={home / 's'}", f"--pid-file={home / 'pid'}",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--skip-name-resolve", *options,
        ]  # fmt: skip
        with (home / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, start_new_session=True)
        try:
            if _accepts(process, port):
                return process, port
        except BaseException:
            _stop(process)
            raise
        _stop(process)
    raise RuntimeError(f"MariaDB does not start; its log:\n{(home / 'log').read_text(errors='replace')[-4000:]}")


def _accepts(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
                if probe.recv(1) and process.poll() is None:  # the server speaks first
                    return True
        except OSError:
            pass  # not listening yet: that is what this loop waits for
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _program(name: str) -> str | None:
    # Servers are in folders that an ordinary user's PATH may leave out.
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


ENGINE = Engine(
    name="mariadb",
    dialect_name="mysql",
    missing=missing,
    running=running,
    words={"integer": "int", "decimal": "decimal(12,2)", "text": "text", "timestamp": "timestamp NULL"},
    types=(
        ("bigint", "integer"), ("bigint unsigned", "bigint unsigned"), ("binary(16)", "uuid"), ("binary(8)", "binary"),
        ("bit(1)", "boolean"), ("bit(8)", "bit"), ("blob", "blob"), ("boolean", "boolean"), ("char(36)", "uuid"),
        ("char(7)", "string"), ("date", "date"), ("datetime", "timestamp"), ("datetime(6)", "datetime"),
        ("decimal(10,2)", "number"), ("decimal(38,0)", "integer"), ("double", "float"), ("double precision", "real"),
        ("enum('a','it''s')", "string"), ("float", "float"), ("geometry", "geometry"),
        ("geometrycollection", "geometrycollection"), ("inet6", "string"), ("int", "integer"),
        ("int unsigned", "number"), ("json", "json"), ("linestring", "linestring"), ("longblob", "bytes"),
        ("longtext", "text"), ("mediumblob", "binary"), ("mediumint", "integer"), ("mediumtext", "string"),
        ("multilinestring", "multilinestring"), ("multipoint", "multipoint"), ("multipolygon", "multipolygon"),
        ("point", "point"), ("polygon", "polygon"), ("set('x','y')", "set"), ("smallint", "smallint"),
        ("text", "varchar"), ("time", "time"), ("time(3)", "time"), ("timestamp NULL", "timestamptz"),
        ("tinyblob", "blob"), ("tinyint", "integer"), ("tinyint(1)", "boolean"), ("tinytext", "string"),
        ("uuid", "uuid"), ("varbinary(20)", "varbinary"), ("varchar(80)", "varchar(80)"), ("year", "year"),
    ),
    # Identifiers hold characters of the basic plane only.
    hostile_names=tuple(name for name in HOSTILE_NAMES if all(letter <= "\uffff" for letter in name)),
    lacks={Scenario.MATERIALIZED_VIEW: "MySQL and MariaDB have no materialized views"},
)  # fmt: skip
