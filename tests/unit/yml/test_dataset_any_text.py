"""Any text, tree of known keys or damaged document is read or refused with its line."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.errors import InvalidDatasetYml
from tests.unit.yml.reading import DBT, LIST, SINGLE, parse

KEYS = [
    *["semantic_models", "schema_sync", "ignore", "severity", "missing_column", "agg", "ref_", "version"],
    *["name", "model", "models", "schema", "dimensions", "dimension", "measures", "metrics", "filters", "columns"],
    *["relationships", "entities", "expr", "type", "data_type", "args", "ref", "source_col", "ref_col", "primary_key"],
    *["<<", "on"],
]
trees = st.recursive(
    st.sampled_from(["null", "''", "a", "12:30", '"\\0"', "ref('x')", "'a, (b'", "*a", "&a b", "!foo x"]),
    lambda node: (
        st.lists(node, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(KEYS), node, max_size=4).map(
            lambda entries: "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"
        )
        | node.map(lambda text: text if text[:1] in "&*!" else f"&a {text}")
    ),
    max_leaves=12,
)


def assert_read_or_refused(text: str) -> None:
    definitions, error = [], None
    try:
        definitions = parse(text)
    except InvalidDatasetYml as refused:
        error = refused
    if error is None:
        assert definitions
        assert all(field.name and field.line >= 1 for only in definitions for field in only.fields)
    else:
        assert error.line is not None
        assert error.line >= 1
        assert str(error).startswith(f"line {error.line}, column {error.column}: ")


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert_read_or_refused(text)


@settings(deadline=None)  # the machine may be busy
@given(trees)
def test_any_tree_of_known_keys_is_read_or_refused(text: str) -> None:
    assert_read_or_refused(text)


@settings(deadline=None)  # the machine may be busy
@given(
    st.sampled_from([SINGLE, LIST, DBT]),
    st.lists(
        st.tuples(
            st.floats(0, 1), st.integers(0, 12), st.text(st.sampled_from(" \n\t-:[]{}'\"&*!?,#|>~\0x"), max_size=4)
        )
    ),
)
def test_any_damage_to_a_valid_document_is_read_or_refused(text: str, edits: list[tuple[float, int, str]]) -> None:
    for place, removed, inserted in edits:
        start = int(place * len(text))
        text = text[:start] + inserted + text[start + removed :]
    assert_read_or_refused(text)
