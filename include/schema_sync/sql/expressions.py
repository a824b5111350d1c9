"""SQL expression of a dataset's field → the columns that it reads.

What most fields hold – a name, a number, a text – is told apart here, without a parser. The rest is read by sqlglot
in the engine's own dialect, once for each text. What cannot be read safely has a *problem* and no columns: to name
a column that is none would be a false alarm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ..warehouses import DIALECTS
from ..warehouses.names import unquote
from .template import UnreadableError, mask
from .words import SEQUENCE_WORDS, is_pseudo_column, is_value, sql_of

MAX_LENGTH = 10_000

# Longer texts are rare and must not fill the memory: they have a small cache of their own.
_SHORT = 300
_SHORT_TEXTS, _LONG_TEXTS = 16_384, 128

_PLAIN_PATH = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*){0,3}")
_QUOTED_NAME = re.compile(r'"(?:[^"\\{]|"")+"|`[^`\\{]+`|\[[^\[\]{]+\]')
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TEXT = re.compile(r"'[^'\\]*'")
_WORD = re.compile(r"[^\W\d][\w$]*")

_SQLGLOT_WORDS = {word: dialect.sqlglot for dialect in DIALECTS.values() for word in (dialect.name, *dialect.aliases)}


class ColumnName(NamedTuple):
    """A column as an expression writes it: quotes kept, because they decide about letter case.

    :ivar qualifier: what stands before the name's dot (several parts are joined with dots), or None.
    :ivar of_value: the qualifier begins with a name in brackets, ``(address).city``: a column, or a row of the table.
    """

    qualifier: str | None
    name: str
    of_value: bool = False


class Shape(NamedTuple):
    """What an expression is, besides its columns.

    :ivar one_value: it can stand in brackets as a value. :ivar aggregates: it makes one row of many.
    """

    one_value: bool = True
    aggregates: bool = False
    queries: bool = False


_PLAIN_SHAPE = Shape()


@dataclass(frozen=True, slots=True)
class References:
    """The columns that an expression reads.

    :ivar columns: each ``"col"`` or ``"qualifier.col"``, without quotes, in the case as written.
    :ivar names: the same columns with their quotes, sorted, each once.
    :ivar problem: why the expression cannot be read safely, for people, and there are no columns; None when it was.
    """

    columns: frozenset[str]
    names: tuple[ColumnName, ...] = ()
    problem: str | None = None
    shape: Shape = _PLAIN_SHAPE


NOTHING = References(frozenset())


def referenced_columns(expression: str, dialect: str) -> References:
    """Find the columns that an expression reads. Never raises, whatever the text.

    :param expression: any SQL expression or query, with placeholders (``{arg}``, ``{{ jinja }}``, ``${TABLE}``) or
        without. A path (``a.b.c``) is a qualifier ``a.b`` and a name, whether ``a`` is a table or a struct; of a
        path into JSON or into an element (``payload:a.b``, ``items[0].price``) only the root is named.
    :param dialect: a ``data_sources.type`` or one of sqlglot's words. Any other is read as standard SQL.
    """
    engine = sqlglot_dialect(dialect)
    text = expression.strip()
    if len(text) > MAX_LENGTH:
        return _problem(f"it is longer than {MAX_LENGTH:,} characters")
    is_short = len(text) <= _SHORT
    if is_short and (found := _plain(text, engine)) is not None:
        return found
    try:
        return _read_short(text, engine) if is_short else _read_long(text, engine)
    except RecursionError:  # depends on the caller's stack as well: not kept
        return _problem("it is nested too deeply")


def needs_parser(expression: str, dialect: str) -> bool:
    """True for an expression that is more than a name, a number or a text."""
    text = expression.strip()
    return len(text) > _SHORT or _plain(text, sqlglot_dialect(dialect)) is None


def words_of(expression: str) -> set[str]:
    """Every word in an expression, lower-cased: what an unverifiable expression might refer to."""
    return {word.lower() for word in _WORD.findall(expression)}


@lru_cache(maxsize=64)
def sqlglot_dialect(dialect: str) -> str:
    word = dialect.strip().lower()
    if word in _SQLGLOT_WORDS:
        return _SQLGLOT_WORDS[word]
    from sqlglot.dialects.dialect import Dialect

    return word if Dialect.get(word) is not None else ""  # standard SQL


@lru_cache(maxsize=_SHORT_TEXTS)
def _plain(text: str, engine: str) -> References | None:
    """What needs no parser; None for the rest."""
    if _PLAIN_PATH.fullmatch(text):
        return _plain_path(text, engine)
    if not text or text == "*" or _NUMBER.fullmatch(text) or _TEXT.fullmatch(text):
        return NOTHING
    if text[0] in sql_of(engine).quotes and _QUOTED_NAME.fullmatch(text):
        name, _ = unquote(text)
        if "." not in name or not sql_of(engine).dotted_quotes:
            return References(frozenset({name}), (ColumnName(None, text),))
    return None


def _plain_path(text: str, engine: str) -> References | None:
    qualifier, dot, name = text.rpartition(".")
    if not dot:
        if is_value(name, engine, alone=True) or is_pseudo_column(name, engine):
            return NOTHING
        return References(frozenset({name}), (ColumnName(None, name),))
    if is_pseudo_column(name, engine) or name.lower() in SEQUENCE_WORDS:
        return None
    return References(frozenset({text}), (ColumnName(qualifier, name),))


def _read(text: str, engine: str) -> References:
    from .reader import read

    if "\0" in text:
        return _problem("it holds a NUL character, which no engine takes")
    try:
        masked = mask(text)
        paths, shape = read(masked, engine)
    except UnreadableError as error:
        return _problem(str(error))
    if masked.templated and not paths:
        return _problem("it is a template, which may hold columns that nobody sees before it is carried out")
    columns = frozenset(".".join(name for _, name in path) for path, _ in paths)
    names: set[ColumnName] = set()
    for path, of_value in paths:
        *qualifier, last = (written for written, _ in path)
        names.add(ColumnName(".".join(qualifier) or None, last, of_value and bool(qualifier)))
    return References(columns, tuple(sorted(names, key=lambda name: (name.qualifier or "", name.name))), shape=shape)


_read_short = lru_cache(maxsize=_SHORT_TEXTS)(_read)
_read_long = lru_cache(maxsize=_LONG_TEXTS)(_read)


def _problem(reason: str) -> References:
    return References(frozenset(), (), reason)
