"""Every form of dataset YML in use, and every way to get it wrong that people have found."""

from __future__ import annotations

import pytest

from include.schema_sync.errors import InvalidDatasetYml
from include.schema_sync.yml.dataset import DatasetDefinition, Field, FieldKind, Relationship
from tests.unit.yml.reading import DBT, LIST, SINGLE, definition, parse


def refusal(text: str) -> InvalidDatasetYml:
    with pytest.raises(InvalidDatasetYml) as caught:
        parse(text)
    assert str(caught.value).startswith(f"line {caught.value.line}, column {caught.value.column}: ")
    assert len(str(caught.value)) < 400
    return caught.value


def test_single_form_gives_every_field_with_its_lines() -> None:
    assert definition(SINGLE) == DatasetDefinition(
        name="orders",
        model=None,
        data_source_name="shop",
        database="analytics",
        schema="public",
        fields=(
            Field(FieldKind.DIMENSION, "order_id", None, "integer", line=9, expr_line=9, type_line=13),
            Field(
                FieldKind.DIMENSION, "placed_on", "date_trunc('day', placed_at)", None, 16, expr_line=17, type_line=16
            ),
            Field(FieldKind.DIMENSION, "status", None, "varchar(20)", 21, 21, 21),
            Field(FieldKind.MEASURE, "rows", "1", None, 23, 24, 23, agg="count"),
            Field(FieldKind.MEASURE, "everything", "*", None, 26, 27, 26, agg="count"),
            Field(
                FieldKind.METRIC,
                "revenue_since",
                "sum(amount) filter (where placed_at > {start})",
                None,
                30,
                31,
                30,
                args=("start",),
            ),
            Field(FieldKind.FILTER, "recent", "placed_at > now() - {days}", None, 35, 36, 35, args=("days",)),
        ),
        relationships=(Relationship("relationship", "customer", "customer", ("customer_id",), ("id",), 39, 40, 41),),
        line=1,
    )


def test_list_form_gives_one_definition_per_model_with_entities_and_columns() -> None:
    customer, stores = parse(LIST)
    assert (customer.name, customer.model, customer.table) == ("customer", "customers", "customers")
    assert (customer.data_source_name, customer.database, customer.schema) == (None, None, "ont")
    assert [field.name for field in customer.fields] == ["on"]
    assert customer.relationships == (
        Relationship("entity", "person", "person", ("personid",), (), 8, 8, 8),
        Relationship("entity", "home", "address", ("a", "b"), ("id",), 9, 9, 9),
    )
    assert (stores.name, stores.table, stores.line) == ("row", "stores", 15)
    assert [(field.kind, field.name, field.type) for field in stores.fields] == [
        (FieldKind.COLUMN, "store_id", "bigint"),
        (FieldKind.COLUMN, "city", None),
    ]


def test_a_document_with_models_and_dimensions_loses_neither() -> None:
    assert [d.name for d in parse("name: outer\ndimensions: [{name: a}]\nmodels: [{name: inner}]\n")] == [
        "inner",
        "outer",
    ]


def test_several_documents_are_read_each_on_its_own_and_empty_ones_skipped() -> None:
    assert [d.name for d in parse("---\n---\nname: a\n---\nmodels: [{name: b}, {name: c}]\n...\n")] == ["a", "b", "c"]


def test_row_s_name_is_used_only_where_the_yml_has_none() -> None:
    assert definition("dimensions: []").name == "row"
    assert definition("name: null\nmodel: ' '\n").table == "row"
    assert definition("name: x").table == "x"
    assert definition("name: x\nmodel: y").table == "y"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("orders", "orders"),
        ("ref('orders')", "orders"),
        ('ref("orders")', "orders"),
        ("\"{{ ref( 'orders' ) }}\"", "orders"),
        ("ref('shop', 'orders')", "orders"),
        ("ref('orders', v=2)", "orders"),
        ("ref(orders)", "ref(orders)"),
        ("preferred", "preferred"),
        ("source('raw', 'orders')", "orders"),
        ("\"{{ source('raw', 'orders') }}\"", "orders"),
    ],
)
def test_model_is_a_plain_name_or_the_name_inside_ref(model: str, expected: str) -> None:
    assert definition(f"model: {model}").model == expected


@pytest.mark.parametrize("tail", ["", "x", "'x", ",", ", v", ", v=", "')", ")x", "}}"])
def test_ref_is_recognised_in_linear_time(tail: str) -> None:
    text = f"ref('a'{' ' * 300_000}{tail}"
    assert definition(f'model: "{text}"').model == text


@pytest.mark.parametrize(
    "name", ["on", "no", "012", "12:30", "1e5", "2024-01-01", "0x1F", "=", "<<", "' padded '", "'null'"]
)
def test_names_stay_as_written(name: str) -> None:
    (field,) = definition(f"dimensions:\n- name: {name}\n").fields
    assert field.name == name.strip("'")


def test_a_block_scalar_s_last_line_break_is_not_part_of_its_text() -> None:
    (field,) = definition("dimensions:\n- name: |\n    a\n  expr: >\n    b +\n    c\n").fields
    assert (field.name, field.expr) == ("a", "b + c")


@pytest.mark.parametrize("blank", ["", "null", "~", "''", "'  '", '"\\n"'])
def test_blank_expr_and_type_are_none(blank: str) -> None:
    (field,) = definition(f"dimensions:\n- name: a\n  expr: {blank}\n  type: {blank}\n").fields
    assert (field.expr, field.type, field.expr_line, field.type_line) == (None, None, 2, 2)


@pytest.mark.parametrize(
    "section", ["dimensions", "measures", "metrics", "filters", "relationships", "entities", "columns"]
)
@pytest.mark.parametrize("nothing", ["", "null", "[]"])
def test_a_section_without_items_is_fine(section: str, nothing: str) -> None:
    only = definition(f"name: x\n{section}: {nothing}\n")
    assert (only.fields, only.relationships) == ((), ())


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("a", ("a",)),
        ("a, b,c", ("a", "b", "c")),
        ("a, , b,", ("a", "b")),
        ("a, a", ("a",)),
        ("coalesce(a, b)", ("coalesce(a, b)",)),
        ("coalesce(a, f(b, c)), d", ("coalesce(a, f(b, c))", "d")),
        ("concat(a, ')', b), c", ("concat(a, ')', b)", "c")),
        ("\"a, b\", 'it''s, c', `d, e`, [f, g]", ('"a, b"', "'it''s, c'", "`d, e`", "[f, g]")),
        ("a), (b, c), d", ("a)", "(b, c)", "d")),
    ],
)
def test_composite_columns_are_split_only_outside_of_quotes_and_parentheses(
    written: str, parts: tuple[str, ...]
) -> None:
    yml = f"relationships:\n- name: r\n  source_col: |-\n    {written}\n  ref_col:\n    - |-\n      {written}\n"
    (relationship,) = definition(yml).relationships
    assert relationship.source == parts
    assert relationship.target_columns == parts


def test_an_entity_needs_its_expression_and_its_primary_key() -> None:
    (entity,) = definition(
        "entities: [{name: e, expr: a, primary_key: [a, b], foreign_key: null, ref_: t}]"
    ).relationships
    assert (entity.source, entity.target_columns, entity.target) == (("a", "b"), (), "t")


def test_merged_and_aliased_fields_are_fields_like_any_other() -> None:
    yml = "x: &f {name: a, type: text}\ndimensions:\n- *f\n- <<: *f\n  name: b\nmeasures: [*f]\n"
    assert [(field.kind.value, field.name, field.type, field.line) for field in definition(yml).fields] == [
        ("dimension", "a", "text", 1),
        ("dimension", "b", "text", 5),
        ("measure", "a", "text", 1),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "the document is empty"),
        ("# nothing\n---\nnull\n", 1, 1, "the document is empty"),
        ("# a\njust text\n", 2, 1, "the document is the text 'just text'; expected a mapping"),
        ("- name: a\n", 1, 1, "the document is a list; expected a mapping"),
        ("name: a\ndimensions: b\n", 2, 13, "`dimensions` is the text 'b'; expected a list"),
        ("dimensions:\n  id: {type: text}\n", 2, 3, "`dimensions` is a mapping; expected a list"),
        ("measures:\n  - amount\n", 2, 5, "an item of `measures` is the text 'amount'; expected a mapping"),
        ("measures:\n  - [a]\n", 2, 5, "an item of `measures` is a list"),
        ("measures: [null]\n", 1, 12, "an item of `measures` is nothing"),
        ("columns:\n  - data_type: text\n", 2, 5, "an item of `columns` has no name"),
        ("filters:\n  - expr: a\n    name: ~\n", 3, 11, "an item of `filters` has no name"),
        ("relationships: [{name: ''}]", 1, 24, "an item of `relationships` has no name"),
        ("dimensions:\n  - name: {a: b}\n", 2, 11, "`name` is a mapping; expected text"),
        ("dimensions:\n  - name: a\n    type: {{TODO}}\n", 3, 11, "needs quotes"),
        ("dimensions:\n  - name: a\n    expr: [b]\n", 3, 11, "`expr` is a list; expected text"),
        ("metrics: [{name: a, args: text}]", 1, 27, "`args` is the text 'text'; expected a list"),
        ("metrics: [{name: a, args: [{type: date}]}]", 1, 28, "an item of `args` has no name"),
        ("relationships: [{name: a, source_col: {b: c}}]", 1, 39, "`source_col` is a mapping"),
        ("schema: [public]\nname: a\n", 1, 9, "`schema` is a list; expected text"),
        ("models:\n", 1, 8, "`models` is empty"),
        ("models: []\n", 1, 9, "`models` is empty"),
        ("models: orders\n", 1, 9, "`models` is the text 'orders'"),
        ("models:\n- name: a\n- nonsense: b\n", 3, 3, "without any known key"),
        ("description: a\nowner: b\n", 1, 1, "without any known key; expected `name`"),
        ("owner: a\ndimension: []\n", 2, 1, "the key 'dimension' is not known; did you mean `dimensions`?"),
        ("Name: a\n", 1, 1, "did you mean `name`?"),
        ("entity: []\n", 1, 1, "did you mean `entities`?"),
        ("name: a\nmeasure:\n- {name: b}\n", 2, 1, "did you mean `measures`?"),
        ("measures: []\ndimension:\n- {name: b}\n", 2, 1, "did you mean `dimensions`?"),
        ("name: a\nmeasures: [{name: b}]\nentity:\n- {name: b}\n", 3, 1, "did you mean `entities`?"),
        ("models:\n- name: a\n  Metrics:\n  - {name: b}\n", 3, 3, "did you mean `metrics`?"),
        ("modles:\n- {name: b}\n", 1, 1, "did you mean `models`?"),
        ("semantic_model:\n- {name: b}\n", 1, 1, "did you mean `semantic_models`?"),
        ("models: [{name: a}]\nsemantic_model:\n- {name: b}\n", 2, 1, "did you mean `semantic_models`?"),
        ("dimensions:\n- nmae: a\n", 2, 3, "has no name, but the key 'nmae'; did you mean `name`?"),
        ("semantic_models: [{name: a, entities: [{Name: b}]}]", 1, 41, "but the key 'Name'; did you mean `name`?"),
        ("semantic_models:\n", 1, 17, "`semantic_models` is empty"),
        ("models: []\nsemantic_models: []\n", 1, 9, "`models` and `semantic_models` are empty"),
        ("semantic_models: [{label: a, owner: b}]", 1, 19, "without any known key"),
        (
            "version: 2\nmetrics: [{name: a, type_params: {measure: b}}]",
            1,
            1,
            "this is dbt's metrics, sources or exposures alone",
        ),
        ("name: a\nschema_sync: [b]", 2, 14, "`schema_sync` is a list; expected a mapping with `ignore`"),
        ("name: a\nschema_sync: {ignroe: [b]}", 2, 15, "'ignroe' is no key of `schema_sync`; did you mean `ignore`?"),
        ("name: a\nschema_sync: {owner: b}", 2, 15, "'owner' is no key of `schema_sync`; expected `ignore`"),
        ("name: a\nschema_sync: {ignore: b}", 2, 23, "`ignore` is the text 'b'; expected a list"),
        ("name: a\nschema_sync: {ignore: [{a: b}]}", 2, 24, "an item of `ignore` is a mapping"),
        ("name: a\nschema_sync: {ignore: [null]}", 2, 24, "an item of `ignore` is nothing"),
        ("name: a\nschema_sync: {ignore: ['" + "*a" * 11 + "']}", 2, 24, "is too long; expected at most"),
        ("name: a\nschema_sync: {severity: info}", 2, 25, "`severity` is the text 'info'; expected a mapping"),
        (
            "name: a\nschema_sync: {severity: {missing_colum: info}}",
            2,
            26,
            "'missing_colum' is no discrepancy type; did you mean `missing_column`?",
        ),
        ("name: a\nschema_sync: {severity: {x: info}}", 2, 26, "'x' is no discrepancy type; expected missing_schema"),
        (
            "name: a\nschema_sync: {severity: {type_mismatch: low}}",
            2,
            41,
            "the severity of `type_mismatch` is the text 'low'; expected critical, warning, info",
        ),
        ("name: a\nschema_synch: {ignore: [b]}", 2, 1, "did you mean `schema_sync`?"),
    ],
)
def test_wrong_shapes_are_refused_with_what_was_found_and_expected(
    text: str, line: int, column: int, said: str
) -> None:
    error = refusal(text)
    assert said in str(error)
    assert (error.line, error.column) == (line, column)


def test_a_named_definition_without_fields_is_fine_whatever_else_it_says() -> None:
    assert definition("name: a\nfilter: none\nmeasure: null\nmeta: [b]\n? [c]\n: d\n").fields == ()


@pytest.mark.parametrize(
    "other",
    ["custom_dimensions", "time_dimensions", "segments", "clarifications", "metric_groups", "pre_filters", "joins"],
)
def test_lists_under_words_of_their_own_are_no_misspelt_sections(other: str) -> None:
    assert definition(f"name: a\nmeasures: []\n{other}:\n- {{name: b}}\n").fields == ()


def test_a_singular_key_beside_the_plural_one_is_a_key_of_its_own() -> None:
    (field,) = definition("name: a\nmeasures: [{name: b}]\nmeasure: [{name: c}]\n").fields
    assert field.name == "b"


def test_hostile_text_is_not_echoed_at_length() -> None:
    error = refusal('name: a\ndimensions: "' + r"\e[31m" * 1000 + '"\n')
    assert "\x1b" not in str(error)
    assert refusal(f"{'x' * 1000}: a").line == 1


@pytest.mark.parametrize(
    "text",
    [
        f"z: &z '{','.join(map(str, range(50_000)))}'\nrelationships:\n" + "- {name: r, source_col: *z}\n" * 20_000,
        "dimensions:\n- &d {name: a, type: b}\n" + "- *d\n" * 30_000,
        "base: &b {" + ",".join(f"k{i}: 1" for i in range(5000)) + "}\ndimensions:\n" + "- {<<: *b, name: a}\n" * 1000,
    ],
)
def test_fields_cannot_be_multiplied_through_aliases(text: str) -> None:
    assert "expands the document" in str(refusal(text))


def test_semantic_models_are_read_with_kinds_that_are_no_types() -> None:
    table, semantic = parse(DBT)
    assert (table.name, table.table, table.schema, len(table.fields)) == ("fct_orders", "fct_orders", "marts", 2)
    assert (semantic.name, semantic.table, semantic.line) == ("orders", "fct_orders", 9)
    assert [(str(field.kind), field.name, field.expr, field.type, field.expr_line) for field in semantic.fields] == [
        ("entity", "order_id", None, None, 14),
        ("entity", "customer", "customer_key", None, 15),
        ("dimension", "ordered_at", None, None, 17),
        ("dimension", "status", "upper(state)", None, 20),
        ("measure", "revenue", "amount", None, 22),
        ("measure", "amount", None, None, 23),
        ("measure", "rows", "1", None, 26),
    ]
    assert semantic.relationships == (Relationship("entity", "customer", "customer", (), (), 15, 15, 15),)


def test_a_semantic_model_lives_where_the_model_beside_it_says() -> None:
    assert [each.schema for each in parse(DBT)] == ["marts", "marts"]
    (alone,) = parse("semantic_models: [{name: a, model: ref('b'), schema: c, database: d}]")
    assert (alone.table, alone.schema, alone.database) == ("b", "c", "d")


def test_dbt_s_documents_without_a_table_are_left_out_beside_others() -> None:
    others = "---\nmetrics: [{name: m, type_params: {measure: a}}]\n---\nversion: 2\nsources: [{name: raw}]\n"
    assert [each.name for each in parse(f"semantic_models: [{{name: a}}]\n{others}")] == ["a"]
    (own,) = parse("metrics: [{name: m, expr: sum(a)}]")  # in our own form, metrics are of the row's table
    assert (own.name, len(own.fields)) == ("row", 1)
