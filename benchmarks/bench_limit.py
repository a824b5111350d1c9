"""Introspection and comparison against the least that any tool has to do, on a private PostgreSQL.

Run from the repository's root: ``python -m benchmarks.bench_limit [tables] [columns]``.

The least: the catalogue query and the driver's ``fetchall()``, PyYAML's C loader over the same texts, and a dictionary
look-up a column. Ours reads each text as the check command does (once), and as the daily run does (in ``introspect``
and again in ``diff``, which are two processes); without compiling, which the least does not do. CPU of this process,
medians of rounds in turns. Bars: 1.3 times the least when all is clean, 1.6 times when one table in twenty has drifted.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from functools import cache

import psycopg
import yaml

from benchmarks.bench_diff import WORDS
from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.yml.dataset import ReadDataset, read_dataset

ROUNDS = 7
TYPES = ("bigint", "text", "numeric(12,2)", "timestamptz", "boolean", "uuid")
SOURCE = DataSource("source", "Warehouse", "postgres")
ACME = Organization("organization", "Acme", (SOURCE,))
SETTINGS = Settings.from_environment({"SCHEMA_SYNC_COMPILE": "false"})


def main(tables: int = 2_000, columns: int = 30) -> None:
    with running_postgres() as uri, psycopg.connect(uri) as owner:
        fields = ", ".join(f"column_{number} {TYPES[number % len(TYPES)]}" for number in range(columns))
        for number in range(tables):
            owner.execute(f"CREATE TABLE table_{number} ({fields})", prepare=False)
            owner.commit()
        owner.execute("ANALYZE pg_class, pg_attribute, pg_type, pg_namespace")
        owner.commit()
        for label, every in (("clean, bar 1.3", 0), ("1 in 20 drifted, bar 1.6", 20)):
            datasets = [
                Dataset(
                    f"d{number}", f"table_{number}", ACME.id, SOURCE.id, None, "public",
                    _yml(number, columns, drifted=bool(every) and number % every == 0),
                )
                for number in range(tables)
            ]  # fmt: skip
            _measure(label, uri, datasets)


def _yml(number: int, columns: int, *, drifted: bool) -> str:
    lines = [f"name: table_{number}", "description: What one row of this table stands for, and where it is from."]
    for section, own in (("dimensions", range(columns // 2)), ("measures", range(columns // 2, columns))):
        lines.append(f"{section}:")
        for column in own:
            lines += [
                f"  - name: {'gone' if drifted and column == 3 else 'column'}_{column}",
                "    description: A sentence about this column, as people write it.",
                f"    type: {WORDS[column % len(WORDS)]}",
                "    searchable: false",
            ]
    return "\n".join(lines) + "\n"


def _measure(label: str, uri: str, datasets: list[Dataset]) -> None:
    access = SourceAccess(dialect_for("postgres"), None, lambda _: psycopg.connect(uri), str)

    def ours(introspected: ReadDataset, compared: ReadDataset) -> int:
        found = introspect_organizations([ACME], {ACME.id: datasets}, lambda _: access, SETTINGS, introspected)
        return len(diff_organization(found.snapshots[0], datasets, read=compared).discrepancies)

    def once() -> int:
        read = cache(read_dataset)
        return ours(read, read)

    tasks: dict[str, Callable[[], int]] = {
        "the least": lambda: _least(uri, datasets),
        "each text read once": once,
        "each text read twice": lambda: ours(read_dataset, read_dataset),
    }
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            gc.collect()
            started = time.process_time()
            task()
            spent[name].append(time.process_time() - started)
    medians = {name: statistics.median(times) for name, times in spent.items()}
    print(f"{len(datasets):,} tables, {label}")
    for name, seconds in medians.items():
        print(f"  {name:22} {seconds:6.2f} s CPU, {seconds / medians['the least']:.2f} × the least")


def _least(uri: str, datasets: list[Dataset]) -> int:
    """Columns that are missing, or whose type is spelled otherwise."""
    names = tuple(sorted(dataset.name for dataset in datasets))
    query = dialect_for("postgres").columns_query(GroupRequest(SOURCE.id, None, "public", names))
    with psycopg.connect(uri) as connection:
        rows = connection.execute(query.sql, query.parameters, prepare=False).fetchall()
    there = {(row[1], row[4]): row[5] for row in rows}
    absent = object()
    return sum(
        there.get((model["name"], field["name"]), absent) != field.get("type")
        for model in (yaml.load(dataset.yml, Loader=yaml.CSafeLoader) for dataset in datasets)
        for section in ("dimensions", "measures")
        for field in model[section]
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
