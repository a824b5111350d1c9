"""What the reader of expressions must know of an engine's SQL. Facts only; each engine's own are in its file.

Sources: each engine's reference, chapters on reserved words, on functions of date and time, and on lambda functions.
"""

from __future__ import annotations

from dataclasses import dataclass


def word_set(text: str) -> frozenset[str]:
    """The words of a text with spaces between them."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class SqlWords:
    """Words and signs of one engine's SQL, in lower case.

    :ivar values: functions that are called without parentheses, beside those that every engine has.
    :ivar user_is_a_value: ``user`` is the current user; as a whole expression it is what somebody called a column.
    :ivar quotes: which of ``" ` [`` open a quoted name; where ``"`` is not among them, it opens a text.
    :ivar dotted_quotes: one pair of quotes may hold a whole path (`` `project.dataset.table` ``).
    :ivar lambdas: ``x -> …`` is a function without a name; elsewhere the arrow reaches into JSON.
    :ivar json_arrows: the arrow reaches into JSON where a literal follows it, though the engine has lambdas.
    :ivar column_methods: functions written behind a column and a dot.
    :ivar rows_are_values: a table's name is a value: its row (``to_jsonb(orders)``, ``count(orders)``).
    :ivar sequence_functions: functions whose first argument is a sequence, written like a column.
    :ivar sequences: what stands before ``.nextval`` and ``.currval`` is a sequence.
    :ivar units_last: functions that take the unit of time last, where other engines take it first.
    :ivar units_are_texts: a unit of time is a text (``'month'``), so a word in its place is a column.
    :ivar typed_constructors: words that ``<`` follows as the constructor of a type, beside array, struct and map.
    """

    values: frozenset[str] = frozenset()
    user_is_a_value: bool = False
    quotes: str = '"'
    dotted_quotes: bool = False
    lambdas: bool = False
    json_arrows: bool = False
    column_methods: frozenset[str] = frozenset()
    rows_are_values: bool = False
    sequence_functions: frozenset[str] = frozenset()
    sequences: bool = False
    units_last: frozenset[str] = frozenset()
    units_are_texts: bool = False
    typed_constructors: frozenset[str] = frozenset()


STANDARD = SqlWords(lambdas=True)
"""For an engine that nobody knows: a name in an arrow's parameter is not called a column."""
