"""Which existing name was probably meant: hints for missing columns and tables, by the rules of ``likeness``. Pure."""

from __future__ import annotations

from ..needs.needs import Need
from ..nouns.discrepancy import Verdict
from ..warehouses.engine import Dialect
from .likeness import Alike, Likeness, Names
from .tables import KnownTable, column_verdict


def renamed_to(table: KnownTable, need: Need, dialect: Dialect) -> str | None:
    """The column that is plainly the missing one: readable, of a fitting type, claimed by nobody, and the only one."""
    found = []
    for alike in table.alike.like(need.column):
        column = table.columns[alike.name]
        verdict = Verdict.UNKNOWN if need.type is None else column_verdict(dialect, column, need.type)
        fits = verdict in (Verdict.MATCH, Verdict.COMPATIBLE)
        if column.readable and (fits or (verdict is Verdict.UNKNOWN and alike.likeness is not Likeness.NUMBERED)):
            found.append(alike)
    name = _only(found)
    return name if name is not None and table.columns[name] in table.unclaimed else None


def closest_name(wanted: str, candidates: Names) -> str | None:
    """The candidate that is plainly the wanted name, if exactly one is."""
    return _only([alike for alike in candidates.like(wanted) if alike.likeness is not Likeness.NUMBERED])


def _only(found: list[Alike]) -> str | None:
    return found[0].name if len(found) == 1 else None
