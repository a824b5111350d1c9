"""What compiling adds to introspecting, and what the worst day costs, on a private PostgreSQL near and far.

Run from the repository's root: ``python -m benchmarks.bench_compile [datasets] [fields]``.

Prints medians measured in turns in one run. Far is a relay that answers 20 ms later.
Bars: compiling 200 datasets × 30 fields takes at most as long as their introspection (reading their YML included) near,
and at most 1 s more far; 1 800 dropped tables are all answered within 5 s far.
"""

from __future__ import annotations

import queue
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg

from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for

ROUNDS = 5
ONE_WAY_S = 0.010
SOURCE = DataSource("source", "Bench", "postgres")
ORGANIZATION = Organization("bench", "Bench", (SOURCE,))


def main(datasets: int = 200, fields: int = 30) -> None:
    with running_postgres() as uri, far_from(uri) as far:
        with psycopg.connect(uri, autocommit=True) as owner:
            for number in range(datasets):
                columns = ", ".join(
                    f"c{column} {('numeric', 'text', 'timestamp')[column % 3]}" for column in range(fields)
                )
                owner.execute(f"CREATE TABLE t{number} ({columns})")  # type: ignore[call-overload,unused-ignore]
        own = [dataset(number, fields) for number in range(datasets)]
        gone = [
            Dataset(f"gone{n}", f"gone{n}", "bench", "source", None, "public", f"name: gone{n}") for n in range(1800)
        ]
        near_plain, near = measure(uri, own)
        far_plain, compiled_far = measure(far, own)
        started = time.perf_counter()
        run(far, gone, compiled=True)
        worst_day = time.perf_counter() - started
    print(
        f"near: introspection {near_plain:.3f} s, with compiling {near:.3f} s: adds {near / near_plain - 1:.2f} of it"
    )
    print(f"20 ms far: introspection {far_plain:.3f} s, with compiling {compiled_far:.3f} s: "
          f"adds {compiled_far - far_plain:.3f} s")  # fmt: skip
    print(f"20 ms far: 1 800 dropped tables {worst_day:.2f} s")


def dataset(number: int, fields: int) -> Dataset:
    """A third each of measures, plain dimensions, and dimensions with an expression."""
    dimensions = "".join(
        f"\n  - {{name: c{column}}}" if column % 2 else f"\n  - {{name: e{column}, expr: upper(c{column}::text)}}"
        for column in range(fields)
        if column % 3
    )
    measures = "".join(f"\n  - {{name: c{column}, agg: sum}}" for column in range(0, fields, 3))
    yml = f"name: t{number}\ndimensions:{dimensions}\nmeasures:{measures}\n"
    return Dataset(f"d{number}", f"t{number}", "bench", "source", None, "public", yml)


def measure(uri: str, datasets: list[Dataset]) -> tuple[float, float]:
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for compiled in times:
            started = time.perf_counter()
            run(uri, datasets, compiled=compiled)
            times[compiled].append(time.perf_counter() - started)
    return statistics.median(times[False]), statistics.median(times[True])


def run(uri: str, datasets: list[Dataset], *, compiled: bool) -> None:
    access = SourceAccess(dialect_for("postgres"), None, lambda _: psycopg.connect(uri), str)
    settings = replace(Settings.from_environment({}), compile_expressions=compiled)
    found = introspect_organizations([ORGANIZATION], {ORGANIZATION.id: datasets}, lambda _: access, settings)
    (outcome,) = found.results[0].outcomes
    if outcome.failure is not None or outcome.snapshot.error is not None:
        raise SystemExit(f"unanswered: {outcome.snapshot.error}")
    if any(each.outcome == "broken" for each in outcome.snapshot.proof or ()):
        raise SystemExit("a healthy expression was refused")


@contextmanager
def far_from(uri: str) -> Iterator[str]:
    """A relay in front of the server, 10 ms each way, however much is on its way."""
    parts = urlsplit(uri)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", parts.port or 5432))
            for source, sink in ((client, server), (server, client)):
                line: queue.Queue[tuple[float, bytes]] = queue.Queue()
                threading.Thread(target=_take, args=(source, line), daemon=True).start()
                threading.Thread(target=_give, args=(line, sink), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield uri.replace(f":{parts.port}/", f":{listener.getsockname()[1]}/")
    finally:
        listener.close()


def _take(source: socket.socket, line: queue.Queue[tuple[float, bytes]]) -> None:
    data = b"-"
    while data:
        try:
            data = source.recv(65_536)
        except OSError:
            data = b""
        line.put((time.monotonic() + ONE_WAY_S, data))


def _give(line: queue.Queue[tuple[float, bytes]], sink: socket.socket) -> None:
    while True:
        due, data = line.get()
        time.sleep(max(0.0, due - time.monotonic()))
        if not data:
            sink.close()
            return
        try:
            sink.sendall(data)
        except OSError:
            return


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
