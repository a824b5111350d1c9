"""Parse and diff 2 000 datasets of 30 columns, against what PyYAML's C loader needs for the same texts.

Run: PYTHONPATH=. .venv/bin/python benchmarks/bench_diff.py
Bar: at most 2 times the loader. Both are measured in one run, in turns, best of several.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import yaml

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.snapshot import Column, GroupSnapshot, OrganizationSnapshot, SourceSnapshot, Table

DATASETS, COLUMNS, ROUNDS = 2_000, 30, 5
TYPES = ("bigint", "text", "numeric(12,2)", "timestamp with time zone", "boolean", "uuid")
WORDS = ("integer", "string", "number", "timestamp", "boolean", "uuid")


def yml(number: int, *, drifted: bool) -> str:
    lines = [
        f"name: table_{number}",
        "description: >",
        "  What one row of this table stands for,",
        "  and where it is from.",
    ]
    for section, columns in (("dimensions", range(COLUMNS // 2)), ("measures", range(COLUMNS // 2, COLUMNS))):
        lines.append(f"{section}:")
        for column in columns:
            name = f"gone_{column}" if drifted and column % 10 == 3 else f"column_{column}"
            lines += [
                f"  - name: {name}",
                "    description: >",
                "      A sentence about this column, as people write it,",
                "      folded over two lines.",
                f"    type: {WORDS[column % len(WORDS)]}",
                "    searchable: false",
            ]
    return "\n".join(lines) + "\n"


def snapshot(datasets: list[Dataset]) -> OrganizationSnapshot:
    columns = tuple(Column(f"column_{number}", TYPES[number % len(TYPES)]) for number in range(COLUMNS))
    tables = tuple(Table(f"table_{number}", "table", True, columns) for number in range(len(datasets)))
    source = SourceSnapshot(
        DataSource("source", "Warehouse", "postgres"),
        "shop",
        {dataset.id: dataset.yml_hash for dataset in datasets},
        (GroupSnapshot("source", "shop", "public", True, tables),),
    )
    return OrganizationSnapshot("organization", "Acme", (source,))


def best(*jobs: Callable[[], object]) -> list[float]:
    times = [[] for _ in jobs]
    for _ in range(ROUNDS):
        for job, own in zip(jobs, times, strict=True):
            started = time.perf_counter()
            job()
            own.append(time.perf_counter() - started)
    return [min(own) for own in times]


def main() -> None:
    for label, drifted in (("clean", False), ("drifted: 3 renamed columns in each", True)):
        datasets = [
            Dataset(
                f"d{number}", f"table_{number}", "organization", "source", None, "public", yml(number, drifted=drifted)
            )
            for number in range(DATASETS)
        ]
        there = snapshot(datasets)
        loaded, compared = best(
            lambda: [yaml.load(dataset.yml, Loader=yaml.CSafeLoader) for dataset in datasets],  # noqa: B023
            lambda: diff_organization(there, datasets),  # noqa: B023
        )
        found = len(diff_organization(there, datasets).discrepancies)
        print(
            f"{DATASETS} datasets x {COLUMNS} columns, {label}: C loader {loaded:.2f} s, "
            f"parse + diff {compared:.2f} s, ratio {compared / loaded:.2f} (bar 2.00), {found} discrepancies"
        )


if __name__ == "__main__":
    main()
