"""The property of every patch: what it claims is gone when it is applied, and nothing critical is new."""

from __future__ import annotations

import random
import re
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
from include.schema_sync.nouns.snapshot import Column, Table
from include.schema_sync.repair.suggest import PatchOptions
from tests.examples import examples
from tests.unit.repair.patching import EVERYTHING, apply, check, suggested

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

_WORDS = ("amount", "status", "created_at", "customer_id", "Mixed Case", "order", "é", "id", "price", "region")
_TYPES = ("integer", "text", "numeric(12,2)", "timestamp with time zone", "boolean")


@st.composite
def drifted(draw: st.DrawFn) -> tuple[str, list[Table]]:
    rng = random.Random(draw(st.integers(0, 2**32)))
    columns = {word: rng.choice(_TYPES) for word in rng.sample(_WORDS, rng.randint(2, len(_WORDS)))}
    newline = rng.choice(["\n", "\n", "\r\n"])
    body = _section_lines(rng, columns)
    form = rng.choice(["single", "list", "dbt"])
    if form == "single":
        lines = ["# a comment", "name: orders", *body]
    elif form == "list":
        lines = [
            "models:",
            "- name: orders",
            *(f"  {line}" for line in body),
            "- name: customers",
            *(f"  {line}" for line in _section_lines(rng, columns)),
        ]
    else:
        lines = ["version: 2", "models:", "- name: orders", "  columns:"]
        for name, type_ in columns.items():
            lines += [f"  - name: {_quoted(rng, _written(name))}", f"    data_type: {_quoted(rng, type_)}  # {name}"]
    yml = newline.join(lines) + rng.choice(["", newline])
    return yml, [
        Table("orders", "table", True, tuple(_drift(rng, columns))),
        Table("customers", "table", True, tuple(_drift(rng, columns))),
    ]


def _written(name: str) -> str:
    return name if re.fullmatch(r"[a-z_é]+", name) and name != "order" else f'"{name}"'


def _quoted(rng: random.Random, text: str) -> str:
    styles = ["'" + text.replace("'", "''") + "'", '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"']
    if not text.startswith('"') and ": " not in text and "," not in text:
        styles.append(text)
    return rng.choice(styles)


def _section_lines(rng: random.Random, columns: dict[str, str]) -> list[str]:
    lines: list[str] = []
    names = list(columns)
    for section in ("dimensions", "measures", "metrics", "filters", "relationships", "entities"):
        if rng.random() < 0.3:
            continue
        items: list[str] = []
        indent = rng.choice(["", "  "])
        for number in range(rng.randint(0, 4)):
            name = rng.choice(names)
            other = _written(rng.choice(names))
            sql = rng.choice(
                [_written(name), _written(name).upper(), f"sum({_written(name)})", f"orders.{_written(name)} + {other}",
                 f"case when {_written(name)} = '{name}' then {other} end", f"count(*) -- {name}", "1", "{arg} + 1"]
            )  # fmt: skip
            pairs: list[tuple[str, str]]
            if section in ("relationships", "entities"):
                key = "source_col" if section == "relationships" else "expr"
                pairs = [("name", f"r{number}"), (key, f"{_written(name)}, {other}")]
                if rng.random() < 0.5:
                    pairs += [("ref", rng.choice(["orders", "customers", "nobody"])), ("ref_col", _written(name))]
            elif rng.random() < 0.5 and section in ("dimensions", "measures"):
                pairs = [("name", _written(name))]
            else:
                pairs = [("name", f"{section}_{number}"), ("expr", sql)]
            if section in ("dimensions", "measures") and rng.random() < 0.7:
                pairs.append(("type", columns[name] if rng.random() < 0.7 else rng.choice(_TYPES)))
            rng.shuffle(pairs)
            shown = [f"{key}: {_quoted(rng, value)}" for key, value in pairs]
            if rng.random() < 0.3:
                items.append(f"{indent}- {{{', '.join(shown)}}}")
            else:
                items += [f"{indent}- {shown[0]} # c", *(f"{indent}  {line}" for line in shown[1:])]
            if rng.random() < 0.3:
                items.append(rng.choice(["", f"{indent}# note"]))
        lines += [f"{section}:", *items]
    return lines


def _drift(rng: random.Random, columns: dict[str, str]) -> list[Column]:
    there = []
    for name, type_ in columns.items():
        what = rng.random()
        if what < 0.2:
            continue
        if what < 0.3:
            there.append(Column(f"{name}_v2", type_))
        elif what < 0.4:
            there.append(Column(name.replace("_", "").replace(" ", "-"), type_))
        elif what < 0.5:
            there.append(Column(name.upper(), type_))
        else:
            there.append(Column(name, rng.choice(_TYPES) if what < 0.7 else type_))
    return [*there, Column("brand_new", "text"), Column("Brand New 2", "integer")]


def sample() -> tuple[str, list[Table]]:
    """Found at random: renaming ``status`` in a composite key asked another table for the new name."""
    types = {"STATUS": "boolean", "status_v2": "boolean", "amount": "numeric(12,2)"}
    orders = ("price", "é_v2", "Mixed Case_v2", "status_v2", "amount", "brand_new", "Brand New 2")
    customers = ("customer_id", "É", "Mixed Case_v2", "STATUS", "amount", "brand_new", "Brand New 2")
    tables = [
        Table(table, "table", True, tuple(Column(name, types.get(name, "text")) for name in names))
        for table, names in (("orders", orders), ("customers", customers))
    ]
    return (SAMPLES / "patch-breaks-another-dataset.yml").read_text(), tables


@settings(max_examples=examples(400))
@example(case=sample(), source="postgres", options=PatchOptions())
@example(case=sample(), source="postgres", options=EVERYTHING)
@given(
    case=drifted(),
    source=st.sampled_from(["postgres", "snowflake", "mysql", "bigquery", "sqlserver", "duckdb"]),
    options=st.builds(PatchOptions, st.booleans(), st.booleans(), st.booleans()),
)
def test_what_a_patch_claims_is_gone_and_nothing_critical_is_new(case, source, options):
    yml, tables = case
    dataset, before = check(yml, tables, source)
    old = {each.fingerprint for each in before.discrepancies}
    for patch in suggested(dataset, before, source, options):
        assert patch.fixes
        assert set(patch.fixes) <= {each.fingerprint for each in before.discrepancies}
        yml = apply(yml, patch.diff)
        _, after = check(yml, tables, source)
        left = {each.fingerprint for each in after.discrepancies}
        assert not left.intersection(patch.fixes)
        assert not [
            each for each in after.discrepancies if each.severity is Severity.CRITICAL and each.fingerprint not in old
        ]
        assert DiscrepancyType.INVALID_YML not in {each.type for each in after.discrepancies}


def test_most_of_what_is_generated_is_repaired_so_the_property_is_no_empty_one():
    import warnings

    repaired = total = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # examples outside of a test are what is wanted here
        for _ in range(60):
            yml, tables = drifted().example()
            dataset, report = check(yml, tables)
            kinds = (DiscrepancyType.MISSING_COLUMN, DiscrepancyType.TYPE_MISMATCH, DiscrepancyType.CASE_MISMATCH)
            total += sum(1 for each in report.discrepancies if each.type in kinds)
            repaired += sum(len(patch.fixes) for patch in suggested(dataset, report))
    assert repaired > total / 2
