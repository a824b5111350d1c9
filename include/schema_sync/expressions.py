"""SQL expression of a dataset field → the column it names.

Only plain names are read so far; everything else is *unverifiable*, never guessed at.
"""

from __future__ import annotations

import re
from enum import Enum

_PLAIN_NAME = re.compile(r"[^\W\d][\w$]*")
_QUOTED_NAME = re.compile(r'"(?:[^"]|"")+"|`[^`]+`|\[[^\[\]]+\]')
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_WORD = re.compile(r"[^\W\d][\w$]*")

# Words that stand for a value in every engine's SQL; as a bare expression they name no column.
_CONSTANTS = frozenset(
    {"true", "false", "null", "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)


class NotAColumn(Enum):
    """What an expression is when it is not the plain name of one column."""

    CONSTANT = "constant"
    UNVERIFIABLE = "unverifiable"


def column_of(expression: str) -> str | NotAColumn:
    """Tell which column an expression names.

    :return: the name as written (quotes kept, they decide about letter case); ``CONSTANT`` for ``*``, numbers
        and literals, which need no column; ``UNVERIFIABLE`` for anything else.
    """
    text = expression.strip()
    if _PLAIN_NAME.fullmatch(text):
        return NotAColumn.CONSTANT if text.lower() in _CONSTANTS else text
    if _QUOTED_NAME.fullmatch(text):
        return text
    if text in ("", "*") or _NUMBER.fullmatch(text) or _TEXT.fullmatch(text):
        return NotAColumn.CONSTANT
    return NotAColumn.UNVERIFIABLE


def words_of(expression: str) -> set[str]:
    """Every word in an expression, lower-cased: what an unverifiable expression might refer to."""
    return {word.lower() for word in _WORD.findall(expression)}
