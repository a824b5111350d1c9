"""Drivers' connections as introspection expects them, for those that differ from the DB-API's usual ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class AutocommitConnection:
    """A connection on which every statement stands alone: there is nothing to roll back."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def cursor(self) -> Any:
        return self.raw.cursor()

    def rollback(self) -> None:
        """Nothing is open after a failed statement; the drivers refuse to be asked, or have no such method."""

    def close(self) -> None:
        self.raw.close()

    @property
    def closed(self) -> bool:
        """True when another connection is needed for the next statement."""
        return False


class DuckDBConnection:
    """DuckDB's own ``cursor()`` is one more connection, and its ``rollback()`` fails outside of a transaction.

    Here the connection keeps its latest result, one at a time, and is its own cursor.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def cursor(self) -> _DuckDBCursor:
        return _DuckDBCursor(self._raw)

    def rollback(self) -> None:
        self._raw.execute("SELECT 1").fetchall()  # fails when the connection is closed or its database broken

    def close(self) -> None:
        self._raw.close()


class _DuckDBCursor:
    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def execute(self, sql: str, parameters: Any = None) -> None:
        self._raw.execute(sql, parameters)

    def fetchmany(self, size: int) -> list[Any]:
        rows: list[Any] = self._raw.fetchmany(size)
        return rows

    def close(self) -> None:
        """Nothing is held that the next statement does not replace."""


class SqlServerError(Exception):
    """What the server or the driver said; ``errno`` is the server's error number, or None."""

    def __init__(self, errno: int | None, text: str) -> None:
        super().__init__(text)
        self.errno = errno


class SqlServerConnection(AutocommitConnection):
    """pymssql, whose errors are numbers and bytes."""

    def cursor(self) -> Any:
        with sql_server_errors():
            return _SqlServerCursor(self.raw.cursor())

    @property
    def closed(self) -> bool:
        try:
            return not self.raw._conn.connected
        except Exception:  # noqa: BLE001 (the driver raises when it has given the connection up)
            return True


class _SqlServerCursor:
    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def execute(self, sql: str, *parameters: Any) -> None:
        with sql_server_errors():
            self._raw.execute(sql, *parameters)

    def fetchmany(self, size: int) -> Sequence[Any]:
        with sql_server_errors():
            rows: Sequence[Any] = self._raw.fetchmany(size)
        return rows

    def close(self) -> None:
        self._raw.close()


@contextmanager
def sql_server_errors() -> Iterator[None]:
    """The driver's error, a number and bytes with its own remarks behind, becomes one for people."""
    import pymssql

    try:
        yield
    except pymssql.Error as error:
        arguments = error.args
        if len(arguments) == 1 and isinstance(arguments[0], tuple):
            arguments = arguments[0]
        number = next((item for item in arguments if isinstance(item, int)), None)
        last = arguments[-1] if arguments else ""
        text = last.decode(errors="replace") if isinstance(last, bytes) else str(last)
        first = next(filter(None, (part.strip() for part in _REMARK.split(text))), "the driver gave no reason")
        raise SqlServerError(number, first if number is None else f"{first} ({number})") from None


_REMARK = re.compile(r"DB-Lib error message \d+, severity \d+:")
