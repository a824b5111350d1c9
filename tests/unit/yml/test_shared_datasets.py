"""Datasets as they are in production, and thousands of damaged ones: everything is read, or refused with a reason.

The sample of real datasets stands beside the checkout in some places only; samples of our own, of the same forms, are
always checked.
"""

from __future__ import annotations

import random
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.errors import InvalidDatasetYml
from include.schema_sync.needs.placement import Placement, group_requests, place
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import (
    Column,
    GroupRequest,
    GroupSnapshot,
    OrganizationSnapshot,
    SourceSnapshot,
    Table,
)
from include.schema_sync.sql.expressions import referenced_columns
from include.schema_sync.warehouses import DIALECTS
from include.schema_sync.yml.dataset import parse_dataset_yml

OWN = {
    "single": """\
name: shipments
description: >
  Parcels as the carriers report them.
data_source_name: logistics
database: postgres
schema: depot
dimensions:
  - name: carrier
    description: Who carries it.
    type: text
    searchable: true
    options: null
  - name: week
    expr: date_trunc('week', handed_over_at)
    type: null
measures:
  - name: weight_kg
    type: numeric
  - name: parcels
    expr: '*'
    agg: count
    type: bigint
metrics:
  - name: late_share
    expr: SUM(CASE WHEN delivered_at > {promised} THEN 1 ELSE 0 END)::numeric / NULLIF(COUNT(parcel_id), 0)
    args: [{name: promised, type: date}]
  - name: weight_per_site
    expr: SUM(shipments.weight_kg) / COUNT(DISTINCT site.city)
filters:
  - name: recent
    expr: handed_over_at >= CURRENT_DATE - INTERVAL '90 days' AND status IS NOT NULL
    args: []
relationships:
  - name: site
    source_col: depot_no, country
    ref_col: site_no, country_code
    type: left
    cardinality: many-to-one
  - name: a_role_nobody_knows
    source_col: driver_no
    ref_col: driver_no
clarifications:
  - Which clock do the carriers use?
""",
    "list": """\
version: 0
models:
- name: site
  data_source_name: null
  schema: depot
  database: postgres
  model: null
  entities:
  - {name: shipments, ref_: null, expr: site_no, type: foreign, project_path: null}
  - {name: owner, ref_: "ref('companies')", expr: owner_no, type: foreign, foreign_key: company_no}
  dimensions:
  - {name: city, expr: city, type: character varying, searchable: true}
  measures:
  - {name: area, expr: area, agg: sum, type: numeric}
  metrics: []
  segments: []
""",
    "dbt": """\
version: 2
models:
  - name: companies
    schema: depot
    database: postgres
    columns:
      - {name: company_no, data_type: integer, tests: [unique, not_null]}
      - {name: founded_on, data_type: date}
semantic_models:
  - name: company_facts
    model: ref('companies')
    defaults: {agg_time_dimension: founded_on}
    entities:
      - {name: company, type: primary, expr: company_no}
      - {name: site, type: foreign, expr: seat_no}
    dimensions:
      - {name: founded_on, type: time, type_params: {time_granularity: day}}
      - {name: legal_form, type: categorical, expr: upper(form)}
    measures:
      - {name: companies, expr: 1, agg: count}
      - {name: revenue, agg: sum, agg_time_dimension: founded_on}
metrics:
  - {name: revenue, label: Revenue, type: simple, type_params: {measure: revenue}}
""",
}
SOURCE = DataSource("source", "Warehouse", "postgres")


@pytest.fixture(scope="module", params=["own", "shared"])
def datasets(request: pytest.FixtureRequest) -> list[Dataset]:
    if request.param == "own":
        texts = OWN
    else:
        folder = Path(__file__).parents[2] / "samples" / "datasets"
        texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.yml"))}
        assert len(texts) == 50
    return [Dataset(f"id-{name}", name, "o", "source", None, "public", text) for name, text in texts.items()]


def placements_of(datasets: list[Dataset]) -> list[Placement]:
    return [
        place(dataset, definition, own_database="postgres")
        for dataset in datasets
        for definition in parse_dataset_yml(dataset.yml, name=dataset.name)
    ]


def report_of(datasets: list[Dataset], requests: list[GroupRequest], *, without: tuple[str, str] | None = None):
    """The report where everything that was asked for is there, but for one (table, column)."""
    groups = tuple(
        GroupSnapshot(
            "source",
            request.database,
            request.schema,
            True,
            tuple(
                Table(
                    table,
                    "table",
                    True,
                    tuple(Column(column, "text") for column in columns if (table, column) != without),
                )
                for table, columns in request.columns.items()
            ),
        )
        for request in requests
    )
    source = SourceSnapshot(SOURCE, "postgres", {each.id: each.yml_hash for each in datasets}, groups)
    return diff_organization(OrganizationSnapshot("o", "Acme", (source,)), datasets)


def critical(found: OrganizationReport) -> set[tuple[str, str | None, str | None]]:
    return {(e.type, e.table, e.column) for e in found.discrepancies if e.severity is Severity.CRITICAL}


def test_every_file_parses_and_its_lines_are_those_of_the_text(datasets: list[Dataset]) -> None:
    for placement in placements_of(datasets):
        lines = placement.dataset.yml.split("\n")
        assert placement.definition.fields, placement.dataset.name
        for field in placement.definition.fields:
            assert field.name in lines[field.line - 1], placement.dataset.name
            assert field.type is None or field.type in lines[field.type_line - 1], placement.dataset.name
        for relationship in placement.definition.relationships:
            assert relationship.name in lines[relationship.line - 1], placement.dataset.name


def test_every_reference_is_asked_for_or_told_as_unverifiable(datasets: list[Dataset]) -> None:
    placements = placements_of(datasets)
    requests = group_requests("source", placements, "postgres")
    asked = {
        (request.database, request.schema, table): {column.lower() for column in columns}
        for request in requests
        for table, columns in request.columns.items()
    }
    unread = {
        each.declared
        for each in report_of(datasets, requests).discrepancies
        if each.type is DiscrepancyType.UNVERIFIABLE_EXPRESSION
    }
    for placement in placements:
        own = asked[placement.database, placement.schema, placement.table]
        anywhere = set().union(*asked.values())
        aliases = {field.name.lower() for field in placement.definition.fields if field.expr is not None}
        for field in placement.definition.fields:
            expression = field.expr if field.expr is not None else f'"{field.name}"'
            found = referenced_columns(expression, "postgres")
            if found.problem is not None:
                assert expression in unread, (placement.dataset.name, expression)
            for column in found.columns:
                name = column.lower()
                if "." in name:
                    assert name.rpartition(".")[2] in anywhere or expression in unread, expression
                elif column not in field.args and name not in aliases:
                    assert name in own, (placement.dataset.name, expression)
        for relationship in placement.definition.relationships:
            for column in relationship.source:
                assert column.lower() in own | aliases, (placement.dataset.name, column)


def test_nothing_is_missing_where_everything_that_was_asked_for_is_there(datasets: list[Dataset]) -> None:
    requests = group_requests("source", placements_of(datasets), "postgres")
    assert critical(report_of(datasets, requests)) == set()


def test_every_single_column_that_was_asked_for_is_missed_when_it_is_gone(datasets: list[Dataset]) -> None:
    requests = group_requests("source", placements_of(datasets), "postgres")
    wanted = [
        (table, column) for request in requests for table, columns in request.columns.items() for column in columns
    ]
    assert len(wanted) >= 15
    choice = random.Random(4).sample(wanted, min(20, len(wanted)))
    for table, column in choice:
        found = report_of(datasets, requests, without=(table, column))
        others = {name.lower() for each in requests for name in each.columns.get(table, ()) if name != column}
        if column.lower() not in others:  # the same column, written in another case elsewhere, stays
            assert ("missing_column", table, column) in critical(found), (table, column)
        assert critical(found) <= {("missing_column", table, column)}


# ------------------------------------------------------------------ damage

MUTATIONS = 10_000
SLOWEST_S = 10.0  # generous: others are busy on the machine; a hang is far beyond
MOST_GROWTH_MIB = 300

KEYS = re.compile(r"\b([a-z_]+)(?=:)")
WORDS = (
    *("name", "models", "semantic_models", "dimensions", "measures", "metrics", "filters", "relationships", "entities"),
    *("expr", "type", "args", "ref", "ref_", "source_col", "ref_col", "primary_key", "foreign_key", "columns", "agg"),
    *("schema_sync", "ignore", "severity", "model", "schema", "database", "<<", "dimension", "nmae", "null"),
)
VALUES = (
    *("null", "~", "[]", "{}", "''", "*x", "&x", "!!python/object:x", "'unclosed", "{{TODO}}", "'{{ ref(\"x\") }}'"),
    *("a.b.c.d", "((((", "'))'", "sum(", "x -> x + 1", "'${TABLE}.a'", "'{arg}'", "1e999", "\x00", "\ud800", "\u2028"),
    *("[a, [b, [c]]]", "{ignore: ['*'], severity: {missing_column: info}}", '"\\x00"', "a, b, , c", "|", ">-", "%TAG"),
)


def mutated(texts: list[str], chance: random.Random) -> str:
    text = chance.choice(texts)
    for _ in range(chance.randint(1, 4)):
        text = MUTATORS[chance.randrange(len(MUTATORS))](text, chance)
    return text


def change_character(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(" \n\t-:[]{}'\"&*!?,#|>~%@`()\0\x7f\ud800é") + text[at + chance.randrange(3) :]


def cut_out(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + text[at + chance.randrange(200) :]


def change_lines(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    action = chance.randrange(4)
    if action == 0:
        lines[one], lines[other] = lines[other], lines[one]
    elif action == 1:
        lines.insert(other, lines[one])
    elif action == 2:
        del lines[one]
    else:
        lines[one] = " " * chance.randrange(8) + lines[one].lstrip()
    return "\n".join(lines)


def change_key(text: str, chance: random.Random) -> str:
    found = list(KEYS.finditer(text))
    if not found:
        return text
    one = chance.choice(found)
    word = chance.choice((*WORDS, chance.choice(found)[1]))
    return text[: one.start()] + word + text[one.end() :]


def change_value(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    one = chance.randrange(len(lines))
    key, colon, _ = lines[one].partition(":")
    lines[one] = f"{key}{colon} {chance.choice(VALUES)}"
    return "\n".join(lines)


MUTATORS = (change_character, cut_out, change_lines, change_key, change_value)


def damaged(datasets: list[Dataset]) -> Iterator[tuple[str, str]]:
    """(text, dialect); seeded, so that a failure comes again."""
    chance = random.Random(20_260)
    texts, dialects = [dataset.yml for dataset in datasets], sorted(DIALECTS)
    for _ in range(MUTATIONS):
        yield mutated(texts, chance), chance.choice(dialects)


def test_damaged_datasets_are_read_or_refused_in_bounded_time_and_memory(datasets: list[Dataset]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = refused = 0
    for number, (text, dialect) in enumerate(damaged(datasets)):
        start = time.perf_counter()
        dataset = Dataset("id", "row", "o", "source", None, "public", text)
        placements: list[Placement] = []
        refusal = None
        try:
            placements = placements_of([dataset])
        except InvalidDatasetYml as error:
            refusal = error
        if refusal is not None:
            refused += 1
            assert str(refusal).startswith(f"line {refusal.line}, column {refusal.column}: "), text
            assert len(str(refusal)) < 1_000, text
        else:
            read += 1
            requests = group_requests("source", placements, dialect)
            assert all(None not in request.columns for request in requests)
            if number % 10 == 0:
                report_of([dataset], requests)
        assert time.perf_counter() - start < SLOWEST_S, text
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert growth < MOST_GROWTH_MIB
    assert min(read, refused) > MUTATIONS // 20  # the damage is neither nothing nor everything
