"""Suggested patches: what they change, and what they leave alone."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from include.schema_sync.nouns.dataset import Dataset
from include.schema_sync.nouns.discrepancy import Change, ChangeKind, Severity
from include.schema_sync.nouns.snapshot import Column, Table
from include.schema_sync.repair.patches import MAX_DIFF, MAX_TEXT
from include.schema_sync.repair.suggest import PatchOptions
from tests.unit.repair.patching import AND_UNDOCUMENTED, apply, check, column, patched, patches_for, suggested

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
    assert patches_for(yml, column("date_day"), column("Date")) == []


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


# What is certain


@pytest.mark.parametrize("new", ["amount_usd", "amounts", "amuont", "amount_tax", "total"])
def test_a_rename_that_is_only_probable_is_in_no_patch_unless_asked_for_and_then_apart(new):
    yml = "name: orders\nmeasures:\n- name: amount\n- {name: b, type: integer}\n"
    columns = (column(new), column("b"))
    (patch,) = patches_for(yml, *columns, options=PatchOptions())
    assert "type: text" in patch.diff
    assert new not in patch.diff
    certain, *probable = patches_for(yml, *columns, options=PatchOptions(include_probable=True))
    assert certain == patch
    assert [each.probable for each in probable] == ([] if new in ("amount_tax", "total") else [True])


@pytest.mark.parametrize(("old", "new"), [("unitPrice", "unit_price"), ("unit-price", "unit price"), ("id", "ID")])
def test_letter_case_and_separators_alone_are_certain(old, new):
    yml = f"name: orders\nmeasures: [{{name: {old}}}]\n"
    (patch,) = patches_for(yml, column(new), options=PatchOptions())
    assert not patch.probable
    assert check(apply(yml, patch.diff), [Table("orders", "table", True, (column(new),))])[1].discrepancies == ()


CERTAIN = PatchOptions()


def changed(kind: ChangeKind, to: str | None, *columns: Column, options: PatchOptions = CERTAIN) -> list[str]:
    """Patches of a dataset whose column ``amount`` is known to have changed."""
    yml = "name: orders\nmeasures: [{name: amount}, {name: b}]\nmetrics: [{name: m, expr: amount + b}]\n"
    dataset, report = check(yml, [Table("orders", "table", True, columns)])
    known = [
        replace(each, changed=Change("2026-01-01T07:00:00Z", kind, to)) if each.column == "amount" else each
        for each in report.discrepancies
    ]
    return [patch.diff for patch in suggested(dataset, replace(report, discrepancies=tuple(known)), options=options)]


def test_a_rename_that_the_columns_identity_proves_is_certain():
    (diff,) = changed(ChangeKind.RENAMED, "revenue", column("revenue"), column("b"))
    assert "+measures: [{name: amount, expr: revenue}, {name: b}]" in diff
    assert "+metrics: [{name: m, expr: revenue + b}]" in diff


def test_a_rename_to_a_name_that_the_dataset_already_means_something_by_is_left_to_a_person():
    assert changed(ChangeKind.RENAMED, "b", column("b")) == []


def test_only_a_column_that_was_dropped_for_sure_is_commented_out_and_never_renamed():
    columns = (column("amount_usd"), column("b"))
    assert changed(ChangeKind.RETYPED, None, *columns) == []
    yml = "name: orders\nmeasures:\n- name: amount\n- name: b\n"
    assert patches_for(yml, column("b"), options=PatchOptions()) == []
    assert "# - name: amount" in patched(yml, column("b"), options=PatchOptions(remove_missing=True))
    dataset, report = check(yml, [Table("orders", "table", True, columns)])
    dropped = Change("2026-01-01T07:00:00Z", ChangeKind.DROPPED)
    known = tuple(replace(each, changed=dropped) for each in report.discrepancies)
    (patch,) = suggested(dataset, replace(report, discrepancies=known), options=PatchOptions(include_probable=True))
    assert "+# - name: amount" in patch.diff


# Types


def test_a_changed_type_is_replaced_in_its_own_quotes():
    yml = (
        "name: orders\ndimensions:\n- {name: a, type: 'integer'}\n- {name: b, type: integer}\n- {name: c, type: text}\n"
    )
    text = patched(yml, column("a", "numeric(12,2)"), column("b", "numeric(12,2)"), column("c"))
    assert text == yml.replace("'integer'", "'numeric(12,2)'").replace("type: integer", "type: 'numeric(12,2)'")


def test_a_changed_type_whose_queries_no_longer_compile_is_not_declared_as_if_that_repaired_them():
    yml = "name: orders\nmeasures: [{name: a, type: integer, agg: sum}]\n"
    dataset, report = check(yml, [Table("orders", "table", True, (column("a"),))])
    assert suggested(dataset, report) != []
    refused = tuple(replace(each, users=("measure a",)) for each in report.discrepancies)
    assert suggested(dataset, replace(report, discrepancies=refused)) == []


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
