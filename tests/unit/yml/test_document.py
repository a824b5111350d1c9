"""YAML text → a bounded tree of text. What is refused here must be refused quickly and by one kind of error."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.schema_sync.errors import InvalidDatasetYml
from include.schema_sync.yml.document import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    Mapping,
    Node,
    Scalar,
    Sequence,
    quoted,
    read_documents,
)


def plain(node: Node) -> object:
    """The tree without its places, to compare with."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key if isinstance(key, str | None) else "(collection)": plain(value) for key, value in node.entries.items()}


def read(text: str) -> object:
    (document,) = read_documents(text)
    return plain(document)


def refusal(text: str) -> InvalidDatasetYml:
    with pytest.raises(InvalidDatasetYml) as caught:
        read_documents(text)
    error = caught.value
    assert error.line is not None
    assert error.column is not None
    assert str(error).startswith(f"line {error.line}, column {error.column}: ")
    assert len(str(error)) < 400
    assert str(error).isprintable()
    return error


WORDS = [
    *["on", "off", "yes", "no", "y", "true", "012", "0x1F", "0o17", "12:30", "190:20:30", "1e5", "1_000", ".inf", "+1"],
    *["2024-01-01", "2024-01-01 10:00:00", "=", "nUlL", "NaN", "-a", "<<"],
]


@pytest.mark.parametrize("word", WORDS)
def test_words_that_yaml_1_1_would_convert_stay_text_because_columns_are_called_so(word: str) -> None:
    assert read(f"name: {word}") == {"name": word}
    assert read(f"[{word}]") == [word]


@pytest.mark.parametrize("word", WORDS)
def test_such_words_are_keys_as_well(word: str) -> None:
    assert read(f"{word}: x") == {word: "x"}


@pytest.mark.parametrize("word", ["null", "Null", "NULL", "~", "", "!!null x", "# nothing"])
def test_only_the_core_schema_s_nulls_are_null(word: str) -> None:
    value = read(f"name: {word}")
    assert value == ({"name": "x"} if word.endswith("x") else {"name": None})


@pytest.mark.parametrize("value", ["'null'", '"null"', "!!str null", "! null"])
def test_null_in_quotes_or_with_a_tag_is_text(value: str) -> None:
    assert read(f"name: {value}") == {"name": "null"}


def test_lines_and_columns_count_from_one() -> None:
    (document,) = read_documents("# first line\nname: a\nitems:\n  - name: b\n    expr: >-\n      c\n      d\n")
    assert isinstance(document, Mapping)
    assert (document.line, document.column) == (2, 1)
    items = document.entries["items"]
    assert isinstance(items, Sequence)
    item = items.items[0]
    assert isinstance(item, Mapping)
    name, expr = item.entries["name"], item.entries["expr"]
    assert (item.line, item.column, name.line, name.column) == (4, 5, 4, 11)
    assert (expr.line, plain(expr)) == (5, "c d")


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_break_counts_as_one_line(line_break: str) -> None:
    text = line_break.join(["\ufeff# a byte order mark is allowed", "a: 1", "b: 2", "...", ""])
    (document,) = read_documents(text)
    assert isinstance(document, Mapping)
    assert plain(document) == {"a": "1", "b": "2"}
    assert document.entries["b"].line == 3


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_line_breaks_of_yaml_1_1_neither_end_a_text_nor_count_as_lines(character: str) -> None:
    (document,) = read_documents(f"description: pasted{character}text\nname: x\n")
    assert isinstance(document, Mapping)
    assert plain(document) == {"description": "pasted text", "name": "x"}
    assert document.entries["name"].line == 2


def test_documents_without_anything_in_them_are_left_out() -> None:
    assert [plain(node) for node in read_documents("---\n---\na: 1\n...\n--- null\n---\n# nothing\n---\nb: 2\n")] == [
        {"a": "1"},
        {"b": "2"},
    ]
    assert read_documents("") == []
    assert read_documents("# only a comment\n") == []


def test_an_anchor_may_be_defined_anew_and_ends_with_its_document() -> None:
    assert read("[&a 1, *a, &a 2, *a]") == ["1", "1", "2", "2"]
    assert "'*a' names no anchor" in str(refusal("&a x\n---\n*a\n"))


def test_escapes_in_quotes_are_kept_even_nul() -> None:
    assert read('"a\\0b\\ud7ff\\n"') == "a\0b\ud7ff\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!!python/object/apply:os.system ['true']", ["true"]),
        ("!!python/object:os.environ {a: !foo b}", {"a": "b"}),
        ("!!int 12", "12"),
        ("!!binary aGk=", "aGk="),
        ("!!set {a, b}", {"a": None, "b": None}),
    ],
)
def test_tags_construct_nothing(text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "key", "first", "again"),
    [
        ("name: a\nschema: s\nname: b\n", "'name'", 1, 3),
        ("name: a\n'name': b\n", "'name'", 1, 2),
        ("options:\n  deep:\n    - {a: 1,\n       a: 2}\n", "'a'", 3, 4),
        ("~: 1\nnull: 2\n", "'null'", 1, 2),
        ("a: &a {x: 1}\n<<: *a\n<<: *a\n", "'<<'", 2, 3),
    ],
)
def test_a_key_written_twice_is_refused_with_both_lines(text: str, key: str, first: int, again: int) -> None:
    error = refusal(text)
    assert error.line == again
    assert f"the key {key} is written twice" in str(error)
    assert f"first in line {first}" in str(error)


def test_a_collection_is_a_key_like_any_other() -> None:
    assert read("type: {{TODO}}") == {"type": {"(collection)": None}}
    assert "written twice" in str(refusal("? &k [a]\n: 1\n? *k\n: 2\n"))


def test_merge_keys_fill_in_what_is_not_written() -> None:
    assert read("base: &b {type: text, name: x}\nitem: {<<: *b, name: y}\n")["item"] == {  # type: ignore[index]
        "<<": {"type": "text", "name": "x"},
        "name": "y",
        "type": "text",
    }
    merged = read("a: &a {k: 1}\nb: &b {k: 2, l: 2}\nc:\n  <<: [*a, *b]\n")["c"]  # type: ignore[index]
    assert (merged["k"], merged["l"]) == ("1", "2")


@pytest.mark.parametrize("text", ["{'<<': {a: b}}", "{<<: text}", "{<<: [text, {a: b}]}", "{!!str <<: {a: b}}"])
def test_merge_signs_that_merge_nothing_are_keys(text: str) -> None:
    assert list(read(text)) == ["<<"]  # type: ignore[call-overload]


def nested(open_sign: str, close_sign: str, depth: int) -> str:
    return open_sign * depth + close_sign * depth


def test_a_hundred_levels_are_read_and_one_more_is_refused() -> None:
    assert len(read_documents(nested("[", "]", MAX_DEPTH))) == 1
    assert "deeper than 100 levels" in str(refusal(nested("[", "]", MAX_DEPTH + 1)))
    indented = "".join(f"{' ' * level}a:\n" for level in range(MAX_DEPTH + 1))
    assert refusal(indented).line == MAX_DEPTH + 1


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        "{" * 500_000,
        "- " * 250_000,
        "? " * 250_000,
        "{a: " * 200_000,
        "[{? " * 150_000,
        "a: [" * 200_000,
    ],
)
def test_bottomless_nesting_is_refused_without_reaching_any_stack_s_end(text: str) -> None:
    assert refusal(text).line == 1


def test_a_caller_deep_in_its_own_stack_gets_the_same_error() -> None:
    def descend(levels: int) -> None:
        if levels:
            descend(levels - 1)
        else:
            read_documents(nested("[", "]", MAX_DEPTH))

    frame, depth = sys._getframe(), 0
    while frame.f_back:
        frame, depth = frame.f_back, depth + 1
    with pytest.raises(InvalidDatasetYml):
        descend(sys.getrecursionlimit() - depth - 60)


def bomb(levels: int) -> str:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, levels)]
    return "\n".join(lines)


def test_aliases_are_followed_up_to_the_bound() -> None:
    assert len(read_documents(bomb(4))) == 1
    assert f"more than {MAX_NODES} nodes" in str(refusal(bomb(5)))
    assert refusal(bomb(40)).line == 5


def test_one_long_text_cannot_be_multiplied_either() -> None:
    assert "more than" in str(refusal(f"text: &t {'x' * 500_000}\nitems:\n" + "- *t\n" * 100))


def test_many_nodes_without_aliases_are_only_bound_by_size() -> None:
    (document,) = read_documents("[" + "a," * (MAX_NODES + 1) + "]")
    assert isinstance(document, Sequence)
    assert len(document.items) == MAX_NODES + 1


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: {c: *a}}", "a: &a {<<: *a}", "&a {? *a : b}"])
def test_an_alias_inside_of_its_own_anchor_is_refused(text: str) -> None:
    assert "inside of what it stands for" in str(refusal(text))


def test_a_mebibyte_of_utf_8_is_read_and_one_byte_more_is_refused() -> None:
    assert read("x" * MAX_BYTES) == "x" * MAX_BYTES
    assert "larger than 1024 KiB" in str(refusal("x" * (MAX_BYTES + 1)))
    assert "larger than 1024 KiB" in str(refusal("é" * (MAX_BYTES // 2) + "x"))


def test_directives_that_libyaml_compares_pair_by_pair_are_bounded() -> None:
    assert "%TAG" in str(refusal("".join(f"%TAG !a{i}! b\n" for i in range(60_000)) + "---\na: b\n"))


@pytest.mark.parametrize(
    ("text", "line", "column", "advice"),
    [
        ("name: a\nexpr: b: c\n", 2, 8, "in quotes"),
        ("name: 'a\n", 1, 9, "quote is not closed"),
        ("name: 'a", 1, 9, "quote is not closed"),
        ("name: a\n\ttype: b\n", 2, 1, "indent with spaces"),
        ("name: @a\n", 1, 7, "in quotes"),
        ("items:\n  - a\n b: c\n", 3, 2, "check the indentation"),
        ("name: {{ x }\n", 1, 13, "templates"),
        ("a: !e!foo b\n", 1, 4, "undefined tag handle"),
        ("a: *b\n", 1, 4, "names no anchor"),
        ('a: "\\ud800"\n', 1, 7, "escape"),
        ("a: b\nc: é\x07\n", 2, 5, "U+0007"),
        ("a: b\r\nc: \x00\r\n", 2, 4, "U+0000"),
        ("a: b\nc: \udc80\n", 2, 4, "surrogate"),
        ("%YAML 2.0\n---\na: b\n", 1, 1, "incompatible"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_place_and_advice(text: str, line: int, column: int, advice: str) -> None:
    error = refusal(text)
    assert (error.line, error.column) == (line, column)
    assert advice in str(error)


def test_foreign_text_is_shown_short_and_without_control_characters() -> None:
    assert quoted("a`b") == "'a`b'"
    assert quoted("x" * 80) == f"'{'x' * 80}'"
    assert quoted("x" * 81) == f"'{'x' * 79}…'"
    assert quoted("\x1b[31m\n\u202e\ud800") == r"'\x1b[31m\n\u202e\ud800'"
    assert len(quoted("\0" * 80)) <= 90


def assert_read_or_refused(text: str) -> None:
    documents, error = [], None
    try:
        documents = read_documents(text)
    except InvalidDatasetYml as refused:
        error = refused
    if error is None:
        assert all(not isinstance(node, Scalar) or node.text is not None for node in documents)
    else:
        assert error.line is not None
        assert error.line >= 1
        assert str(error).startswith(f"line {error.line}, column {error.column}: ")


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(), max_size=60))
@example("\ud800")
@example("\ufeff")
def test_any_text_is_read_or_refused(text: str) -> None:
    assert_read_or_refused(text)


SIGNS = [*"[]{}-?:,&*!|>'\"%@`# \n\tab~", "<<: ", "&a ", "*a ", "- ", ": ", "\n  ", "---\n", "..."]


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.sampled_from(SIGNS)))
def test_any_row_of_yaml_s_own_signs_is_read_or_refused(signs: list[str]) -> None:
    assert_read_or_refused("".join(signs))
