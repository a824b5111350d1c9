"""How long reading 2 000 datasets × 60 fields takes, as a multiple of PyYAML's C loader on the same texts.

Run: ``python benchmarks/bench_dataset_yml.py`` from the repository's root. Prints figures, asserts none; the bar is 3
for parsing with references. All are measured in turns in one process, best of several rounds, so that a busy machine
weighs on all of them. *Cold* is the first time that this process sees the expressions (sqlglot reads each text once);
*warm* is what every later organization of a run pays.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from include.schema_sync.needs.needs import needs_of
from include.schema_sync.needs.qualifiers import Whereabouts
from include.schema_sync.yml.dataset import parse_dataset_yml

DATASETS = 2_000
DIMENSIONS, MEASURES, METRICS, FILTERS = 30, 22, 5, 3
ROUNDS = 3
AT = Whereabouts("row", "analytics", "public")


def main() -> None:
    texts = [dataset_yml(number) for number in range(DATASETS)]
    start = time.perf_counter()
    read_all(texts)
    cold_s = time.perf_counter() - start
    load_s, parse_s, read_s = best_of_rounds(
        lambda: [yaml.load(text, Loader=yaml.CSafeLoader) for text in texts],
        lambda: [parse_dataset_yml(text, name="row") for text in texts],
        lambda: read_all(texts),
    )
    fields = DIMENSIONS + MEASURES + METRICS + FILTERS
    print(f"{DATASETS} datasets x {fields} fields, {sum(map(len, texts)) / 1e6:.1f} MB, best of {ROUNDS} rounds")
    for label, seconds in (
        ("yaml.load, CSafeLoader", load_s),
        ("parse_dataset_yml", parse_s),
        ("parse + references, warm", read_s),
        ("parse + references, cold", cold_s),
    ):
        each = seconds / DATASETS * 1e3
        print(f"{label:24}  {seconds:6.3f} s  {each:.3f} ms each  {seconds / load_s:5.2f} times the loader")


def read_all(texts: list[str]) -> None:
    for text in texts:
        for definition in parse_dataset_yml(text, name="row"):
            needs_of(definition, "postgres", AT)


def best_of_rounds(*tasks: Callable[[], object]) -> list[float]:
    """The shortest time of each task, in seconds."""
    best = [float("inf")] * len(tasks)
    for _ in range(ROUNDS):
        for index, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            best[index] = min(best[index], time.perf_counter() - start)
    return best


def dataset_yml(number: int) -> str:
    """A dataset as they are in production: described at length, mostly plain names, some expressions in common."""
    lines = [
        f"name: dataset_{number}",
        "description: >",
        "  One row per event, as the shop's systems report it; loaded every night from",
        "  the operational database.",
        "data_source_name: warehouse",
        "database: analytics",
        "schema: public",
        "dimensions:",
    ]
    for index in range(DIMENSIONS):
        lines += [
            f"  - name: attribute_{index}",
            *described(f"What attribute {index} of dataset {number} says"),
            f"    type: {'timestamp without time zone' if index % 3 == 0 else 'text'}",
            "    searchable: false",
        ]
        if index % 10 == 9:
            lines.append(f"    expr: date_trunc('month', attribute_{index})")
    lines.append("measures:")
    for index in range(MEASURES):
        lines += [
            f"  - name: amount_{index}",
            f"    expr: amount_{index}",
            "    agg: sum",
            *described(f"What amount {index} adds up to"),
            "    type: numeric(18,2)",
        ]
    for section, count, expression in (
        ("metrics", METRICS, "SUM(CASE WHEN amount_{0} > 0 THEN amount_{0} ELSE 0 END) / NULLIF(COUNT(*), 0)"),
        ("filters", FILTERS, "attribute_{0} >= CURRENT_DATE - INTERVAL '90 days' AND customer.region = 'EU'"),
    ):
        lines.append(f"{section}:")
        for index in range(count):
            own = number % 20 == 0 and index == 0  # some expressions are a dataset's own
            lines += [
                f"  - name: {section}_{index}",
                f"    expr: {expression.format(index)}{f' + {number}' if own and section == 'metrics' else ''}",
                *described(f"What {section} {index} is for"),
                "    args: []",
            ]
    lines += [
        "relationships:",
        "  - name: customer",
        "    source_col: attribute_1",
        "    ref_col: id",
        "    type: left",
        "",
    ]
    return "\n".join(lines)


def described(what: str) -> list[str]:
    return [
        "    description: >",
        f"      {what}, in a sentence that is long enough",
        "      to need a second line.",
    ]


if __name__ == "__main__":
    main()
