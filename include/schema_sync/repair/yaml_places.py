"""YAML text → the tree of ``yml.document`` with where each node stands, so that a text can be edited in place. Pure.

A composer of its own, because end marks cost time and only drifted datasets are edited.

Source: YAML 1.2.2, chapter 7 (flow styles) and 8 (block styles).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yaml.events import AliasEvent, ScalarEvent

from ..yml.document import Composer, Mapping, Node, Scalar, Sequence, read_documents


def read_places(text: str) -> list[Node]:
    """The root of every document: places all the way down. Offsets are indexes into ``text``.

    :raises InvalidDatasetYml: as ``read_documents``.
    """
    # A byte order mark is counted by Python, not by libyaml.
    return read_documents(text, _PlaceComposerAfterMark if text.startswith("\ufeff") else _PlaceComposer)


@dataclass(slots=True, eq=False)
class ScalarPlace(Scalar):
    """A scalar.

    :ivar start, end: its first character (a quote, an anchor) and the one behind its last.
    :ivar style: ``""`` for plain, ``'``, ``"``, ``|`` or ``>``.
    :ivar flow: True inside of ``[…]`` or ``{…}``, where fewer characters are plain.
    :ivar shared: True where an edit might be seen in other places too: an anchor, or inside of one.
    """

    start: int
    end: int
    style: str
    flow: bool
    shared: bool


@dataclass(slots=True, eq=False)
class SequencePlace(Sequence):
    """A list; ``end`` is behind its last item, not behind the comments that follow it. ``flow``: it is ``[…]``."""

    start: int = 0
    end: int = 0
    flow: bool = False
    shared: bool = False


@dataclass(slots=True, eq=False)
class MappingPlace(Mapping):
    """A mapping; ``end`` and ``flow`` as for a list. ``shared`` too where it merges another one (``<<``)."""

    start: int = 0
    end: int = 0
    flow: bool = False
    shared: bool = False

    def key(self, key: str) -> ScalarPlace | None:
        """The key as it is written in this very mapping, None where it is written elsewhere."""
        return next(
            (each for each in self.keys if isinstance(each, ScalarPlace) and each.text == key and not each.shared), None
        )

    def scalar(self, key: str) -> ScalarPlace | None:
        """The text under a key; None when it is absent, null, blank or a collection."""
        value = self.entries.get(key)
        return value if isinstance(value, ScalarPlace) and value.text and not value.text.isspace() else None


def scalars_under(place: Node, key: str = "") -> Iterator[tuple[str, ScalarPlace]]:
    """Every scalar that is a value in a tree, with the key that it stands under (a list's items under the list's)."""
    waiting: list[tuple[str, Node]] = [(key, place)]
    while waiting:
        name, node = waiting.pop()
        if isinstance(node, ScalarPlace):
            yield name, node
        elif isinstance(node, Sequence):
            waiting += [(name, item) for item in reversed(node.items)]
        elif isinstance(node, Mapping):
            waiting += [
                (each if isinstance(each, str) else "", value) for each, value in reversed(node.entries.items())
            ]


class _PlaceComposer(Composer):
    sequence = SequencePlace
    mapping = MappingPlace
    shift = 0

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._events = self._watched(self._events)
        self._anchors_open = self._flows_open = 0
        self._end = self._content_end = (
            0  # of the last event, and of the last one that is a scalar or a flow collection
        )

    def _watched(self, events: Iterator[Any]) -> Iterator[Any]:
        for event in events:
            self._end = event.end_mark.index + self.shift
            if type(event) in (ScalarEvent, AliasEvent):
                self._content_end = self._end
            yield event

    def _scalar(self, event: Any) -> Scalar:
        plain = super()._scalar(event)
        shared = self._anchors_open > 0 or event.anchor is not None or event.tag is not None
        start = event.start_mark.index + self.shift
        place = ScalarPlace(
            plain.text, plain.line, plain.column, start, self._end, event.style or "", self._flows_open > 0, shared
        )
        if event.anchor is not None:
            self._anchors[event.anchor].node = place
        return place

    def _collection(self, event: Any) -> Sequence | Mapping:
        self._anchors_open += event.anchor is not None
        self._flows_open += event.flow_style
        shared = self._anchors_open > 0
        node: Any = super()._collection(event)  # one of this composer's classes
        if event.flow_style:
            self._content_end = self._end
        node.start, node.end = event.start_mark.index + self.shift, self._content_end
        node.flow = event.flow_style
        node.shared = shared or (isinstance(node, Mapping) and "<<" in node.entries)
        self._flows_open -= event.flow_style
        self._anchors_open -= event.anchor is not None
        return node  # type: ignore[no-any-return]


class _PlaceComposerAfterMark(_PlaceComposer):
    shift = 1
