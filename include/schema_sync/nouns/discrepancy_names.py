"""What each type of discrepancy is called, for Slack, the results page and the command line alike."""

from __future__ import annotations

from typing import NamedTuple

from .discrepancy import DiscrepancyType


class DiscrepancyName(NamedTuple):
    """:ivar title: two or three words. :ivar rule: one sentence, for readers who meet the type for the first time."""

    title: str
    rule: str


DISCREPANCY_NAMES = {
    DiscrepancyType.MISSING_SCHEMA: DiscrepancyName("Missing schema", "The database or schema is not there."),
    DiscrepancyType.MISSING_TABLE: DiscrepancyName("Missing table", "No table or view of that name is in the schema."),
    DiscrepancyType.MISSING_COLUMN: DiscrepancyName(
        "Missing column", "A column that the dataset needs is not in the table."
    ),
    DiscrepancyType.INACCESSIBLE_TABLE: DiscrepancyName(
        "Table may not be read", "The role may not read a table or column that the dataset needs."
    ),
    DiscrepancyType.BROKEN_VIEW: DiscrepancyName(
        "Broken view", "The warehouse itself cannot select what the dataset needs from this view."
    ),
    DiscrepancyType.BROKEN_EXPRESSION: DiscrepancyName(
        "Broken expression", "Every name is there, but the warehouse refuses to compile the expression."
    ),
    DiscrepancyType.BROKEN_RELATIONSHIP: DiscrepancyName(
        "Broken relationship", "The warehouse refuses to compile the relationship's join."
    ),
    DiscrepancyType.INVALID_YML: DiscrepancyName("Unreadable YML", "The file cannot be read as a dataset."),
    DiscrepancyType.TYPE_MISMATCH: DiscrepancyName("Type mismatch", "The declared type is not the column's."),
    DiscrepancyType.CASE_MISMATCH: DiscrepancyName(
        "Letter case differs", "A name is there only in another letter case, on an engine that tells them apart."
    ),
    DiscrepancyType.UNDOCUMENTED_COLUMN: DiscrepancyName(
        "Undocumented column", "A column of the table is in no dataset."
    ),
    DiscrepancyType.UNVERIFIABLE_TYPE: DiscrepancyName(
        "Type could not be compared", "A type is not known, so it cannot be compared."
    ),
    DiscrepancyType.UNVERIFIABLE_EXPRESSION: DiscrepancyName(
        "Expression could not be read", "An expression cannot be read safely, so its columns are not checked."
    ),
    DiscrepancyType.KEY_TYPE_MISMATCH: DiscrepancyName(
        "Keys of different types", "The relationship's join compiles, but compares columns of different type families."
    ),
}
