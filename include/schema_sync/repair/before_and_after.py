"""What a dataset's text declares and needs, as patches ask: is a discrepancy about this, and would it be gone? Pure.

The questions are those of the diff, asked of the definitions alone: a patch is made without the warehouse at hand.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import NamedTuple

from ..needs.needs import Need, folded, needs_of
from ..needs.qualifiers import Whereabouts, names_for_relationships
from ..nouns.dataset import Dataset
from ..nouns.discrepancy import Discrepancy, DiscrepancyType, Verdict
from ..sql.expressions import ColumnName, referenced_columns
from ..types.compare import compare_types
from ..warehouses.engine import Dialect
from ..warehouses.names import fold
from ..yml.dataset import definitions_of
from ..yml.definitions import DatasetDefinition
from ..yml.document import Node, read_documents


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
        return (
            discrepancy.schema in definition.schemas(self.dataset.schema)
            and self.whereabouts(definition).database in (None, discrepancy.database)
            and self.is_table(definition.table, discrepancy)
        )

    def is_table(self, written: str, discrepancy: Discrepancy) -> bool:
        index = self.dialect.index_tables([discrepancy.table or ""])
        return index.resolve(written).name is not None

    def is_column(self, written: str, stored: str) -> bool:
        index = self.dialect.index_columns([stored])
        return index.resolve(written).name is not None

    def differs(self, need: Need, discrepancy: Discrepancy) -> bool:
        """True when a need declares a type that the discrepancy's column does not have."""
        if need.type is None or discrepancy.column is None or discrepancy.actual is None:
            return False
        return self.is_column(need.column, discrepancy.column) and (
            need.type == discrepancy.declared
            or compare_types(self.dialect.name, discrepancy.actual, need.type) is Verdict.MISMATCH
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
        documents = read_documents(text) if documents is None else documents
        self.definitions = definitions_of(documents, context.dataset.name)
        self.at = [context.whereabouts(each) for each in self.definitions]
        self.places = [(each.name, each.model, at) for each, at in zip(self.definitions, self.at, strict=True)]
        self.needs = [
            needs_of(each, context.dialect.name, at) for each, at in zip(self.definitions, self.at, strict=True)
        ]

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
        column = discrepancy.column or ""
        meant = [
            (target, need)
            for number, target, need in self.needs_named(column)
            if self.is_meant(number, target, discrepancy) is not False
        ]
        own = [need for target, need in meant if target is None]
        if discrepancy.type is DiscrepancyType.UNDOCUMENTED_COLUMN:
            return any(self.context.is_column(need.column, column) for need in own)
        if discrepancy.type is DiscrepancyType.TYPE_MISMATCH:
            return not any(self.context.differs(need, discrepancy) for need in own)
        return not any(need.column == column and not (target is None and need.maybe_alias) for target, need in meant)

    def needs_named(self, column: str) -> list[tuple[int, str | None, Need]]:
        """(definition, target or None, need) of every column that is spelled nearly so."""
        return self._named.get(folded(column), [])

    @cached_property
    def _named(self) -> dict[str, list[tuple[int, str | None, Need]]]:
        named = defaultdict(list)
        for number, needs in enumerate(self.needs):
            for target, of_target in ((None, needs.columns), *needs.on_targets.items()):
                for need in of_target:
                    named[folded(need.column)].append((number, target, need))
        return named

    def is_meant(self, number: int, target: str | None, discrepancy: Discrepancy) -> bool | None:
        """Whether the table of a definition, or of what its relationships call ``target``, is a discrepancy's.

        :return: None: it may be.
        """
        if target is None:
            return self.context.is_about(self.definitions[number], discrepancy)
        meant = {
            self.context.is_about(each, discrepancy)
            for each in self.definitions
            if target.casefold()
            in {name.casefold() for name in names_for_relationships(each, self.context.dataset.name)}
        }
        if meant:
            return meant.pop() if len(meant) == 1 else None
        return True if self.context.is_table(target, discrepancy) else None
