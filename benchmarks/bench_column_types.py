"""How many type comparisons a second, with a warm cache and without one.

Run: ``python benchmarks/bench_column_types.py [comparisons]`` from the repository's root. Prints figures, asserts none.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from include.schema_sync.types import compare as column_types

# Dialect, what its catalogue says, what YMLs say: about as often as real tables have them.
MIX = (
    ("postgres", ["integer", "bigint", "numeric(10,2)", "text", "boolean", "date", "uuid", "jsonb", "text[]"], 6),
    ("postgres", ["character varying(255)", "timestamp with time zone", "double precision", "public.mood"], 5),
    ("snowflake", ["NUMBER(38,0)", "NUMBER(18,2)", "TEXT", "BOOLEAN", "DATE", "TIMESTAMP_NTZ(9)", "VARIANT"], 6),
    ("bigquery", ["INT64", "STRING", "TIMESTAMP", "ARRAY<STRING>", "STRUCT<city STRING, zip INT64>"], 4),
    ("mysql", ["int(11)", "varchar(255)", "tinyint(1)", "enum('new','paid','it''s')", "decimal(10,2) unsigned"], 3),
    ("sqlserver", ["nvarchar(max)", "datetime2(7)", "bit", "money", "uniqueidentifier"], 2),
    ("databricks", ["string", "bigint", "timestamp", "struct<a:int COMMENT 'x',b:array<map<string,double>>>"], 2),
    ("redshift", ["character varying(65535)", "super", "timestamp without time zone"], 1),
    ("duckdb", ["VARCHAR", "DECIMAL(18,3)", "INTEGER[]", "STRUCT(a INTEGER, b VARCHAR)"], 1),
    ("sqlite", ["TEXT", "INTEGER", "VARYING CHARACTER(70)"], 1),
)
DECLARED = (
    "string", "number", "integer", "timestamp", "date", "boolean", "time", "categorical", "varchar(255)",
    "numeric(10,2)", "json", "array<string>", "uuid", "float64", "struct<a:int,b:string>", "timestamp with time zone",
    None, "{{TODO}}",
)  # fmt: skip


def main(comparisons: int) -> None:
    triples = _triples(comparisons)
    different = list(dict.fromkeys(triples))
    print(f"{comparisons:,} comparisons, {len(different):,} different")
    _clear()
    _report("real mix, cache cold at the start", triples)
    _report("real mix, cache warm", triples)
    _clear()
    _report("every comparison new, types seen before or not", different)
    nested = [("bigquery", text, text.replace("f7 ", "g7 ")) for text in map(_wide_struct, range(200))]
    _report("every comparison new, structs of 100 fields", nested)


def _triples(comparisons: int) -> list[tuple[str, str, str]]:
    chooser = random.Random(7)
    weights = [weight for _, _, weight in MIX]
    triples = []
    for dialect, actual, _ in chooser.choices(MIX, weights, k=comparisons):
        declared = chooser.choice(DECLARED) or ""
        length = chooser.randrange(1, 4_000)
        found = chooser.choice(actual).replace("255", str(length))
        triples.append((dialect, found, declared.replace("255", str(length))))
    return triples


def _wide_struct(seed: int) -> str:
    return "STRUCT<" + ", ".join(f"f{number} ARRAY<STRUCT<a INT64, s{seed} STRING>>" for number in range(100)) + ">"


def _clear() -> None:
    column_types._cached_verdict.cache_clear()
    column_types._read_once.cache_clear()


def _report(label: str, triples: list[tuple[str, str, str]]) -> None:
    compare = column_types.compare_types
    start = time.perf_counter()
    for dialect, actual, declared in triples:
        compare(dialect, actual, declared)
    elapsed = time.perf_counter() - start
    print(f"{label:50} {len(triples) / elapsed:>12,.0f} /s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
