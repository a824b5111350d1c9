"""A column's name in an expression → another name, where it can be located exactly. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..sql.expressions import ColumnName, referenced_columns
from ..warehouses.engine import Dialect
from ..warehouses.names import unquote


def rename_column(expression: str, old: ColumnName, new: str, dialect: Dialect) -> str | None:
    """Write another name wherever the expression names the column.

    :param old: as ``referenced_columns`` tells it.
    :param new: as the expression is to have it, quotes included.
    :return: the expression, or None when it is not certain which of its words are the column.
    """
    if expression.strip() == old.name and old.qualifier is None:
        return expression.replace(old.name, new)
    before = referenced_columns(expression, dialect.name)
    if before.problem is not None or old not in before.names:
        return None
    places = _places(expression, old, dialect)
    if not places:
        return None
    renamed, done = "", 0
    for start, end in places:
        renamed += expression[done:start] + new
        done = end
    renamed += expression[done:]
    after = referenced_columns(renamed, dialect.name)
    wanted = {ColumnName(old.qualifier, new) if each == old else each for each in before.names}
    return renamed if after.problem is None and set(after.names) == wanted else None


# Words that are also units of time or types: where one stands several times, some of them may not be the column.
_AMBIGUOUS = frozenset(
    """
    year years quarter quarters month months week weeks day days hour hours minute minutes second seconds millisecond
    microsecond nanosecond dayofweek dayofyear isoweek isoyear epoch dow doy yy yyyy qq mm ww dd hh mi ss ms date time
    timestamp datetime text number string int integer float double decimal numeric boolean char varchar json interval
    user first last value values type key
    """.split()  # noqa: SIM905 (a list of words reads better without quotes)
)


def _places(expression: str, old: ColumnName, dialect: Dialect) -> list[tuple[int, int]] | None:
    """Where the column's name stands, or None when a word like it may be something else."""
    tokens = _tokens(expression, dialect)
    if tokens is None:
        return None
    found: list[tuple[int, int]] = []
    depth = 0
    doubtful = False
    for index, (start, end) in enumerate(tokens):
        word = expression[start:end]
        depth += (word == "{") - (word == "}")
        if word != old.name or depth:
            continue
        previous = expression[slice(*tokens[index - 1])] if index else ""
        following = expression[slice(*tokens[index + 1])] if index + 1 < len(tokens) else ""
        if following in (".", "(") or _qualifier(expression, tokens, index) != _bare(old.qualifier):
            continue
        doubtful |= previous.lower() in ("as", "::", "->", "=>") or following in ("->", "=>", "'")
        found.append((start, end))
    if len(found) > 1 and (doubtful or old.name.lower() in _AMBIGUOUS):
        return None
    return found


def _tokens(expression: str, dialect: Dialect) -> list[tuple[int, int]] | None:
    """(start, end) of each word and mark outside of strings and comments."""
    from sqlglot import errors, tokenize

    try:
        tokens: list[Any] = tokenize(expression, read=dialect.sqlglot)
    except (errors.SqlglotError, RecursionError, ValueError):
        return None
    return [(token.start, token.end + 1) for token in tokens]


def _qualifier(expression: str, tokens: Sequence[tuple[int, int]], index: int) -> str | None:
    """What stands before the dot before a word, or None when there is no dot."""
    parts: list[str] = []
    while index >= 2 and expression[slice(*tokens[index - 1])] == ".":
        index -= 2
        word = expression[slice(*tokens[index])]
        if word == "}":  # ${TABLE}.column: readers of expressions take it off
            return None
        parts.insert(0, unquote(word)[0])
    return ".".join(parts) if parts else None


def _bare(qualifier: str | None) -> str | None:
    return None if qualifier is None else ".".join(unquote(part)[0] for part in qualifier.split("."))
