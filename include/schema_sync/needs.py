"""What a definition needs of its own table and of others': columns, and expressions that cannot be read. Pure.

The one place that says so: introspection confirms these columns before anything is called missing, and the diff
judges them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from include.schema_sync.dataset_yml import DatasetDefinition, FieldKind, Relationship
from include.schema_sync.expressions import NotAColumn, column_of


@dataclass(frozen=True, slots=True)
class Need:
    """One column that a definition needs, and who needs it.

    :ivar column: the name as written.
    :ivar by: who needs it, fit for a message.
    :ivar maybe_alias: the name is also another field's, whose expression may be what is meant: its absence says
        nothing.
    """

    column: str
    by: str
    line: int
    type: str | None = None
    type_line: int | None = None
    maybe_alias: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """An expression that cannot be read safely."""

    expression: str
    by: str
    line: int


class Needs(NamedTuple):
    """What is needed of a definition's own table; ``unread`` holds the unreadable expressions about others too."""

    columns: list[Need]
    unread: list[Unread]


def needs_of(definition: DatasetDefinition) -> Needs:
    """Read every field and relationship of a definition."""
    columns: list[Need] = []
    unread: list[Unread] = []
    _read_fields(definition, columns, unread)
    for relationship in definition.relationships:
        _read(relationship, relationship.source, columns, unread)
        _read(relationship, relationship.target_columns, [], unread)
    return Needs(columns, unread)


def needs_on_target(relationship: Relationship) -> list[Need]:
    """What a relationship needs of its target's table; what cannot be read is told by :func:`needs_of`."""
    needs: list[Need] = []
    _read(relationship, relationship.target_columns, needs, [])
    return needs


def names_for_relationships(definition: DatasetDefinition, dataset_name: str) -> set[str]:
    """The names by which a relationship of another dataset may point to this definition."""
    return {definition.name, definition.table, dataset_name}


def _read_fields(definition: DatasetDefinition, columns: list[Need], unread: list[Unread]) -> None:
    # Names that stand for something else than the column of that name.
    aliases = {item.name for item in definition.fields if item.expr is not None and item.expr != item.name}
    for item in definition.fields:
        by = f"{item.kind} `{item.name}`"
        of_column = item.kind not in (FieldKind.METRIC, FieldKind.FILTER)
        if item.expr is None:
            if of_column:  # a metric or filter without expr needs nothing of its own
                columns.append(Need(item.name, by, item.line, item.type, item.type_line))
            continue
        column = column_of(item.expr)
        if column is NotAColumn.UNVERIFIABLE:
            unread.append(Unread(item.expr, by, item.expr_line))
        elif isinstance(column, str) and column not in item.args:
            declared = item.type if of_column else None
            is_alias = column in aliases and column != item.name
            columns.append(Need(column, by, item.expr_line, declared, item.type_line, is_alias))


def _read(relationship: Relationship, expressions: Sequence[str], columns: list[Need], unread: list[Unread]) -> None:
    by = f"{relationship.kind} `{relationship.name}`"
    for expression in expressions:
        column = column_of(expression)
        if column is NotAColumn.UNVERIFIABLE:
            unread.append(Unread(expression, by, relationship.line))
        elif isinstance(column, str):
            columns.append(Need(column, by, relationship.line))
