"""Only plain names are read; everything else is a constant or honestly unverifiable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.schema_sync.expressions import NotAColumn, column_of, words_of


@pytest.mark.parametrize(
    "text", ["amount", " Amount ", "_x1", "größe", "date", "order", '"Order ID"', "`x y`", "[a b]"]
)
def test_plain_and_quoted_names_are_columns(text):
    assert column_of(text) == text.strip()


@pytest.mark.parametrize("text", ["*", "1", "-1.5e3", "'it''s'", "", "  ", "NULL", "true", "current_date"])
def test_constants_need_no_column(text):
    assert column_of(text) is NotAColumn.CONSTANT


@pytest.mark.parametrize("text", ["a + b", "orders.amount", "sum(x)", "{arg}", "a b", "'x' || y", "a -- b", '"a" "b"'])
def test_everything_else_is_unverifiable(text):
    assert column_of(text) is NotAColumn.UNVERIFIABLE


@given(st.text())
def test_it_never_raises(text):
    assert isinstance(column_of(text), str | NotAColumn)


def test_words_are_lower_case_and_complete():
    assert words_of("SUM(Amount) / count(order_id)") == {"sum", "amount", "count", "order_id"}
