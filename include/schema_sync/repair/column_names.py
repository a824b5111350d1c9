"""Where a dataset's YML names columns: definitions and their items, with the scalars that name columns. Pure.

``needs`` says *what* is needed, in the nouns of a definition; this says *where* it is written, for edits in place.
What is found here and what is needed are compared after each edit, so a place that is overlooked here costs a
suggestion, never a wrong one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ..needs.needs import folded
from ..needs.qualifiers import Qualifiers, Whereabouts
from ..sql.expressions import ColumnName, referenced_columns
from ..yml.definitions import DatasetDefinition
from ..yml.document import Node
from ..yml.fields import FIELD_SECTIONS, RELATIONSHIP_SECTIONS, SOURCE_KEYS, TARGET_KEYS, list_parts
from .yaml_places import MappingPlace, ScalarPlace, SequencePlace, scalars_under


class Name(NamedTuple):
    """A column as it is named somewhere; ``target``: the dataset (as relationships call it) whose it is, or None."""

    written: ColumnName
    target: str | None


@dataclass(slots=True, eq=False)
class Mention:
    """A scalar, or a part of one, that names columns.

    :ivar text: the expression; it stands at ``start`` in the scalar's value.
    :ivar names: None when the expression cannot be read.
    :ivar implicit: the scalar is the name of a field without an expression.
    """

    item: Item
    place: ScalarPlace
    start: int
    text: str
    names: tuple[Name, ...] | None
    implicit: bool = False


@dataclass(slots=True, eq=False)
class Item:
    """One entry of a section's list.

    :ivar named_by_column: True for dbt's ``columns``, where the name is nothing but the column's.
    """

    definition: WrittenDefinition
    sequence: SequencePlace
    place: MappingPlace
    named_by_column: bool = False
    type_key: str | None = None
    mentions: list[Mention] = field(default_factory=list)

    @property
    def name(self) -> str:
        return _text(self.place, "name") or ""

    @property
    def columns(self) -> list[str]:
        return [name.written.name for mention in self.mentions for name in mention.names or ()]


@dataclass(eq=False)
class WrittenDefinition:
    """The mapping that the definition of a number was read from."""

    number: int
    place: MappingPlace
    items: list[Item] = field(default_factory=list)

    @cached_property
    def referring(self) -> dict[str, list[int]]:
        """{a value, folded: where it starts}, of each value that may refer to an item of that name."""
        starts = defaultdict(list)
        for key, scalar in scalars_under(self.place):
            if key not in _NO_REFERENCE:
                starts[folded(scalar.text or "")].append(scalar.start)
        return starts


# Keys under which an item's name is no reference to the item.
_NO_REFERENCE = frozenset(
    """
    name description label title comment display_name synonyms expr source_col ref_col primary_key foreign_key ref ref_
    model
    """.split()  # noqa: SIM905 (a list of words reads better without quotes)
)


def written_definitions(
    roots: Sequence[Node], definitions: Sequence[DatasetDefinition], dialect: str, at: Sequence[Whereabouts]
) -> list[WrittenDefinition]:
    """Find each definition in the text; those that share a line with another one are left out.

    :param at: one for each definition.
    """
    candidates = defaultdict(list)
    for place, semantic in _definition_places(roots):
        candidates[place.line].append((place, semantic))
    lines = [definition.line for definition in definitions]
    found = []
    for number, (definition, whereabouts) in enumerate(zip(definitions, at, strict=True)):
        here = candidates[definition.line]
        if len(here) == 1 and lines.count(definition.line) == 1:
            place, semantic = here[0]
            written = WrittenDefinition(number, place)
            _Reader(definition, dialect, whereabouts, semantic=semantic).read(written)
            found.append(written)
    return found


_MOST_DEFINITIONS = 200  # in one text; each is searched for by its line


def _definition_places(roots: Sequence[Node]) -> Iterator[tuple[MappingPlace, bool]]:
    """Each mapping that may be a definition, and whether it is dbt's semantic model."""
    for root in roots:
        if not isinstance(root, MappingPlace):
            continue
        for key in ("models", "semantic_models"):
            for _, model in list(_mappings(root.entries.get(key)))[:_MOST_DEFINITIONS]:
                yield model, key == "semantic_models"
        # Beside lists, the document itself can be one more definition: on the same line when it begins with them.
        has_lists = root.entries.keys() & {"models", "semantic_models"}
        if not has_lists or root.entries.get("dimensions") or root.entries.get("measures"):
            yield root, False


class _Reader:
    def __init__(self, definition: DatasetDefinition, dialect: str, at: Whereabouts, *, semantic: bool) -> None:
        self._definition = definition
        self._dialect = dialect
        self._qualifiers = Qualifiers(definition, at)
        self._semantic = semantic

    def read(self, written: WrittenDefinition) -> None:
        for section in FIELD_SECTIONS:
            for sequence, place in _mappings(written.place.entries.get(section.key)):
                type_key = section.type_key if not self._semantic else None
                item = Item(written, sequence, place, section.key == "columns", type_key)
                self._read_field(item, implicit=section.kind.is_of_columns, args=_args(place))
                written.items.append(item)
        for key in RELATIONSHIP_SECTIONS:
            for sequence, place in _mappings(written.place.entries.get(key)):
                item = Item(written, sequence, place)
                if self._semantic:  # dbt's entities are keys of the own table
                    self._read_field(item, implicit=True, args=frozenset())
                else:
                    self._read_relationship(item)
                written.items.append(item)

    def _read_field(self, item: Item, *, implicit: bool, args: frozenset[str]) -> None:
        if (expr := item.place.scalar("expr")) is not None:
            names = self._names(expr.text or "", None)
            if names is not None:
                names = tuple(each for each in names if each.written.qualifier or each.written.name not in args)
            item.mentions.append(Mention(item, expr, 0, expr.text or "", names))
        elif implicit and (name := item.place.scalar("name")) is not None:
            names = (Name(ColumnName(None, item.name), None),)
            item.mentions.append(Mention(item, name, 0, item.name, names, implicit=True))

    def _read_relationship(self, item: Item) -> None:
        target = _text(item.place, "ref_") or _text(item.place, "ref") or item.name
        target = next((each.target for each in self._definition.relationships if each.name == item.name), target)
        for keys, of_target in ((SOURCE_KEYS, None), (TARGET_KEYS, target)):
            for scalar in (scalar for key in keys for scalar in _texts(item.place.entries.get(key))):
                for start, part in list_parts(scalar.text or ""):
                    item.mentions.append(Mention(item, scalar, start, part, self._names(part, of_target)))

    def _names(self, expression: str, target: str | None) -> tuple[Name, ...] | None:
        references = referenced_columns(expression, self._dialect)
        if references.problem is not None:
            return None
        is_row = self._qualifiers.may_be_row
        return tuple(
            name
            for written in references.names
            if not (target is written.qualifier is None and is_row(written.name, expression, self._dialect))
            and (name := self._name(written, target)) is not None
        )

    def _name(self, written: ColumnName, target: str | None) -> Name | None:
        if written.qualifier is None:
            return Name(written, target)
        meaning = self._qualifiers.meaning_of(written.qualifier)
        if meaning is None or meaning.column is not None or len(meaning.targets) > 1:
            return None  # a field of a column, or nothing that is judged
        return Name(written, meaning.targets[0] if meaning.targets else None)


def _mappings(place: Node | None) -> Iterator[tuple[SequencePlace, MappingPlace]]:
    if isinstance(place, SequencePlace):
        yield from ((place, item) for item in place.items if isinstance(item, MappingPlace))


def _texts(place: Node | None) -> list[ScalarPlace]:
    nodes = place.items if isinstance(place, SequencePlace) else [place]
    return [node for node in nodes if isinstance(node, ScalarPlace) and node.text and not node.text.isspace()]


def _text(place: MappingPlace, key: str) -> str | None:
    scalar = place.scalar(key)
    return scalar.text if scalar else None


def _args(item: MappingPlace) -> frozenset[str]:
    place = item.entries.get("args")
    nodes = place.items if isinstance(place, SequencePlace) else []
    scalars = [node.scalar("name") if isinstance(node, MappingPlace) else node for node in nodes]
    return frozenset(node.text for node in scalars if isinstance(node, ScalarPlace) and node.text)
