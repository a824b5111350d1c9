"""Many statements in one round trip, on psycopg's connections: each stands alone, whatever becomes of the others.

All in the one transaction that is open, so that its limits hold, a pooler in transaction mode stays with one server,
and nothing is left of a refused statement: a savepoint is rolled back to after each.
Source: https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from typing import Any

STATEMENTS_PER_ROUND_TRIP = 300


def can_pipeline(connection: Any) -> bool:
    """True for psycopg 3 with a libpq that has pipelines (14 and later)."""
    if not hasattr(connection, "pgconn"):
        return False
    from psycopg import Pipeline

    return bool(Pipeline.is_supported())


def run_in_pipeline(
    connection: Any, statements: Sequence[bytes], *, only_parse: bool, progress: Callable[[], None]
) -> list[Exception | None]:
    """Send statements within the open transaction → for each None, or the server's error.

    :param only_parse: send nothing but the protocol's Parse message: the server reads and resolves a statement, and
        plans and runs nothing of it.
    :param progress: called whenever the server has answered one.
    :raises Exception: psycopg's, when the connection broke.
    """
    from psycopg.errors import error_from_result

    pgconn = connection.pgconn
    pgconn.nonblocking = 1
    pgconn.enter_pipeline_mode()
    try:
        pgconn.send_query_params(b"SAVEPOINT schema_sync", None)
        for statement in statements:
            if only_parse:
                pgconn.send_prepare(b"", statement)
            else:
                pgconn.send_query_params(statement, None)
            pgconn.pipeline_sync()
            pgconn.send_query_params(b"ROLLBACK TO SAVEPOINT schema_sync", None)
        pgconn.pipeline_sync()
        errors: list[Exception | None] = []
        for result in _results(pgconn, syncs=len(statements) + 1):
            errors.append(error_from_result(result, connection.info.encoding) if result.error_message else None)
            progress()
        for of_our_own in errors[::2]:
            if of_our_own is not None:
                raise of_our_own
        return errors[1::2]
    finally:
        if not connection.closed:
            pgconn.exit_pipeline_mode()
            pgconn.nonblocking = 0


def _results(pgconn: Any, syncs: int) -> Iterator[Any]:
    """The result of each statement in order; what only separates them is left out."""
    from psycopg.pq import ExecStatus

    poll = select.poll()
    while syncs:
        while pgconn.is_busy():
            poll.register(pgconn.socket, select.POLLIN | (select.POLLOUT if pgconn.flush() else 0))
            poll.poll(1000)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            syncs -= 1
        elif result is not None:
            yield result
