"""YAML text → the same tree once more, with where each node stands, so that a text can be edited in place. Pure.

Apart from ``yml.document``, because end marks cost time and only drifted datasets are edited. Only for texts that
``yml.document`` has read: its bounds on size, nesting and aliases hold here too.

Source: YAML 1.2.2, chapter 7 (flow styles) and 8 (block styles).
"""

from __future__ import annotations

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

# YAML 1.2 no longer counts these as line breaks, libyaml does; one character for one, so that offsets stay.
_FORMER_LINE_BREAKS = str.maketrans("\x85\u2028\u2029", "   ")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


def read_places(text: str) -> list[Place]:
    """The root of every document. Offsets are indexes into ``text``.

    :raises yaml.YAMLError: never for a text that ``yml.document.read_documents`` has read.
    """
    shift = 1 if text.startswith("\ufeff") else 0  # a byte order mark is counted by Python, not by libyaml
    events = iter(yaml.parse(text.translate(_FORMER_LINE_BREAKS), Loader=yaml.CBaseLoader))
    reader = _Reader(events, shift)
    return [reader.node(next(events)) for event in events if type(event) is DocumentStartEvent]


@dataclass(slots=True, eq=False)
class ScalarPlace:
    """A scalar.

    :ivar start, end: its first character (a quote, an anchor) and the one behind its last.
    :ivar text: its value; None when it is null.
    :ivar style: ``""`` for plain, ``'``, ``"``, ``|`` or ``>``.
    :ivar flow: True inside of ``[…]`` or ``{…}``, where fewer characters are plain.
    :ivar shared: True where an edit might be seen in other places too: inside of an anchor, or an alias.
    """

    start: int
    end: int
    line: int
    text: str | None
    style: str
    flow: bool
    shared: bool


@dataclass(slots=True, eq=False)
class SequencePlace:
    """A list; ``end`` is behind its last item, not behind the comments that follow it. ``flow``: it is ``[…]``."""

    start: int
    line: int
    flow: bool
    shared: bool
    end: int = 0
    items: list[Place] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MappingPlace:
    """A mapping; ``end`` and ``flow`` as for a list."""

    start: int
    line: int
    flow: bool
    shared: bool
    end: int = 0
    entries: list[tuple[Place, Place]] = field(default_factory=list)

    def get(self, key: str) -> Place | None:
        """The value written under a key in this very mapping, or None."""
        return next((value for name, value in self.entries if isinstance(name, ScalarPlace) and name.text == key), None)

    def key(self, key: str) -> ScalarPlace | None:
        return next((name for name, _ in self.entries if isinstance(name, ScalarPlace) and name.text == key), None)

    def scalar(self, key: str) -> ScalarPlace | None:
        """The text under a key; None when it is absent, null, blank or a collection."""
        value = self.get(key)
        return value if isinstance(value, ScalarPlace) and value.text and not value.text.isspace() else None


Place: TypeAlias = ScalarPlace | SequencePlace | MappingPlace


def scalars_under(place: Place, key: str = "") -> Iterator[tuple[str, ScalarPlace]]:
    """Every scalar that is a value in a tree, with the key that it stands under (a list's items under the list's)."""
    waiting: list[tuple[str, Place]] = [(key, place)]
    while waiting:
        name, node = waiting.pop()
        if isinstance(node, ScalarPlace):
            yield name, node
        elif isinstance(node, SequencePlace):
            waiting += [(name, item) for item in reversed(node.items)]
        else:
            waiting += [
                ((each.text or "") if isinstance(each, ScalarPlace) else "", value)
                for each, value in reversed(node.entries)
            ]


class _Reader:
    """Builds places from events. Any: PyYAML's events are typed with marks and values that always are there."""

    def __init__(self, events: Iterator[Any], shift: int) -> None:
        self._events = events
        self._shift = shift
        self._anchors = 0  # anchored collections that are open
        self._flows = 0  # flow collections that are open

    def node(self, event: Any) -> Place:
        kind = type(event)
        start, end = event.start_mark.index + self._shift, event.end_mark.index + self._shift
        line = event.start_mark.line + 1
        shared = self._anchors > 0 or kind is AliasEvent or event.anchor is not None
        if kind is AliasEvent:  # what it stands for is edited where it is written, if at all
            return ScalarPlace(start, end, line, None, "*", self._flows > 0, shared=True)
        if kind is ScalarEvent:
            style = event.style or ""
            text = None if not style and event.value in _NULLS else event.value
            return ScalarPlace(start, end, line, text, style, self._flows > 0, shared or event.tag is not None)
        self._anchors += event.anchor is not None
        self._flows += event.flow_style
        made = MappingPlace if kind is MappingStartEvent else SequencePlace
        place = made(start, line, event.flow_style, shared)
        place.end = self._read_entries(place) if isinstance(place, MappingPlace) else self._read_items(place)
        self._flows -= event.flow_style
        self._anchors -= event.anchor is not None
        return place

    def _read_items(self, sequence: SequencePlace) -> int:
        end = sequence.start
        for event in self._events:
            if type(event) is SequenceEndEvent:
                return self._end(event) if sequence.flow else end
            item = self.node(event)
            sequence.items.append(item)
            end = item.end
        return end

    def _read_entries(self, mapping: MappingPlace) -> int:
        end = mapping.start
        for event in self._events:
            if type(event) is MappingEndEvent:
                return self._end(event) if mapping.flow else end
            key = self.node(event)
            value = self.node(next(self._events))
            if isinstance(key, ScalarPlace) and key.text == "<<":
                mapping.shared = True
            mapping.entries.append((key, value))
            end = value.end
        return end

    def _end(self, event: Any) -> int:
        return int(event.end_mark.index) + self._shift
