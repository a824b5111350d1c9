"""What each type of discrepancy is called, for Slack, the results page and the command line alike."""

from __future__ import annotations

from typing import NamedTuple

from .discrepancy import DiscrepancyType


class DiscrepancyName(NamedTuple):
    """How a type is put into words.

    :ivar title: two or three words.
    :ivar rule: one sentence, for readers who meet the type for the first time.
    :ivar happened: what happened, to be filled with column, table, declared and actual; follows a dataset's name.
    """

    title: str
    rule: str
    happened: str


_KINDS = DiscrepancyType
# fmt: off
DISCREPANCY_NAMES = {
    _KINDS.MISSING_SCHEMA: DiscrepancyName(
        "Missing schema", "The database or schema is not there.", "schema {schema} is not there"),
    _KINDS.MISSING_TABLE: DiscrepancyName(
        "Missing table", "No table or view of that name is in the schema.", "table {table} is not there"),
    _KINDS.MISSING_COLUMN: DiscrepancyName(
        "Missing column", "A column that the dataset needs is not in the table.", "{column} is not in the table"),
    _KINDS.INACCESSIBLE_TABLE: DiscrepancyName(
        "Table may not be read", "The role may not read a table or column that the dataset needs.",
        "{table} may not be read"),
    _KINDS.BROKEN_VIEW: DiscrepancyName(
        "Broken view", "The warehouse itself cannot select what the dataset needs from this view.",
        "the view {table} does not work in the warehouse"),
    _KINDS.BROKEN_EXPRESSION: DiscrepancyName(
        "Broken expression", "Every name is there, but the warehouse refuses to compile the expression.",
        "the warehouse refuses the expression of {column}"),
    _KINDS.BROKEN_RELATIONSHIP: DiscrepancyName(
        "Broken relationship", "The warehouse refuses to compile the relationship's join.",
        "the warehouse refuses a join"),
    _KINDS.INVALID_YML: DiscrepancyName(
        "Unreadable YML", "The file cannot be read as a dataset.", "the dataset's file cannot be read"),
    _KINDS.TYPE_MISMATCH: DiscrepancyName(
        "Type mismatch", "The declared type is not the column's.",
        "{column} is {actual}, the dataset expects {declared}"),
    _KINDS.CASE_MISMATCH: DiscrepancyName(
        "Letter case differs", "A name is there only in another letter case, on an engine that tells them apart.",
        "{declared} is written {actual} in the warehouse"),
    _KINDS.UNDOCUMENTED_COLUMN: DiscrepancyName(
        "Undocumented column", "A column of the table is in no dataset.", "{column} is in no dataset"),
    _KINDS.UNVERIFIABLE_TYPE: DiscrepancyName(
        "Type could not be compared", "A type is not known, so it cannot be compared.",
        "the type of {column} could not be compared"),
    _KINDS.UNVERIFIABLE_EXPRESSION: DiscrepancyName(
        "Expression could not be read", "An expression cannot be read safely, so its columns are not checked.",
        "an expression could not be read"),
    _KINDS.KEY_TYPE_MISMATCH: DiscrepancyName(
        "Keys of different types", "The relationship's join compiles, but compares columns of different type families.",
        "a join compares keys of different types"),
}
# fmt: on
