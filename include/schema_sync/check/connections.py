"""A connection URI → a way to reach a warehouse without Airflow: plain DB-API drivers, each imported when it is used.

URIs are written as SQLAlchemy's are, ``type://user:password@host:port/database?option=value``; a driver's name behind
the type (``postgresql+psycopg``) is passed over. No secret leaves here: every error text goes through ``redact``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from ..errors import TerminalError
from ..introspect.organizations import SourceAccess
from ..settings import Settings
from ..warehouses import dialect_for
from ..warehouses.driver_connections import (
    AutocommitConnection,
    DuckDBConnection,
    SqlServerConnection,
    sql_server_errors,
)


@dataclass(frozen=True, slots=True)
class Target:
    """A connection URI taken apart, percent-encoding resolved.

    :ivar path: what follows the host, split at ``/``.
    :ivar rest: what follows ``://``, as written; files have their path there.
    """

    scheme: str
    host: str
    port: int | None
    user: str
    password: str = field(repr=False)
    path: tuple[str, ...]
    options: Mapping[str, str] = field(repr=False)
    rest: str = field(repr=False)

    @property
    def database(self) -> str | None:
        return self.path[0] if self.path else None


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse to check against.

    :ivar schema: the schema of datasets that name none, None where the kind of warehouse has no usual one.
    """

    type: str
    schema: str | None
    access: SourceAccess


def place_from_uri(uri: str, type_text: str | None, settings: Settings) -> Place:
    """Read a connection URI; nothing is connected yet.

    :param type_text: the kind of warehouse; None: the URI's scheme says it.
    :raises TerminalError: the URI cannot be read, or the kind of warehouse is not known; without a word of the URI
        that could be secret.
    """
    target = _target(uri)
    dialect = dialect_for(type_text or target.scheme)
    driver = _DRIVERS[dialect.name]
    redact = _redactor(target)

    def connect(database: str | None) -> Any:
        missing: str | None = None
        try:
            return driver.connect(target, database, settings)
        except ImportError as error:
            missing = str(error.name or error)
        raise TerminalError(
            f"The driver for {dialect.label} is not installed ({missing}). Run: pip install {driver.package}"
        )

    access = SourceAccess(dialect, driver.own_database(target), connect, redact)
    return Place(dialect.name, driver.schema(target), access)


_SENSITIVE = re.compile(r"pass|pwd|secret|token|key|credential", re.IGNORECASE)
_HINT = "Write it as type://user:password@host:port/database, with special characters encoded (@ as %40, / as %2F)."


def _target(uri: str) -> Target:
    try:
        parts = urlsplit(uri.strip())
        port = parts.port
    except ValueError:  # its text would quote a part of the URI, which may be one of the password
        parts, port = None, None
    if parts is None or not parts.scheme or "://" not in uri:
        raise TerminalError(f"The connection URI cannot be read. {_HINT}")
    if parts.fragment or "@" in parts.path:
        raise TerminalError(f"The connection URI holds a character that ends the password too early. {_HINT}")
    return Target(
        scheme=parts.scheme.partition("+")[0].lower(),
        host=parts.hostname or "",
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        path=tuple(unquote(part) for part in parts.path.split("/") if part),
        options=dict(parse_qsl(parts.query, keep_blank_values=True)),
        rest=unquote(uri.strip().partition("://")[2].partition("?")[0]),
    )


def _redactor(target: Target) -> Callable[[str], str]:
    values = [target.password, *(value for key, value in target.options.items() if _SENSITIVE.search(key))]
    secrets = {form for value in values if value for form in (value, quote(value, safe=""), quote_plus(value))}
    # A user's name may also be a word of the message, so it is taken out where it can only be the user's.
    user = re.escape(target.user)
    named = re.compile(rf"""(?<=["'`])(?:{user})(?=["'`@])|\b(?:{user})(?=[:@])""") if target.user else None

    def redact(text: str) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return named.sub("***", text) if named else text

    return redact


@dataclass(frozen=True, slots=True)
class _Driver:
    """How one kind of warehouse is connected to.

    :ivar package: what to install when importing the driver fails.
    :ivar own_database: the database that the connection opens by itself, or None.
    :ivar schema: the schema of datasets that name none, or None.
    """

    package: str
    connect: Callable[[Target, str | None, Settings], Any]
    own_database: Callable[[Target], str | None]
    schema: Callable[[Target], str | None]


def _postgres(target: Target, database: str | None, settings: Settings) -> Any:
    import psycopg

    options: dict[str, Any] = {
        "connect_timeout": settings.connect_timeout_s,
        "application_name": "schema-sync",
        **target.options,
        "host": target.options.get("host") or target.host or None,
        "port": target.port,
        "user": target.user or None,
        "password": target.password or None,
        "dbname": database or target.database,
    }
    return psycopg.connect(**{key: value for key, value in options.items() if value is not None})


def _redshift(target: Target, database: str | None, settings: Settings) -> Any:
    import redshift_connector

    mode = target.options.get("sslmode")
    opened = redshift_connector.connect(
        host=target.host,
        port=target.port or 5439,
        database=database or target.database or "dev",
        user=target.user,
        password=target.password,
        timeout=settings.connect_timeout_s,
        application_name="schema-sync",
        ssl=mode != "disable",
        sslmode=None if mode == "disable" else mode,
    )
    opened._usock.settimeout(settings.statement_timeout_s + 5)  # one timeout for everything: now a statement's
    return opened


def _mysql(target: Target, _database: str | None, settings: Settings) -> Any:
    from mysql import connector

    options: dict[str, Any] = dict(target.options)
    # No database is opened: names are qualified, and one that is gone must not take the others with it.
    return connector.connect(
        host=target.host,
        port=target.port or 3306,
        user=target.user,
        password=target.password,
        charset="utf8mb4",
        connection_timeout=settings.connect_timeout_s,
        read_timeout=settings.statement_timeout_s + 5,
        write_timeout=settings.statement_timeout_s + 5,
        **options,
    )


def _sqlite(target: Target, _database: str | None, settings: Settings) -> Any:
    import sqlite3

    # Read only, so that a file that is not there is an error, not made.
    return sqlite3.connect(f"{_file(target).as_uri()}?mode=ro", uri=True, timeout=settings.connect_timeout_s)


def _duckdb(target: Target, _database: str | None, _settings: Settings) -> Any:
    import duckdb

    if target.scheme == "motherduck":
        token = target.options.get("token") or target.password
        name = target.database or target.host
        return DuckDBConnection(duckdb.connect(f"md:{name}", config={"motherduck_token": token} if token else {}))
    return DuckDBConnection(duckdb.connect(str(_file(target)), read_only=True))


def _snowflake(target: Target, _database: str | None, settings: Settings) -> Any:
    from snowflake import connector

    schema = {"schema": target.path[1]} if len(target.path) > 1 else {}
    return connector.connect(
        account=target.host,
        user=target.user,
        password=target.password,
        database=target.database,
        login_timeout=settings.connect_timeout_s,
        network_timeout=settings.connect_timeout_s,
        session_parameters={
            "QUERY_TAG": "schema-sync",
            "STATEMENT_TIMEOUT_IN_SECONDS": settings.statement_timeout_s,
        },
        **schema,
        **target.options,
    )


def _bigquery(target: Target, _database: str | None, _settings: Settings) -> Any:
    from google.cloud import bigquery
    from google.cloud.bigquery import dbapi

    path = target.options.get("credentials_path")
    make = bigquery.Client if path is None else _from_key_file(bigquery.Client, path)
    client = make(project=target.host or None, location=target.options.get("location"))
    return AutocommitConnection(dbapi.Connection(client, prefer_bqstorage_client=False))


def _from_key_file(client: Any, path: str) -> Callable[..., Any]:
    return lambda **options: client.from_service_account_json(path, **options)


def _databricks(target: Target, _database: str | None, settings: Settings) -> Any:
    from databricks import sql

    options = target.options
    return AutocommitConnection(
        sql.connect(
            server_hostname=target.host,
            http_path=options.get("http_path"),
            access_token=target.password,
            catalog=options.get("catalog") or target.database,
            schema=options.get("schema"),
            session_configuration={"STATEMENT_TIMEOUT": str(settings.statement_timeout_s)},
            use_cloud_fetch=False,
            _socket_timeout=settings.statement_timeout_s,
            _retry_stop_after_attempts_duration=settings.statement_timeout_s,
        )
    )


def _sqlserver(target: Target, _database: str | None, settings: Settings) -> Any:
    import pymssql

    encryption = target.options.get("encryption")
    with sql_server_errors():
        raw = pymssql.connect(
            server=target.host,
            port=str(target.port or 1433),
            user=target.user,
            password=target.password,
            database=target.database or "",
            login_timeout=settings.connect_timeout_s,
            timeout=settings.statement_timeout_s,
            appname="schema-sync",
            autocommit=True,
            encryption=encryption,
        )
    return SqlServerConnection(raw)


def _file(target: Target) -> Path:
    """``sqlite:///relative.db`` and ``sqlite:////absolute.db``, as SQLAlchemy has it.

    :raises TerminalError: no file is named.
    """
    text = target.rest.removeprefix("/")
    if text in ("", ":memory:"):
        raise TerminalError(
            f"The connection URI names no file. Write {target.scheme}:///relative/path or "
            f"{target.scheme}:////absolute/path."
        )
    return Path(text).absolute()


def _file_database(target: Target) -> str | None:
    return Path(target.rest).stem or None


def _duckdb_database(target: Target) -> str | None:
    """A database is named after its file, unless the name is one of DuckDB's own."""
    if target.scheme == "motherduck":
        return target.database or target.host or None
    stem = Path(target.rest).name.partition(".")[0]
    return f"{stem}_db" if stem in ("main", "temp", "system") else stem or None


def _second(target: Target) -> str | None:
    return target.path[1] if len(target.path) > 1 else None


_DRIVERS: dict[str, _Driver] = {
    "postgres": _Driver("'psycopg[binary]'", _postgres, lambda it: it.database, lambda _: "public"),
    "redshift": _Driver("redshift-connector", _redshift, lambda it: it.database or "dev", lambda _: "public"),
    "mysql": _Driver("mysql-connector-python", _mysql, lambda it: it.database, lambda it: it.database),
    "sqlite": _Driver("nothing, it is Python's own", _sqlite, _file_database, lambda _: "main"),
    "duckdb": _Driver("duckdb", _duckdb, _duckdb_database, lambda _: "main"),
    "snowflake": _Driver(
        "snowflake-connector-python", _snowflake, lambda it: it.database, lambda it: _second(it) or "PUBLIC"
    ),
    "bigquery": _Driver("google-cloud-bigquery", _bigquery, lambda it: it.host or None, lambda it: it.database),
    "databricks": _Driver(
        "databricks-sql-connector",
        _databricks,
        lambda it: it.options.get("catalog") or it.database,
        lambda it: it.options.get("schema") or "default",
    ),
    "sqlserver": _Driver("pymssql", _sqlserver, lambda it: it.database, lambda _: "dbo"),
}
