"""One organization of 5 000 datasets over tables of 400 columns: peak memory, time and XCom of introspect and diff.

    python benchmarks/bench_large_tenant.py [datasets] [columns a table] [named in each dataset] [1 in how many drifts]

The catalogue comes over the real wire, from the tests' stand-in for a PostgreSQL server. Each step runs in a process of
its own, as Airflow runs it; both read the same files.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "integration")]

_GIVEN = [int(text) for text in sys.argv if text.isdigit()]
DATASETS, COLUMNS, NAMED, DRIFTED = _GIVEN + [5_000, 400, 40, 1][len(_GIVEN) :]


def datasets() -> list:
    from include.schema_sync.nouns.dataset import Dataset

    def yml(number: int) -> str:
        fields = "\n".join(f"  - {{name: c{column}_{number}, type: text}}" for column in range(NAMED))
        gone = f"  - {{name: gone_{number}}}\n" if number % DRIFTED == 0 else ""
        return f"name: t{number}\ndimensions:\n{fields}\n{gone}"

    return [Dataset(f"d{number:06}", f"t{number}", "o", "s", None, "public", yml(number)) for number in range(DATASETS)]


def answer(_sql: str) -> Iterator[bytes]:
    wire = import_module("hostile_postgres")
    yield wire.row_description()
    for number in sorted(range(DATASETS), key=lambda number: f"t{number}"):
        yield b"".join(
            wire.row("public", f"t{number}", "table", "t", f"c{column}_{number}", "text", None, "t")
            for column in range(COLUMNS)
        )
    yield wire.done()


def introspect(uri: str, folder: Path) -> None:
    import psycopg

    from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
    from include.schema_sync.nouns.dataset import DataSource, Organization
    from include.schema_sync.nouns.wire import snapshot_to_json
    from include.schema_sync.settings import Settings
    from include.schema_sync.warehouses import dialect_for

    organization = Organization("o", "Large", (DataSource("s", "S", "postgres"),))
    access = SourceAccess(dialect_for("postgres"), "shop", lambda _: psycopg.connect(uri), str)
    found = introspect_organizations(
        [organization], {"o": datasets()}, lambda _source: access,
        Settings.from_environment(
            {"SCHEMA_SYNC_CONFIRM_MISSING": "false", "SCHEMA_SYNC_COMPILE": "false",
             "SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS": "600", "SCHEMA_SYNC_MOST_COLUMNS": "20000000"}
        ),
    )  # fmt: skip
    errors = {group.error for source in found.snapshots[0].sources for group in source.groups} - {None}
    assert not errors, errors
    (folder / "snapshot.json").write_text(json.dumps(snapshot_to_json(found.snapshots[0])))


def diff(folder: Path) -> None:
    from include.schema_sync.compare.organization import diff_organization
    from include.schema_sync.nouns.bounds import bounded
    from include.schema_sync.nouns.wire import report_to_json, snapshot_from_json
    from include.schema_sync.repair.suggest import with_patches

    snapshot, own = snapshot_from_json(json.loads((folder / "snapshot.json").read_text())), datasets()
    report = bounded(with_patches(diff_organization(snapshot, own), snapshot, own))
    (folder / "report.json").write_text(json.dumps(report_to_json(report)))
    print("counted", report.totals.critical, report.totals.warnings, report.totals.infos, file=sys.stderr)


def step(name: str, *arguments: str) -> None:
    command = [
        sys.executable,
        __file__,
        f"--{name}",
        str(DATASETS),
        str(COLUMNS),
        str(NAMED),
        str(DRIFTED),
        "--",
        *arguments,
    ]
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    print(
        f"{name}: {done.stdout.strip()}, {time.monotonic() - started:.1f} s ({spent:.1f} s CPU) {done.stderr.strip()}"
    )


def main() -> None:
    if sys.argv[1:2] and sys.argv[1].startswith("--"):
        arguments = sys.argv[sys.argv.index("--") + 1 :]
        introspect(arguments[0], Path(arguments[1])) if sys.argv[1] == "--introspect" else diff(Path(arguments[0]))
        print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
        return
    wire = import_module("hostile_postgres")
    with tempfile.TemporaryDirectory() as folder, wire.hostile_server(answer) as uri:
        print(f"{DATASETS:,} datasets, {DATASETS * COLUMNS:,} columns, {NAMED} named in each dataset")
        step("introspect", uri, folder)
        step("diff", folder)
        for name in ("snapshot", "report"):
            print(f"{name}: {(Path(folder) / f'{name}.json').stat().st_size / 1024:,.0f} KiB in XCom")


if __name__ == "__main__":
    main()
