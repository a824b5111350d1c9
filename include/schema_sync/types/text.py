"""Text of a column type → a small tree of words, parameters and member types. Knows brackets, not meanings.

Not sqlglot: its type parser reads one dialect at a time and refuses what people write into a YML
(``int64`` for Snowflake, ``list[str]``, ``int(11) unsigned zerofill``), and thousands of columns are read per run.

Bounded: text beyond ``MAX_LENGTH`` or ``MAX_DEPTH`` is not read at all; every step is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_LENGTH = 20_000
"""Characters. Real nested structs stay below it (BigQuery: 15 levels); memory and time stay small."""

MAX_DEPTH = 32
"""Levels of brackets, ``[]`` included."""


def read_type_text(text: str) -> TypeText | None:
    """Read one type, without comments, nullability, defaults, collations and other column clauses.

    Text whose brackets do not make sense becomes one word of its own, so that it can still be equal to itself.

    :return: None when the text names no type: empty, a template, no leading name, or beyond the bounds.
    """
    if len(text) > MAX_LENGTH:
        return None
    tokens = _tokens(text)
    if not tokens or not tokens[0][1] or tokens[0][0] not in _NAME_STARTS or not any(map(str.isalpha, text)):
        return None
    if any(kind in _TEMPLATE_MARKS for kind, _ in tokens):
        return None
    try:
        return _Reader(tokens).whole_text()
    except _UnreadableError:
        return TypeText(" ".join(token for _, token in tokens))
    except _TooDeepError:
        return None


@dataclass(frozen=True, slots=True)
class TypeText:
    """One type as written, in lower case.

    :ivar word: its name in words, a schema in front removed: ``character varying``, ``struct``, ``flag``.
    :ivar parameters: plain texts in its brackets: ``("10", "2")``; members of an enum keep their quotes.
    :ivar arguments: types in its brackets, each with its field name ("" where it has none). ``text[3]`` is
        ``array`` with the parameter ``3`` and one argument.
    :ivar qualifier: the schema in front; two spellings that differ in nothing else are equal.
    """

    word: str
    parameters: tuple[str, ...] = ()
    arguments: tuple[tuple[str, TypeText], ...] = ()
    qualifier: str = field(default="", compare=False)


# Every alternative that opens something also ends at the end of the text: otherwise a text of a thousand
# opening quotes would be scanned a thousand times.
_TOKEN = re.compile(
    r"""
    (?P<skip>\s+ | /\*.*?(?:\*/|\Z) | --[^\n]*)
  | (?P<string>'(?:[^'\\]++|\\.?|'')*+(?:'|\Z))
  | (?P<quoted>"(?:[^"]++|"")*+(?:"|\Z) | `[^`]*+(?:`|\Z))
  | (?P<number>\d++(?:\.\d++)?(?![\w]))
  | (?P<word>[\w$\#@]++(?:-[\w$\#@]++)*+)
  | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_NAMES = frozenset({"word", "quoted"})
_NAME_STARTS = frozenset({"word", "quoted", "["})
_TEMPLATE_MARKS = frozenset("{}%?")
_CLOSING = frozenset(",)>]")

_NAMED_MEMBERS = frozenset({"struct", "row", "record", "object", "tuple", "union", "nested"})
_CONTAINERS = _NAMED_MEMBERS | {
    "array", "list", "map", "dict", "range", "multirange", "nullable", "optional", "lowcardinality",
}  # fmt: skip

# Column clauses that may follow a type in DDL. Nothing behind them belongs to the type.
_CLAUSES = frozenset(
    {
        "not", "null", "nullable", "default", "primary", "unique", "key", "references", "check", "constraint",
        "generated", "identity", "autoincrement", "auto_increment", "collate", "charset", "comment", "encode",
        "distkey", "sortkey", "options", "on", "as", "invisible", "visible", "virtual", "stored", "persisted",
        "sparse", "rowguidcol", "compressed", "masked", "hidden", "encrypted", "storage", "compression",
    }
)  # fmt: skip
_ZONE_WORDS = frozenset({"time", "timezone", "local", "tz"})


class _UnreadableError(Exception):
    """The brackets or marks do not make a type."""


class _TooDeepError(Exception):
    """Nested beyond ``MAX_DEPTH``."""


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, lower-case text) of everything but space and comments; a mark is its own kind."""
    tokens = []
    for found in _TOKEN.finditer(text.lower()):
        kind, token = found.lastgroup, found.group()
        if kind == "skip" or kind is None:
            continue
        if kind == "quoted":
            tokens.append((kind, token.strip(token[0])))
        else:
            tokens.append((token if kind == "mark" else kind, token))
    return tokens


@dataclass(slots=True)
class _Reader:
    """Recursive descent over tokens; ``position`` is the next one."""

    tokens: list[tuple[str, str]]
    position: int = 0

    def whole_text(self) -> TypeText:
        result = self.type_text(0)
        if self.position < len(self.tokens):
            raise _UnreadableError
        return result

    def type_text(self, depth: int) -> TypeText:
        if depth > MAX_DEPTH:
            raise _TooDeepError
        words: list[str] = []
        qualifier = ""
        parameters: tuple[str, ...] = ()
        arguments: tuple[tuple[str, TypeText], ...] = ()
        bounds: list[str] = []
        while self.position < len(self.tokens):
            kind, text = self.tokens[self.position]
            if kind in _NAMES or (kind == "number" and not words):
                if words and self._starts_clause(text):
                    self._skip_clauses()
                    break
                if bounds:
                    raise _UnreadableError
                self.position += 1
                if words and text == "array":  # SQL's `integer array[4]` is `integer[4]`
                    bounds.append(self._in_brackets() if self._kind(0) == "[" else "")
                else:
                    words.append(text)
            elif kind == "." and words:
                self.position += 1
                qualifier, words = " ".join(words), []
            elif kind == "[" and not words and self._kind(1) in _NAMES:  # SQL Server's `[dbo]`
                words.append(self._in_brackets())
            elif kind == "[" and words and self._kind(1) in ("]", "number"):
                bounds.append(self._in_brackets())
                if depth + len(bounds) > MAX_DEPTH:
                    raise _TooDeepError
            elif kind in "(<[" and words and not bounds:
                self.position += 1
                close = {"(": ")", "<": ">", "[": "]"}[kind]
                if kind == "<" or words[-1] in _CONTAINERS:
                    arguments += self._members(close, named=words[-1] in _NAMED_MEMBERS, depth=depth)
                else:
                    parameters += self._parameters(close)
            else:
                break
        if not any(words):
            raise _UnreadableError
        result = TypeText(" ".join(words), parameters, arguments, qualifier)
        for bound in bounds:
            result = TypeText("array", (bound,) if bound else (), (("", result),))
        return result

    def _kind(self, ahead: int) -> str:
        position = self.position + ahead
        return self.tokens[position][0] if position < len(self.tokens) else ""

    def _text(self, ahead: int) -> str:
        position = self.position + ahead
        return self.tokens[position][1] if position < len(self.tokens) else ""

    def _starts_clause(self, word: str) -> bool:
        if word == "character":
            return self._text(1) == "set"
        if word == "with":
            return self._text(1) not in _ZONE_WORDS
        return word in _CLAUSES

    def _skip_clauses(self) -> None:
        """Move to the mark that ends this type; ``>`` inside ``check (a > 0)`` does not."""
        open_brackets = 0
        while self.position < len(self.tokens):
            kind = self.tokens[self.position][0]
            if open_brackets == 0 and kind in _CLOSING:
                return
            open_brackets += (kind == "(") - (kind == ")")
            self.position += 1

    def _in_brackets(self) -> str:
        """``[]`` → "", ``[3]`` → "3"."""
        empty = self._kind(1) == "]"
        self.position += 2 if empty else 3
        if self._kind(-1) != "]":
            raise _UnreadableError
        return "" if empty else self._text(-2)

    def _parameters(self, close: str) -> tuple[str, ...]:
        """Texts between commas up to ``close``, brackets inside them kept."""
        found: list[str] = []
        current: list[str] = []
        nested = 0
        while self.position < len(self.tokens):
            kind, text = self.tokens[self.position]
            self.position += 1
            if nested == 0 and kind in (close, ","):
                if current:
                    found.append(" ".join(current))
                current = []
                if kind == close:
                    return tuple(found)
                continue
            nested += (kind == "(") - (kind == ")")
            current.append(text)
        raise _UnreadableError

    def _members(self, close: str, *, named: bool, depth: int) -> tuple[tuple[str, TypeText], ...]:
        members: list[tuple[str, TypeText]] = []
        if self._kind(0) == close:
            self.position += 1
            return ()
        while True:
            name = self._member_name(named=named)
            members.append((name, self.type_text(depth + 1)))
            kind = self._kind(0)
            self.position += 1
            if kind == close:
                return tuple(members)
            if kind != ",":
                raise _UnreadableError

    def _member_name(self, *, named: bool) -> str:
        """``a:int``, ``my col:int`` (Spark does not quote), ``a INT64``; BigQuery's fields may have no name."""
        length = 0
        while self._kind(length) in _NAMES or self._kind(length) == "number":
            length += 1
        if length and self._kind(length) == ":":
            name = " ".join(self._text(ahead) for ahead in range(length))
            self.position += length + 1
            return name
        if named and length > 1:
            self.position += 1
            return self.tokens[self.position - 1][1]
        return ""
