"""What a query builder would run of each definition, as parts of SQL that are safe to send. Pure.

Per dimension, measure, metric and filter its expression as it is used, with the joins of the relationships that it
refers to; per relationship its join. A plain column is no part: the catalogue tells all of it. What may mean something
else than it seems to (another field's name, a row, a nested field, a template) is left out: nothing is guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from ..nouns.proof import ColumnOf, Part, PartTable, Sql
from ..sql.compilable import Value, value_of
from ..sql.expressions import ColumnName, referenced_columns
from ..warehouses.proofs import Compiler
from ..yml.dataset import DatasetDefinition, Field, FieldKind, Relationship
from .needs import Need, Needs, folded, user_of

# How measures aggregate, in SQL that every engine has; what is not here is compiled without.
_AGGREGATES = {
    "sum": ("SUM(", ")"),
    "count": ("COUNT(", ")"),
    "count_distinct": ("COUNT(DISTINCT ", ")"),
    "avg": ("AVG(", ")"),
    "average": ("AVG(", ")"),
    "mean": ("AVG(", ")"),
    "min": ("MIN(", ")"),
    "max": ("MAX(", ")"),
    "sum_boolean": ("SUM(CASE WHEN ", " THEN 1 ELSE 0 END)"),
}


@dataclass(frozen=True, slots=True)
class Owner:
    dataset_id: str
    definition: DatasetDefinition
    table: PartTable
    needs: Needs


def parts_of(
    owner: Owner, tables_of: Callable[[str], Sequence[PartTable]], dialect: str, compiler: Compiler
) -> tuple[list[Part], list[str]]:
    """:param tables_of: a relationship's target → the tables that it may mean. :return: (parts, who was left out)."""
    maker = _Maker(owner, tables_of, dialect, compiler)
    made = [(user_of(item), maker.of_field(item)) for item in owner.definition.fields if maker.is_worth_proving(item)]
    made += [
        (user_of(relationship), maker.of_relationship(relationship))
        for relationship in owner.definition.relationships
        if relationship.source and relationship.target_columns
    ]
    unsure = _unsure_users(owner)
    return (
        [part for user, part in made if part is not None and user not in unsure],
        [user for user, part in made if part is None or user in unsure],
    )


def _unsure_users(owner: Owner) -> set[str]:
    """Who shares a name with another, or may mean something else than it seems to."""
    definition, needs = owner.definition, owner.needs
    users = Counter(chain(map(user_of, definition.fields), map(user_of, definition.relationships)))
    unsure = {user for user, number in users.items() if number > 1}
    unsure |= {each.by for each in needs.unread} | {each.by for each in needs.unplaced}
    placed = chain(needs.columns, *needs.on_targets.values())
    return unsure | {need.by for need in placed if need.maybe_alias or "." in (need.qualifier or "")}


class _Maker:
    def __init__(
        self, owner: Owner, tables_of: Callable[[str], Sequence[PartTable]], dialect: str, compiler: Compiler
    ) -> None:
        self._owner, self._tables_of, self._dialect, self._compiler = owner, tables_of, dialect, compiler
        self._own: dict[str, list[Need]] = defaultdict(list)
        self._far: dict[str, dict[str, list[Need]]] = defaultdict(lambda: defaultdict(list))
        self._measures = {folded(item.name) for item in owner.definition.fields if item.agg is not None}
        for need in owner.needs.columns:
            self._own[need.by].append(need)
        for target, on_target in owner.needs.on_targets.items():
            for need in on_target:
                self._far[need.by][target].append(need)

    def is_worth_proving(self, item: Field) -> bool:
        if item.expr is None or self._plain(item.expr) is not None:
            return (item.agg or "").lower() in _AGGREGATES
        return item.expr != "*"

    def _plain(self, expression: str) -> str | None:
        """The name of the own column that the expression is, if it is nothing else."""
        names = referenced_columns(expression, self._dialect).names
        return names[0].name if len(names) == 1 and names[0] == ColumnName(None, expression.strip()) else None

    def of_field(self, item: Field) -> Part | None:
        user = user_of(item)
        tables = self._tables(user)
        name = item.name if item.expr is None else self._plain(item.expr)
        value: Value | None = Value((ColumnOf(0, name or ""),), aggregates=False)
        if name is None:
            value = value_of(item.expr or "", self._dialect, self._compiler, item.args)
        if value is None or tables is None or (item.kind is FieldKind.METRIC and self._is_of_measures(user, value)):
            return None
        sql, aggregates = value
        around = _AGGREGATES.get((item.agg or "").lower())
        if item.kind is FieldKind.FILTER:
            sql = ("CASE WHEN ", *sql, " THEN 1 END")
        elif around is not None and not aggregates:
            sql, aggregates = (around[0], *sql, around[1]), True
        return Part(self._owner.dataset_id, user, sql, tables, aggregates)

    def _is_of_measures(self, user: str, value: Value) -> bool:
        """``revenue / orders`` may mean the measures of these names, aggregated, and not the columns."""
        return not value.aggregates and any(folded(need.column) in self._measures for need in self._own[user])

    def _tables(self, user: str) -> tuple[PartTable, ...] | None:
        """The own table, and those of the relationships that somebody refers to; None: it cannot be told how."""
        own = self._named(self._owner.table, self._own[user])
        if own is None:
            return None
        tables = [own]
        for target, needs in self._far[user].items():
            ways = {
                (each.source, each.target_columns)
                for each in self._owner.definition.relationships
                if each.target == target
            }
            far = self._tables_of(target)
            if len(ways) != 1 or len(far) != 1:
                return None
            keys = self._keys(*ways.pop(), table=len(tables), expressions=False)
            joined = self._named(far[0], needs)
            if keys is None or joined is None or joined.alias is None:
                return None
            tables.append(joined._replace(keys=keys))
        aliases = [folded(table.alias) for table in tables if table.alias is not None]
        return tuple(tables) if len(set(aliases)) == len(aliases) else None

    def _named(self, table: PartTable, needs: Sequence[Need]) -> PartTable | None:
        """The table by the word that a user has for it, with what it needs; None: it has several words."""
        aliases = {need.qualifier for need in needs if need.qualifier is not None}
        if len({folded(alias) for alias in aliases}) > 1:
            return None
        return table._replace(
            alias=min(aliases, default=None), columns=tuple(dict.fromkeys(need.column for need in needs))
        )

    def of_relationship(self, relationship: Relationship) -> Part | None:
        user = user_of(relationship)
        far = self._tables_of(relationship.target)
        keys = self._keys(relationship.source, relationship.target_columns, table=1, expressions=True)
        if keys is None or len(far) != 1 or set(self._far[user]) - {relationship.target}:
            return None
        own = self._owner.table._replace(columns=tuple(need.column for need in self._own[user]))
        needed = self._far[user].get(relationship.target, ())
        target = far[0]._replace(columns=tuple(need.column for need in needed), keys=keys)
        return Part(self._owner.dataset_id, user, (), (own, target))

    def _keys(
        self, source: Sequence[str], target: Sequence[str], *, table: int, expressions: bool
    ) -> tuple[tuple[Sql, Sql], ...] | None:
        keys = [
            (own, far)
            for one, other in zip(source, target, strict=False)
            if (own := self._key(one, 0, expressions=expressions)) is not None
            and (far := self._key(other, table, expressions=expressions)) is not None
        ]
        return tuple(keys) if len(keys) == len(source) == len(target) else None

    def _key(self, expression: str, table: int, *, expressions: bool) -> Sql | None:
        references = referenced_columns(expression, self._dialect)
        names = references.names
        if len(names) == 1 and expression.strip() in (names[0].name, f"{names[0].qualifier}.{names[0].name}"):
            return (ColumnOf(table, names[0].name),)
        if not expressions or any(name.qualifier is not None for name in names):
            return None
        value = value_of(expression, self._dialect, self._compiler)
        return None if value is None or value.aggregates else value.sql
