"""Dataset YML → what a dataset says of its table. Reads meaning into the tree of ``yaml_document``.

Forms (contract, section 6), told apart by their keys and free to be mixed in one document:

- *single*: one mapping with ``dimensions``, ``measures``, ``metrics``, ``filters``, ``relationships`` or ``entities``
  (the older word for relationships);
- *list*: ``models: [ …single… ]``;
- dbt's ``columns: [{name, data_type}]``, in either.

Keys that are not named here are allowed and not looked at.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from include.schema_sync.yaml_document import Mapping, Node, Scalar, Sequence, invalid, quoted, read_documents


def parse_dataset_yml(text: str, *, name: str) -> list[DatasetDefinition]:
    """Read a dataset's YML.

    :param name: name of the dataset's row, for a definition without a name of its own.
    :return: at least one definition, in the order of the text.
    :raises InvalidDatasetYml: whatever is wrong with the text; the message begins with line and column and says
        what was found and what was expected.
    """
    documents = read_documents(text)
    if not documents:
        raise invalid("the document is empty: expected `name` with `dimensions`/`measures`, or `models`")
    return [definition for document in documents for definition in _definitions(document, name)]


class FieldKind(StrEnum):
    DIMENSION = "dimension"
    MEASURE = "measure"
    METRIC = "metric"
    FILTER = "filter"
    COLUMN = "column"


@dataclass(frozen=True, slots=True)
class Field:
    """Something a dataset offers, by column or expression.

    :ivar expr: SQL as written (a number or ``*`` as its text), or None when there is none.
    :ivar type: type as written, or None when there is none.
    :ivar line: 1-based line of the name.
    :ivar expr_line, type_line: 1-based lines of the values; ``line`` where there is none.
    :ivar args: names of a metric's or filter's arguments, used as ``{arg}`` in ``expr``: not columns.
    """

    kind: FieldKind
    name: str
    expr: str | None
    type: str | None
    line: int
    expr_line: int
    type_line: int
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Relationship:
    """A way from this dataset to another one.

    :ivar kind: ``relationship`` or ``entity``, by the section it stands in.
    :ivar target: the model it points to; may be a role's name that is no table.
    :ivar source: columns or expressions needed on this dataset's table.
    :ivar target_columns: columns or expressions needed on the target's table.
    """

    kind: str
    name: str
    target: str
    source: tuple[str, ...]
    target_columns: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class DatasetDefinition:
    """One dataset as its YML declares it; what the YML leaves open is None."""

    name: str
    model: str | None
    data_source_name: str | None
    database: str | None
    schema: str | None
    fields: tuple[Field, ...]
    relationships: tuple[Relationship, ...]
    line: int

    @property
    def table(self) -> str:
        return self.model or self.name


@dataclass(frozen=True, slots=True)
class _FieldSection:
    """Where fields of one kind stand, and which key holds their type."""

    key: str
    kind: FieldKind
    type_key: str = "type"
    has_args: bool = False


_FIELD_SECTIONS = (
    _FieldSection("dimensions", FieldKind.DIMENSION),
    _FieldSection("measures", FieldKind.MEASURE),
    _FieldSection("metrics", FieldKind.METRIC, has_args=True),
    _FieldSection("filters", FieldKind.FILTER, has_args=True),
    _FieldSection("columns", FieldKind.COLUMN, type_key="data_type"),
)
_RELATIONSHIP_SECTIONS = {"relationships": "relationship", "entities": "entity"}
_SECTIONS = (*(section.key for section in _FIELD_SECTIONS), *_RELATIONSHIP_SECTIONS)
_SOURCE_KEYS = ("source_col", "expr", "primary_key")
_TARGET_KEYS = ("ref_col", "foreign_key")

_NAME_KEYS = ("name", "model")
_EXPECTED = "`name` with `dimensions`/`measures`, or `models`"

# How alike (0 to 1) a key must be to be suggested, where the document is refused anyhow, and to be refused.
_LIKELY, _SURELY = 0.6, 0.8
# Comparing costs time, and a hostile text can have any number of keys of any length.
_KEYS_COMPARED, _LONGEST_KEY_COMPARED = 50, 40

# A model's name in dbt's words: as ref('model') or ref('project', 'model', v=2), with or without {{ }} around it.
_REF = re.compile(
    r"""(?:\{\{-?\s*)? ref\s*\(\s*
        (?:(?:'[^']*'|"[^"]*")\s*,\s*)?
        (?:'(?P<single>[^']+)'|"(?P<double>[^"]+)")
        \s*(?:,\s*v(?:ersion)?\s*=[^)]*)?\)
        (?:\s*-?\}\})?""",
    re.VERBOSE,
)
_LIST_MARK = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|[(\[]|[)\]]|,""")


def _definitions(document: Node, fallback_name: str) -> Iterator[DatasetDefinition]:
    if not isinstance(document, Mapping):
        raise invalid(f"the document is {_found(document)}; expected a mapping: {_EXPECTED}", document)
    if "models" not in document.entries:
        yield _definition(document, fallback_name)
        return
    models = document.entries["models"]
    items = _items(document, "models")
    if not items:
        raise invalid("`models` is empty; expected at least one model", models)
    for item in items:
        yield _definition(item, fallback_name)
    if _items(document, "dimensions") or _items(document, "measures"):
        yield _definition(document, fallback_name)


def _definition(model: Mapping, fallback_name: str) -> DatasetDefinition:
    _refuse_unknown(model)
    return DatasetDefinition(
        name=_text(model, "name") or fallback_name,
        model=_model_name(_text(model, "model")),
        data_source_name=_text(model, "data_source_name"),
        database=_text(model, "database"),
        schema=_text(model, "schema"),
        fields=tuple(_field(item, section) for section in _FIELD_SECTIONS for item in _items(model, section.key)),
        relationships=tuple(
            _relationship(item, key, kind)
            for key, kind in _RELATIONSHIP_SECTIONS.items()
            for item in _items(model, key)
        ),
        line=model.line,
    )


def _field(item: Mapping, section: _FieldSection) -> Field:
    name = _required_name(item, section.key)
    line = item.entries["name"].line
    expr = _text(item, "expr")
    type_text = _text(item, section.type_key)
    return Field(
        kind=section.kind,
        name=name,
        expr=expr,
        type=type_text,
        line=line,
        expr_line=line if expr is None else item.entries["expr"].line,
        type_line=line if type_text is None else item.entries[section.type_key].line,
        args=_args(item) if section.has_args else (),
    )


def _args(item: Mapping) -> tuple[str, ...]:
    """Names of the arguments; each is a mapping with a name, or just the name."""
    node = item.entries.get("args")
    if isinstance(node, Sequence) and any(isinstance(arg, Scalar) for arg in node.items):
        return tuple(_texts(item, "args"))
    return tuple(_required_name(arg, "args") for arg in _items(item, "args"))


def _relationship(item: Mapping, section: str, kind: str) -> Relationship:
    name = _required_name(item, section)
    return Relationship(
        kind=kind,
        name=name,
        target=_model_name(_text(item, "ref_") or _text(item, "ref")) or name,
        source=_column_list(item, _SOURCE_KEYS),
        target_columns=_column_list(item, _TARGET_KEYS),
        line=item.entries["name"].line,
    )


def _column_list(item: Mapping, keys: tuple[str, ...]) -> tuple[str, ...]:
    """What the keys name together, each part once, in order; a value is text (``a, b``) or a list of texts."""
    return tuple(dict.fromkeys(part for key in keys for text in _texts(item, key) for part in _split_list(text)))


def _split_list(text: str) -> Iterator[str]:
    """Parts between commas that stand outside of quotes, parentheses and brackets; empty parts are left out."""
    depth = start = 0
    for mark in _LIST_MARK.finditer(text):
        if mark[0] in "([":
            depth += 1
        elif mark[0] in ")]":
            depth = max(depth - 1, 0)
        elif mark[0] == "," and depth == 0:
            yield from filter(None, [text[start : mark.start()].strip()])
            start = mark.end()
    yield from filter(None, [text[start:].strip()])


def _model_name(text: str | None) -> str | None:
    if text is None:
        return None
    ref = _REF.fullmatch(text.strip())
    return (ref["single"] or ref["double"]) if ref else text


def _refuse_unknown(model: Mapping) -> None:
    """Refuse a mapping without anything to check: it would otherwise count as checked and clean.

    A definition that is named may have no fields, unless a misspelt key holds what looks like them.
    """
    if any(section in model.entries for section in _SECTIONS):
        return
    named = any(key in model.entries for key in _NAME_KEYS)
    known, likeness = (_SECTIONS, _SURELY) if named else ((*_NAME_KEYS, "models", *_SECTIONS), _LIKELY)
    for key in model.keys[:_KEYS_COMPARED]:
        if not isinstance(key, Scalar) or key.text is None or len(key.text) > _LONGEST_KEY_COMPARED:
            continue
        if named and not _is_filled_list(model.entries[key.text]):
            continue
        for meant in difflib.get_close_matches(key.text.lower(), known, 1, likeness):
            raise invalid(f"the key {quoted(key.text)} is not known; did you mean `{meant}`?", key)
    if not named:
        raise invalid(f"found a mapping without any known key; expected {_EXPECTED}", model)


def _required_name(item: Mapping, section: str) -> str:
    name = _text(item, "name")
    if name is None:
        place = item.entries.get("name", item)
        raise invalid(f"an item of `{section}` has no name; expected `name: …` (the word null needs quotes)", place)
    return name


def _items(mapping: Mapping, key: str) -> list[Mapping]:
    """The mappings listed under a key; none when the key is absent or null."""
    node = mapping.entries.get(key)
    if node is None or (isinstance(node, Scalar) and node.text is None):
        return []
    if not isinstance(node, Sequence):
        raise invalid(f"`{key}` is {_found(node)}; expected a list of mappings, each with `name`", node)
    items = []
    for item in node.items:
        if not isinstance(item, Mapping):
            raise invalid(f"an item of `{key}` is {_found(item)}; expected a mapping with `name`", item)
        items.append(item)
    return items


def _texts(mapping: Mapping, key: str) -> list[str]:
    """The texts under a key that may hold one text or a list of them."""
    node = mapping.entries.get(key)
    nodes = node.items if isinstance(node, Sequence) else [] if node is None else [node]
    return [text for node in nodes if (text := _text_of(node, key)) is not None]


def _text(mapping: Mapping, key: str) -> str | None:
    node = mapping.entries.get(key)
    return None if node is None else _text_of(node, key)


def _text_of(node: Node, key: str) -> str | None:
    """Text as written, or None when it is null or blank. The line break that ends a block scalar is no part of it."""
    if isinstance(node, Scalar):
        return node.text.rstrip("\n") if node.text and not node.text.isspace() else None
    hint = "; a template such as {{…}} needs quotes" if isinstance(node, Mapping) else ""
    raise invalid(f"`{key}` is {_found(node)}; expected text{hint}", node)


def _is_filled_list(node: Node) -> bool:
    return isinstance(node, Sequence) and bool(node.items)


def _found(node: Node) -> str:
    if isinstance(node, Scalar):
        return "nothing" if node.text is None else f"the text {quoted(node.text)}"
    return "a list" if isinstance(node, Sequence) else "a mapping"
