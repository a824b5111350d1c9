"""Which existing name was probably meant: rename hints for missing columns and tables. Pure.

A wrong hint sends somebody to the wrong column, so a name is only suggested when it is clearly close, and
clearly closer than the next one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..needs.needs import Need
from ..nouns.discrepancy import Verdict
from ..warehouses.engine import Dialect
from .tables import KnownTable, column_verdict

_CLEARLY_CLOSE = 0.72
_CLOSE_WITH_SAME_TYPE = 0.60  # a column that changed its name usually kept its type
_LEAD = 0.04  # how far the best must be ahead of the second


def closest_name(wanted: str, candidates: Sequence[str], *, same_type: Sequence[bool] | None = None) -> str | None:
    """Pick the candidate that ``wanted`` was probably renamed to.

    :param candidates: existing names that nobody else claims.
    :param same_type: for each candidate, whether its type agrees with the declared one; None when unknown.
    :return: the name, or None when nothing is clearly close. Letter case and separators do not count.
    Source: thresholds chosen on renames as people make them (``amount`` → ``amount_usd``, ``cust_id`` →
    ``customer_id``) against pairs that merely look alike (``created_at``, ``updated_at``).
    """
    scored = []
    bare_wanted = _bare(wanted)
    for position, candidate in enumerate(candidates):
        score = _similarity(bare_wanted, _bare(candidate))
        agrees = same_type is not None and same_type[position]
        if score >= (_CLOSE_WITH_SAME_TYPE if agrees else _CLEARLY_CLOSE):
            scored.append((score + (0.1 if agrees else 0.0), candidate))
    if not scored:
        return None
    scored.sort(reverse=True)
    if len(scored) > 1 and scored[0][0] - scored[1][0] < _LEAD:
        return None
    return scored[0][1]


def _similarity(wanted: str, candidate: str) -> float:
    """0 to 1. A name that contains the other as a whole part is close although lengths differ."""
    from rapidfuzz import fuzz

    if not wanted or not candidate:
        return 0.0
    score = float(fuzz.ratio(wanted, candidate)) / 100
    shorter, longer = sorted((wanted, candidate), key=len)
    if len(shorter) >= 4 and (longer.startswith(shorter + " ") or longer.endswith(" " + shorter)):
        score = max(score, 0.75)
    return score


def _bare(name: str) -> str:
    """``cust-ID`` and ``cust_id`` differ only in how words are put together."""
    return name[:200].lower().replace("_", " ").replace("-", " ").strip()


def renamed_to(table: KnownTable, need: Need, dialect: Dialect) -> str | None:
    """Only a column that nobody claims, and that may be read, can be the renamed one."""
    candidates = [column for column in table.unclaimed if column.readable]
    declared = need.type
    agrees = None
    if declared is not None:
        agrees = [column_verdict(dialect, each, declared) in (Verdict.MATCH, Verdict.COMPATIBLE) for each in candidates]
    return closest_name(need.column, [column.name for column in candidates], same_type=agrees)
