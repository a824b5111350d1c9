"""YAML text → a bounded tree of text that knows its lines. What a dataset means is not known here.

Every scalar stays the text that was written, because a column may be called ``on``, ``012`` or ``12:30``: of YAML's
core schema only null is told apart. PyYAML's constructors would make booleans, numbers and dates of them (by the
rules of YAML 1.1), and would take longer to do so. The tree is built from libyaml's events instead:

- tags are never acted on: a node is taken by its kind, so ``!!python/object:…`` creates nothing;
- nesting and alias expansion are counted while reading, so a hostile text is refused before it costs anything;
- aliases share nodes, so a text that would expand to gigabytes stays small.

Source: YAML 1.2.2, chapters 3 (unique keys, aliases) and 10.3 (core schema); for ``<<`` https://yaml.org/type/merge.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from ..errors import InvalidDatasetYml

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 100_000
MAX_TAG_DIRECTIVES = 100


def read_documents(text: str, composer: type[Composer] | None = None) -> list[Node]:
    """Read every document of a YAML text; empty documents (nothing, comments or null) are left out.

    :param composer: what builds the nodes, where more is to be known of them than the usual one tells.
    :raises InvalidDatasetYml: for every text that cannot be read: not YAML, the same key twice in a mapping, more than
        1 MiB of UTF-8, more than 100 collections inside each other, more than 100 000 nodes when aliases are written
        out, an alias that contains itself.
    """
    data, composer = _encoded(text), composer or Composer
    try:
        try:
            documents = composer(data).documents()
        except yaml.scanner.ScannerError:
            whole = SURROGATE_PAIR.sub(_one_character, data)
            if whole == data:
                raise
            documents = composer(whole).documents()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, data) from None
    except yaml.reader.ReaderError as error:
        raise _refused_character(error, data) from None
    except (MemoryError, RecursionError):
        raise invalid("the document needs more memory than there is; expected a smaller one") from None
    return [document for document in documents if not (isinstance(document, Scalar) and document.text is None)]


def invalid(message: str, at: Node | None = None) -> InvalidDatasetYml:
    """The error for a place in the document (without one: its start); the message begins with line and column."""
    return _invalid_at(message, at.line if at else 1, at.column if at else 1)


def quoted(text: str) -> str:
    """Foreign text fit for a message: in quotes, control characters escaped, cut to 80 characters."""
    shown = repr(text[:80])
    return shown if len(text) <= 80 and len(shown) <= 90 else f"{shown[:80]}…{shown[0]}"


@dataclass(slots=True, eq=False)
class Scalar:
    """Text as written; ``text`` is None for null and for nothing."""

    text: str | None
    line: int
    column: int


@dataclass(slots=True, eq=False)
class Sequence:
    line: int
    column: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping:
    """Entries with merge keys (``<<``) applied.

    :ivar entries: by the key's text (None for a null key); a key that is itself a collection stands for itself.
    :ivar keys: the keys written in this mapping, in order.
    """

    line: int
    column: int
    entries: dict[Key, Node] = field(default_factory=dict)
    keys: list[Node] = field(default_factory=list)


Node: TypeAlias = Scalar | Sequence | Mapping
Key: TypeAlias = str | Sequence | Mapping | None


@dataclass(slots=True)
class _Anchor:
    """A node that aliases can stand for, and how many nodes it is written out (None while it is still being read)."""

    node: Node
    size: int | None


class Composer:
    """Builds nodes from events. libyaml's own composer is not used: it recurses in C without a limit, and
    refuses anchors that are defined anew, which YAML allows."""

    sequence: type[Sequence] = Sequence
    mapping: type[Mapping] = Mapping

    def __init__(self, data: bytes) -> None:
        # Any: PyYAML's events are typed with optional marks and values that always are there.
        self._events: Iterator[Any] = iter(yaml.parse(data, Loader=yaml.CBaseLoader))
        self._anchors: dict[str, _Anchor] = {}
        self._depth = 0
        self._nodes = 0  # with every alias written out

    def documents(self) -> list[Node]:
        documents = []
        for event in self._events:
            if type(event) is DocumentStartEvent:
                self._anchors = {}
                documents.append(self._node(next(self._events)))
        return documents

    def _node(self, event: Any) -> Node:
        kind = type(event)
        if kind is ScalarEvent:
            return self._scalar(event)
        if kind is AliasEvent:
            return self._aliased(event)
        return self._collection(event)

    def _scalar(self, event: Any) -> Scalar:
        size = 1 + len(event.value) // _TEXT_PER_NODE
        self._nodes += size
        mark = event.start_mark
        null = not event.style and event.value in _NULLS and event.tag in _NULL_TAGS
        scalar = Scalar(None if null else event.value, mark.line + 1, mark.column + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(scalar, size)
        return scalar

    def _collection(self, event: Any) -> Sequence | Mapping:
        mark = event.start_mark
        collection = self.mapping if type(event) is MappingStartEvent else self.sequence
        node = collection(mark.line + 1, mark.column + 1)
        anchor = _Anchor(node, None)
        if event.anchor is not None:
            self._anchors[event.anchor] = anchor
        before = self._nodes
        self._nodes += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise invalid(f"the document is nested deeper than {MAX_DEPTH} levels", node)
        if isinstance(node, Mapping):
            self._read_entries(node)
        else:
            self._read_items(node)
        self._depth -= 1
        anchor.size = self._nodes - before
        return node

    def _read_items(self, sequence: Sequence) -> None:
        for event in self._events:
            if type(event) is SequenceEndEvent:
                return
            sequence.items.append(self._node(event))

    def _read_entries(self, mapping: Mapping) -> None:
        entries = mapping.entries
        merged: list[Mapping] = []
        for event in self._events:
            if type(event) is MappingEndEvent:
                break
            key = self._node(event)
            value = self._node(next(self._events))
            name = key.text if isinstance(key, Scalar) else key
            if name in entries:
                raise _duplicate_key(mapping, key)
            if name == "<<" and _is_plain(event):
                merged = _merge_sources(value)
            entries[name] = value
            mapping.keys.append(key)
        for source in merged:
            for name, value in source.entries.items():
                entries.setdefault(name, value)

    def _aliased(self, event: Any) -> Node:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            problem = "names no anchor before it"
        elif anchor.size is None:
            problem = "is inside of what it stands for"
        elif self._nodes + anchor.size > MAX_NODES:
            problem = f"expands the document to more than {MAX_NODES} nodes"
        else:
            self._nodes += anchor.size
            return anchor.node
        mark = event.start_mark
        raise _invalid_at(f"the alias {quoted('*' + event.anchor)} {problem}", mark.line + 1, mark.column + 1)


# JSON writes a character beyond U+FFFF as two escapes; libyaml takes only YAML's own single one.
SURROGATE_PAIR = re.compile(rb"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NULL_TAGS = frozenset({None, "tag:yaml.org,2002:null"})

# Every so many characters of a text count as one more node, or aliases could multiply one long text 100 000 times.
_TEXT_PER_NODE = 100

# YAML 1.2 no longer counts these as line breaks; libyaml does, and would tear a text in two.
_FORMER_LINE_BREAKS = ("\x85".encode(), "\u2028".encode(), "\u2029".encode())

# What libyaml says → what a person can do about it.
_SYNTAX_HINTS = {
    "mapping values are not allowed in this context": "put text that contains ': ' in quotes, or check the indentation",
    "could not find expected ':'": "expected `key: value`; check quotes and indentation",
    "did not find expected key": "check the indentation, and that quotes are closed",
    "did not find expected '-' indicator": "check the indentation of the list",
    "did not find expected ',' or '}'": "put templates and text with { or } in quotes",
    "did not find expected ',' or ']'": "put text with [ or ] in quotes",
    "found character that cannot start any token": "indent with spaces; put text that starts with @, ` or % in quotes",
    "found a tab character that violates indentation": "indent with spaces",
    "found unexpected end of stream": "a quote is not closed",
}


def _encoded(text: str) -> bytes:
    try:
        data = text.encode() if len(text) <= MAX_BYTES else None
    except UnicodeEncodeError as error:
        line, column = _position(text[: error.start])
        raise _invalid_at("half a surrogate pair is not a character; expected Unicode text", line, column) from None
    if data is None or len(data) > MAX_BYTES:
        raise invalid(f"the document is larger than {MAX_BYTES // 1024} KiB of UTF-8")
    # libyaml compares each directive with all before it: a megabyte of them would take minutes.
    if data.count(b"%TAG") > MAX_TAG_DIRECTIVES:
        raise invalid(f"the document has more than {MAX_TAG_DIRECTIVES} %TAG directives")
    for character in _FORMER_LINE_BREAKS:
        data = data.replace(character, b" ")
    return data


def _one_character(pair: re.Match[bytes]) -> bytes:
    high, low = (int(half, 16) for half in pair.groups())
    return b"\\U%08x" % (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _is_plain(event: Any) -> bool:
    return type(event) is ScalarEvent and not event.style and event.tag is None


def _merge_sources(value: Node) -> list[Mapping]:
    """What ``<<`` merges, the first winning; nothing when the value is text: then ``<<`` is a key like any other."""
    sources = value.items if isinstance(value, Sequence) else [value]
    mappings = [source for source in sources if isinstance(source, Mapping)]
    return mappings if len(mappings) == len(sources) else []


def _duplicate_key(mapping: Mapping, again: Node) -> InvalidDatasetYml:
    if not isinstance(again, Scalar):
        return invalid("the same key is written twice in a mapping", again)
    first = next(key.line for key in mapping.keys if isinstance(key, Scalar) and key.text == again.text)
    key = quoted("null" if again.text is None else again.text)
    hint = "; write `<<: [*one, *other]`" if again.text == "<<" else ""
    return invalid(f"the key {key} is written twice in a mapping, first in line {first}{hint}", again)


def _syntax_error(error: yaml.MarkedYAMLError, data: bytes) -> InvalidDatasetYml:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = data.splitlines()
    if line > len(lines):  # libyaml's end of the text is a line that editors do not show
        line, column = max(len(lines), 1), len(lines[-1].decode()) + 1 if lines else 1
    problem = error.problem or "it cannot be read"
    context = f" {error.context}" if error.context else ""
    if error.context_mark and error.context_mark.line + 1 < line:
        context += f" that starts in line {error.context_mark.line + 1}"
    hint = _SYNTAX_HINTS.get(problem)
    return _invalid_at(f"not valid YAML: {problem}{context}{f'; {hint}' if hint else ''}", line, column)


def _refused_character(error: yaml.reader.ReaderError, data: bytes) -> InvalidDatasetYml:
    line, column = _position(data[: error.position].decode(errors="replace"))
    return _invalid_at(f"the character U+{int(error.character):04X} is not allowed in YAML; remove it", line, column)


def _position(before: str) -> tuple[int, int]:
    """1-based (line, column) of what follows the given start of a text."""
    lines = f"{before}.".replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(lines), len(lines[-1])


def _invalid_at(message: str, line: int, column: int) -> InvalidDatasetYml:
    return InvalidDatasetYml(f"line {line}, column {column}: {message}", line=line, column=column)
