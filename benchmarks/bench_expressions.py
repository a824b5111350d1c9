"""What it costs to find the columns of expressions: names, texts seen before, new texts in each dialect, the worst.

Run: PYTHONPATH=. .venv/bin/python benchmarks/bench_expressions.py
Prints figures and what each is in plain names, asserts none.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable

from include.schema_sync.sql import expressions
from include.schema_sync.sql.expressions import referenced_columns
from include.schema_sync.warehouses import DIALECTS

ROUNDS = 5
TEMPLATES = (
    "SUM(amount_{n}) / NULLIF(COUNT(DISTINCT order_{n}), 0)",
    "CASE WHEN status_{n} = 'paid' AND NOT refunded_{n} THEN amount ELSE 0 END",
    "orders_{n}.amount * 1.2 - COALESCE(discount, 0)",
    "created_{n} >= CURRENT_DATE AND kind IN ('a', 'b', 'c')",
    "ROW_NUMBER() OVER (PARTITION BY customer_{n} ORDER BY created_at DESC)",
    "{{TABLE}}.amount_{n} > {{minimum}}",
)
WORST = {
    "2 000 values in a list": "a IN (1" + ", 1" * 2_000 + ")",
    "2 400 operators": "a" + "+a" * 2_400,
    "900 conditions": "a = 1" + " AND a = 1" * 899,
    "a type's name as a function, 24 deep (given up)": "date(" * 24 + "a" + ")" * 24,
    "10 000 opening brackets (refused)": "(" * 10_000,
}


def main() -> None:
    started = time.perf_counter()
    subprocess.run(
        [
            sys.executable,
            "-c",
            "from include.schema_sync.expressions import referenced_columns as r; r('a+b', 'mysql')",
        ],
        check=True,
    )
    print(f"{'a process that reads one expression':48} {time.perf_counter() - started:10.3f} s")

    names = [f"column_{number}" for number in range(2_000)]
    referenced_columns("a + b", "postgres")  # sqlglot is imported
    plain = _best(lambda: _read(names, "postgres"), _forget)
    print(f"{'a plain name, new':48} {plain * 1e6 / len(names):10.2f} µs     1.0")
    _report("a plain name, seen before", _best(lambda: _read(names, "postgres")), len(names), plain / len(names))
    unit = plain / len(names)
    for dialect in DIALECTS:
        texts = [template.format(n=number) for number in range(50) for template in TEMPLATES]
        _report(f"an expression, new, {dialect}", _best(lambda: _read(texts, dialect), _forget), len(texts), unit)  # noqa: B023
    _report("an expression, seen before", _best(lambda: _read(texts, "sqlite")), len(texts), unit)
    for label, text in WORST.items():
        slowest = max(_best(lambda: _read([text], dialect), _forget) for dialect in DIALECTS)  # noqa: B023
        print(f"{label:48} {slowest * 1e3:10.1f} ms")


def _read(texts: Iterable[str], dialect: str) -> None:
    for text in texts:
        referenced_columns(text, dialect)


def _forget() -> None:
    for cache in (expressions._plain, expressions._read_short, expressions._read_long):
        cache.cache_clear()


def _best(work: Callable[[], None], before: Callable[[], None] | None = None) -> float:
    """Seconds, the best of some rounds; the parsers of the dialects stay."""
    best = float("inf")
    for _ in range(ROUNDS):
        if before is not None:
            before()
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def _report(label: str, seconds: float, count: int, unit: float) -> None:
    each = seconds / count
    print(f"{label:48} {each * 1e6:10.2f} µs {each / unit:7.1f}")


if __name__ == "__main__":
    main()
