"""What stands in a dataset's sections: fields, relationships, the older form's entities. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern

from ..warehouses.names import unquote
from .definitions import Field, FieldKind, Relationship
from .document import Mapping, Scalar, Sequence
from .values import items_of, required_name, text_of, texts_of


def read_fields(model: Mapping) -> tuple[Field, ...]:
    return tuple(read_field(item, section) for section in FIELD_SECTIONS for item in items_of(model, section.key))


def read_relationships(model: Mapping) -> tuple[Relationship, ...]:
    return tuple(
        _relationship(item, key, kind) for key, kind in RELATIONSHIP_SECTIONS.items() for item in items_of(model, key)
    )


def read_field(item: Mapping, section: FieldSection) -> Field:
    name = required_name(item, section.key)
    entries = item.entries
    line = entries["name"].line
    expr = text_of(item, "expr")
    type_text = None if section.type_key is None else text_of(item, section.type_key)
    if type_text is not None:
        type_text = intern(type_text)  # few words, in each of thousands of fields
    agg = entries.get("agg")
    return Field(
        section.kind,
        name,
        expr,
        type_text,
        line,
        line if expr is None else entries["expr"].line,
        line if type_text is None else entries[section.type_key or ""].line,
        _args(item) if section.has_args else (),
        agg.text if isinstance(agg, Scalar) else None,
    )


def model_name(text: str | None) -> str | None:
    """The table's name in ``model``: plain, or inside of ``ref('…')`` or ``source('…', '…')``."""
    if text is None:
        return None
    ref = _REF.fullmatch(text.strip())
    return (ref["single"] or ref["double"]) if ref else text


def model_path(text: str | None) -> tuple[str | None, str | None, str | None]:
    """(database, schema, table) of ``model``: ``trunks``, ``attic.trunks`` or ``house.attic."My trunks"``."""
    name = model_name(text)
    parts = _path(name) if name is not None and name == text else []
    if not 2 <= len(parts) <= _LONGEST_PATH:
        return None, None, name
    database, schema, table = (None, *parts)[-3:]
    return database, schema, table


def _path(text: str) -> list[str]:
    """The parts of a name with dots; none for anything else."""
    whole = re.fullmatch(r"`([^`]+\.[^`]+)`", text)  # BigQuery's quotes may hold the whole path
    match = _PATH.fullmatch(whole[1] if whole else text)
    return [part.strip() for part in re.findall(_PATH_PART, match[0])] if match else []


@dataclass(frozen=True, slots=True)
class FieldSection:
    """Where fields of one kind stand.

    :ivar type_key: which key holds the column's type; None where ``type`` is not a column's.
    """

    key: str
    kind: FieldKind
    type_key: str | None = "type"
    has_args: bool = False


FIELD_SECTIONS = (
    FieldSection("dimensions", FieldKind.DIMENSION),
    FieldSection("measures", FieldKind.MEASURE),
    FieldSection("metrics", FieldKind.METRIC, has_args=True),
    FieldSection("filters", FieldKind.FILTER, has_args=True),
    FieldSection("columns", FieldKind.COLUMN, type_key="data_type"),
)
RELATIONSHIP_SECTIONS = {"relationships": "relationship", "entities": "entity"}
SECTIONS = (*(section.key for section in FIELD_SECTIONS), *RELATIONSHIP_SECTIONS)

SOURCE_KEYS = ("source_col", "expr", "primary_key")
TARGET_KEYS = ("ref_col", "foreign_key")

# A model's name in dbt's words: as ref('model'), ref('project', 'model', v=2) or source('system', 'table'), with or
# without {{ }} around it.
_REF = re.compile(
    r"""(?:\{\{-?\s*)? (?:ref|source)\s*\(\s*
        (?:(?:'[^']*'|"[^"]*")\s*,\s*)?
        (?:'(?P<single>[^']+)'|"(?P<double>[^"]+)")
        \s*(?:,\s*v(?:ersion)?\s*=[^)]*)?\)
        (?:\s*-?\}\})?""",
    re.VERBOSE,
)
_LONGEST_PATH = 3
_PATH_PART = r"""(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[^."'`\[\](){}/]+)"""
_PATH = re.compile(rf"{_PATH_PART}(?:\.{_PATH_PART})+")
_LIST_MARK = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|[(\[]|[)\]]|,""")


def _args(item: Mapping) -> tuple[str, ...]:
    """Names of the arguments; each is a mapping with a name, or just the name. dbt's metrics read other metrics so."""
    metrics = item.entries.get("input_metrics")
    inputs = metrics.items if isinstance(metrics, Sequence) else []
    names = [
        node.text
        for each in inputs
        for node in ((each.entries.get("name"), each.entries.get("alias")) if isinstance(each, Mapping) else (each,))
        if isinstance(node, Scalar) and node.text
    ]
    node = item.entries.get("args")
    if isinstance(node, Sequence) and any(isinstance(arg, Scalar) for arg in node.items):
        return (*texts_of(item, "args"), *names)
    return (*(required_name(arg, "args") for arg in items_of(item, "args")), *names)


def _relationship(item: Mapping, section: str, kind: str) -> Relationship:
    name = required_name(item, section)
    line = item.entries["name"].line
    target_columns = _column_list(item, TARGET_KEYS)
    named = model_path(text_of(item, "ref_") or text_of(item, "ref"))[2]
    return Relationship(
        kind=kind,
        name=name,
        target=named or _table_of(target_columns) or name,
        source=_column_list(item, SOURCE_KEYS),
        target_columns=target_columns,
        line=line,
        source_line=_line_of(item, SOURCE_KEYS, line),
        target_line=_line_of(item, TARGET_KEYS, line),
    )


def _table_of(columns: tuple[str, ...]) -> str | None:
    """The table in ``customers.customer_id``: whose the columns are, where a relationship is named by its role."""
    path = _path(columns[0]) if columns else []
    return unquote(path[-2])[0] if path else None


def _column_list(item: Mapping, keys: tuple[str, ...]) -> tuple[str, ...]:
    """What the keys name together, each part once, in order; a value is text (``a, b``) or a list of texts."""
    return tuple(dict.fromkeys(part for key in keys for text in texts_of(item, key) for _, part in list_parts(text)))


def _line_of(item: Mapping, keys: tuple[str, ...], otherwise: int) -> int:
    return next((item.entries[key].line for key in keys if texts_of(item, key)), otherwise)


def list_parts(text: str) -> Iterator[tuple[int, str]]:
    """(offset, part) between commas that stand outside of quotes, parentheses and brackets; none is empty."""
    depth = start = 0
    for mark in (*_LIST_MARK.finditer(text), None):
        if mark is not None and mark[0] in "([":
            depth += 1
        elif mark is not None and mark[0] in ")]":
            depth = max(depth - 1, 0)
        elif mark is None or (mark[0] == "," and depth == 0):
            part = text[start : len(text) if mark is None else mark.start()]
            if part.strip():
                yield start + len(part) - len(part.lstrip()), part.strip()
            start = len(text) if mark is None else mark.end()
