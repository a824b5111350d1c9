"""What introspection adds to the bare catalogue query, on a private PostgreSQL.

Run from the repository's root: ``python -m benchmarks.bench_introspection [tables] [columns]``.

Prints the medians, measured in turns in one run (so that a busy machine slows all), and ratios. Bare means: the same
statement under the same session settings, and the driver's ``fetchall()``. Introspection opens its own connection, as
in production, and looks for needed columns that are absent; so bare is measured on a connection of its own too
(PostgreSQL's caches of the catalogue are empty then), and on one that is open and warm.
Bar: at most 1.3 times bare on a connection of its own.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg

from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses import dialect_for

ROUNDS = 15
TYPES = ("bigint", "text", "numeric(12,2)", "timestamptz", "boolean", "varchar(80)", "uuid", "date", "jsonb", "float8")


def main(tables: int = 2000, columns: int = 30) -> None:
    dialect = dialect_for("postgres")
    names = tuple(f"table_{number:05}" for number in range(tables))
    needed = {name: tuple(sorted(_columns(number, columns))) for number, name in enumerate(names)}
    request = GroupRequest("bench", None, "bench", names, needed)
    with running_postgres() as uri, psycopg.connect(uri) as connection:
        _create(connection, names, columns)
        query = dialect.columns_query(request)
        for statement in dialect.session_statements:
            connection.execute(statement.format(timeout_ms=60_000))

        def bare() -> int:
            return len(connection.execute(query.sql, query.parameters, prepare=False).fetchall())

        def bare_own_connection() -> int:
            with psycopg.connect(uri) as own:
                for statement in dialect.session_statements:
                    own.execute(statement.format(timeout_ms=60_000))
                return len(own.execute(query.sql, query.parameters, prepare=False).fetchall())

        def introspection() -> int:
            (outcome,) = introspect_source(lambda _: psycopg.connect(uri), dialect, [request], timeout_s=60)
            read = sum(len(table.columns) for table in outcome.snapshot.tables)
            return read - outcome.probes  # everything is there: nothing may have been probed

        expected = tables * columns
        runs = {"bare, warm": bare, "bare": bare_own_connection, "introspection": introspection}
        times: dict[str, list[float]] = {label: [] for label in runs}
        for _ in range(ROUNDS):
            for label, run in runs.items():
                times[label].append(_timed(run, expected))
    for label, seconds in times.items():
        print(f"{label:14} median {statistics.median(seconds):.4f} s   best {min(seconds):.4f} s")
    for label in ("bare", "bare, warm"):
        ratios = [ours / raw for ours, raw in zip(times["introspection"], times[label], strict=True)]
        best = min(times["introspection"]) / min(times[label])
        print(f"{tables} x {columns}, to {label}: ratio median {statistics.median(ratios):.2f}, of the best {best:.2f}")


def _create(connection: psycopg.Connection[Any], names: tuple[str, ...], columns: int) -> None:
    connection.execute("CREATE SCHEMA bench")
    for number, name in enumerate(names):
        named = enumerate(_columns(number, columns))
        fields = ", ".join(f"{column} {TYPES[position % len(TYPES)]}" for position, column in named)
        connection.execute(f"CREATE TABLE bench.{name} ({fields})", prepare=False)
        if number % 250 == 0:
            connection.commit()
    connection.commit()
    connection.execute("ANALYZE pg_class, pg_attribute, pg_type, pg_namespace")
    connection.commit()


def _columns(table: int, columns: int) -> list[str]:
    return [f"c{table % 97}_{column}" for column in range(columns)]


def _timed(run: Callable[[], int], expected: int) -> float:
    gc.collect()
    started = time.perf_counter()
    found = run()
    elapsed = time.perf_counter() - started
    if found != expected:
        raise SystemExit(f"{found} columns instead of {expected}: the figures would mean nothing")
    return elapsed


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
