"""Suggested patches: what they change, what they leave alone, and that they do what they claim."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationReport, SuggestedPatch
from include.schema_sync.nouns.snapshot import Column, GroupSnapshot, OrganizationSnapshot, SourceSnapshot, Table
from include.schema_sync.repair.before_and_after import Context
from include.schema_sync.repair.suggest import MAX_DIFF, MAX_TEXT, PatchOptions, suggest_patches
from include.schema_sync.warehouses import dialect_for

NO_NEWLINE = "\\ No newline at end of file"


def column(name: str, type_: str = "text") -> Column:
    return Column(name, type_)


def check(yml: str, tables: Sequence[Table], source: str = "postgres") -> tuple[Dataset, OrganizationReport]:
    """One dataset against hand-made tables, as a run does it."""
    data_source = DataSource("source-1", "Warehouse", source)
    dataset = Dataset("dataset-1", "orders", "org-1", data_source.id, None, "public", yml)
    group = GroupSnapshot(data_source.id, "shop", "public", exists=True, tables=tuple(tables))
    snapshot = SourceSnapshot(data_source, "shop", {dataset.id: dataset.yml_hash}, (group,))
    return dataset, diff_organization(OrganizationSnapshot("org-1", "Acme", (snapshot,)), [dataset])


EVERYTHING = PatchOptions(remove_missing=True, include_probable=True)
AND_UNDOCUMENTED = replace(EVERYTHING, add_undocumented=True)


def suggested(
    dataset: Dataset, found: OrganizationReport, source: str = "postgres", options: PatchOptions = EVERYTHING
) -> list[SuggestedPatch]:
    return suggest_patches(Context(dataset, dialect_for(source), "shop"), found.discrepancies, options)


def patches_for(
    yml: str, *columns: Column, source: str = "postgres", options: PatchOptions = EVERYTHING
) -> list[SuggestedPatch]:
    dataset, report = check(yml, [Table("orders", "table", True, columns)], source)
    return suggested(dataset, report, source, options)


def apply(text: str, patch: str) -> str:
    """Apply a unified diff exactly: every line of context and every removed line must be there."""
    old = re.findall(r"[^\n]*\n|[^\n]+", text)
    lines = re.findall(r"[^\n]*\n", patch)
    assert lines[0].startswith("--- a/")
    assert lines[1].startswith("+++ b/")
    new: list[str] = []
    at, index = 0, 2
    while index < len(lines):
        head = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n", lines[index])
        assert head is not None, lines[index]
        counts = {"-": int(head[2] or 1), "+": int(head[4] or 1)}
        first = int(head[1]) - (1 if counts["-"] else 0)
        new += old[at:first]
        at = first
        assert int(head[3]) - (1 if counts["+"] else 0) == len(new)
        index += 1
        while counts["-"] or counts["+"]:
            mark, line = lines[index][0], lines[index][1:]
            index += 1
            if index < len(lines) and lines[index].strip() == NO_NEWLINE:
                line = line.removesuffix("\n")
                index += 1
            if mark in " -":
                assert old[at] == line
                at += 1
                counts["-"] -= 1
            if mark in " +":
                new.append(line)
                counts["+"] -= 1
    return "".join([*new, *old[at:]])


def patched(yml: str, *columns: Column, source: str = "postgres", options: PatchOptions = EVERYTHING) -> str:
    patches = patches_for(yml, *columns, source=source, options=options)
    assert patches
    for patch in patches:
        yml = apply(yml, patch.diff)
    return yml


# Renamed columns


def test_a_renamed_column_of_an_expression_keeps_comments_and_spaces():
    yml = "# head\nname: orders\nmeasures:\n  - name: total   # why\n    expr:  amount  # what\n"
    assert patched(yml, column("amount_usd")) == yml.replace("expr:  amount ", "expr:  amount_usd ")


def test_a_field_that_is_named_like_its_column_keeps_its_name_because_dashboards_use_it():
    yml = "name: orders\nmeasures:\n  - name: amount # money\n    agg: sum\n"
    wanted = "name: orders\nmeasures:\n  - name: amount # money\n    expr: amount_usd\n    agg: sum\n"
    assert patched(yml, column("amount_usd")) == wanted


def test_an_empty_expr_is_filled_rather_than_written_twice():
    for empty in ("", " ~", " null", " # none"):
        yml = f"name: orders\nmeasures:\n  - name: amount\n    expr:{empty}\n"
        comment = " # none" if "#" in empty else ""
        assert patched(yml, column("amount_usd")) == yml.replace(f"expr:{empty}", f"expr: amount_usd{comment}")


def test_in_flow_style_the_expression_is_added_behind_the_name():
    assert patched("name: orders\nmeasures: [{name: amount, agg: sum}]\n", column("amount_usd")) == (
        "name: orders\nmeasures: [{name: amount, expr: amount_usd, agg: sum}]\n"
    )
    assert patched('{"name": "orders", "measures": [{"name": "amount"}]}', column("amount_usd")) == (
        '{"name": "orders", "measures": [{"name": "amount", "expr": "amount_usd"}]}'
    )


def test_the_name_of_a_dbt_column_is_the_column():
    yml = "models:\n- name: orders\n  columns:\n  - name: 'amount'\n    data_type: text\n"
    assert patched(yml, column("amount_usd")) == yml.replace("'amount'", "'amount_usd'")


def test_only_the_column_is_renamed_in_a_longer_expression_not_strings_or_comments():
    yml = "name: orders\nmetrics:\n- name: m\n  expr: sum(amount) / count('amount') + length(amount) -- amount\n"
    wanted = yml.replace("sum(amount)", "sum(amount_usd)").replace("length(amount)", "length(amount_usd)")
    assert patched(yml, column("amount_usd")) == wanted


def test_a_word_that_may_be_something_else_is_not_touched():
    yml = "name: orders\nmetrics:\n- name: m\n  expr: date_trunc('day', cast(date_day as date)) + date\n"
    assert patches_for(yml, column("date_day"), column("order_date")) == []


def test_composite_lists_change_one_part():
    yml = 'name: orders\nrelationships:\n- {name: x, source_col: "id, amount , day", ref_col: id}\n'
    wanted = yml.replace("amount ,", "amount_usd ,")
    assert patched(yml, column("id"), column("day"), column("amount_usd")) == wanted


def test_a_name_that_needs_quotes_gets_those_of_the_engine_and_of_yaml():
    yml = "name: orders\ndimensions:\n- name: mood\n  expr: mixed_case\n"
    assert "expr: '\"Mixed Case\"'\n" in patched(yml, column("Mixed Case"))
    assert "expr: '`Mixed Case`'\n" in patched(yml, column("Mixed Case"), source="mysql")
    assert "expr: '[Mixed Case]'\n" in patched(yml, column("Mixed Case"), source="sqlserver")


def test_a_column_of_another_letter_case_is_named_so_that_it_resolves():
    yml = "name: orders\ndimensions:\n- name: AMOUNT\n- name: b\n  expr: AMOUNT\n"
    text = patched(yml, column("Amount"))
    assert text == (
        "name: orders\ndimensions:\n- name: AMOUNT\n  expr: '\"Amount\"'\n- name: b\n  expr: '\"Amount\"'\n"
    )


def test_snowflakes_upper_case_is_left_to_the_engine():
    yml = "name: orders\ndimensions:\n- {name: a, expr: amount}\n"
    assert "expr: amount_usd}" in patched(yml, column("AMOUNT_USD"), source="snowflake")


# Types


def test_a_changed_type_is_replaced_in_its_own_quotes():
    yml = (
        "name: orders\ndimensions:\n- {name: a, type: 'integer'}\n- {name: b, type: integer}\n- {name: c, type: text}\n"
    )
    text = patched(yml, column("a", "numeric(12,2)"), column("b", "numeric(12,2)"), column("c"))
    assert text == yml.replace("'integer'", "'numeric(12,2)'").replace("type: integer", "type: 'numeric(12,2)'")


# Removed columns


def test_a_removed_column_is_commented_out_with_the_reason():
    yml = (
        "name: orders\ndimensions:\n  # about a\n  - name: a\n    description: |\n      long\n\n      text\n"
        "  # about b\n  - name: b\n"
    )
    assert patched(yml, column("b")) == (
        "name: orders\ndimensions:\n  # about a\n  # schema-sync: column a is not in the table\n  # - name: a\n"
        "  #   description: |\n  #     long\n\n  #     text\n  # about b\n  - name: b\n"
    )


def test_a_list_may_end_up_empty():
    yml = "name: orders\ndimensions:\n- name: zzz\nmeasures:\n- name: b\n"
    text = patched(yml, column("b"))
    assert "dimensions:\n# schema-sync" in text


def test_what_something_else_depends_on_is_not_removed():
    alias = "name: orders\nmeasures:\n- {name: total, expr: zzz}\nmetrics:\n- {name: m, expr: total}\n"
    assert patches_for(alias, column("b")) == []
    default = "name: orders\ndefault_measure: total\nmeasures:\n- name: total\n  expr: zzz\n- name: b\n"
    assert patches_for(default, column("b")) == []


def test_an_item_of_which_something_else_is_in_doubt_is_not_removed():
    yml = "name: orders\nmetrics:\n- name: m\n  expr: zzz + amount\n- name: n\n  expr: amount\n"
    (patch,) = patches_for(yml, column("amount_usd"))
    assert "# schema-sync" not in patch.diff
    assert len(patch.fixes) == 1


# Undocumented columns


def test_undocumented_columns_are_added_only_on_request_and_as_the_list_is_written():
    yml = "name: orders\ndimensions:\n  -   name: a\n      type: text\n\n# end\nmeasures: []\n"
    columns = (column("a"), column("b", "numeric(1,2)"), column("Big C"))
    assert patches_for(yml, *columns) == []
    assert patched(yml, *columns, options=AND_UNDOCUMENTED) == (
        "name: orders\ndimensions:\n  -   name: a\n      type: text\n"
        "  -   name: Big C\n      expr: '\"Big C\"'\n      type: text\n  -   name: b\n      type: numeric(1,2)\n"
        "\n# end\nmeasures: []\n"
    )
    flow = "name: orders\ndimensions: [{name: a}]"
    assert patched(flow, column("a"), column("b", "numeric(1,2)"), options=AND_UNDOCUMENTED) == (
        "name: orders\ndimensions: [{name: a}, {name: b, type: 'numeric(1,2)'}]"
    )


# The text as it is


def test_windows_line_ends_and_a_missing_last_one_stay():
    yml = "name: orders\r\ndimensions:\r\n- name: a\r\n  type: integer\r\n- name: amount"
    text = patched(yml, column("a"), column("amount_usd"))
    assert text == "name: orders\r\ndimensions:\r\n- name: a\r\n  type: text\r\n- name: amount\r\n  expr: amount_usd"


def test_a_byte_order_mark_does_not_shift_the_edits():
    yml = "\ufeffname: orders\ndimensions:\n- {name: é, expr: amount}\n"
    assert patched(yml, column("amount_usd")) == yml.replace("expr: amount", "expr: amount_usd")


@pytest.mark.parametrize(
    "yml",
    [
        "name: orders\ndimensions:\n- &one\n  name: amount\nmeasures:\n- *one\n",
        "name: orders\ndimensions:\n- name: a\n  expr: |\n    amount\n",
        "name: orders\ndimensions:\n- name: a\n  expr: >-\n    amount\n",
        "name: orders\nx: &x {expr: amount}\ndimensions:\n- {<<: *x, name: a}\n",
        'name: orders\ndimensions:\n- {name: a, expr: "\\x61mount"}\n',
        "name: orders\ndimensions:\n- {name: a, expr: !!str amount}\n",
        "name: orders\rdimensions:\r- name: a\r  expr: amount\r",
        "models: [{name: orders, dimensions: [{name: amount}]}, {name: orders, dimensions: [{name: amount}]}]",
    ],
)
def test_what_cannot_be_edited_safely_is_left_alone(yml):
    assert check(yml, [Table("orders", "table", True, (column("amount_usd"),))])[1].count(Severity.CRITICAL)
    assert patches_for(yml, column("amount_usd")) == []


def test_a_patch_that_would_be_too_large_is_none():
    yml = "name: orders\ndimensions:\n" + "".join(f"- name: c{i}\n  description: {'x' * 200}\n" for i in range(600))
    assert patches_for(yml, column("b")) == []
    assert patches_for(f"name: orders\ndimensions: [{{name: amount}}]\n{'# x' * MAX_TEXT}", column("amount_usd")) == []
    assert patches_for(f"name: orders\n# {'x' * MAX_DIFF}\ndimensions: [{{name: amount}}]", column("amount_usd")) == []


def test_hostile_column_names_stay_in_their_line():
    yml = 'name: orders\ndimensions:\n- name: "x\\n- name: evil"\n- name: b\n'
    text = patched(yml, column("b"))
    assert text.count("\n") == yml.count("\n") + 1
    assert "# schema-sync: column x\\n- name: evil is not in the table\n" in text


def test_the_file_name_is_safe_for_any_dataset_name():
    for name, path in (("../../etc/passwd", "etc_passwd.yml"), ("a b\n", "a_b.yml"), ("", "dataset.yml")):
        dataset, report = check(
            "name: orders\nmeasures: [{name: amount}]", [Table("orders", "table", True, (column("amount_usd"),))]
        )
        renamed = Dataset(dataset.id, name, "org-1", "source-1", None, "public", dataset.yml)
        (patch,) = suggested(renamed, report)
        assert patch.diff.startswith(f"--- a/{path}\n+++ b/{path}\n")


@pytest.mark.skipif(shutil.which("patch") is None, reason="the program patch is not installed")
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_the_real_patch_program_takes_the_diff(tmp_path, newline, end):
    lines = ["name: orders", "dimensions:", *(f"- name: c{i}" for i in range(20)), "- name: amount"]
    yml = newline.join(lines) + end.replace("\n", newline)
    columns = [column(f"c{i}") for i in range(20) if i != 3] + [column("amount_usd")]
    columns.remove(column("amount_usd"))
    columns.append(column("AMOUNT"))
    (patch,) = patches_for(yml, *columns, options=PatchOptions())
    file = tmp_path / "orders.yml"
    file.write_bytes(yml.encode())
    done = subprocess.run(["patch", "-p1", "--binary"], cwd=tmp_path, input=patch.diff.encode(), capture_output=True)
    assert done.returncode == 0, done.stdout
    assert file.read_bytes().decode() == apply(yml, patch.diff)


# The property: what a patch claims is gone when it is applied, and nothing critical is new

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
        if what < 0.4:
            there.append(Column(f"{name}_v2", type_))
        elif what < 0.5:
            there.append(Column(name.upper(), type_))
        else:
            there.append(Column(name, rng.choice(_TYPES) if what < 0.7 else type_))
    return [*there, Column("brand_new", "text"), Column("Brand New 2", "integer")]


@settings(max_examples=400, deadline=None)
@given(case=drifted(), source=st.sampled_from(["postgres", "snowflake", "mysql", "bigquery", "sqlserver", "duckdb"]),
       add_undocumented=st.booleans())  # fmt: skip
def test_what_a_patch_claims_is_gone_and_nothing_critical_is_new(case, source, add_undocumented):
    yml, tables = case
    dataset, before = check(yml, tables, source)
    patch = suggest_patch(
        dataset,
        before.discrepancies,
        dialect=dialect_for(source),
        own_database="shop",
        add_undocumented=add_undocumented,
    )
    if patch is None:
        return
    assert patch.fixes
    assert set(patch.fixes) <= {each.fingerprint for each in before.discrepancies}
    _, after = check(apply(yml, patch.diff), tables, source)
    left = {each.fingerprint for each in after.discrepancies}
    assert not left.intersection(patch.fixes)
    old = {each.fingerprint for each in before.discrepancies}
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
            patch = suggest_patch(dataset, report.discrepancies, dialect=dialect_for("postgres"), own_database="shop")
            repaired += len(patch.fixes) if patch else 0
    assert repaired > total / 2
