"""No text makes the reader of expressions raise, hang, log or invent; how one writes a column changes nothing."""

from __future__ import annotations

import logging
import random
import re
import sys
import threading
from collections import Counter
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.sql import expressions, reader
from include.schema_sync.sql.expressions import referenced_columns
from include.schema_sync.sql.reader import SPARE_STEPS, STEPS_PER_TOKEN
from include.schema_sync.sql.tokens import TooComplexError
from include.schema_sync.warehouses import DIALECTS
from tests.examples import examples
from tests.mutations import EXPRESSIONS, SEED, WORDS, check_expression, mutated_expression

MUTATIONS = 5_000  # scripts/mutate takes 100 000


@pytest.fixture
def parses(monkeypatch):
    """Grows by one whenever the parser is asked, however that ends."""
    asked: list[str] = []
    parse = reader._parse_tokens

    def noted(dialect, tokens, text, engine):
        asked.append(engine)
        return parse(dialect, tokens, text, engine)

    monkeypatch.setattr(reader, "_parse_tokens", noted)
    return asked


def test_mutated_expressions_never_raise_never_log_and_never_name_what_is_not_written(caplog, parses):
    caplog.set_level(logging.DEBUG)
    chooser = random.Random(SEED)
    outcomes = Counter(check_expression(*mutated_expression(chooser, EXPRESSIONS)) for _ in range(MUTATIONS))
    read_well = outcomes["read"]
    assert read_well > MUTATIONS // 20  # or the mutations are only noise
    assert len(parses) > MUTATIONS // 4
    assert caplog.records == []


@pytest.mark.parametrize("function", ["date", "timestamp", "decimal", "struct"])
@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_texts_that_the_parser_would_read_in_a_million_ways_are_given_up(function, dialect):
    text = f"{function}(" * 24 + "a" + ")" * 24
    assert "too many ways" in (referenced_columns(text, dialect).problem or "")
    assert referenced_columns(f"{function}(" * 5 + "a" + ")" * 5, dialect).columns == {"a"}


def test_the_parser_takes_no_more_steps_than_it_is_given():
    engine = "postgres"
    parser = reader._bounded_parser(engine)(dialect=reader._dialect(engine))
    tokens = reader._dialect(engine).tokenize("date(" * 24 + "a" + ")" * 24)
    parser.steps_left = SPARE_STEPS + STEPS_PER_TOKEN * len(tokens)
    with pytest.raises(TooComplexError):
        parser.parse(tokens, "")
    assert parser.steps_left >= -50  # the way back from the exception takes some


@pytest.mark.parametrize(
    "text",
    [
        "a IN (1" + ", 1" * 2_000 + ")",
        "a" + "+a" * 2_400,
        "a" + "^a" * 2_400,
        "a=1" + " AND a=1" * 1_000,
        "CASE" + " WHEN a=1 THEN 2" * 500 + " END",
        "a" + "::int" * 1_600,
        "a" + "||a" * 2_400,
        "SUM(a)" + "+SUM(a)" * 700,
        "REPLACE(" * 25 + "a" + ",'x','y')" * 25,
        "CASE WHEN a=1 THEN 1 ELSE " * 20 + "0" + " END" * 20,
    ],
    ids=lambda text: text[:12],
)
def test_long_and_deep_expressions_of_everyday_are_read(text):
    found = referenced_columns(text, "duckdb")
    assert (found.names, found.problem) == ((expressions.ColumnName(None, "a"),), None)


@pytest.mark.parametrize("text", ["a" * 1_000_000, "(" * 1_000_000, "\0" * 1_000_000, "{{" * 500_000])
def test_a_text_of_a_megabyte_is_refused_before_anything_reads_it(text):
    assert "longer than" in (referenced_columns(text, "postgres").problem or "")


@pytest.mark.parametrize("piece", ["{", "{{", "{#", "{%", "%(", "$", "@", "'", '"', "/*", "--\n", ";", "[", "<", "é"])
def test_any_sign_ten_thousand_times_is_survived(piece):
    for dialect in DIALECTS:
        referenced_columns(piece * (10_000 // len(piece)), dialect)


@given(st.text(), st.sampled_from(WORDS))
@settings(max_examples=examples(300))
def test_it_takes_any_text(text, dialect):
    found = referenced_columns(text, dialect)
    assert {name.name for name in found.names} or not found.columns


def test_a_deep_stack_of_the_caller_is_a_problem_that_is_not_kept():
    text = "GREATEST(" * 20 + "deeply" + ", 1)" * 20

    def at_depth(depth: int):
        return at_depth(depth - 1) if depth else referenced_columns(text, "postgres")

    used = 0
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        frame, used = frame.f_back, used + 1
    assert "too deeply" in (at_depth(sys.getrecursionlimit() - used - 150).problem or "")
    assert referenced_columns(text, "postgres").columns == {"deeply"}


def test_threads_agree():
    texts = [text for text in EXPRESSIONS if len(text) > 12][:150]
    alone = [referenced_columns(text, "snowflake") for text in texts]
    expressions._read_short.cache_clear()
    reader._bounded_parser.cache_clear()
    answers: list[list[expressions.References]] = []
    threads = [
        threading.Thread(target=lambda: answers.append([referenced_columns(text, "snowflake") for text in texts]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [alone] * 6


def test_caches_are_bounded_for_long_texts_too():
    short, long = expressions._read_short.cache_info().maxsize, expressions._read_long.cache_info().maxsize
    assert short is not None
    assert long is not None
    # Characters of text at most; a character takes up to four bytes.
    assert short * expressions._SHORT + long * expressions.MAX_LENGTH < 10_000_000


NAMES = st.from_regex(r"c_[a-z]{1,6}", fullmatch=True)
QUOTE = {"bigquery": "``", "mysql": "``", "databricks": "``", "sqlserver": "[]"}


@st.composite
def generated(draw):
    """An expression as a list of pieces; those that begin with ``c_`` are columns."""

    def one(depth):
        kind = draw(st.integers(0, 6 if depth else 0))
        if kind == 0:
            return [draw(NAMES)]
        if kind == 1:
            return ["(", *one(depth - 1), draw(st.sampled_from([" + ", " * ", " = ", " AND "])), *one(depth - 1), ")"]
        if kind == 2:
            return [draw(st.sampled_from(["SUM(", "COALESCE(", "my_function("])), *one(depth - 1), ")"]
        if kind == 3:
            return ["CASE WHEN ", *one(depth - 1), " = 'c_text' THEN ", *one(depth - 1), " ELSE 0 END"]
        if kind == 4:
            return ["CAST(", *one(depth - 1), " AS DATE)"]
        if kind == 5:
            return ["(", *one(depth - 1), " IN (1, 'c_other') AND ", *one(depth - 1), " IS NOT NULL)"]
        return [
            "MAX(",
            *one(depth - 1),
            ") OVER (PARTITION BY ",
            *one(depth - 1),
            " ORDER BY ",
            *one(depth - 1),
            " DESC)",
        ]

    return one(draw(st.integers(1, 4)))


@given(generated(), st.sampled_from(list(DIALECTS)))
@settings(max_examples=examples(120))
def test_quotes_comments_spaces_and_brackets_change_nothing(pieces, dialect):
    wanted = {piece for piece in pieces if piece.startswith("c_")}
    left, right = QUOTE.get(dialect, '""')
    quoted = [f"{left}{piece}{right}" if piece.startswith("c_") else piece for piece in pieces]
    for text in (
        "".join(pieces),
        "".join(quoted),
        f"({''.join(pieces)})",
        " /* c_comment */ ".join(pieces),
        "\n -- c_comment\n".join(pieces),
        f"  {''.join(pieces)} ;",
        f"{''.join(pieces)} AS c_alias",
    ):
        found = referenced_columns(text, dialect)
        assert (found.columns, found.problem) == (wanted, None), text
    assert {name.name for name in referenced_columns("".join(quoted), dialect).names} == {
        f"{left}{name}{right}" for name in wanted
    }


@given(st.from_regex(r"[A-Za-z_][\w]{0,12}(\.[A-Za-z_][\w]{0,12})?", fullmatch=True), st.sampled_from(list(DIALECTS)))
@settings(max_examples=examples(300))
def test_the_way_without_a_parser_says_what_the_parser_says(text, dialect):
    engine = DIALECTS[dialect].sqlglot
    parsed = expressions._read(text, engine)
    if parsed.problem is not None:
        assert not re.fullmatch(r"[a-z]_\w*", text)  # a word of the grammar, which alone can only be a name
        return
    assert referenced_columns(text, dialect) == parsed
