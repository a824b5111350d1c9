"""Where a dataset's YML names columns: definitions and their items, with the scalars that name columns. Pure.

``needs`` says *what* is needed, in the nouns of a definition; this says *where* it is written, for edits in place.
What is found here and what is needed are compared after each edit, so a place that is overlooked here costs a
suggestion, never a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..needs.qualifiers import Qualifiers, Whereabouts
from ..sql.expressions import ColumnName, referenced_columns
from ..yml.definitions import DatasetDefinition
from ..yml.document import Node
from ..yml.fields import FIELD_SECTIONS, RELATIONSHIP_SECTIONS, SOURCE_KEYS, TARGET_KEYS, list_parts
from .yaml_places import MappingPlace, ScalarPlace, SequencePlace


@dataclass(frozen=True, slots=True)
class Name:
    """A column as it is named somewhere.

    :ivar target: the dataset (as relationships call it) whose column it is; None: the own table's.
    """

    written: ColumnName
    target: str | None


@dataclass(slots=True, eq=False)
class Mention:
    """A scalar, or a part of one, that names columns.

    :ivar text: the expression; it stands at ``start`` in the scalar's value.
    :ivar implicit: the scalar is the name of a field without an expression.
    :ivar names: None when the expression cannot be read.
    """

    place: ScalarPlace
    start: int
    text: str
    implicit: bool
    names: tuple[Name, ...] | None


@dataclass(slots=True, eq=False)
class Item:
    """One entry of a section's list.

    :ivar kind: the section it stands in.
    :ivar named_by_column: True for dbt's ``columns``, where the name is nothing but the column's.
    """

    kind: str
    sequence: SequencePlace
    place: MappingPlace
    named_by_column: bool = False
    type_key: str | None = None
    mentions: list[Mention] = field(default_factory=list)

    @property
    def name(self) -> str | None:
        scalar = self.place.scalar("name")
        return scalar.text if scalar else None


@dataclass(slots=True, eq=False)
class WrittenDefinition:
    """A definition, and the mapping that it was read from."""

    definition: DatasetDefinition
    place: MappingPlace
    items: list[Item]


def written_definitions(
    roots: Sequence[Node], definitions: Sequence[DatasetDefinition], dialect: str, at: Sequence[Whereabouts]
) -> list[WrittenDefinition]:
    """Find each definition in the text; those that share a line with another one are left out.

    :param at: one for each definition.
    """
    candidates: dict[int, list[tuple[MappingPlace, bool]]] = {}
    for place, semantic in _definition_places(roots):
        candidates.setdefault(place.line, []).append((place, semantic))
    lines = [definition.line for definition in definitions]
    found = []
    for definition, whereabouts in zip(definitions, at, strict=True):
        here = candidates.get(definition.line, [])
        if len(here) == 1 and lines.count(definition.line) == 1:
            place, semantic = here[0]
            reader = _Reader(definition, dialect, whereabouts, semantic=semantic)
            found.append(WrittenDefinition(definition, place, list(reader.items(place))))
    return found


_MOST_DEFINITIONS = 200  # in one text; each is searched for by its line


def _definition_places(roots: Sequence[Node]) -> Iterator[tuple[MappingPlace, bool]]:
    for root in roots:
        if not isinstance(root, MappingPlace):
            continue
        lists = [(key, root.entries.get(key)) for key in ("models", "semantic_models")]
        for key, models in lists:
            if isinstance(models, SequencePlace):
                for model in models.items[:_MOST_DEFINITIONS]:
                    if isinstance(model, MappingPlace):
                        yield model, key == "semantic_models"
        # Beside lists, the document itself can be one more definition: on the same line when it begins with them.
        if all(models is None for _, models in lists) or root.entries.get("dimensions") or root.entries.get("measures"):
            yield root, False


class _Reader:
    def __init__(self, definition: DatasetDefinition, dialect: str, at: Whereabouts, *, semantic: bool) -> None:
        self._definition = definition
        self._dialect = dialect
        self._qualifiers = Qualifiers(definition, at)
        self._semantic = semantic

    def items(self, model: MappingPlace) -> Iterator[Item]:
        for section in FIELD_SECTIONS:
            for sequence, place in _mappings(model.entries.get(section.key)):
                type_key = section.type_key if not self._semantic else None
                item = Item(section.key, sequence, place, section.key == "columns", type_key)
                self._read_field(item, implicit=section.kind.is_of_columns, args=_args(place))
                yield item
        for key in RELATIONSHIP_SECTIONS:
            for sequence, place in _mappings(model.entries.get(key)):
                item = Item(key, sequence, place)
                if self._semantic:  # dbt's entities are keys of the own table
                    self._read_field(item, implicit=True, args=frozenset())
                else:
                    self._read_relationship(item)
                yield item

    def _read_field(self, item: Item, *, implicit: bool, args: frozenset[str]) -> None:
        expr, name = item.place.scalar("expr"), item.place.scalar("name")
        if expr is not None and expr.text is not None:
            names = self._names(expr.text, None)
            if names is not None:
                names = tuple(each for each in names if each.written.qualifier or each.written.name not in args)
            item.mentions.append(Mention(expr, 0, expr.text, False, names))
        elif implicit and name is not None and name.text is not None:
            names = (Name(ColumnName(None, name.text), None),)
            item.mentions.append(Mention(name, 0, name.text, True, names))

    def _read_relationship(self, item: Item) -> None:
        ref = item.place.scalar("ref_") or item.place.scalar("ref")
        written = (ref.text if ref else None) or item.name
        relationship = next(
            (each for each in self._definition.relationships if each.name == item.name and written is not None), None
        )
        for keys, target in ((SOURCE_KEYS, None), (TARGET_KEYS, relationship.target if relationship else written)):
            for key in keys:
                for scalar in _texts(item.place.entries.get(key)):
                    for start, part in list_parts(scalar.text or ""):
                        names = self._names(part, target)
                        item.mentions.append(Mention(scalar, start, part, False, names))

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


def _args(item: MappingPlace) -> frozenset[str]:
    place = item.entries.get("args")
    nodes = place.items if isinstance(place, SequencePlace) else []
    scalars = [node.scalar("name") if isinstance(node, MappingPlace) else node for node in nodes]
    return frozenset(node.text for node in scalars if isinstance(node, ScalarPlace) and node.text)
