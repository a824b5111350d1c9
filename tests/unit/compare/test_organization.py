"""Definitions against snapshots: every discrepancy type, and what must not become one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.schema_sync.compare.organization import CHANGED_MEANWHILE, diff_organization
from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
from include.schema_sync.nouns.report import OrganizationState
from include.schema_sync.nouns.snapshot import (
    Column,
    OrganizationSnapshot,
    Probe,
    ProbeAnswer,
    Table,
)
from tests.unit.compare.organizations import (
    FULL,
    ORDERS,
    dataset,
    only,
    report,
    told,
    undocumented,
)


def test_a_dataset_that_says_what_is_there_is_clean():
    found = report(dataset(FULL))
    assert found.discrepancies == ()
    assert found.totals.state is OrganizationState.CLEAN
    assert (found.datasets_checked, found.datasets_unchecked) == (1, 0)


def test_missing_column_says_line_and_the_unclaimed_column_that_it_became():
    yml = FULL.replace("name: amount", "name: amounts")
    discrepancy = only(report(dataset(yml)), DiscrepancyType.MISSING_COLUMN)
    assert discrepancy.severity is Severity.CRITICAL
    assert (discrepancy.column, discrepancy.table, discrepancy.line) == ("amounts", "orders", 9)
    assert discrepancy.suggestion == "amount"


def test_a_column_that_another_dataset_claims_is_never_the_rename():
    other = dataset("name: orders\nmeasures: [{name: amount}]", "orders_2", "dataset-2")
    yml = FULL.replace("name: amount", "name: amounts")
    assert only(report(dataset(yml), other), DiscrepancyType.MISSING_COLUMN).suggestion is None


def test_expr_decides_about_the_column_not_the_name():
    yml = "name: orders\ndimensions:\n  - {name: state_of_order, expr: status}\n  - {name: total, expr: gone}"
    assert told(report(dataset(yml))) == [("missing_column", "gone")]


@pytest.mark.parametrize("expr", ["'*'", "1", "'1.5'", "true", "\"'text'\"", "current_date"])
def test_constants_need_no_column(expr):
    assert told(report(dataset(f"name: orders\nmeasures: [{{name: rows, expr: {expr}}}]"))) == []


def test_the_columns_of_a_longer_expression_are_judged_and_documented():
    found = report(
        dataset("name: orders\nmetrics:\n  - name: revenue\n    expr: sum(amount) / count(order_id) + max(gone)")
    )
    missing = only(found, DiscrepancyType.MISSING_COLUMN)
    assert (missing.column, missing.line, "metric `revenue`" in missing.message) == ("gone", 4, True)
    assert undocumented(found) == {"status", "Mixed Case", "mood", "email"}


def test_an_expression_that_cannot_be_read_is_an_info_with_the_reason_and_what_it_mentions_is_not_undocumented():
    found = report(dataset("name: orders\nmetrics:\n  - name: revenue\n    expr: sum(amount) / count(order_id"))
    discrepancy = only(found, DiscrepancyType.UNVERIFIABLE_EXPRESSION)
    assert (discrepancy.severity, discrepancy.line) == (Severity.INFO, 4)
    assert re.search(r"cannot be read safely \(.+\), so", discrepancy.message)
    assert undocumented(found) == {"status", "Mixed Case", "mood", "email"}


def test_a_metric_over_a_measure_of_another_name_is_no_missing_column():
    yml = "name: orders\nmeasures: [{name: total, expr: amount}]\nmetrics: [{name: revenue, expr: total}]"
    assert told(report(dataset(yml))) == []


def test_a_metric_or_filter_without_expr_needs_no_column():
    assert told(report(dataset("name: orders\nmetrics: [{name: revenue}]\nfilters: [{name: recent}]"))) == []


def test_missing_table_suggests_the_neighbour_with_nearly_the_same_name():
    found = report(dataset("name: order\nmeasures: [{name: x}]"), tables=(), neighbours=("orders", "customers"))
    discrepancy = only(found, DiscrepancyType.MISSING_TABLE)
    assert (discrepancy.severity, discrepancy.suggestion) == (Severity.CRITICAL, "orders")


def test_a_missing_schema_is_one_discrepancy_for_the_group():
    found = report(dataset(FULL), dataset("name: b", "b", "dataset-2"), tables=(), exists=False)
    assert told(found) == [("missing_schema", None)]
    assert found.datasets_checked == 2


def test_an_unreadable_table_is_inaccessible_and_nothing_in_it_is_called_missing():
    secret = Table("orders", "view", False, ORDERS.columns[:1])
    assert told(report(dataset(FULL), tables=(secret,)), without=()) == [("inaccessible_table", None)]


def test_a_column_that_the_role_may_not_read_is_inaccessible():
    partly = Table("orders", "table", True, (Column("order_id", "bigint"), Column("amount", "numeric", readable=False)))
    yml = "name: orders\nmeasures: [{name: order_id}, {name: amount}]"
    assert told(report(dataset(yml), tables=(partly,))) == [("inaccessible_table", "amount")]


def test_invalid_yml_is_critical_with_its_line_and_counts_as_checked():
    found = report(dataset("name: orders\ndimensions: [{name: a}\n"))
    discrepancy = only(found, DiscrepancyType.INVALID_YML)
    assert discrepancy.severity is Severity.CRITICAL
    assert discrepancy.line is not None
    assert (found.datasets_checked, found.datasets_unchecked) == (1, 0)


def test_invalid_yml_is_found_even_when_the_warehouse_is_silent():
    found = report(dataset("", dataset_id="a"), dataset(FULL, dataset_id="b"), source_error="connection refused")
    assert told(found) == [("invalid_yml", None)]
    assert (found.datasets_checked, found.datasets_unchecked) == (1, 1)
    assert found.totals.state is OrganizationState.PARTIAL


def test_a_retyped_column_is_a_warning_with_both_types_and_the_line_of_the_type():
    yml = "name: orders\ndimensions:\n  - name: status\n    description: a\n    type: integer"
    discrepancy = only(report(dataset(yml)), DiscrepancyType.TYPE_MISMATCH)
    assert discrepancy.severity is Severity.WARNING
    assert (discrepancy.declared, discrepancy.actual, discrepancy.line) == ("integer", "text", 5)


def test_domains_and_enums_are_judged_by_what_they_stand_for():
    yml = "name: orders\ndimensions: [{name: mood, type: text}, {name: email, type: integer}]"
    assert told(report(dataset(yml))) == [("type_mismatch", "email")]


def test_a_type_that_is_no_type_is_unverifiable_not_different():
    assert told(report(dataset("name: orders\nmeasures: [{name: amount, type: '{{TODO}}'}]"))) == [
        ("unverifiable_type", "amount")
    ]


@pytest.mark.parametrize("type_text", ["null", "~", "''", '" "'])
def test_no_type_is_ordinary(type_text):
    assert told(report(dataset(f"name: orders\nmeasures: [{{name: amount, type: {type_text}}}]"))) == []


def test_a_name_found_only_in_another_case_is_a_warning():
    found = report(dataset("name: orders\ndimensions: [{name: mixed case, type: integer}]"))
    assert told(found) == [("case_mismatch", "mixed case"), ("type_mismatch", "Mixed Case")]
    assert only(found, DiscrepancyType.CASE_MISMATCH).suggestion == "Mixed Case"


def test_a_column_of_another_case_that_the_engine_folds_is_fine():
    assert told(report(dataset("name: ORDERS\nmeasures: [{name: Amount}]"))) == []


def test_columns_in_no_dataset_are_told_once_for_all_datasets_of_a_table():
    one = dataset("name: orders\nmeasures: [{name: order_id}, {name: amount}]", "one", "dataset-1")
    two = dataset("name: two\nmodel: orders\ndimensions: [{name: status}, {name: mood}]", "two", "dataset-2")
    found = report(one, two)
    assert told(found, without=()) == [("undocumented_column", "Mixed Case"), ("undocumented_column", "email")]
    (told_once,) = found.discrepancies
    assert told_once.severity is Severity.INFO
    assert (told_once.column, told_once.columns) == (
        None,
        tuple(each for each in ORDERS.columns if each.name in ("Mixed Case", "email")),
    )
    assert "2 columns are in the table and in no dataset of it: `Mixed Case`, `email`." in told_once.message


def test_relationships_need_their_columns_on_both_sides():
    customers = Table("customers", "table", True, (Column("id", "bigint"),))
    other = dataset("name: customers\nmeasures: [{name: id}]", "customers", "dataset-2")
    yml = (
        "name: orders\nrelationships:\n  - {name: customers, source_col: customer_id, ref_col: customer_id}\n"
        "  - {name: a role nobody knows, source_col: order_id, ref_col: whatever}"
    )
    found = report(dataset(yml), other, tables=(ORDERS, customers))
    missing = [(each.table, each.column) for each in found.discrepancies if each.type is DiscrepancyType.MISSING_COLUMN]
    assert missing == [("customers", "customer_id"), ("orders", "customer_id")]


def test_the_same_column_named_twice_is_told_once():
    yml = "name: orders\ndimensions: [{name: gone}]\nmeasures: [{name: gone}, {name: total, expr: gone}]"
    assert told(report(dataset(yml))) == [("missing_column", "gone")]


def test_system_columns_can_be_selected_though_no_catalogue_lists_them():
    assert told(report(dataset("name: orders\ndimensions: [{name: xmin}, {name: CTID}]"))) == []


def test_a_yml_that_changed_since_introspection_is_unchecked():
    then, now = dataset(FULL), dataset(FULL + "# edited\n")
    found = report(now, asked=(then,))
    assert found.discrepancies == ()
    assert (found.datasets_checked, found.datasets_unchecked) == (0, 1)
    assert CHANGED_MEANWHILE in found.unchecked[0].error


def test_a_dataset_that_was_deleted_meanwhile_is_nobodys_concern():
    found = report(asked=(dataset(FULL),))
    assert (found.datasets_checked, found.datasets_unchecked, found.unchecked) == (0, 0, ())


def test_a_failed_group_is_unchecked_and_says_why():
    found = report(dataset(FULL), tables=(), error="statement timeout")
    assert found.discrepancies == ()
    assert found.datasets_unchecked == 1
    assert "statement timeout" in found.unchecked[0].error


def test_an_organization_without_datasets_is_not_called_clean():
    assert diff_organization(OrganizationSnapshot("org-1", "Acme", ()), []).totals.state is OrganizationState.EMPTY


def test_fingerprints_survive_rewording_and_moving_lines():
    one = only(report(dataset(FULL.replace("name: amount", "name: gone"))), DiscrepancyType.MISSING_COLUMN)
    moved = "# a comment\n" + FULL.replace("name: amount, type: number", "name: gone, type: decimal")
    two = only(report(dataset(moved)), DiscrepancyType.MISSING_COLUMN)
    assert one.line != two.line
    assert one.fingerprint == two.fingerprint


def test_the_most_severe_come_first():
    yml = "name: orders\ndimensions: [{name: status, type: integer}, {name: zzz}]"
    severities = [each.severity for each in report(dataset(yml)).discrepancies]
    assert severities == sorted(severities, key=lambda severity: severity.rank)
    assert severities[0] is Severity.CRITICAL


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=300)


@given(table=names, columns=st.lists(names, unique=True, max_size=8), wanted=st.lists(names, max_size=8))
def test_any_names_give_bounded_unique_sorted_discrepancies(table, columns, wanted):
    import json

    fields = [{"name": name} for name in wanted if not name.isspace()]
    yml = json.dumps({"name": "x", "model": table, "dimensions": fields})
    there = Table(table, "table", True, tuple(Column(name, "text") for name in columns))
    found = report(dataset(yml), tables=(there,))
    assert len({each.fingerprint for each in found.discrepancies}) == len(found.discrepancies)
    assert list(found.discrepancies) == sorted(found.discrepancies, key=lambda each: each.sort_key)
    assert all(len(each.column or "") <= 256 for each in found.discrepancies)


def test_a_column_used_through_an_aliased_name_is_not_undocumented():
    yml = "name: orders\nmeasures: [{name: status, expr: amount}, {name: state, expr: status}]"
    undocumented = {each.column for each in report(dataset(yml)).discrepancies}
    assert "status" not in undocumented


def test_nested_fields_belong_to_their_column():
    columns = ("id", "address", "address.city", "address.zip", "tags", "tags.name")
    nested = Table("orders", "table", True, tuple(Column(name, "text") for name in columns))
    found = report(dataset("name: orders\ndimensions: [{name: address.city}, {name: address.gone}]"), tables=(nested,))
    assert told(found, without=()) == [
        ("missing_column", "address.gone"),
        ("undocumented_column", "id"),
        ("undocumented_column", "tags"),
    ]


@pytest.mark.parametrize("agg", ["count", "count_distinct"])
def test_a_count_of_a_text_column_is_no_type_mismatch(agg):
    yml = "name: orders\nmeasures: [{{name: n, expr: status, agg: {}, type: bigint}}]"
    assert told(report(dataset(yml.format(agg)))) == []
    assert told(report(dataset(yml.format("sum")))) == [("type_mismatch", "status")]


def test_ignored_columns_are_counted_as_ignored_and_told_nowhere():
    yml = FULL.replace("amount", "Amount_gone") + "schema_sync: {ignore: ['AMOUNT*']}"
    found = report(dataset(yml))
    assert found.discrepancies == ()
    assert [(str(each.type), each.column) for each in found.ignored] == [
        ("missing_column", "Amount_gone"),
        ("undocumented_column", "amount"),
    ]
    assert found.totals.ignored == 2


def test_an_ignored_column_that_could_not_be_confirmed_leaves_its_dataset_checked():
    yml = FULL.replace("amount", "gone") + "schema_sync: {ignore: [gone, amount]}"
    found = report(dataset(yml), probes=(Probe("orders", "gone", ProbeAnswer.UNKNOWN, "timed out"),))
    assert (found.discrepancies, found.datasets_checked, found.datasets_unchecked) == ((), 1, 0)


def test_what_one_definition_of_a_dataset_ignores_another_one_may_tell():
    yml = (
        "models:\n- {name: orders, columns: [{name: gone}], schema_sync: {ignore: [gone]}}\n"
        "- {name: again, model: orders, columns: [{name: gone}]}"
    )
    found = report(dataset(yml))
    assert (told(found), found.ignored) == ([("missing_column", "gone")], ())


def test_any_dataset_of_a_table_may_silence_its_undocumented_columns():
    first = dataset("name: orders")
    second = dataset("name: orders\nschema_sync: {ignore: ['*']}", "o2", "dataset-2")
    found = report(first, second)
    assert (found.discrepancies, len(found.ignored)) == ((), 1)
    assert len(found.ignored[0].columns) == len(ORDERS.columns)


def test_a_dataset_s_own_severity_counts_and_keeps_the_problem_s_fingerprint():
    yml = FULL.replace("amount", "gone")
    before = only(report(dataset(yml)), DiscrepancyType.MISSING_COLUMN)
    found = report(dataset(yml + "schema_sync: {severity: {missing_column: warning, undocumented_column: critical}}"))
    after = only(found, DiscrepancyType.MISSING_COLUMN)
    assert (after.severity, after.fingerprint) == (Severity.WARNING, before.fingerprint)
    assert [found.count(severity) for severity in Severity] == [1, 1, 0]


def test_a_missing_schema_is_as_severe_as_its_most_demanding_dataset_wants():
    wish = "schema_sync: {severity: {missing_schema: info}}"
    mild, other = dataset(f"name: a\n{wish}", "a"), dataset("name: b", "b", "dataset-2")
    assert only(report(mild, exists=False), DiscrepancyType.MISSING_SCHEMA).severity is Severity.INFO
    assert only(report(mild, other, exists=False), DiscrepancyType.MISSING_SCHEMA).severity is Severity.CRITICAL
