"""Placeholders in an expression (``{arg}``, ``{{ jinja }}``, ``${TABLE}``, ``%(name)s``) → names of SQL. Pure.

A placeholder stands for a value, for the table itself, or for another table. Each is replaced by a name that the
text does not contain, in texts and comments as well, where it does no harm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEMPLATE = re.compile(
    r"""
      (?P<comment> \{\# (?: (?!\#\}|\{\#) . ){0,2000} \#\} )
    | (?P<parameter> \{% -? \s* parameter \s+ [\w.]+ \s* -? %\} )
    | (?P<statement> \{% )
    | [$\#@]? \{\{ (?P<double> [^{}]{0,1000} ) \}\}
    | [$\#@]? \{ (?P<single> \s* \#? [^\W\d][\w.\ \-]{0,200} ) \}
    | (?P<format> %\( [^\W\d]\w{0,100} \) [sdfib]\b )
    | (?P<before> (?: [(,=<>+*/|-] | \b(?:and|or|when|then|else|like|ilike|in|between|not)\b ) \s{0,50} ) %s\b
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_QUOTED_FIRST = re.compile(r"[\s~+-]*['\"]")
_REF = re.compile(r"""-?\s*ref\(\s*(?:['"]\w+['"]\s*,\s*)?['"](?P<table>\w+)['"]\s*\)\s*-?""")
_TABLE_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")

# Words that templates use for the table that the dataset is about.
_OWN_TABLE = {"table", "table_name", "cube", "this", "self", "model", "dataset", "source", "view", "alias"}


class UnreadableError(ValueError):
    """An expression that is not surely understood; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Masked:
    """An expression whose placeholders are names.

    :ivar text: the SQL to read.
    :ivar prefix: how the names of placeholders begin: no other word in the text does.
    :ivar tables: {placeholder's name: the table it stands for, None for the dataset's own}; those that are not
        in it stand for values.
    :ivar templated: some placeholder is a template's, which may hold columns that nobody sees.
    """

    text: str
    prefix: str
    tables: dict[str, str | None]
    templated: bool = False


def mask(expression: str) -> Masked:
    """:raises UnreadableError: statements of a template, or a text inside of one that may as well be SQL's."""
    if "{" not in expression and "%" not in expression:
        return Masked(expression, "\0", {})
    prefix = "placeholder_"
    while prefix in expression.lower():
        prefix = f"x{prefix}"
    tables: dict[str, str | None] = {}
    templated = False
    pieces: list[str] = []
    end = 0
    for number, match in enumerate(_TEMPLATE.finditer(expression)):
        pieces.append(expression[end : match.start()])
        end = match.end()
        if match["statement"]:
            raise UnreadableError("it holds statements of a template, which only its engine can carry out")
        if match["comment"]:
            pieces.append(" ")
            continue
        if match["double"] is not None:
            templated = True
            if _QUOTED_FIRST.match(match["double"]):
                raise UnreadableError("it holds a template of a text, which may as well be a text of braces")
        name = f"{prefix}{number}"
        content = (match["double"] or match["single"] or "").strip()
        is_table, table = _table_of(content)
        if is_table:
            tables[name] = table
        pieces.append(f"{match['before'] or ''}{name}")
    pieces.append(expression[end:])
    return Masked("".join(pieces), prefix, tables, templated)


def _table_of(content: str) -> tuple[bool, str | None]:
    """Whether a placeholder before a dot names a table, and which; None is the dataset's own."""
    if content.lstrip("#").lower() in _OWN_TABLE:
        return True, None
    if ref := _REF.fullmatch(content):
        return True, ref["table"]
    if _TABLE_NAME.fullmatch(content):
        return True, content
    return False, None
