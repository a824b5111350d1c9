"""What a dataset's text declares and needs, as patches ask: is a discrepancy about this, and would it be gone? Pure.

The questions are those of the diff, asked of the definitions alone: a patch is made without the warehouse at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..needs.needs import Need, Needs, needs_of
from ..needs.qualifiers import Whereabouts, names_for_relationships
from ..nouns.dataset import Dataset
from ..nouns.discrepancy import Discrepancy, DiscrepancyType, Verdict
from ..sql.expressions import ColumnName, referenced_columns
from ..types.compare import compare_types
from ..warehouses.engine import Dialect
from ..warehouses.names import NameIndex, fold, unquote
from ..yml.dataset import definitions_of
from ..yml.definitions import DatasetDefinition
from ..yml.document import Node, read_documents


def differs(context: Context, need: Need, discrepancy: Discrepancy) -> bool:
    """True when a need declares a type that the discrepancy's column does not have."""
    if need.type is None or discrepancy.column is None or discrepancy.actual is None:
        return False
    if not context.is_column(need.column, discrepancy.column):
        return False
    if need.type == discrepancy.declared:
        return True
    return compare_types(context.dialect.name, discrepancy.actual, need.type) is Verdict.MISMATCH


class Context(NamedTuple):
    dataset: Dataset
    dialect: Dialect
    own_database: str | None

    def whereabouts(self, definition: DatasetDefinition) -> Whereabouts:
        return Whereabouts(
            self.dataset.name,
            definition.database or self.dataset.database_identifier or self.own_database,
            definition.schemas(self.dataset.schema)[0],
        )

    def is_about(self, definition: DatasetDefinition, discrepancy: Discrepancy) -> bool:
        """True when a discrepancy's table is the definition's own."""
        at = self.whereabouts(definition)
        if (
            discrepancy.schema not in definition.schemas(self.dataset.schema)
            or None is not at.database != discrepancy.database
        ):
            return False
        return _same_name(definition.table, discrepancy.table or "", self.dialect)

    def is_column(self, written: str, stored: str) -> bool:
        return (
            NameIndex([stored], self.dialect.column_case, self.dialect.max_name_bytes).resolve(written).name == stored
        )

    def spell(self, stored: str, like: str) -> str:
        """A stored column's name as an expression may have it, in the letter case of ``like`` where that means it."""
        case = self.dialect.column_case
        spelled = self.dialect.identifier(stored, case)
        lower = spelled.lower()
        if spelled == stored and like == like.lower() and fold(lower, case) == stored:
            spelled = lower
        reads_back = referenced_columns(spelled, self.dialect.name).names == (ColumnName(None, spelled),)
        return spelled if reads_back else self.dialect.quote(stored)


class Reading:
    """What a text declares and needs.

    :param documents: what the text was read as, where it was.
    :raises InvalidDatasetYml: it cannot be read.
    """

    def __init__(self, context: Context, text: str, documents: list[Node] | None = None) -> None:
        self.context = context
        self.text = text
        self.definitions = definitions_of(
            read_documents(text) if documents is None else documents, context.dataset.name
        )
        self.at = [context.whereabouts(definition) for definition in self.definitions]
        self._named: dict[str, list[tuple[int, str | None, Need]]] | None = None
        self.needs: list[Needs] = [
            needs_of(definition, context.dialect.name, at)
            for definition, at in zip(self.definitions, self.at, strict=True)
        ]

    @property
    def places(self) -> list[tuple[str, str | None, Whereabouts]]:
        return [(each.name, each.model, at) for each, at in zip(self.definitions, self.at, strict=True)]

    def facts(self) -> set[tuple[int, str, str, str]]:
        """(definition, table as relationships call it or "", column, sort) of all that may be judged."""
        found = set()
        for number, needs in enumerate(self.needs):
            found |= {(number, "", need.column, "column") for need in needs.columns if not need.maybe_alias}
            found |= {(number, need.qualifier or "", need.column, "unplaced") for need in needs.unplaced}
            found |= {(number, "", each.expression, "unread") for each in needs.unread}
            for target, on_target in needs.on_targets.items():
                found |= {(number, target, need.column, "target") for need in on_target}
        return found

    def is_gone(self, discrepancy: Discrepancy) -> bool:
        """True when nothing in the text gives rise to a discrepancy any more."""
        written = self.needs_named(discrepancy.column or "")
        own = [
            need for definition, target, need in written if target is None and self._is_about(definition, discrepancy)
        ]
        if discrepancy.type is DiscrepancyType.UNDOCUMENTED_COLUMN:
            return any(self.context.is_column(need.column, discrepancy.column or "") for need in own)
        if discrepancy.type is DiscrepancyType.TYPE_MISMATCH:
            return not any(differs(self.context, need, discrepancy) for need in own)
        if any(need.column == discrepancy.column for need in own if not need.maybe_alias):
            return False
        return not any(
            need.column == discrepancy.column and self.is_target(target, discrepancy) is not False
            for _, target, need in written
            if target is not None
        )

    def needs_named(self, column: str) -> Sequence[tuple[int, str | None, Need]]:
        """(definition, target or None, need) of every column that is spelled nearly so."""
        if self._named is None:
            self._named = {}
            for number, needs in enumerate(self.needs):
                for need in needs.columns:
                    self._named.setdefault(_loose(need.column), []).append((number, None, need))
                for target, on_target in needs.on_targets.items():
                    for need in on_target:
                        self._named.setdefault(_loose(need.column), []).append((number, target, need))
        return self._named.get(_loose(column), ())

    def _is_about(self, number: int, discrepancy: Discrepancy) -> bool:
        return self.context.is_about(self.definitions[number], discrepancy)

    def is_target(self, target: str, discrepancy: Discrepancy) -> bool | None:
        """Whether what relationships call ``target`` is a discrepancy's table; None: it may be."""
        meant = [
            self.context.is_about(definition, discrepancy)
            for definition in self.definitions
            if target.casefold()
            in {name.casefold() for name in names_for_relationships(definition, self.context.dataset.name)}
        ]
        if meant:
            return meant[0] if len(set(meant)) == 1 else None
        return True if _same_name(target, discrepancy.table or "", self.context.dialect) else None


def _same_name(written: str, stored: str, dialect: Dialect) -> bool:
    return NameIndex([stored], dialect.table_case, dialect.max_name_bytes).resolve(written).name is not None


def _loose(name: str) -> str:
    """Without quotes and letter case: whatever may be the same column for some engine."""
    return unquote(name)[0].casefold()
