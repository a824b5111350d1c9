"""Runs a dialect's query on connections given to it → what is really there in one data source.

What could not be read is a failure with a reason, never an empty list.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial

from ..errors import TerminalError
from ..nouns.snapshot import GroupRequest, GroupSnapshot, Table
from ..warehouses.engine import Dialect, Failure, Query
from ..warehouses.names import can_be_asked
from .bisect import Refusal
from .compile import Tables
from .confirm import Asking, confirm_missing
from .limits import Limits
from .prove import prove
from .rows import snapshot_of_rows
from .session import Connect, DriverError, Job, Session
from .views import confirm_views
from .watch import OUT_OF_TIME, LeftBehindError, Watch

_log = logging.getLogger(__name__)


_PROBING_TIMEOUTS = 2  # how many statement timeouts a group's probes may take together


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """One group's snapshot, and what it took to get it.

    :ivar failure: what ``snapshot.error`` means (terminal or transient); None when the group was read, a missing
        schema or database included. Transient too when the group was read but a probe may be answered another time.
    :ivar statements: columns queries sent for this group: 1, or 0 when nothing could or had to be asked.
    :ivar compiled: statements that compiled what the datasets' queries consist of.
    :ivar probes: further statements, sent because something was absent; rows are never asked for.
    :ivar sql: the statement, without its parameters; empty when none was built.
    """

    request: GroupRequest
    snapshot: GroupSnapshot
    failure: Failure | None = None
    statements: int = 0
    probes: int = 0
    compiled: int = 0
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
                read: list[tuple[int, GroupOutcome, GroupRequest]] = []
                for index in indexes:
                    outcome, spelled = _read_group(job, session, groups[index])
                    job.watch.keep(index, outcome)
                    if outcome.snapshot.exists and outcome.snapshot.error is None:
                        read.append((index, outcome, spelled))
                for index, outcome in _proved(job, session, read):
                    job.watch.keep(index, outcome)
    except LeftBehindError:
        pass  # nobody waits for this thread any more; what it had opened is closed
    except BaseException as error:  # noqa: BLE001 (ours, not a driver's: the caller's thread raises it)
        job.watch.bug = error
    finally:
        job.watch.done.set()


def _proved(
    job: Job, session: Session, read: Sequence[tuple[int, GroupOutcome, GroupRequest]]
) -> Iterator[tuple[int, GroupOutcome]]:
    """Let the warehouse compile what the groups' datasets consist of, now that all their tables are known."""
    compiler = job.dialect.proofs
    if compiler is None:
        return
    tables = Tables([(spelled, outcome.snapshot) for _, outcome, spelled in read], job.dialect)
    for index, outcome, spelled in read:
        before = compiler.before(spelled)
        if spelled.parts and (before is None or _Probing(job, session, session.try_some)([before]) == [None]):
            ask = _Probing(job, session, partial(session.compile_some, compiler))
            proof = prove(spelled, tables, compiler, ask)
            snapshot = replace(outcome.snapshot, proof=proof)
            yield index, replace(outcome, snapshot=snapshot, compiled=ask.statements)


def _read_group(job: Job, session: Session, request: GroupRequest) -> tuple[GroupOutcome, GroupRequest]:
    """One group, and its request with the schema as further statements spell it."""
    spelled = request
    started = time.monotonic()
    if request.database is not None and not can_be_asked(request.database):
        return GroupOutcome(request, _absent(request)), request
    query: Query | None = None
    asked_before = session.queries
    failure = None
    probing = _Probing(job, session, session.try_some)
    try:
        if not can_be_asked(request.schema):
            session.open()  # only a connection tells whether this is absent or unknown
            snapshot = _absent(request)
        else:
            session.open()
            tables = tuple(filter(session.can_be_asked, request.tables))
            query = job.dialect.columns_query(replace(request, tables=tables))
            snapshot, stored_schema = snapshot_of_rows(request, session.rows(query), job.dialect)
            if snapshot.exists:
                schema = job.dialect.spelling_of(
                    request.schema, stored_schema or request.schema, job.dialect.table_case
                )
                spelled = replace(request, schema=schema)
            if job.confirm:
                snapshot = _confirmed(snapshot, spelled, job, probing)
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
    outcome = GroupOutcome(
        request,
        snapshot,
        failure,
        statements=session.queries - asked_before,
        probes=probing.statements,
        elapsed_s=time.monotonic() - started,
        sql="" if query is None else query.sql,
    )
    return outcome, spelled


def _confirmed(snapshot: GroupSnapshot, request: GroupRequest, job: Job, probing: _Probing) -> GroupSnapshot:
    """What the warehouse itself says of views, and of what its catalogue does not list."""
    dialect = job.dialect
    asking = Asking(request, dialect, probing, probing.session.can_be_asked)

    def read(query: Query) -> dict[str, Table]:
        found, _ = snapshot_of_rows(request, probing.session.rows(query), dialect)
        return {table.name: table for table in found.tables}

    return confirm_missing(confirm_views(snapshot, asking, read), asking)


class _Probing:
    """The probes of one group: how many there were, and for how long there may be more."""

    def __init__(
        self, job: Job, session: Session, send: Callable[[Sequence[str]], Sequence[DriverError | None]]
    ) -> None:
        """:param send: statements → the answers to the first of them."""
        self._send = send
        self.statements = 0
        self.transient = False
        self.session = session
        self._limit_s = job.timeout_s * _PROBING_TIMEOUTS
        self._ends: float | None = None

    @property
    def pipelined(self) -> bool:
        return self.session.pipelined

    def __call__(self, statements: Sequence[str]) -> list[Refusal | None]:
        """Run probes, each by itself → for each None, or why it did not run."""
        answers: list[Refusal | None] = []
        while len(answers) < len(statements):
            if self._ends is None:
                self._ends = time.monotonic() + self._limit_s
            elif time.monotonic() >= self._ends:
                late = Refusal(Failure.TRANSIENT, f"the time for this is up ({self._limit_s:g} s for a schema)")
                return answers + [late] * (len(statements) - len(answers))
            try:
                self.session.open()
            except DriverError as error:  # whatever is refused here, it says nothing about a table
                self.transient |= error.failure is Failure.TRANSIENT
                answers.append(Refusal(Failure.TRANSIENT, str(error)))
                continue
            some = self._send(statements[len(answers) :])
            self.statements += len(some)
            self.transient |= any(error is not None and error.failure is Failure.TRANSIENT for error in some)
            answers += [
                None if error is None else Refusal(error.failure, str(error), error.words, error.code) for error in some
            ]
        return answers


def _absent(request: GroupRequest) -> GroupSnapshot:
    return GroupSnapshot(request.data_source_id, request.database, request.schema, exists=False)


def _failed(request: GroupRequest, failure: Failure, text: str) -> GroupOutcome:
    snapshot = GroupSnapshot(request.data_source_id, request.database, request.schema, exists=True, error=text)
    return GroupOutcome(request, snapshot, failure)
