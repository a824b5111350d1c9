"""What an organization waits for because of a hostile one in its batch (contract, section 14), on a private PostgreSQL.

Run from the repository's root: ``python -m benchmarks.bench_innocent``.

The hostile one's server is the tests' stand-in, in a process of its own as a tenant's is, or its YML is. Told is how
long it was from the batch's beginning until the innocent organization's warehouse had answered, alone and beside it:
the median of three. Bar: 2 s more.
"""

from __future__ import annotations

import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import psycopg

from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tests" / "integration")]

ORDERS = "name: orders\ndimensions: [{name: id}, {name: gone}]"
ANSWERS = ("endless_rows", "endless_tables", "one_row_of_a_gigabyte", "long_names", "error_of_50_mib", "other_types")
RELATED = "models:\n" + "".join(
    f"- {{name: m, relationships: [{{name: m, source_col: a{n}, ref_col: b{n}}}]}}\n" for n in range(2_000)
)
EXPRESSIONS = "name: d\ndimensions:\n" + "".join(f"- {{name: a{n}, expr: 'x{n}+1'}}\n" for n in range(25_000))


class _Watched(psycopg.Connection):
    """Knows when it was done with."""

    closed_at = 0.0

    def close(self) -> None:
        super().close()
        _Watched.closed_at = time.monotonic()


def _serve(name: str, address: multiprocessing.Queue) -> None:
    answers, wire = import_module("tests.integration.test_hostile_answers"), import_module("hostile_postgres")
    with wire.hostile_server(getattr(answers, name)) as uri:
        address.put(uri)
        multiprocessing.Event().wait()


@contextmanager
def _hostile(name: str) -> Iterator[str]:
    address: multiprocessing.Queue = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(name, address), daemon=True)
    server.start()
    try:
        yield address.get()
    finally:
        server.terminate()
        server.join()


def _innocent_ms(uri: str, *, hostile: str | None = None, ymls: tuple[str, ...] = (ORDERS,)) -> float:
    uris = {"innocent": uri} | ({"hostile": hostile} if hostile else {})
    organizations = [Organization(name, name, (DataSource(name, name, "postgres"),)) for name in reversed(uris)]
    datasets = {
        name: [
            Dataset(f"{name}{number}", "orders", name, name, None, "public", yml)
            for number, yml in enumerate(ymls if name == "hostile" else (ORDERS,))
        ]
        for name in uris
    }

    def access(source: DataSource) -> SourceAccess:
        kind = _Watched if source.name == "innocent" else psycopg.Connection
        return SourceAccess(
            dialect_for("postgres"), None, lambda _: kind.connect(uris[source.name], connect_timeout=5), str
        )

    settings = Settings.from_environment({"SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS": "10"})
    started = time.monotonic()
    found = introspect_organizations(organizations, datasets, access, settings)
    (snapshot,) = (each for each in found.snapshots if each.organization_id == "innocent")
    assert snapshot.reached
    return (_Watched.closed_at - started) * 1_000


def main() -> None:
    with running_postgres() as uri, socket.create_server(("127.0.0.1", 0)) as silent:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("CREATE TABLE orders (id int)")
        _innocent_ms(uri)  # the driver is imported once
        alone = statistics.median(_innocent_ms(uri) for _ in range(3))
        print(f"alone                             {alone:6.0f} ms")

        def tell(what: str, **beside: object) -> None:
            taken = statistics.median(_innocent_ms(uri, **beside) for _ in range(3))  # type: ignore[arg-type]
            print(f"beside {what:26} {taken:6.0f} ms, {taken - alone:+.0f} ms")

        for name in ANSWERS:
            with _hostile(name) as other:
                tell(name, hostile=other)
        tell("a server that is silent", hostile=f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x")
        tell("2 000 related models × 4", hostile=uri, ymls=(RELATED,) * 4)
        tell("25 000 expressions × 4", hostile=uri, ymls=(EXPRESSIONS,) * 4)


if __name__ == "__main__":
    main()
