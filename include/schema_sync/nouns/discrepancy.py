"""One difference between a YML and its warehouse: its type, how severe it is, where it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from .columns import Change as Change
from .columns import ChangeKind as ChangeKind
from .columns import Column


class Severity(StrEnum):
    """:ivar rank: 0 is the most severe; sorts ascending. :ivar sign: how messages and pages show it."""

    rank: int
    sign: str

    def __new__(cls, value: str, rank: int = 0, sign: str = "") -> Severity:  # by its value alone it is looked up
        self = str.__new__(cls, value)
        self._value_, self.rank, self.sign = value, rank, sign
        return self

    CRITICAL = "critical", 0, "🔴"
    WARNING = "warning", 1, "🟡"
    INFO = "info", 2, "🔵"

    def at_least(self, other: Severity) -> bool:
        """True when this severity is ``other`` or worse."""
        return self.rank <= other.rank


class DiscrepancyType(StrEnum):
    """What each type is called, for Slack, the results page and the command line alike.

    :ivar heading: two or three words. :ivar rule: one sentence, for readers who meet the type for the first time.
    :ivar happened: to be filled with column, table, declared and actual; follows a dataset's name.
    """

    severity: Severity
    heading: str
    rule: str
    happened: str

    def __new__(
        cls, value: str, severity: Severity = Severity.INFO, heading: str = "", rule: str = "", happened: str = ""
    ) -> DiscrepancyType:  # by its value alone it is looked up
        self = str.__new__(cls, value)
        self._value_, self.severity = value, severity
        self.heading, self.rule, self.happened = heading, rule, happened
        return self

    # fmt: off
    MISSING_SCHEMA = ("missing_schema", Severity.CRITICAL, "Missing schema",
        "The database or schema is not there.",
        "schema {schema} is not there")
    MISSING_TABLE = ("missing_table", Severity.CRITICAL, "Missing table",
        "No table or view of that name is in the schema.",
        "table {table} is not there")
    MISSING_COLUMN = ("missing_column", Severity.CRITICAL, "Missing column",
        "A column that the dataset needs is not in the table.",
        "{column} is not in the table")
    INACCESSIBLE_TABLE = ("inaccessible_table", Severity.CRITICAL, "Table may not be read",
        "The role may not read a table or column that the dataset needs.",
        "{table} may not be read")
    BROKEN_VIEW = ("broken_view", Severity.CRITICAL, "Broken view",
        "The warehouse itself cannot select what the dataset needs from this view.",
        "the view {table} does not work in the warehouse")
    BROKEN_EXPRESSION = ("broken_expression", Severity.CRITICAL, "Broken expression",
        "Every name is there, but the warehouse refuses to compile the expression.",
        "the warehouse refuses the expression of {column}")
    BROKEN_RELATIONSHIP = ("broken_relationship", Severity.CRITICAL, "Broken relationship",
        "The warehouse refuses to compile the relationship's join.",
        "the warehouse refuses a join")
    INVALID_YML = ("invalid_yml", Severity.CRITICAL, "Unreadable YML",
        "The file cannot be read as a dataset.",
        "the dataset's file cannot be read")
    TYPE_MISMATCH = ("type_mismatch", Severity.WARNING, "Type mismatch",
        "The declared type is not the column's.",
        "{column} is {actual}, the dataset expects {declared}")
    CASE_MISMATCH = ("case_mismatch", Severity.WARNING, "Letter case differs",
        "A name is there only in another letter case, on an engine that tells them apart.",
        "{declared} is written {actual} in the warehouse")
    UNDOCUMENTED_COLUMN = ("undocumented_column", Severity.INFO, "Undocumented column",
        "A column of the table is in no dataset.",
        "{column} is in no dataset")
    UNVERIFIABLE_TYPE = ("unverifiable_type", Severity.INFO, "Type could not be compared",
        "A type is not known, so it cannot be compared.",
        "the type of {column} could not be compared")
    UNVERIFIABLE_EXPRESSION = ("unverifiable_expression", Severity.INFO, "Expression could not be read",
        "An expression cannot be read safely, so its columns are not checked.",
        "an expression could not be read")
    KEY_TYPE_MISMATCH = ("key_type_mismatch", Severity.INFO, "Keys of different types",
        "The relationship's join compiles, but compares columns of different type families.",
        "a join compares keys of different types")
    # fmt: on


class Verdict(StrEnum):
    """What comparing a declared with an actual type can tell (contract, section 7)."""

    MATCH = "match"
    COMPATIBLE = "compatible"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Impact:
    """Saved charts that read what is broken, and where they are shown (contract, section 12).

    :ivar names: titles of what is hit, most used first, at most 20.
    :ivar unread: charts whose SQL cannot be read: they may be hit.
    """

    charts: int = 0
    dashboards: int = 0
    reports: int = 0
    names: tuple[str, ...] = ()
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One difference between a YML and its warehouse, or one thing that could not be judged.

    :ivar line: 1-based line in the YML, or None.
    :ivar suggestion: the existing name that was probably meant, or None.
    :ivar subject: what else identifies the problem beyond its place (an expression's text, say); it goes
        into the fingerprint, never into a message.
    :ivar users: every field, metric, filter and relationship that fails with it, as ``metric revenue``; those of
        another dataset as ``metric revenue of orders``.
    :ivar columns: of undocumented columns, which are one finding a table: at most 200; the wire has names and types.
    :ivar own_severity: what the dataset's author wants this problem to count as, or None: as its type says.
    """

    type: DiscrepancyType
    organization_id: str
    data_source_id: str
    dataset_id: str | None
    dataset_name: str | None
    database: str | None
    schema: str
    table: str | None
    column: str | None
    declared: str | None
    actual: str | None
    message: str
    line: int | None = None
    suggestion: str | None = None
    subject: str = ""
    own_severity: Severity | None = None
    users: tuple[str, ...] = ()
    impact: Impact | None = None
    changed: Change | None = None
    columns: tuple[Column, ...] = ()

    @property
    def severity(self) -> Severity:
        return self.own_severity or self.type.severity

    @property
    def fingerprint(self) -> str:
        """20 hex digits, the same for the same problem on every run.

        Independent of wording, line number, declared and actual text: a column that is retyped twice is
        still one open problem.
        """
        place = (self.database, self.schema, self.table, self.column)
        parts = [self.type, self.organization_id, self.data_source_id, self.dataset_id, *place, self.subject]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]

    @property
    def sort_key(self) -> tuple[int, int, str, str, str, str, str, int, str]:
        """Most severe first, then what hits most charts, then by place, so that equal input gives equal output."""
        return (
            self.severity.rank,
            -self.impact.charts if self.impact else 0,
            self.database or "",
            self.schema,
            self.table or "",
            self.dataset_name or "",
            self.type,
            self.line or 0,
            self.column or "",
        )
