"""May a text stand in a statement as one value? Pure. Here YML becomes SQL, so the rules are those of security.

What is sent is the text as written, between brackets. It is only sent when the reader took it for one expression, and
when every engine would see its end where we do: nothing in it that some lexer takes for the end of a text, for a
comment or for another statement.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from ..nouns.proof import Argument, Sql
from ..warehouses.proofs import Compiler
from .expressions import referenced_columns

_ARGUMENT = re.compile(r"\{\s*([^\W\d]\w*)\s*\}")
_LEXEMES = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | (?P<argument>\{\s*[^\W\d]\w*\s*\})
    | (?P<open>[(\[]) | (?P<close>[)\]]) | (?P<bad>['"`;{}]|--|/\*|\*/|\$\w*\$|\$\d|%\([^\W\d]\w*\)[sdfib]\b|%s\b)""",
    re.VERBOSE,
)
_ESCAPED_QUOTE = re.compile(r"""\\+['"`]""")  # the end of a text to some engines, a sign in it to others


class Value(NamedTuple):
    """:ivar sql: the text in brackets, around its arguments. :ivar aggregates: it makes one row of many."""

    sql: Sql
    aggregates: bool


def value_of(expression: str, dialect: str, compiler: Compiler, args: Collection[str] = ()) -> Value | None:
    """An expression as it may be sent; None: it may not.

    :param args: names of arguments, written ``{arg}``; any other placeholder is not sent.
    """
    references = referenced_columns(expression, dialect)
    shape = references.shape
    if references.problem is not None or not shape.one_value or (shape.queries and not compiler.queries):
        return None
    text = expression.strip()
    if not text or not _ends_where_it_seems(text, compiler):
        return None
    pieces = _ARGUMENT.split(text)
    if any(name not in args for name in pieces[1::2]):
        return None
    sql: list[str | Argument] = ["(", pieces[0]]
    for name, following in zip(pieces[1::2], pieces[2::2], strict=True):
        sql += [Argument(name), following]
    return Value((*sql, ")"), shape.aggregates)


def _ends_where_it_seems(text: str, compiler: Compiler) -> bool:
    if _ESCAPED_QUOTE.search(text) or compiler.never_sent.search(text):
        return False
    depth = arguments = 0
    for lexeme in _LEXEMES.finditer(text):
        if lexeme["bad"]:
            return False
        depth += bool(lexeme["open"]) - bool(lexeme["close"])
        arguments += bool(lexeme["argument"])
        if depth < 0 or (lexeme[0][0] == "`" and not compiler.backticks):
            return False
    # An argument within a text is a part of that text.
    return depth == 0 and arguments == len(_ARGUMENT.findall(text))
