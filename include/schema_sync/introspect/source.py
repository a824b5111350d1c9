"""Runs a dialect's query on connections given to it → what is really there in one data source.

What could not be read is a failure with a reason, never an empty list.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from math import inf

from ..nouns.snapshot import GroupRequest, GroupSnapshot, Table
from ..warehouses.engine import Dialect, Failure, Query
from ..warehouses.names import can_be_asked
from .bisect import Refusal
from .compile import Tables, prove
from .confirm import Asking, confirm_missing, confirm_views
from .rows import snapshot_of_rows
from .session import Connect, Job, Session
from .watch import OUT_OF_TIME, LeftBehindError, Limits, Watch

_log = logging.getLogger(__name__)


_PROBING_TIMEOUTS = 2  # how many statement timeouts a group's probes may take together


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """One group's snapshot, and what it took to get it.

    :ivar failure: what ``snapshot.error`` means (terminal or transient); None when the group was read, a missing
        schema or database included. Transient too when the group was read but a probe may be answered another time.
    :ivar statements, probes, compiled: how many were sent to read columns, to confirm them, and to be compiled.
    :ivar sql: the columns query, without its parameters; empty when none was built.
    """

    request: GroupRequest
    snapshot: GroupSnapshot
    failure: Failure | None = None
    statements: int = 0
    probes: int = 0
    compiled: int = 0
    elapsed_s: float = 0.0
    sql: str = ""


def introspect_source(
    connect: Connect,
    dialect: Dialect,
    groups: Sequence[GroupRequest],
    *,
    timeout_s: float,
    wake_up_s: float = 0,
    deadline_s: float = inf,
    confirm: bool = True,
    redact: Callable[[str], str] = str,
    limits: Limits | None = None,
) -> tuple[GroupOutcome, ...]:
    """Read every group of one data source, each in one statement; groups of one database share a connection.

    What a group needs and its catalogue does not list is then confirmed, for no longer than two statement timeouts.

    A group's failure leaves the others alone. A server that stops answering costs ``timeout_s`` and a little more: then
    its socket is shut, or, where there is none to shut (still connecting, or a driver without ``fileno``), the work is
    left behind and every group without an answer fails as transient. Connections are closed on every path.

    :param connect: (database, None: the connection's own) → open DB-API connection, with a connect timeout of its own.
        Called in a thread of ours; may raise the driver's errors or a SchemaSyncError.
    :param groups: names that no engine can be asked for (a NUL, a lone surrogate) are not sent: they are absent.
    :param timeout_s: for each connecting and each statement, in seconds; also set on the server where it has one.
    :param wake_up_s: how much longer the first answer of a warehouse that starts by itself may take.
    :param deadline_s: for everything together.
    :param confirm: False: the catalogue is believed.
    :param redact: takes secrets out of a text; every error text goes through it.
    :param limits: a group whose answer is larger fails, for good.
    """
    watch = Watch[GroupOutcome](timeout_s, limits or Limits(), wake_up_s if dialect.driver.wakes_up else 0)
    job = Job(connect, dialect, confirm, redact, watch)
    worker = threading.Thread(target=copy_context().run, args=(_work, job, groups), name="introspection", daemon=True)
    worker.start()
    try:
        reason = watch.supervise(time.monotonic() + deadline_s)
    finally:
        read = watch.release()
    if watch.bug is not None:
        raise watch.bug
    if reason is not None:
        unanswered = len(groups) - len(read)
        _log.warning("%s: %s; %d of %d groups have no answer", dialect.label, reason, unanswered, len(groups))
    # After its deadline another try would take as long again, and the others of its batch would wait for it.
    failure = Failure.TERMINAL if reason == OUT_OF_TIME else Failure.TRANSIENT
    return tuple(
        read[index]
        if index in read
        else GroupOutcome(request, _failed(request, f"cannot read {dialect.label}: {reason}"), failure)
        for index, request in enumerate(groups)
    )


def _work(job: Job, groups: Sequence[GroupRequest]) -> None:
    by_database: dict[str | None, list[int]] = {}
    for index, request in enumerate(groups):
        database = request.database if job.dialect.reconnects_per_database else None
        by_database.setdefault(database, []).append(index)
    try:
        for database, indexes in by_database.items():
            with closing(Session(job, database)) as session:
                read: list[tuple[int, GroupOutcome, GroupRequest]] = []
                for index in indexes:
                    outcome, spelled = _read_group(job, session, groups[index])
                    job.watch.keep(index, outcome)
                    if outcome.snapshot.exists and outcome.snapshot.error is None:
                        read.append((index, outcome, spelled))
                _prove_groups(job, session, read)
    except LeftBehindError:
        pass  # nobody waits for this thread any more; what it had opened is closed
    except BaseException as error:  # noqa: BLE001 (ours, not a driver's: the caller's thread raises it)
        job.watch.bug = error
    finally:
        job.watch.done.set()


def _prove_groups(job: Job, session: Session, read: Sequence[tuple[int, GroupOutcome, GroupRequest]]) -> None:
    """Let the warehouse compile what the groups' datasets consist of, now that all their tables are known."""
    compiler = job.dialect.proofs
    if compiler is None:
        return
    tables = Tables([(spelled, outcome.snapshot) for _, outcome, spelled in read], job.dialect, compiler)
    for index, outcome, spelled in read:
        before = compiler.before(spelled)
        if spelled.parts and (before is None or _Probing(job, session, session.try_some)([before]) == [None]):
            ask = _Probing(job, session, partial(session.try_some, compiler=compiler))
            proof = prove(spelled, tables, compiler, ask)
            snapshot = replace(outcome.snapshot, proof=proof)
            job.watch.keep(index, replace(outcome, snapshot=snapshot, compiled=ask.statements))


def _read_group(job: Job, session: Session, request: GroupRequest) -> tuple[GroupOutcome, GroupRequest]:
    """:return: its request too, with the schema as further statements spell it."""
    snapshot = absent = GroupSnapshot(request.data_source_id, request.database, request.schema, exists=False)
    if request.database is not None and not can_be_asked(request.database):
        return GroupOutcome(request, absent), request
    started, asked_before = time.monotonic(), session.queries
    spelled, sql, failure = request, "", None
    probing = _Probing(job, session, session.try_some)
    try:
        session.open()  # whatever can be asked: only a connection tells whether a schema is absent or unknown
        if can_be_asked(request.schema):
            tables = tuple(filter(session.can_be_asked, request.tables))
            query = job.dialect.columns_query(replace(request, tables=tables))
            sql = query.sql
            snapshot, stored = snapshot_of_rows(request, session.rows(query), job.dialect)
            if snapshot.exists:
                schema = job.dialect.spelling_of(request.schema, stored or request.schema, job.dialect.table_case)
                spelled = replace(request, schema=schema)
            if job.confirm:
                snapshot = _confirmed(snapshot, spelled, job, probing)
                if probing.transient:
                    failure = Failure.TRANSIENT
                elif snapshot.error is not None:
                    failure = Failure.TERMINAL
    except Refusal as refusal:
        if refusal.failure is Failure.MISSING_DATABASE:  # the server's own answer: there is nothing to confirm
            snapshot = absent
        else:
            failure = Failure.TRANSIENT if refusal.failure is Failure.TRANSIENT else Failure.TERMINAL
            snapshot = _failed(request, str(refusal))
    outcome = GroupOutcome(
        request,
        snapshot,
        failure,
        statements=session.queries - asked_before,
        probes=probing.statements,
        elapsed_s=time.monotonic() - started,
        sql=sql,
    )
    return outcome, spelled


def _confirmed(snapshot: GroupSnapshot, request: GroupRequest, job: Job, probing: _Probing) -> GroupSnapshot:
    """What the warehouse itself says of views, and of what its catalogue does not list."""
    asking = Asking(request, job.dialect, probing, probing.session.can_be_asked)

    def read(query: Query) -> Iterable[Table]:
        return snapshot_of_rows(request, probing.session.rows(query), job.dialect)[0].tables

    return confirm_missing(confirm_views(snapshot, asking, read), asking)


class _Probing:
    """The probes of one group: how many there were, and for how long there may be more."""

    def __init__(self, job: Job, session: Session, send: Callable[[Sequence[str]], Sequence[Refusal | None]]) -> None:
        """:param send: statements → the answers to the first of them."""
        self._send = send
        self.statements = 0
        self.transient = False
        self.session = session
        self._limit_s = job.watch.timeout_s * _PROBING_TIMEOUTS
        self._ends: float | None = None

    @property
    def pipelined(self) -> bool:
        return self.session.pipelined

    def __call__(self, statements: Sequence[str]) -> list[Refusal | None]:
        answers: list[Refusal | None] = []
        while len(answers) < len(statements):
            if self._ends is None:
                self._ends = time.monotonic() + self._limit_s
            elif time.monotonic() >= self._ends:
                late = Refusal(Failure.TRANSIENT, f"the time for this is up ({self._limit_s:g} s for a schema)")
                return answers + [late] * (len(statements) - len(answers))
            try:
                self.session.open()
            except Refusal as refusal:  # whatever is refused here, it says nothing about a table
                self.transient |= refusal.failure is Failure.TRANSIENT
                answers.append(Refusal(Failure.TRANSIENT, str(refusal)))
                continue
            some = self._send(statements[len(answers) :])
            self.statements += len(some)
            self.transient |= any(each is not None and each.failure is Failure.TRANSIENT for each in some)
            answers += some
        return answers


def _failed(request: GroupRequest, why: str) -> GroupSnapshot:
    return GroupSnapshot(request.data_source_id, request.database, request.schema, exists=True, error=why)
