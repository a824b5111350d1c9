"""What a dataset's YML declares, as frozen values: the one output of every form. Pure nouns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .silence import NOTHING_SILENCED, Silence


class FieldKind(StrEnum):
    DIMENSION = "dimension"
    MEASURE = "measure"
    METRIC = "metric"
    FILTER = "filter"
    COLUMN = "column"
    ENTITY = "entity"  # dbt's: a key of this very table; the older form's entities are relationships

    @property
    def is_of_columns(self) -> bool:
        """True where a name without an expression names a column; a metric or filter without one needs nothing."""
        return self not in (FieldKind.METRIC, FieldKind.FILTER)


@dataclass(frozen=True, slots=True)
class Field:
    """Something a dataset offers, by column or expression.

    :ivar expr: SQL as written (a number or ``*`` as its text), or None when there is none.
    :ivar type: type as written, or None when there is none that a column could have.
    :ivar line: 1-based line of the name.
    :ivar expr_line, type_line: 1-based lines of the values; ``line`` where there is none.
    :ivar args: names of a metric's or filter's arguments, used as ``{arg}`` in ``expr``: not columns.
    :ivar agg: how a measure aggregates, as written, or None.
    """

    kind: FieldKind
    name: str
    expr: str | None
    type: str | None
    line: int
    expr_line: int
    type_line: int
    args: tuple[str, ...] = ()
    agg: str | None = None


@dataclass(frozen=True, slots=True)
class Relationship:
    """A way from this dataset to another one.

    :ivar kind: ``relationship`` or ``entity``, by the section it stands in.
    :ivar target: the model it points to; may be a role's name that is no table.
    :ivar source: columns or expressions needed on this dataset's table.
    :ivar target_columns: columns or expressions needed on the target's table.
    :ivar line: 1-based line of the name.
    :ivar source_line, target_line: 1-based lines of the first of these values; ``line`` where there is none.
    """

    kind: str
    name: str
    target: str
    source: tuple[str, ...]
    target_columns: tuple[str, ...]
    line: int
    source_line: int
    target_line: int


@dataclass(frozen=True, slots=True)
class DatasetDefinition:
    """One dataset as its YML declares it; what the YML leaves open is None.

    :ivar custom_schema: dbt's ``config.schema``.
    :ivar silence: what its author does not want to be told, or not as loudly.
    """

    name: str
    model: str | None
    data_source_name: str | None
    database: str | None
    schema: str | None
    fields: tuple[Field, ...]
    relationships: tuple[Relationship, ...]
    line: int
    silence: Silence = NOTHING_SILENCED
    custom_schema: str | None = None

    @property
    def table(self) -> str:
        return self.model or self.name

    def schemas(self, default: str) -> tuple[str, ...]:
        """Where the table may be, most likely first.

        dbt builds a custom schema as ``<default>_<custom>`` unless the project overrides it to mean what it says.
        Source: https://docs.getdbt.com/docs/build/custom-schemas
        """
        custom = self.custom_schema
        if self.schema is not None or custom is None:
            return (self.schema or default,)
        if default.casefold().endswith((f"_{custom}".casefold(), custom.casefold())):
            return (default,)  # the default is what dbt made of it already
        return (f"{default}_{custom}", custom)
