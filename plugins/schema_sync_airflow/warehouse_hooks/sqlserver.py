"""SQL Server: vault JSON → Airflow connection → MsSqlHook (pymssql)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from schema_sync_airflow.warehouse_hooks.autocommit import AutocommitConnection
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra


def _from_vault(secret: Mapping[str, Any], _folder: Path) -> Connection:
    """``trust_server_certificate`` changes nothing: FreeTDS checks certificates only where its own file freetds.conf
    names an authority, so there is nothing to switch off here, and nothing that a driver option could switch on."""
    server, instance, domain = str(secret["server"]), secret.get("instance"), secret.get("domain")
    username = str(secret["username"])
    extra: dict[str, Any] = {}
    encrypt = secret.get("encrypt")
    if encrypt is not None:
        # Without `encrypt` the product's driver still encrypts the login, which FreeTDS calls "request".
        extra["encryption"] = "require" if encrypt not in (False, "false", "no", "optional") else "request"
    return Connection(
        conn_id="vault",
        conn_type="mssql",
        # An instance is found by asking the server's browser service; a port says where it is, so it comes first.
        host=f"{server}\\{instance}" if instance and not secret.get("port") else server,
        port=int(secret.get("port") or 1433),
        schema=str(secret["database"]),
        login=f"{domain}\\{username}" if domain else username,
        password=str(secret["password"]),
        extra=json.dumps(extra),
    )


class SqlServerError(Exception):
    """What the server or the driver said.

    :ivar errno: the server's error number, or None.
    """

    def __init__(self, errno: int | None, text: str) -> None:
        super().__init__(text)
        self.errno = errno


class _Connection(AutocommitConnection):
    def cursor(self) -> Any:
        return _Cursor(_told(self.raw.cursor))

    @property
    def closed(self) -> bool:
        try:
            return not self.raw._conn.connected
        except Exception:  # noqa: BLE001 (the driver raises when it has given the connection up)
            return True


class _Cursor:
    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def execute(self, sql: str, *parameters: Any) -> None:
        _told(lambda: self._raw.execute(sql, *parameters))

    def fetchmany(self, size: int) -> Sequence[Any]:
        rows: Sequence[Any] = _told(lambda: self._raw.fetchmany(size))
        return rows

    def close(self) -> None:
        self._raw.close()


_REMARK = re.compile(r"DB-Lib error message \d+, severity \d+:")


def _told(work: Callable[[], Any]) -> Any:
    """Run it; the driver's error, a number and bytes with its own remarks behind, becomes one for people."""
    import pymssql

    try:
        return work()
    except pymssql.Error as error:
        number, text = _taken_apart(error.args)
    raise SqlServerError(number, text)


def _taken_apart(arguments: tuple[Any, ...]) -> tuple[int | None, str]:
    if len(arguments) == 1 and isinstance(arguments[0], tuple):
        arguments = arguments[0]
    number = next((item for item in arguments if isinstance(item, int)), None)
    texts = [item.decode(errors="replace") if isinstance(item, bytes) else str(item) for item in arguments[-1:]]
    # The server's own text comes first; where there is none, the driver's remark says what happened.
    parts = (part.strip() for part in _REMARK.split("".join(texts)))
    text = next(filter(None, parts), "the driver gave no reason")
    return number, text if number is None else f"{text} ({number})"


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

    extra = {
        "login_timeout": settings.connect_timeout_s,
        "timeout": settings.statement_timeout_s,
        "appname": "schema-sync",
        **connection.extra_dejson,
    }
    extra.pop("as_dict", None)  # rows are read by position, whatever other users of the connection like
    bounded = with_extra(connection, "mssql", extra)
    bounded.port = connection.port or 1433  # the hook would pass the word None
    raw = _told(MsSqlHook(connection=bounded).get_conn)
    _told(lambda: raw.autocommit(True))  # only catalogues are read: no transaction to hold locks
    return _Connection(raw)


HOOK = WarehouseHook(
    provider="apache-airflow-providers-microsoft-mssql",
    from_vault=_from_vault,
    open=_open,
    own_database=lambda connection: connection.schema or None,
)
