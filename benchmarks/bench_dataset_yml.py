"""How long reading 2 000 datasets × 30 fields takes, as a multiple of PyYAML's C loader on the same texts.

Run: ``python benchmarks/bench_dataset_yml.py`` from the repository's root. Prints figures, asserts none. Both are
measured in turns in one process, best of several rounds, so that a busy machine weighs on both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from include.schema_sync.dataset_yml import parse_dataset_yml

DATASETS = 2_000
DIMENSIONS, MEASURES = 20, 10
ROUNDS = 5


def main() -> None:
    texts = [dataset_yml(number) for number in range(DATASETS)]
    load_s, parse_s = best_of_rounds(
        lambda: [yaml.load(text, Loader=yaml.CSafeLoader) for text in texts],
        lambda: [parse_dataset_yml(text, name="row") for text in texts],
    )
    fields = DIMENSIONS + MEASURES
    print(f"{DATASETS} datasets x {fields} fields, {sum(map(len, texts)) / 1e6:.1f} MB, best of {ROUNDS} rounds")
    print(f"yaml.load, CSafeLoader  {load_s:6.3f} s  {load_s / DATASETS * 1e3:.3f} ms each")
    print(f"parse_dataset_yml       {parse_s:6.3f} s  {parse_s / DATASETS * 1e3:.3f} ms each")
    print(f"parse / load            {parse_s / load_s:6.2f}")


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
    """A dataset as they are in production: a folded description of two lines for every field."""
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
            "    description: >",
            f"      What attribute {index} of dataset {number} says, in a sentence that is long enough",
            "      to need a second line.",
            f"    type: {'timestamp without time zone' if index % 3 == 0 else 'text'}",
            "    searchable: false",
        ]
    lines.append("measures:")
    for index in range(MEASURES):
        lines += [
            f"  - name: amount_{index}",
            f"    expr: amount_{index}",
            "    agg: sum",
            "    description: >",
            f"      What amount {index} adds up to, in a sentence that is long enough to need",
            "      a second line.",
            "    type: numeric(18,2)",
        ]
    lines += ["metrics: []", "filters: []", "relationships: []", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
