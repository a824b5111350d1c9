"""What a definition needs of its own table and of others': columns, and expressions that cannot be read. Pure.

The one place that says so: introspection confirms these columns before anything is called missing, and the diff
judges them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..sql.expressions import ColumnName, References, referenced_columns
from ..warehouses.names import unquote
from ..warehouses.sql_words import word_set
from ..yml.dataset import DatasetDefinition, Field, FieldKind, Relationship
from .qualifiers import Qualifiers, Whereabouts, first_part


def needs_of(
    definition: DatasetDefinition, dialect: str, at: Whereabouts, spend: Callable[[str], None] | None = None
) -> Needs:
    """:param dialect: the data source's, in which expressions are written.
    :param spend: told of each expression before it is read; may raise to end the reading.
    """
    reader = _Reader(definition, dialect, at, spend)
    for item in definition.fields:
        reader.read_field(item)
    for relationship in definition.relationships:
        reader.read_relationship(relationship)
    return reader.needs


@dataclass(frozen=True, slots=True)
class Need:
    """One column that a definition needs, and who needs it.

    :ivar item: who needs it. Its words (``by``) are made when asked for: most needs are met, and never told.
    :ivar maybe_alias: the name is also another field's, whose expression may be what is meant, or the table's, and
        stands for its row: its absence says nothing.
    :ivar qualifier: what stands before the column's dot, as written, or None. Where the column is not found, it may
        still be a field of the own table's column of that name.
    :ivar expression: the whole expression, for qualified columns: what cannot be placed is told with it.
    :ivar in_sql: written in an expression, where the engine folds what is not quoted; a name is only meant.
    """

    column: str
    item: Field | Relationship
    line: int
    type: str | None = None
    maybe_alias: bool = False
    qualifier: str | None = None
    expression: str = ""
    in_sql: bool = False

    @property
    def by(self) -> str:
        return user_of(self.item)

    @property
    def type_line(self) -> int | None:
        return self.item.type_line if isinstance(self.item, Field) else None


@dataclass(frozen=True, slots=True)
class Unread:
    """An expression that cannot be read safely; ``reason`` says why, for people."""

    expression: str
    by: str
    line: int
    reason: str | None = None


@dataclass(slots=True)
class Needs:
    """What one definition needs.

    :ivar on_targets: {a dataset, as relationships call it: what is needed of its table}.
    :ivar unplaced: columns whose qualifier is neither the dataset nor one of its relationships: fields of a column of
        the own table, or nothing that can be judged.
    :ivar unread: expressions that cannot be read, those about other tables included.
    :ivar aliases: names of fields that stand for something else than the column of that name, folded.
    """

    columns: list[Need] = field(default_factory=list)
    on_targets: dict[str, list[Need]] = field(default_factory=lambda: defaultdict(list))
    unplaced: list[Need] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    aliases: frozenset[str] = frozenset()

    def is_alias(self, column: str) -> bool:
        return bool(self.aliases) and folded(column) in self.aliases


# Aggregates whose result is of the column's own sort, so that a measure's type can be compared with the column's. Of
# any other (count, count_distinct, sum_boolean…) the declared type may be the result's alone.
_KEEPS_TYPE = word_set("""
    none sum avg average mean median percentile percentile_cont percentile_disc min max first last any any_value mode
    """)


# No expression that people write reads more; and a hostile text can repeat a long one hundreds of times.
_MOST_COLUMNS = 500


class _Reader:
    def __init__(
        self, definition: DatasetDefinition, dialect: str, at: Whereabouts, spend: Callable[[str], None] | None
    ) -> None:
        self._spend = spend
        self._references: dict[str, References] = {}
        self.definition = definition
        self.dialect = dialect
        self._qualifiers = Qualifiers(definition, at)
        self._aliases = Counter(folded(item.name) for item in definition.fields if _is_alias(item))
        self.needs = Needs(aliases=frozenset(self._aliases))

    def read_field(self, item: Field) -> None:
        if item.expr is None:
            if item.kind.is_of_columns:
                self.needs.columns.append(Need(item.name, item, item.line, _comparable_type(item)))
            return
        names = self._names(item.expr, item, item.expr_line)
        declared = _comparable_type(item) if _is_plain(item.expr, names) else None
        for reference in names:
            if reference.qualifier is None and reference.name in item.args:
                continue
            maybe_alias = self._maybe_alias(reference.name, item) or (
                reference.qualifier is None and self._qualifiers.may_be_row(reference.name, item.expr, self.dialect)
            )
            need = Need(reference.name, item, item.expr_line, declared, maybe_alias, in_sql=True)
            self._place(need, reference, item.expr)

    def read_relationship(self, relationship: Relationship) -> None:
        for expression in relationship.source:
            self._read_key(expression, relationship, relationship.source_line)
        for expression in relationship.target_columns:
            self._read_key(expression, relationship, relationship.target_line, relationship.target)

    def _read_key(self, expression: str, item: Relationship, line: int, target: str | None = None) -> None:
        for reference in self._names(expression, item, line):
            if target is not None and reference.qualifier is None:
                self.needs.on_targets[target].append(Need(reference.name, item, line))
            else:
                need = Need(reference.name, item, line, maybe_alias=self._maybe_alias(reference.name))
                self._place(need, reference, expression)

    def _names(self, expression: str, item: Field | Relationship, line: int) -> Sequence[ColumnName]:
        """The columns in an expression; why there are none, if it cannot be read, is kept."""
        references = self._referenced(expression)
        problem = references.problem
        if problem is None and len(references.names) > _MOST_COLUMNS:
            problem = f"it refers to more than {_MOST_COLUMNS} columns"
        if problem is None:
            return references.names
        self.needs.unread.append(Unread(expression, user_of(item), line, problem))
        return ()

    def _referenced(self, expression: str) -> References:
        if expression not in self._references:
            if self._spend is not None:
                self._spend(expression)
            self._references[expression] = referenced_columns(expression, self.dialect)
        return self._references[expression]

    def _place(self, need: Need, reference: ColumnName, expression: str) -> None:
        qualifier = reference.qualifier
        if qualifier is None:
            self.needs.columns.append(need)
            return
        meaning = self._qualifiers.meaning_of(qualifier)
        if meaning is None and reference.of_value:
            need = replace(need, column=first_part(qualifier), type=None, expression=expression)
            self.needs.columns.append(need)
            return
        need = replace(need, qualifier=qualifier, expression=expression)
        if meaning is not None and meaning.column is not None:  # a field of it: the declared type is not the column's
            need = replace(need, column=meaning.column, type=None, maybe_alias=False)
        if meaning is None or len(meaning.targets) > 1:  # or relationships of one name to several datasets
            self.needs.unplaced.append(replace(need, type=None))
        elif meaning.targets:
            self.needs.on_targets[meaning.targets[0]].append(replace(need, maybe_alias=False))
        else:
            self.needs.columns.append(need)

    def _maybe_alias(self, column: str, item: Field | None = None) -> bool:
        """True when a field other than the one that is being read has the name, and stands for something else.

        A field that reads the column of its own name (``amount: sum(amount)``) means the column, unless another field
        gives that name to something else again.
        """
        if not self._aliases:
            return False
        word = folded(column)
        if item is not None and folded(item.name) == word:
            return self._aliases[word] > int(_is_alias(item)) and word in self._renaming
        return word in self._aliases

    @cached_property
    def _renaming(self) -> frozenset[str]:
        """Names of fields whose expressions do not read the column of that name."""
        return frozenset(
            word
            for item in self.definition.fields
            if item.expr is not None and item.expr != item.name
            for word in (folded(item.name),)
            if all(folded(each.name) != word for each in self._referenced(item.expr).names)
        )


def user_of(item: Field | Relationship) -> str:
    """Who needs something, fit for a message."""
    return f"{item.kind} `{item.name}`"


def _is_alias(item: Field) -> bool:
    if item.expr is None:
        return item.kind in (FieldKind.METRIC, FieldKind.FILTER)
    return item.expr != item.name


def _comparable_type(item: Field) -> str | None:
    if not item.kind.is_of_columns:
        return None
    return item.type if item.agg is None or item.agg.lower() in _KEEPS_TYPE else None


def _is_plain(expression: str, names: Sequence[ColumnName]) -> bool:
    """True when the expression is nothing but the column: only then is the declared type the column's."""
    if len(names) != 1:
        return False
    qualifier, name, _ = names[0]
    text = expression.strip()
    return text == name or text in (f"{qualifier}.{name}", f"{{TABLE}}.{name}", f"${{TABLE}}.{name}")


def folded(name: str) -> str:
    """Without quotes and letter case: what may be the same name for some engine."""
    return unquote(name)[0].casefold()
