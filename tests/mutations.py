"""Damaged YMLs and expressions, as many as one is told: whatever a customer writes, nothing crashes, hangs or is lost.

python -m tests.mutations 100000        that many of each; scripts/mutate runs this, and a server's answers
"""

from __future__ import annotations

import csv
import json
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.errors import InvalidDatasetYml
from include.schema_sync.needs.placement import group_requests, place
from include.schema_sync.notify.messages.conversation import drift_alert
from include.schema_sync.nouns.bounds import bounded
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.snapshot import Column, GroupSnapshot, OrganizationSnapshot, SourceSnapshot, Table
from include.schema_sync.nouns.wire import report_to_json
from include.schema_sync.repair.suggest import PatchOptions, with_patches
from include.schema_sync.sql.expressions import referenced_columns
from include.schema_sync.warehouses import DIALECTS
from include.schema_sync.warehouses.names import unquote
from include.schema_sync.yml.dataset import parse_dataset_yml
from tests.unit.message_checks import RUN, assert_within_limits

TESTS = Path(__file__).resolve().parent
BOUND_S = 10.0  # longer for one text is a hang
SEED = 20_240_607

WORDS = [*DIALECTS, "motherduck", "tsql", "oracle", "clickhouse", "nonsense"]
SQL_PIECES = [
    *"()[]{}'\"`;,.:%@$\\\n-+~!<>=?",
    *("--", "/*", "*/", "::", "->", "->>", "%s", "{{", "}}", "{%", "{x}", "${TABLE}.", "$$", "E'", "U&'", "x'", "1e"),
    *("CASE ", "WHEN ", " THEN ", " END", " AND ", "NOT ", " BETWEEN ", " IN ", " OVER ", "SELECT ", " FROM ", "FOR "),
    *("INTERVAL ", "CAST(", "DATE(", "TIMESTAMP(", "STRUCT(", "ARRAY<", "MAP(", "x -> ", "(SELECT ", "WITH x AS ("),
    *("TRIM(", "EXTRACT(", "CONVERT(", "JSON_TABLE(", "PIVOT(", "LATERAL ", "VALUES ", "\0", "\ud800", "é", "🦆"),
]
SQL_OPENERS = ["f(", "(", "CASE WHEN ", "NOT ", "-", "[", "date(", "CAST("]
YML_PIECES = [
    *" \n\t-:[]{}'\"&*!?,#|>~\0\r%@`=<\\",
    *("\n  - ", "\n    ", ": ", "- ", "&a ", "*a", "<<: *a", "!!str ", "!x ", "? ", "---\n", "...\n", "|\n", ">-\n"),
    *("\n  - {name: ", "expr: ", "type: ", "name: ", "model: ", "ref('", "{{ ", " }}", "schema: ", "version: 2\n"),
    *("null", "true", "12:30", "0x1F", "1e999", "2024-01-01", "\ufeff", "\u2028", "\x85", "\ud800", "é", "🦆"),
    *("\nmodels:\n", "\ndimensions:\n", "\nmeasures:\n", "\nrelationships:\n", "\nschema_sync: {ignore: ['*']}\n"),
]
YML_OPENERS = ["[", "{a: ", "- ", "&a [*a, ", "? ", "!!map {", "  "]


with (TESTS / "unit" / "sql" / "expression_cases.csv").open(encoding="utf-8", newline="") as _file:
    EXPRESSIONS = [row["expression"] for row in csv.DictReader(_file)]
YMLS = [
    path.read_text(encoding="utf-8")
    for path in sorted([*(TESTS / "samples" / "datasets").glob("*.yml"), *(TESTS / "cases").glob("*/*/datasets/*.yml")])
]


def mutated(chooser: random.Random, texts: list[str], pieces: list[str], openers: list[str]) -> str:
    """One of the texts with one to five damages."""
    text = chooser.choice(texts)
    for _ in range(chooser.randrange(1, 6)):
        start = chooser.randrange(len(text) + 1)
        end = min(len(text), start + chooser.randrange(1, 8))
        match chooser.randrange(7):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:start] + chooser.choice(pieces) + text[start:]
            case 2:
                text = text[:start] + text[start:end] * chooser.randrange(2, 6) + text[end:]
            case 3:
                text = text[:start] + chooser.choice(texts) + text[start:]
            case 4:
                text = text[:start] + chooser.choice(pieces) * chooser.randrange(1, 40) + text[start:]
            case 5:
                text = text[:start] + chooser.choice(texts)[chooser.randrange(9) :]
            case _:
                text = chooser.choice(openers) * chooser.randrange(1, 30) + text
    return text


def mutated_expression(chooser: random.Random, texts: list[str]) -> tuple[str, str]:
    """(expression, dialect)."""
    return mutated(chooser, texts, SQL_PIECES, SQL_OPENERS), chooser.choice(WORDS)


def check_expression(text: str, dialect: str) -> str:
    """Read it: no name is invented. Returns how it went, in a word."""
    found = referenced_columns(text, dialect)
    if found.problem is not None:
        assert not found.columns
        assert not found.names
        return "refused"
    for name in found.names:
        written = name.name in text or unquote(name.name)[0] in text
        assert written or "\\" in text, name  # some engines know \n in a quoted name
    return "read"


def mutated_yml(chooser: random.Random, texts: list[str]) -> tuple[str, str]:
    """(YML, dialect). Most damages make it unreadable, so every other text is only put together otherwise."""
    damage = _with_other_lines if chooser.random() < 0.5 else _with_damages
    return damage(chooser, texts), chooser.choice(list(DIALECTS))


def _with_damages(chooser: random.Random, texts: list[str]) -> str:
    return mutated(chooser, texts, YML_PIECES, YML_OPENERS)


def _with_other_lines(chooser: random.Random, texts: list[str]) -> str:
    lines = chooser.choice(texts).splitlines()
    for _ in range(chooser.randrange(1, 4)):
        at = chooser.randrange(len(lines))
        key, colon, _ = lines[at].partition(": ")
        _, other_colon, other = chooser.choice(lines).partition(": ")
        match chooser.randrange(6):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(at, lines[at])
            case 2 | 3 if colon and other_colon:
                lines[at] = f"{key}: {other}"
            case _:
                expression = mutated(chooser, EXPRESSIONS, SQL_PIECES, SQL_OPENERS)
                lines[at] = f"{key}: {json.dumps(expression)}"
    return "\n".join(lines) + "\n"


def check_yml(text: str, dialect: str) -> str:
    """From the text to the message, over a warehouse that has half of what it names: it has a verdict, and fits."""
    dataset = Dataset("d", "orders", "o", "s", None, "public", text)
    snapshot = OrganizationSnapshot("o", "Acme", (_half_of_it(dataset, dialect),))
    found = diff_organization(snapshot, [dataset])
    assert (found.datasets_checked, found.datasets_unchecked) == (1, 0), found.unchecked
    options = PatchOptions(add_undocumented=True, remove_missing=True, include_probable=True)
    report = bounded(with_patches(found, snapshot, [dataset], options))
    json.dumps(report_to_json(report))
    alert = drift_alert(report, min_severity=Severity.INFO, run=RUN)
    if alert is not None:
        assert_within_limits(alert)
    refused = any(each.type == "invalid_yml" for each in report.discrepancies)
    return "refused" if refused else "patched" if report.patches else "drifted" if alert else "clean"


def _half_of_it(dataset: Dataset, dialect: str) -> SourceSnapshot:
    """A warehouse that has every other table and column that the YML names, and a column that it does not name."""
    try:
        definitions = parse_dataset_yml(dataset.yml, name=dataset.name)
    except InvalidDatasetYml:
        definitions = []
    placements = [place(dataset, definition, own_database="shop") for definition in definitions]
    groups = []
    for request in group_requests("s", placements, dialect):
        tables = tuple(
            Table(unquote(name)[0], "table", True, _columns(request.columns[name], dialect))
            for name in request.tables[:: 1 + len(request.tables) // 8]
        )
        groups.append(GroupSnapshot("s", request.database or "shop", request.schema, True, tables))
    source = DataSource("s", "Shop", dialect)
    return SourceSnapshot(source, "shop", {dataset.id: dataset.yml_hash}, tuple(groups))


def _columns(named: tuple[str, ...], dialect: str) -> tuple[Column, ...]:
    there = dict.fromkeys(unquote(name)[0] for name in named[::2])
    return (*(Column(name, "text") for name in there), Column("undocumented", "bigint"))


class HangError(BaseException):
    """One text took longer than it may; not what the code under test may catch."""


@contextmanager
def _bounded() -> Iterator[None]:
    def ring(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise HangError(f"not done after {BOUND_S:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, BOUND_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def campaign(
    number: int,
    texts: list[str],
    mutate: Callable[[random.Random, list[str]], tuple[str, str]],
    check: Callable[[str, str], str],
    seed: int = SEED,
) -> dict[str, Any]:
    """How many went how, what took longest, and every fault with the text that brings it about."""
    chooser = random.Random(seed)
    outcomes: Counter[str] = Counter()
    faults: list[dict[str, str]] = []
    slowest_s = 0.0
    for _ in range(number):
        text, dialect = mutate(chooser, texts)
        started = time.monotonic()
        try:
            with _bounded():
                outcomes[check(text, dialect)] += 1
        except (Exception, HangError):  # noqa: BLE001 (each is a finding)
            outcomes["fault"] += 1
            faults.append({"text": text, "dialect": dialect, "why": traceback.format_exc(limit=-3)})
        slowest_s = max(slowest_s, time.monotonic() - started)
    return {"runs": number, **outcomes, "slowest_s": round(slowest_s, 2), "faults": faults[:20]}


def main(number: int, seed: int) -> int:
    failed = False
    for kind, texts, mutate, check in (
        ("ymls", YMLS, mutated_yml, check_yml),
        ("expressions", EXPRESSIONS, mutated_expression, check_expression),
    ):
        started = time.monotonic()
        found = campaign(number, texts, mutate, check, seed)
        sys.stdout.write(f"{kind} in {time.monotonic() - started:.0f} s: {json.dumps(found, indent=2)}\n")
        sys.stdout.flush()
        failed = failed or bool(found["faults"])
    return int(failed)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    sys.exit(main(*[*given, 100_000, SEED][:1], *[*given[1:], SEED][:1]))
