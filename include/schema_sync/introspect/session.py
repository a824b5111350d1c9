"""The connection to one database: opened when first needed, once more when it broke; errors explained."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from ..errors import SchemaSyncError, TransientError
from ..text import cut_text, one_line
from ..warehouses.engine import Dialect, Failure, Query
from ..warehouses.names import can_be_asked, fold, unquote
from ..warehouses.proofs import Compiler
from .bisect import Refusal
from .pipeline import STATEMENTS_PER_ROUND_TRIP, can_pipeline, run_in_pipeline
from .watch import Watch

_log = logging.getLogger(__name__)

_CONNECTIONS_PER_DATABASE = 2  # the first, and one more after it broke
_NOT_SENT = Refusal(Failure.TRANSIENT, "")
_ROWS_PER_PORTION = 500  # small enough that a portion's memory is used again for the next


class Cursor(Protocol):
    """The part of a DB-API cursor that is used here. Without parameters, a ``%`` in the statement is only that."""

    def execute(self, sql: Any, parameters: Any = ..., /) -> object: ...
    def fetchmany(self, size: int, /) -> Sequence[Any]: ...
    def close(self) -> object: ...


class Connection(Protocol):
    def cursor(self) -> Cursor: ...
    def rollback(self) -> object: ...
    def close(self) -> object: ...


Connect = Callable[[str | None], Connection]


@dataclass(frozen=True, slots=True)
class Job:
    connect: Connect
    dialect: Dialect
    confirm: bool
    redact: Callable[[str], str]
    watch: Watch[Any]


class Session:
    def __init__(self, job: Job, database: str | None) -> None:
        self.queries = 0
        self._job = job
        self._database = database
        self._connection: Connection | None = None
        self._in_transaction = False
        self._opened = 0
        self._encoding: str | None = None
        self._last_error: Refusal | None = None

    def open(self) -> Connection:
        """:raises Refusal: it cannot be opened, or broke too often; then the same again on every call."""
        if self._connection is not None:
            return self._connection
        if self._last_error is not None:
            if self._opened >= _CONNECTIONS_PER_DATABASE:
                raise self._last_error
            _log.warning("%s: the connection broke (%s); connecting again", self._job.dialect.label, self._last_error)
        self._job.watch.begin_step()
        try:
            self._connection = self._connect()
            self._job.watch.hold(self._connection)
            self._encoding = _prepare(self._connection)
        except Exception as error:  # noqa: BLE001 (drivers share no base class)
            self._last_error = self._explain(error, "cannot connect to")
            self._opened = _CONNECTIONS_PER_DATABASE
            self.close()
            raise self._last_error from None
        self._opened += 1
        return self._connection

    def _connect(self) -> Connection:
        """To the database as it is written, else as the engine folds it: a YML may write it like any other name."""
        written = self._database
        if written is not None:
            folded = fold(written, self._job.dialect.table_case)
            for name in dict.fromkeys((unquote(written)[0], folded)):
                try:
                    return self._job.connect(name)
                except Exception as error:  # drivers share no base class
                    if name == folded or self._explain(error, "").failure is not Failure.MISSING_DATABASE:
                        raise
        return self._job.connect(written)

    def rows(self, query: Query) -> Iterator[Any]:
        """:raises Refusal: running or fetching failed; the connection is clean again, or gone."""
        connection = self.open()
        self.queries += 1
        cursor = self._execute(connection, query.sql, query.parameters, stream=True)
        size = 0
        for rows, row in enumerate(self._fetched(connection, cursor), 1):
            size += sum(len(value) for value in row if isinstance(value, str))
            if (reason := self._job.watch.limits.refusal(rows, size)) is not None:
                self._last_error = Refusal(Failure.TERMINAL, f"cannot read {self._job.dialect.label}: {reason}")
                self.close()  # at once: what the server still sends is not waited for
                raise self._last_error
            yield row

    @property
    def pipelined(self) -> bool:
        return can_pipeline(self._connection)

    def can_be_asked(self, name: str) -> bool:
        """False for a name that no engine takes, or the server's encoding cannot hold: nothing there is called so."""
        if not can_be_asked(name):
            return False
        try:
            name.encode(self._encoding or "utf-8")
        except UnicodeEncodeError:
            return False
        return True

    def try_some(self, statements: Sequence[str], compiler: Compiler | None = None) -> Sequence[Refusal | None]:
        """Run the first of these statements, or as many as one round trip takes; only matters whether they run.

        :param compiler: they are SELECTs that shall be compiled, and not run; what cannot be sent safely has no answer.
        :return: for each that was sent None, or why it does not run; the connection is clean again, or gone.
        :raises Refusal: the connection cannot be opened.
        """
        connection = self.open()
        only_parse = compiler is not None and compiler.only_parse
        try:
            if self.pipelined and (only_parse or compiler is None):
                return self._pipeline(connection, statements, only_parse=only_parse)
            if only_parse:
                return [_NOT_SENT] * len(statements)
            if compiler is None:
                self._run(connection, statements[0])
            elif not self._compile(connection, statements[0], compiler):
                return [_NOT_SENT]
        except Refusal as refusal:
            return [refusal]
        return [None]

    def _compile(self, connection: Connection, select: str, compiler: Compiler) -> bool:
        with self._refusing(connection):
            self._begin(connection.cursor())
            with compiler.guarded(connection) as check:
                statement = compiler.statement(select)
                is_safe = check(statement)
                if is_safe:
                    self._run(connection, statement)
                return is_safe

    def _pipeline(self, connection: Connection, statements: Sequence[str], *, only_parse: bool) -> list[Refusal | None]:
        begin_step = self._job.watch.begin_step
        begin_step()
        with self._refusing(connection):
            self._begin(connection.cursor())
            encoded = [each.encode() for each in statements[:STATEMENTS_PER_ROUND_TRIP]]
            errors = run_in_pipeline(connection, encoded, only_parse=only_parse, progress=begin_step)
        return [None if error is None else self._explain(error, "cannot read") for error in errors]

    def _run(self, connection: Connection, statement: str) -> None:
        for _ in self._fetched(connection, self._execute(connection, statement)):
            pass  # some drivers want every result fetched before the next statement

    def _execute(self, connection: Connection, sql: str, *parameters: Any, stream: bool = False) -> Cursor:
        self._job.watch.begin_step()
        with self._refusing(connection):
            cursor = connection.cursor()
            self._begin(cursor)
            if stream and callable(getattr(cursor, "stream", None)):  # Amazon's driver has one that is None
                return _Stream(cursor, sql, *parameters)
            cursor.execute(sql, *parameters)
        return cursor

    def _begin(self, cursor: Cursor) -> None:
        if not self._in_transaction:
            self._in_transaction = True
            for statement in self._job.dialect.session_statements:
                cursor.execute(statement.format(timeout_ms=max(1, int(self._job.watch.timeout_s * 1000))))

    def _fetched(self, connection: Connection, cursor: Cursor) -> Iterator[Any]:
        while True:
            with self._refusing(connection):
                portion = cursor.fetchmany(_ROWS_PER_PORTION)
                if not portion:
                    cursor.close()
                    return
            yield from portion

    @contextmanager
    def _refusing(self, connection: Connection) -> Iterator[None]:
        """Make refusals of a driver's errors; after one the connection is clean again, or gone."""
        try:
            yield
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 (drivers share no base class)
            self._last_error = self._explain(error, "cannot read")
            self._in_transaction = False
            closed: object = False
            try:
                connection.rollback()
                closed = getattr(connection, "closed", False)
            except Exception:  # noqa: BLE001 (whatever it says, the error before it is the one to tell)
                # A server that gave a clear answer is still there: then there was only nothing to roll back.
                closed = self._last_error.failure is Failure.TRANSIENT
            if isinstance(closed, int) and closed:
                self.close()
            raise self._last_error from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._in_transaction = False
        if connection is None:
            return
        self._job.watch.hold(None)
        try:
            connection.close()
        except Exception as error:  # noqa: BLE001 (a broken connection may refuse even this; nothing is lost)
            _log.warning("%s: closing failed (%s)", self._job.dialect.label, type(error).__name__)

    def _explain(self, error: Exception, doing: str) -> Refusal:
        dialect = self._job.dialect
        if self._job.watch.was_cut():
            failure = Failure.TERMINAL if self._job.watch.too_large else Failure.TRANSIENT
            return Refusal(failure, f"{doing} {dialect.label}: {self._job.watch.no_answer}")
        text = str(error) or type(error).__name__
        # Secrets first: of one that the cut goes through, a part would be left.
        told = one_line(cut_text(self._job.redact(_message_of(error) or text)))
        text = cut_text(text)
        if isinstance(error, SchemaSyncError):
            return Refusal(Failure.TRANSIENT if isinstance(error, TransientError) else Failure.TERMINAL, told)
        if isinstance(error, ImportError):
            return Refusal(Failure.TERMINAL, f"{doing} {dialect.label}: {told}; install its provider package")
        code = _code_of(error)
        failure = dialect.classify(code, text)
        refused = failure in (Failure.TERMINAL, Failure.DENIED)
        advice = "; check this data source's credentials" if refused and not self._opened else ""
        words = one_line(cut_text(self._job.redact(_sentence_of(error) or text)))
        return Refusal(failure, f"{doing} {dialect.label}: {told}{advice}", words, code)


class _Stream:
    """A cursor of psycopg whose rows come as the server sends them: else libpq takes in all of them first.

    It is no cursor of the server's, which poolers would lose.
    """

    def __init__(self, cursor: Any, sql: str, *parameters: Any) -> None:
        from psycopg import capabilities

        size = _ROWS_PER_PORTION if capabilities.has_stream_chunked() else 1
        self._rows = cursor.stream(sql, *parameters, size=size)
        self.execute, self.close = cursor.execute, cursor.close

    def fetchmany(self, size: int) -> Sequence[Any]:
        return list(islice(self._rows, size))


def _message_of(error: Exception) -> str | None:
    """The sentence in an error that carries its fields in a dict, as redshift_connector's do."""
    fields = error.args[0] if error.args else None
    return str(fields["M"]) if isinstance(fields, dict) and fields.get("M") else None


def _sentence_of(error: Exception) -> str:
    """The engine's sentence without the statement that it is about."""
    diagnostics = getattr(error, "diag", None)
    primary = getattr(diagnostics, "message_primary", None) or getattr(error, "msg", None) or _message_of(error)
    return str(primary or error).strip().partition("\n")[0]


def _prepare(connection: Connection) -> str | None:
    """Undo what an open connection may bring along and this work cannot have.

    :return: the encoding of the server's names, as Python calls it, where the driver tells.
    """
    settable: Any = connection
    if getattr(connection, "autocommit", None) is True:
        settable.autocommit = False  # session settings hold for a transaction: there must be one
    if not hasattr(connection, "prepare_threshold"):
        return None
    settable.prepare_threshold = None  # psycopg would prepare a repeated statement, which poolers may lose
    server = settable.info.parameter_status("server_encoding")
    if server == "SQL_ASCII":  # its names are bytes of any encoding: one that is not UTF-8 must not spoil the others
        from psycopg.adapt import Loader

        class LenientLoader(Loader):
            def load(self, data: Any) -> str:
                return bytes(data).decode("utf-8", "backslashreplace")

        for type_name in ("name", "text"):
            settable.adapters.register_loader(type_name, LenientLoader)
    try:
        return codecs.lookup((server or "").replace("WIN", "cp")).name
    except LookupError:  # SQL_ASCII, which holds any bytes, or an encoding that Python does not know
        return None


def _code_of(error: Exception) -> str | None:
    """The code that a driver's error carries: SQLSTATE (psycopg 3 and 2), or the engine's own number."""
    codes = (getattr(error, name, None) for name in ("errno", "sqlstate", "pgcode"))
    return next((str(code) for code in codes if code is not None), None)
