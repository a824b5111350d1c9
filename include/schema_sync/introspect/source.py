"""Runs a dialect's query on connections given to it → what is really there in one data source.

What could not be read is a failure with a reason, never an empty list.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

from include.schema_sync.errors import MissingSchemaError, SchemaSyncError, TransientError, one_line
from include.schema_sync.introspect.confirm import Refusal, confirm_missing
from include.schema_sync.nouns.models import Column, GroupRequest, GroupSnapshot, Table
from include.schema_sync.warehouses.engine import Dialect, Failure, Query
from include.schema_sync.warehouses.names import NameIndex, can_be_asked, unquote

_log = logging.getLogger(__name__)

_PROBING_TIMEOUTS = 2  # how many statement timeouts a group's probes may take together
_CONNECTIONS_PER_DATABASE = 2  # the first, and one more after it broke
_ROWS_PER_PORTION = 500  # small enough that a portion's memory is used again for the next
_NEIGHBOURS_PER_TABLE = 5
_NEIGHBOUR_COMPARISONS = 2_000_000  # about half a second


class Cursor(Protocol):
    """The part of a DB-API cursor that is used here. Without parameters, a ``%`` in the statement is only that."""

    def execute(self, sql: Any, parameters: Any = ..., /) -> object: ...
    def fetchmany(self, size: int, /) -> Sequence[Any]: ...
    def close(self) -> object: ...


class Connection(Protocol):
    """The part of a DB-API connection that is used here."""

    def cursor(self) -> Cursor: ...
    def rollback(self) -> object: ...
    def close(self) -> object: ...


Connect = Callable[[str | None], Connection]


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """One group's snapshot, and what it took to get it.

    :ivar failure: what ``snapshot.error`` means (terminal or transient); None when the group was read, a missing
        schema or database included. Transient too when the group was read but a probe may be answered another time.
    :ivar statements: columns queries sent for this group: 1, or 0 when nothing could or had to be asked.
    :ivar probes: further statements, sent because something was absent; rows are never asked for.
    :ivar sql: the statement, without its parameters; empty when none was built.
    """

    request: GroupRequest
    snapshot: GroupSnapshot
    failure: Failure | None = None
    statements: int = 0
    probes: int = 0
    elapsed_s: float = 0.0
    sql: str = ""

    @property
    def tables_requested(self) -> int:
        return len(self.request.tables)

    @property
    def columns(self) -> int:
        return sum(len(table.columns) for table in self.snapshot.tables)


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """One outcome for every requested group, in the order of the requests."""

    groups: tuple[GroupOutcome, ...]


def introspect_source(
    connect: Connect,
    dialect: Dialect,
    groups: Sequence[GroupRequest],
    *,
    timeout_s: float,
    deadline_s: float | None = None,
    confirm: bool = True,
    redact: Callable[[str], str] = str,
    log: Callable[[str], None] = _log.warning,
) -> SourceOutcome:
    """Read every group of one data source, each in one statement; groups of one database share a connection.

    What a group needs and its catalogue does not list is then confirmed on the same connection
    (``confirmation.py``). Confirming stops when it took two statement timeouts; what was not asked by then has no
    answer.

    A group's failure leaves the others alone: the connection is rolled back, or opened once more when it broke.
    A server that stops answering costs ``timeout_s`` and a little more: then its socket is shut, or, where there
    is none to shut (still connecting, or a driver without ``fileno``), the work is left behind and every group
    without an answer fails as transient. Connections are closed on every path.

    :param connect: (database, None: the connection's own) → open DB-API connection. It brings its own connect
        timeout. Called in a thread of ours; may raise the driver's errors or a SchemaSyncError.
    :param groups: names as the YML writes them; the dialect folds them. Names that no engine can be asked for (a
        NUL, a lone surrogate) are not sent: they are absent.
    :param timeout_s: for each connecting and each statement, in seconds; also set on the server where it has one.
    :param deadline_s: for everything together, in seconds; None: no limit beyond ``timeout_s`` each.
    :param confirm: False: nothing is probed, and the catalogue is believed.
    :param redact: takes secrets out of a text; every error text goes through it.
    :param log: told, in one line, about connections that had to be cut or opened again.
    :return: snapshots with the request's own ``database`` and ``schema``; failed ones carry a reason in one line.
    """
    job = _Job(connect, dialect, timeout_s, confirm, redact, log, _Watch(timeout_s))
    work = partial(_work, job, groups)
    worker = threading.Thread(target=copy_context().run, args=(work,), name="introspection", daemon=True)
    worker.start()
    try:
        reason = job.watch.supervise(None if deadline_s is None else time.monotonic() + deadline_s)
    finally:
        read = job.watch.release()
    if job.watch.bug is not None:
        raise job.watch.bug
    if reason is not None:
        log(f"{dialect.label}: {reason}; {len(groups) - len(read)} of {len(groups)} groups have no answer")
    return SourceOutcome(
        tuple(
            read[index]
            if index in read
            else _failed(request, Failure.TRANSIENT, f"cannot read {dialect.label}: {reason}")
            for index, request in enumerate(groups)
        )
    )


@dataclass(frozen=True, slots=True)
class _Job:
    connect: Connect
    dialect: Dialect
    timeout_s: float
    confirm: bool
    redact: Callable[[str], str]
    log: Callable[[str], None]
    watch: _Watch


def _work(job: _Job, groups: Sequence[GroupRequest]) -> None:
    """The worker thread: read the groups, database by database."""
    by_database: dict[str | None, list[int]] = {}
    for index, request in enumerate(groups):
        database = request.database if job.dialect.reconnects_per_database else None
        by_database.setdefault(database, []).append(index)
    try:
        for database, indexes in by_database.items():
            with _Session(job, database) as session:
                for index in indexes:
                    job.watch.keep(index, _read_group(job, session, groups[index]))
    except _LeftBehindError:
        pass  # nobody waits for this thread any more; what it had opened is closed
    except BaseException as error:  # noqa: BLE001 (ours, not a driver's: the caller's thread raises it)
        job.watch.bug = error
    finally:
        job.watch.done.set()


def _read_group(job: _Job, session: _Session, request: GroupRequest) -> GroupOutcome:
    started = time.monotonic()
    if request.database is not None and not can_be_asked(request.database):
        return GroupOutcome(request, _absent(request))
    askable = tuple(table for table in request.tables if can_be_asked(table))
    query = job.dialect.columns_query(replace(request, tables=askable)) if can_be_asked(request.schema) else None
    asked_before = session.queries
    failure = None
    probing = _Probing(job, session)
    try:
        if query is None:
            session.open()  # only a connection tells whether this is absent or unknown
            snapshot = _absent(request)
        else:
            snapshot, stored_schema = _snapshot(request, session.rows(query), job.dialect)
            if job.confirm:
                snapshot = confirm_missing(snapshot, request, job.dialect, probing.ask, stored_schema=stored_schema)
                if probing.transient:
                    failure = Failure.TRANSIENT
                elif snapshot.error is not None:
                    failure = Failure.TERMINAL
    except _DriverError as error:
        if error.failure is Failure.MISSING_DATABASE:  # the server's own answer: there is nothing to confirm
            snapshot = _absent(request)
        else:
            failure = Failure.TRANSIENT if error.failure is Failure.TRANSIENT else Failure.TERMINAL
            snapshot = _failed(request, failure, str(error)).snapshot
    return GroupOutcome(
        request,
        snapshot,
        failure,
        statements=session.queries - asked_before,
        probes=probing.statements,
        elapsed_s=time.monotonic() - started,
        sql="" if query is None else query.sql,
    )


class _Probing:
    """The probes of one group: how many there were, and for how long there may be more."""

    def __init__(self, job: _Job, session: _Session) -> None:
        self.statements = 0
        self.transient = False
        self._session = session
        self._limit_s = job.timeout_s * _PROBING_TIMEOUTS
        self._ends: float | None = None

    def ask(self, sql: str) -> Refusal | None:
        """Run one probe → None, or why it did not run."""
        if self._ends is None:
            self._ends = time.monotonic() + self._limit_s
        elif time.monotonic() >= self._ends:
            return Refusal(Failure.TERMINAL, f"the time for this is up ({self._limit_s:g} s for a schema)")
        try:
            self._session.open()
        except _DriverError as error:  # whatever is refused here, it says nothing about a table
            self.transient |= error.failure is Failure.TRANSIENT
            return Refusal(Failure.TRANSIENT, str(error))
        self.statements += 1
        try:
            self._session.probe(sql)
        except _DriverError as error:
            self.transient |= error.failure is Failure.TRANSIENT
            return Refusal(error.failure, str(error))
        return None


def _absent(request: GroupRequest) -> GroupSnapshot:
    return GroupSnapshot(request.data_source_id, request.database, request.schema, exists=False)


def _failed(request: GroupRequest, failure: Failure, text: str) -> GroupOutcome:
    snapshot = GroupSnapshot(request.data_source_id, request.database, request.schema, exists=True, error=text)
    return GroupOutcome(request, snapshot, failure)


_relation_of = itemgetter(1)


def _snapshot(request: GroupRequest, rows: Iterable[Any], dialect: Dialect) -> tuple[GroupSnapshot, str | None]:
    """Rows as :class:`Dialect` describes them → (a snapshot, the schema's stored name). No rows: no such schema."""
    exists = False
    stored_schema: str | None = None
    tables: list[Table] = []
    neighbours: list[str] = []
    # Tables share columns that are the same in both: most have an id or a created_at, and finding one is
    # several times faster than making and keeping another.
    shared: dict[str, Column] = {}
    for name, group in groupby(rows, _relation_of):
        exists = True
        own = list(group)
        stored_schema = own[0][0]
        kind, readable, first_column = own[0][2:5]
        if name is None:
            continue
        if readable is None:
            neighbours.append(name)
            continue
        columns: list[Column] = []
        for _, _, _, _, column, type_, base_type, column_readable in own if first_column is not None else ():
            known = shared.get(column)
            if known is None or known[1:] != (type_, base_type, column_readable):
                known = shared[column] = Column(column, type_, base_type, column_readable)
            columns.append(known)
        tables.append(Table(name, kind, bool(readable), tuple(columns)))
    snapshot = GroupSnapshot(
        request.data_source_id,
        request.database,
        request.schema,
        exists=exists,
        tables=tuple(tables),
        neighbours=_closest(neighbours, request, tables, dialect) if neighbours else (),
    )
    return snapshot, stored_schema


def _closest(
    neighbours: Sequence[str], request: GroupRequest, tables: Iterable[Table], dialect: Dialect
) -> tuple[str, ...]:
    """The neighbours that look like an absent table, sorted: a schema may have 100 000, and all would go into XCom."""
    from rapidfuzz import fuzz, process

    found = NameIndex([table.name for table in tables], dialect.table_case, dialect.max_name_bytes)
    absent = [table for table in request.tables if found.resolve(table).name is None and can_be_asked(table)]
    lowered = [name.lower() for name in neighbours]
    chosen: set[str] = set()
    for table in absent[: max(1, _NEIGHBOUR_COMPARISONS // len(neighbours))]:
        hits = process.extract(
            unquote(table)[0].lower(), lowered, scorer=fuzz.ratio, limit=_NEIGHBOURS_PER_TABLE, score_cutoff=50
        )
        chosen.update(neighbours[index] for _, _, index in hits)
    return tuple(sorted(chosen))


class _DriverError(Exception):
    """A driver's error as a text for people: in one line, without secrets, and what it means."""

    def __init__(self, failure: Failure, text: str) -> None:
        super().__init__(text)
        self.failure = failure


class _LeftBehindError(Exception):
    """Nobody waits for the worker any more."""


class _Session:
    """The connection to one database: opened when first needed, once more when it broke, closed at the end."""

    def __init__(self, job: _Job, database: str | None) -> None:
        self.queries = 0
        self._job = job
        self._database = database
        self._connection: Connection | None = None
        self._in_transaction = False
        self._opened = 0
        self._last_error: _DriverError | None = None

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()

    def open(self) -> Connection:
        """The open connection.

        :raises _DriverError: it cannot be opened, or broke too often; then the same again on every call.
        """
        if self._connection is not None:
            return self._connection
        if self._last_error is not None:
            if self._opened >= _CONNECTIONS_PER_DATABASE:
                raise self._last_error
            self._job.log(f"{self._job.dialect.label}: the connection broke ({self._last_error}); connecting again")
        self._job.watch.begin_step()
        try:
            self._connection = self._job.connect(self._database)
            self._job.watch.hold(self._connection)
            _prepare(self._connection)
        except Exception as error:  # noqa: BLE001 (drivers share no base class)
            self._last_error = self._explain(error, "cannot connect to")
            self._opened = _CONNECTIONS_PER_DATABASE
            self._discard()
            raise self._last_error from None
        self._opened += 1
        return self._connection

    def rows(self, query: Query) -> Iterator[Any]:
        """Run the group's one statement; its rows are fetched in portions as they are used.

        :raises _DriverError: running or fetching failed; the connection is clean again, or gone.
        """
        connection = self.open()
        self.queries += 1
        cursor = self._execute(connection, query.sql, query.parameters)
        return self._fetched(connection, cursor)

    def probe(self, sql: str) -> None:
        """Run one statement of which only matters that it runs.

        :raises _DriverError: it does not; the connection is clean again, or gone.
        """
        connection = self.open()
        for _ in self._fetched(connection, self._execute(connection, sql)):
            pass  # some drivers want every result fetched before the next statement

    def _execute(self, connection: Connection, sql: str, *parameters: Any) -> Cursor:
        self._job.watch.begin_step()
        try:
            cursor = connection.cursor()
            if not self._in_transaction:
                self._in_transaction = True
                for statement in self._job.dialect.session_statements:
                    cursor.execute(statement.format(timeout_ms=max(1, int(self._job.timeout_s * 1000))))
            cursor.execute(sql, *parameters)
        except Exception as error:  # noqa: BLE001 (drivers share no base class)
            raise self._failed(connection, error) from None
        return cursor

    def _fetched(self, connection: Connection, cursor: Cursor) -> Iterator[Any]:
        while True:
            try:
                portion = cursor.fetchmany(_ROWS_PER_PORTION)
                if not portion:
                    cursor.close()
                    return
            except Exception as error:  # noqa: BLE001 (drivers share no base class)
                raise self._failed(connection, error) from None
            yield from portion

    def _failed(self, connection: Connection, error: Exception) -> _DriverError:
        self._last_error = self._explain(error, "cannot read")
        self._recover(connection, answered=self._last_error.failure is not Failure.TRANSIENT)
        return self._last_error

    def _recover(self, connection: Connection, *, answered: bool) -> None:
        self._in_transaction = False
        closed: object = False
        try:
            connection.rollback()
            closed = getattr(connection, "closed", False)
        except Exception:  # noqa: BLE001 (whatever it says, the error before it is the one to tell)
            # A server that gave a clear answer is still there: then there was only nothing to roll back.
            closed = not answered
        if isinstance(closed, int) and closed:
            self._discard()

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        self._in_transaction = False
        if connection is None:
            return
        self._job.watch.let_go()
        try:
            connection.close()
        except Exception as error:  # noqa: BLE001 (a broken connection may refuse even this; nothing is lost)
            self._job.log(f"{self._job.dialect.label}: closing failed ({type(error).__name__})")

    def _explain(self, error: Exception, doing: str) -> _DriverError:
        dialect = self._job.dialect
        if self._job.watch.was_cut():
            return _DriverError(Failure.TRANSIENT, f"{doing} {dialect.label}: {self._job.watch.no_answer}")
        text = str(error) or type(error).__name__
        told = one_line(self._job.redact(_message_of(error) or text))
        if isinstance(error, SchemaSyncError):
            return _DriverError(_failure_of(error), told)
        if isinstance(error, ImportError):
            return _DriverError(Failure.TERMINAL, f"{doing} {dialect.label}: {told}; install its provider package")
        failure = dialect.classify(_code_of(error), text)
        refused = failure in (Failure.TERMINAL, Failure.DENIED)
        advice = "; check this data source's credentials" if refused and not self._opened else ""
        return _DriverError(failure, f"{doing} {dialect.label}: {told}{advice}")


def _message_of(error: Exception) -> str | None:
    """The sentence in an error that carries its fields in a dict, as redshift_connector's do."""
    fields = error.args[0] if error.args else None
    return str(fields["M"]) if isinstance(fields, dict) and fields.get("M") else None


def _prepare(connection: Connection) -> None:
    """Undo what an open connection may bring along and this work cannot have."""
    settable: Any = connection
    if getattr(connection, "autocommit", None) is True:
        settable.autocommit = False  # session settings hold for a transaction: there must be one
    if hasattr(connection, "prepare_threshold"):
        settable.prepare_threshold = None  # psycopg would prepare a repeated statement, which poolers may lose


def _failure_of(error: SchemaSyncError) -> Failure:
    if isinstance(error, MissingSchemaError):
        return Failure.MISSING_DATABASE
    return Failure.TRANSIENT if isinstance(error, TransientError) else Failure.TERMINAL


def _code_of(error: Exception) -> str | None:
    """The code that a driver's error carries: SQLSTATE (psycopg 3 and 2), or the engine's own number."""
    codes = (getattr(error, name, None) for name in ("sqlstate", "pgcode", "errno"))
    return next((str(code) for code in codes if code is not None), None)


class _Watch:
    """What the worker does now, seen from the thread that waits for it. Every method may be called from either."""

    def __init__(self, timeout_s: float) -> None:
        self.done = threading.Event()
        self.bug: BaseException | None = None
        self.no_answer = f"no answer within {timeout_s:g} s, the connection was cut"
        self._step_s = timeout_s + max(1.0, timeout_s / 10)  # the server's own timeout comes first
        self._lock = threading.Lock()
        self._outcomes: dict[int, GroupOutcome] = {}
        self._connection: Connection | None = None
        self._step_ends = time.monotonic() + self._step_s
        self._cut = False
        self._left_behind = False

    def begin_step(self) -> None:
        """Connecting or a statement starts: its time runs from now."""
        with self._lock:
            if self._left_behind:
                raise _LeftBehindError
            self._step_ends = time.monotonic() + self._step_s
            self._cut = False

    def hold(self, connection: Connection) -> None:
        """This connection's socket is the one to shut when the step takes too long."""
        with self._lock:
            self._connection = connection

    def let_go(self) -> None:
        """Before closing: a closed socket's number may soon be another's."""
        with self._lock:
            self._connection = None

    def was_cut(self) -> bool:
        with self._lock:
            return self._cut

    def keep(self, index: int, outcome: GroupOutcome) -> None:
        with self._lock:
            self._outcomes[index] = outcome

    def supervise(self, deadline: float | None) -> str | None:
        """Wait until the work is done, and cut steps that take too long.

        :param deadline: end of everything, on the monotonic clock, or None.
        :return: None when the work is done, else why nobody waits any longer.
        """
        while True:
            with self._lock:
                ends = self._step_ends if deadline is None else min(self._step_ends, deadline)
            if self.done.wait(max(0.0, ends - time.monotonic())):
                return None
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return "its time for this run is up"
            with self._lock:
                if now < self._step_ends:
                    continue  # the next step began meanwhile
                if self._cut or not self._shut():
                    return self.no_answer
                self._cut = True
                self._step_ends = now + 1.0  # to notice it

    def release(self) -> dict[int, GroupOutcome]:
        """Nobody waits from here on: what was read so far. A worker that still runs ends at its next step."""
        with self._lock:
            self._left_behind = True
            if not self.done.is_set():
                self._shut()
            return dict(self._outcomes)

    def _shut(self) -> bool:
        """Shut the socket under the driver, so that its waiting ends with an error; False if there is none."""
        fileno = getattr(self._connection, "fileno", None)
        if fileno is None:
            return False
        try:
            with socket.fromfd(fileno(), socket.AF_INET, socket.SOCK_STREAM) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
        except Exception:  # noqa: BLE001 (a driver without a socket by now says so in an error of its own)
            return False
        return True
