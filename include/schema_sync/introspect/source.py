"""Runs a dialect's query on connections given to it → what is really there in one data source.

What could not be read is a failure with a reason, never an empty list.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial

from ..errors import TerminalError
from ..nouns.snapshot import GroupRequest, GroupSnapshot
from ..warehouses.engine import Dialect, Failure
from ..warehouses.names import can_be_asked
from .confirm import Refusal, confirm_missing
from .limits import Limits
from .rows import snapshot_of_rows
from .session import Connect, DriverError, Job, Session
from .watch import OUT_OF_TIME, LeftBehindError, Watch

_log = logging.getLogger(__name__)


_PROBING_TIMEOUTS = 2  # how many statement timeouts a group's probes may take together


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
    wake_up_s: float = 0,
    deadline_s: float | None = None,
    confirm: bool = True,
    redact: Callable[[str], str] = str,
    log: Callable[[str], None] = _log.warning,
    limits: Limits | None = None,
) -> SourceOutcome:
    """Read every group of one data source, each in one statement; groups of one database share a connection.

    What a group needs and its catalogue does not list is then confirmed on the same connection
    (``confirm.py``). Confirming stops when it took two statement timeouts; what was not asked by then has no
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
    :param wake_up_s: how much longer the first answer of a warehouse that starts by itself may take.
    :param deadline_s: for everything together, in seconds; None: no limit beyond ``timeout_s`` each.
    :param confirm: False: nothing is probed, and the catalogue is believed.
    :param redact: takes secrets out of a text; every error text goes through it.
    :param log: told, in one line, about connections that had to be cut or opened again.
    :param limits: how much of one answer is taken in; a group with more fails, for good.
    :return: snapshots with the request's own ``database`` and ``schema``; failed ones carry a reason in one line.
    """
    limits = limits or Limits()
    watch = Watch[GroupOutcome](timeout_s, limits, wake_up_s if dialect.driver.wakes_up else 0)
    job = Job(connect, dialect, timeout_s, confirm, redact, log, watch, limits)
    work = partial(_work, job, groups)
    worker = threading.Thread(target=copy_context().run, args=(work,), name="introspection", daemon=True)
    worker.start()
    try:
        reason = job.watch.supervise(None if deadline_s is None else time.monotonic() + deadline_s)
    finally:
        read = job.watch.release()
    if job.watch.bug is not None:
        raise job.watch.bug
    # Another try would take as long again, and the others of its batch would wait for it.
    failure = Failure.TERMINAL if reason == OUT_OF_TIME else Failure.TRANSIENT
    if reason is not None:
        log(f"{dialect.label}: {reason}; {len(groups) - len(read)} of {len(groups)} groups have no answer")
    return SourceOutcome(
        tuple(
            read[index] if index in read else _failed(request, failure, f"cannot read {dialect.label}: {reason}")
            for index, request in enumerate(groups)
        )
    )


def _work(job: Job, groups: Sequence[GroupRequest]) -> None:
    """The worker thread: read the groups, database by database."""
    by_database: dict[str | None, list[int]] = {}
    for index, request in enumerate(groups):
        database = request.database if job.dialect.reconnects_per_database else None
        by_database.setdefault(database, []).append(index)
    try:
        for database, indexes in by_database.items():
            with Session(job, database) as session:
                for index in indexes:
                    job.watch.keep(index, _read_group(job, session, groups[index]))
    except LeftBehindError:
        pass  # nobody waits for this thread any more; what it had opened is closed
    except BaseException as error:  # noqa: BLE001 (ours, not a driver's: the caller's thread raises it)
        job.watch.bug = error
    finally:
        job.watch.done.set()


def _read_group(job: Job, session: Session, request: GroupRequest) -> GroupOutcome:
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
            snapshot, stored_schema = snapshot_of_rows(request, session.rows(query), job.dialect)
            if job.confirm:
                snapshot = confirm_missing(snapshot, request, job.dialect, probing.ask, stored_schema=stored_schema)
                if probing.transient:
                    failure = Failure.TRANSIENT
                elif snapshot.error is not None:
                    failure = Failure.TERMINAL
    except TerminalError as error:
        failure = Failure.TERMINAL
        snapshot = _failed(request, failure, f"cannot read {job.dialect.label}: {error}").snapshot
    except DriverError as error:
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

    def __init__(self, job: Job, session: Session) -> None:
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
        except DriverError as error:  # whatever is refused here, it says nothing about a table
            self.transient |= error.failure is Failure.TRANSIENT
            return Refusal(Failure.TRANSIENT, str(error))
        self.statements += 1
        try:
            self._session.probe(sql)
        except DriverError as error:
            self.transient |= error.failure is Failure.TRANSIENT
            return Refusal(error.failure, str(error))
        return None


def _absent(request: GroupRequest) -> GroupSnapshot:
    return GroupSnapshot(request.data_source_id, request.database, request.schema, exists=False)


def _failed(request: GroupRequest, failure: Failure, text: str) -> GroupOutcome:
    snapshot = GroupSnapshot(request.data_source_id, request.database, request.schema, exists=True, error=text)
    return GroupOutcome(request, snapshot, failure)
