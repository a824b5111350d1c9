"""Which columns a definition needs, where, and what is never held against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.schema_sync.needs.needs import Needs, needs_of
from include.schema_sync.needs.qualifiers import DatasetNames, Meaning, Qualifiers, Whereabouts
from include.schema_sync.yml.dataset import parse_dataset_yml

AT = Whereabouts("Orders of today", "shop", "public")


def needs(yml: str, dialect: str = "postgres") -> Needs:
    (definition,) = parse_dataset_yml(yml, name="row")
    return needs_of(definition, dialect, AT)


def own(found: Needs) -> set[str]:
    return {need.column for need in found.columns}


def certain(found: Needs) -> set[str]:
    return {need.column for need in found.columns if not need.maybe_alias}


def on_targets(found: Needs) -> dict[str, set[str]]:
    return {word: {need.column for need in needs} for word, needs in found.on_targets.items()}


def test_every_expression_of_every_section_is_read():
    found = needs(
        """\
name: orders
dimensions:
  - {name: month, expr: "date_trunc('month', placed_at)"}
  - {name: plain}
measures: [{name: revenue, expr: amount * quantity}, {name: rows, expr: '*'}, {name: one, expr: 1}]
metrics: [{name: share, expr: "sum(paid) / nullif(count(*), 0)"}]
filters: [{name: recent, expr: "shipped_at > now() - interval '90 days'"}]
columns: [{name: listed, data_type: text}]
relationships:
  - {name: customers, source_col: "customer_id, coalesce(region, '-')", ref_col: "id, lower(region_code)"}
entities:
  - {name: store, ref_: stores, expr: store_id, primary_key: "order_id, line_no", foreign_key: key_of_store}
"""
    )
    assert own(found) == {
        *("placed_at", "plain", "amount", "quantity", "paid", "shipped_at", "listed"),
        *("customer_id", "region", "store_id", "order_id", "line_no"),
    }
    assert on_targets(found) == {"customers": {"id", "region_code"}, "stores": {"key_of_store"}}
    assert (found.unread, found.unplaced) == ([], [])


def test_each_need_says_who_needs_it_and_in_which_line_it_is_written():
    found = needs(
        """\
name: orders
measures:
  - name: revenue
    expr: >
      amount +
      tax
relationships:
  - name: customers
    source_col: a
    ref_col: b
"""
    )
    assert [(need.column, need.by, need.line) for need in found.columns] == [
        ("amount", "measure `revenue`", 4),
        ("tax", "measure `revenue`", 4),
        ("a", "relationship `customers`", 9),
    ]
    assert found.on_targets["customers"][0].line == 10


@pytest.mark.parametrize("expr", ["{days}", "days", "placed_at > now() - {days} * days", "'{days}'"])
def test_arguments_are_no_columns(expr):
    found = needs(f'name: o\nfilters: [{{name: f, expr: "{expr}", args: [{{name: days, type: number}}]}}]')
    assert own(found) <= {"placed_at"}
    assert found.unread == []


def test_what_cannot_be_read_is_told_once_with_the_reason_and_needs_nothing():
    found = needs("name: o\nmetrics: [{name: m, expr: 'sum(a'}]\nrelationships: [{name: r, ref_col: '{{ x() }}'}]")
    assert own(found) == set()
    assert on_targets(found) == {}
    assert [(item.by, item.expression, bool(item.reason)) for item in found.unread] == [
        ("metric `m`", "sum(a", True),
        ("relationship `r`", "{{ x() }}", True),
    ]


def test_a_name_that_is_another_field_s_may_be_that_field():
    found = needs(
        "name: o\nmeasures: [{name: revenue, expr: amount}, {name: orders, expr: order_id}]\n"
        "metrics: [{name: average, expr: Revenue / orders - cost}, {name: net, expr: average * 2}]"
    )
    assert certain(found) == {"amount", "order_id", "cost"}
    assert own(found) - certain(found) == {"Revenue", "orders", "average"}


def test_a_field_s_own_name_in_its_expression_is_the_column():
    assert certain(needs("name: o\ndimensions: [{name: paid, expr: paid = 1}]")) == {"paid"}


def test_a_field_s_own_name_is_not_the_column_where_another_field_has_it_as_well():
    found = needs("name: o\nmeasures: [{name: revenue, expr: amount}]\nmetrics: [{name: revenue, expr: sum(revenue)}]")
    assert certain(found) == {"amount"}


def test_fields_of_one_name_that_all_read_the_column_of_that_name_mean_the_column():
    found = needs("name: o\ndimensions: [{name: paid, expr: paid = 1}]\nmetrics: [{name: paid, expr: sum(paid)}]")
    assert [(need.column, need.maybe_alias) for need in found.columns] == [("paid", False), ("paid", False)]


def test_an_expression_that_reads_more_columns_than_anybody_writes_is_not_read():
    columns = " + ".join(f"c{number}" for number in range(501))
    found = needs(f"name: o\nmetrics: [{{name: m, expr: {columns}}}]")
    assert (found.columns, len(found.unread)) == ([], 1)


def test_a_metric_without_expression_is_no_column_for_others_either():
    assert certain(needs("name: o\nmetrics: [{name: base}, {name: twice, expr: base * 2}]")) == set()


QUALIFIED = "name: orders\nmodel: fct_orders\nmetrics:\n- name: m\n  expr: {}\nrelationships:\n{}"
LINKS = "- {name: customers, source_col: a, ref_col: b}\n- {name: billing, ref: customers}\n- {name: Shop, ref: s}"


@pytest.mark.parametrize(
    "qualifier", ["orders", "fct_orders", "ORDERS", "public.orders", "shop.public.orders", "'\"Orders of today\"'"]
)
def test_the_dataset_s_own_names_before_the_dot_mean_its_own_table(qualifier):
    expr = f"{qualifier}.amount" if not qualifier.startswith("'") else f"{qualifier[:-1]}.amount'"
    found = needs(QUALIFIED.format(expr, LINKS))
    assert own(found) == {"amount", "a"}


@pytest.mark.parametrize(
    ("expr", "target"),
    [
        ("sum(customers.region)", "customers"),
        ("billing.region", "customers"),
        ("'\"customers\".region'", "customers"),
        ("public.customers.region", "customers"),
        ("SHOP.region", "s"),
        ("s.region", "s"),
    ],
)
def test_a_relationship_s_name_or_target_before_the_dot_means_the_other_table(expr, target):
    found = needs(QUALIFIED.format(expr, LINKS))
    assert on_targets(found)[target] - {"b"} == {"region"}
    assert own(found) == {"a"}


def test_fields_of_a_qualified_column_are_that_column():
    found = needs(QUALIFIED.format("orders.address.city || customers.address.zip", LINKS), "bigquery")
    assert own(found) == {"address", "a"}
    assert on_targets(found)["customers"] == {"address", "b"}


def test_any_other_qualifier_may_be_a_column_with_fields():
    (need,) = needs(QUALIFIED.format("payload.city", LINKS)).unplaced
    assert (need.qualifier, need.column, need.expression) == ("payload", "city", "payload.city")


def test_relationships_of_one_name_to_several_datasets_lead_nowhere():
    found = needs(QUALIFIED.format("x.y", "- {name: x, ref: a}\n- {name: x, ref: b}"))
    assert (found.on_targets, [need.qualifier for need in found.unplaced]) == ({}, ["x"])


def test_a_relationship_s_columns_may_be_qualified_with_either_side():
    found = needs("name: o\nrelationships: [{name: c, source_col: 'o.k = c.x', ref_col: 'c.id, o.z'}]")
    assert own(found) == {"k", "z"}
    assert on_targets(found) == {"c": {"x", "id"}}


def test_dbt_s_entities_need_their_column_and_a_foreign_one_is_a_way_to_a_dataset():
    found = needs(
        "semantic_models: [{name: o, entities: [{name: id, type: primary}, {name: c, type: foreign, expr: c_id}],"
        " measures: [{name: m, expr: c.limit_usd}]}]"
    )
    assert own(found) == {"id", "c_id"}
    assert on_targets(found) == {"c": {"limit_usd"}}


@pytest.mark.parametrize(
    ("item", "compared"),
    [
        ("{name: a, type: bigint}", True),
        ("{name: a, expr: b, type: bigint}", True),
        ("{name: a, expr: o.b, type: bigint}", True),
        ("{name: a, expr: '${TABLE}.b', type: bigint}", True),
        ("{name: a, expr: '\"b\"', type: bigint}", True),
        ("{name: a, expr: b + 1, type: bigint}", False),
        ("{name: a, expr: abs(b), type: bigint}", False),
        ("{name: a, expr: o.b.c, type: bigint}", False),
        ("{name: a, expr: b.c, type: bigint}", False),
        ("{name: a, agg: sum, type: bigint}", True),  # as every sample in production has it: the column's type
        ("{name: a, agg: MAX, type: bigint}", True),
        ("{name: a, agg: count, type: bigint}", False),
        ("{name: a, agg: count_distinct, expr: b, type: bigint}", False),
        ("{name: a, agg: sum_boolean, expr: b, type: bigint}", False),
    ],
)
def test_a_type_is_compared_only_where_it_can_be_the_column_s(item, compared):
    found = needs(f"name: o\nmeasures: [{item}]")
    assert [need.type for need in (*found.columns, *found.unplaced)] == ["bigint" if compared else None]


def test_metrics_have_no_column_s_type():
    (need,) = needs("name: o\nmetrics: [{name: m, expr: a, type: number}]").columns
    assert need.type is None


words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_ ]{0,8}", fullmatch=True)


@given(st.lists(words, min_size=1, max_size=5))
def test_quotes_around_a_qualifier_s_parts_change_nothing(parts):
    (definition,) = parse_dataset_yml("name: o\nrelationships: [{name: a b}, {name: c}]", name="row")
    quoted = ".".join(f'"{part}"' for part in parts)
    plain = Qualifiers(definition, AT).meaning_of(".".join(parts))
    found = Qualifiers(definition, AT).meaning_of(quoted)
    assert (plain is None) == (found is None)
    if plain is not None and found is not None:
        assert plain.targets == found.targets
        assert (plain.column is None) == (found.column is None)


@given(st.text(max_size=30))
def test_any_qualifier_is_read_without_an_error(qualifier):
    (definition,) = parse_dataset_yml("name: o", name="row")
    assert isinstance(Qualifiers(definition, AT).meaning_of(qualifier), Meaning | None)


def test_a_dot_inside_of_quotes_parts_nothing():
    (definition,) = parse_dataset_yml("name: a.b", name="row")
    assert Qualifiers(definition, AT).meaning_of('"a.b"') == Meaning()
    assert Qualifiers(definition, AT).meaning_of("`a.b`") == Meaning()
    assert Qualifiers(definition, AT).meaning_of("a.b") is None


def test_datasets_are_found_by_their_exact_name_before_any_other_case():
    names: DatasetNames[int] = DatasetNames()
    names.add(("Orders",), 1)
    names.add(("orders", "fct"), 2)
    assert (names.find("orders"), names.find("Orders"), names.find("ORDERS")) == ([2], [1], [1, 2])
    assert (names.find("FCT"), names.find("none")) == ([2], [])
