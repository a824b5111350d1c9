"""A tenant's server answers without end, or nonsense: the worker stays small, and an innocent organization is checked.

Contract, section 14. Each server runs in this process, the worker in a child of its own, whose peak memory counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import psycopg
import pytest

from . import hostile_postgres as hostile

pytestmark = pytest.mark.postgres

MIB = 2**20
ASKED = ("public", "orders", "table", "t")

WORKER = """
import json, sys, time
import psycopg
from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.bounds import bounded
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.wire import report_to_json, snapshot_to_json
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for

uris = json.loads(sys.argv[1])
organizations, datasets = [], {}
for name in uris:
    organizations.append(Organization(name, name, (DataSource(name, name, "postgres"),)))
    datasets[name] = [Dataset("d" + name, "orders", name, name, None, "public",
                              "name: orders\\ndimensions: [{name: id}, {name: gone}]")]
redact = lambda text: text.replace("secret-of-the-tenant", "***")
def open_source(source):
    connect = lambda _: psycopg.connect(uris[source.name], connect_timeout=5)
    return SourceAccess(dialect_for("postgres"), None, connect, redact)
started = time.monotonic()
found = introspect_organizations(organizations, datasets, open_source, Settings.from_environment({
    "SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS": "20", **json.loads(sys.argv[2])}))
told = {}
for snapshot in found.snapshots:
    report = bounded(diff_organization(snapshot, datasets[snapshot.organization_id]))
    told[snapshot.organization_id] = {
        "report": report_to_json(report),
        "xcom": len(json.dumps(snapshot_to_json(snapshot))),
        "transient": [each.transient for each in found.results if each.organization.id == snapshot.organization_id],
    }
# Not ru_maxrss: a child inherits that of the process that started it.
with open("/proc/self/status") as status:
    peak_mib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
print(json.dumps({"told": told, "seconds": time.monotonic() - started,
                  "peak_mib": peak_mib}))
"""


def endless_rows(_: str) -> Iterator[bytes]:
    yield hostile.row_description()
    for number in count():
        yield b"".join(hostile.row(*ASKED, f"column_{number}_{other}", "text", None, "t") for other in range(1_000))


def endless_tables(_: str) -> Iterator[bytes]:
    yield hostile.row_description()
    for number in count():
        yield b"".join(
            hostile.row("public", f"t{number}_{other}", "table", "t", "id", "text", None, "t") for other in range(1_000)
        )


def endless_neighbours(_: str) -> Iterator[bytes]:
    yield hostile.row_description()
    for number in count():
        yield b"".join(
            hostile.row("public", f"t{number}_{other}", None, None, None, None, None, None) for other in range(1_000)
        )


def one_row_of_a_gigabyte(_: str) -> Iterator[bytes]:
    yield hostile.row_description()
    size = 2**30 - 64
    yield b"D" + (size + 4 + 2 + 4 * 8).to_bytes(4, "big") + (8).to_bytes(2, "big") + (size).to_bytes(4, "big")
    for _part in range(size // MIB):
        yield b"x" * MIB


def long_names(_: str) -> Iterator[bytes]:
    yield hostile.row_description()
    for number in range(2_000):
        yield hostile.row(*ASKED, f"{number}" + "x" * MIB, "text", None, "t")


def error_of_50_mib(_: str) -> Iterator[bytes]:
    yield hostile.error("permission denied: secret-of-the-tenant " + "x" * 50 * MIB)


def other_types(_: str) -> Iterator[bytes]:
    yield hostile.row_description(["a", "b", "readable", "d"])
    yield hostile.row("1", None, "t", "x") + hostile.done()


def nothing_of_what_was_asked(_: str) -> Iterator[bytes]:
    yield hostile.row_description()
    yield hostile.row("public", "orders", None, "t", "id", None, None, "t") + hostile.done()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (endless_rows, "more than 200,000 columns"),
        (endless_tables, "more than 200,000 columns"),
        (endless_neighbours, "more than 200,000 columns"),
        (one_row_of_a_gigabyte, "larger than 64 MiB"),
        (long_names, "larger than 64 MiB"),
        (error_of_50_mib, "permission denied"),
        (other_types, "something else than what was asked"),
        (nothing_of_what_was_asked, "something else than what was asked"),
    ],
)  # fmt: skip
def test_a_hostile_server_leaves_the_worker_small_and_an_innocent_organization_checked(
    fresh_database: str, answer: Callable[[str], Iterable[bytes]], reason: str
) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int)")
    with hostile.hostile_server(answer) as uri:
        found = run_worker(
            {"hostile": uri, "innocent": fresh_database},
            SCHEMA_SYNC_MOST_COLUMNS="200000", SCHEMA_SYNC_MOST_MEBIBYTES="64",
        )  # fmt: skip
    innocent, guilty = found["told"]["innocent"], found["told"]["hostile"]
    assert [each["column"] for each in innocent["report"]["discrepancies"]] == ["gone"]
    assert innocent["report"]["datasets_checked"] == 1
    (unchecked,) = guilty["report"]["unchecked"]
    assert reason in unchecked["error"]
    assert "secret-of-the-tenant" not in json.dumps(found)
    assert len(unchecked["error"]) < 1_000
    assert guilty["transient"] == [False]  # so the batch is not tried again
    assert found["peak_mib"] < 600, found["peak_mib"]
    assert max(guilty["xcom"], innocent["xcom"]) < 5_000


def run_worker(uris: dict[str, str], **env: str) -> dict[str, dict]:
    done = subprocess.run(
        [sys.executable, "-c", WORKER, json.dumps(uris), json.dumps(env)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return json.loads(done.stdout)
