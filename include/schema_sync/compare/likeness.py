"""Which names are plainly the same thing. Pure.

Likeness is not measured, because a wrong hint turns a loud failure into wrong numbers: each way in which a name may
differ is a rule (contract, section 5). Names are alike when they are spelled with the same letters, or when exactly
one word differs, and only by its plural, by one typo, or by being an added unit or suffix. Any other word has a meaning
of its own (created/updated, net/gross, billing/shipping).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from ..warehouses.names import unquote


class Likeness(Enum):
    """How a stored name is the written one's."""

    SPELLING = 1  # letter case and separators alone: the only one that is certain
    WORD = 2  # plural, one typo, an added unit or suffix
    NUMBERED = 3  # `stall_no` of `stall`: only where the type says so too


def same_spelling(one: str, other: str) -> bool:
    """True when two names differ in letter case and separators alone."""
    return _bare(_words(unquote(one)[0])) == _bare(_words(unquote(other)[0])) != ""


class Names:
    """Names by the first letters of their words: what may be the same thing stands together."""

    def __init__(self, names: Iterable[str]) -> None:
        self._spelled: dict[str, list[str]] = {}
        self._nearby: dict[tuple[str, ...], list[tuple[str, list[str]]]] = {}
        for name in names:
            words = _words(name)
            self._spelled.setdefault(_bare(words), []).append(name)
            for key in {_initials(words), _initials(words[:-1])}:
                self._nearby.setdefault(key, []).append((name, words))

    def like(self, wanted: str) -> dict[str, Likeness]:
        words = _words(unquote(wanted)[0])
        if not words:
            return {}
        nearby = self._nearby.get(_initials(words), ())
        return dict.fromkeys(self._spelled.get(_bare(words), ()), Likeness.SPELLING) or {
            name: likeness for name, other in nearby if (likeness := _likeness(words, other)) is not None
        }


def closest_name(wanted: str, candidates: Names) -> str | None:
    """The candidate that is plainly the wanted name, if exactly one is."""
    return only([name for name, how in candidates.like(wanted).items() if how is not Likeness.NUMBERED])


def only(found: list[str]) -> str | None:
    return found[0] if len(found) == 1 else None


# A sign such as % or # is a word: it says what the number is.
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|[^\W\d_]+\d*|\d+|[^\w\s./-]")
_LONGEST = 200  # characters; nobody writes longer names, and a hostile schema may have any number of them


def _words(name: str) -> list[str]:
    """``unitPrice``, ``unit-price`` and ``UNIT_PRICE`` are two words each; ``q1`` and ``m2`` are one."""
    return [word.lower() for word in _WORD.findall(name)] if len(name) <= _LONGEST else []


def _bare(words: list[str]) -> str:
    """Words without separators, except between digits: ``v1_2`` is not ``v12``."""
    return re.sub(r"(?<!\d) | (?!\d)", "", " ".join(words))


def _initials(words: list[str]) -> tuple[str, ...]:
    return tuple(word[0] + word.lstrip("".join(filter(str.isalpha, word))) for word in words)


def _likeness(wanted: list[str], other: list[str]) -> Likeness | None:
    if len(other) == len(wanted) + 1:
        return _of_suffix(wanted, other[-1]) if other[:-1] == wanted else None
    if len(other) != len(wanted):
        return None
    differing = [(one, two) for one, two in zip(wanted, other, strict=True) if one != two]
    if len(differing) != 1:
        return None
    one, two = differing[0]
    return Likeness.WORD if one in _plurals(two) or two in _plurals(one) or _is_typo(one, two) else None


def _of_suffix(words: list[str], suffix: str) -> Likeness | None:
    last = words[-1]
    if last in _UNITS:
        return None
    if suffix in _UNITS or suffix in _NEUTRAL or (last, suffix) in _PAIRS or re.fullmatch(r"v\d+", suffix):
        return Likeness.WORD
    return Likeness.NUMBERED if suffix in _NUMBER else None


def _plurals(word: str) -> tuple[str, ...]:
    if not word.isalpha():
        return ()
    return (f"{word[:-1]}ies",) if word[-1] == "y" and word[-2:-1] not in tuple("aeiou") else (f"{word}s", f"{word}es")


def _is_typo(one: str, two: str) -> bool:
    """One letter too many or too few, two swapped, or (in a longer word) one for another; beginning and end stay.

    The beginning, because a slip there is rare and other words are frequent (``weight``, ``height``); the end, because
    there words are inflected (``payer``, ``payee``; ``invoice``, ``invoiced``).
    """
    short, long = sorted((one, two), key=len)
    if len(short) < _SHORTEST_TYPO or not (one.isalpha() and two.isalpha()) or {one, two} <= _LOOK_LIKE_TYPOS:
        return False
    start = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    rest, other = short[start:], long[start:]
    if len(short) < len(long):
        doubles = start > 0 and other[0] == long[start - 1]
        return rest == other[1:] and start > 0 and (bool(rest) or doubles)
    if len(short) != len(long) or start == 0:
        return False
    if rest[:2] == other[1::-1] and rest[2:] == other[2:]:
        return True
    return rest[1:] == other[1:] and len(rest) > 1 and len(short) >= _SHORTEST_SUBSTITUTION


_SHORTEST_TYPO, _SHORTEST_SUBSTITUTION = 5, 8

# Words one slip apart of which each is a word of its own.
_LOOK_LIKE_TYPOS = frozenset(
    """
    angel angle begin being bellow below border boarder breath breathe casual causal cloth clothe complement compliment
    corps corpse country county dairy desert dessert diary discreet discrete excepted expected final finale inserted
    internal interval invented inverted later latter local locale loose lose marital martial moral morale planed planned
    promoted prompted quiet quite sacred scared stationary stationery though through thorough trail trial united untied
    relation revelation notation rotation
    """.split()  # noqa: SIM905 (a list of words reads better without quotes)
)

# What a quantity is counted in. Not percent (a rate is another quantity than its amount), not `min` (minimum), not
# single letters (sizes, classes).
_UNITS = frozenset(
    """
    usd eur gbp jpy chf cny inr aud cad nzd sek nok dkk pln czk huf brl mxn zar krw sgd hkd ils aed sar thb idr myr php
    cents euros dollars mm cm km mi miles meter meters metre metres inch inches ft feet yd yards m2 m3 sqm sqft ha acres
    mg kg lb lbs oz grams tons tonnes ml cl liter liters litre litres gal gallons ns us ms sec secs seconds mins minutes
    hrs hours days weeks months years bytes kb mb gb tb kib mib gib kw kwh mwh hz khz mhz celsius fahrenheit kelvin kmh
    mph degrees utc
    """.split()  # noqa: SIM905 (a list of words reads better without quotes)
)
_NEUTRAL = frozenset({"value", "val", "text", "txt", "str"})
_NUMBER = frozenset({"no", "nr", "num", "number"})
_PAIRS = frozenset(
    {("email", "address"), ("mail", "address"), ("ip", "address"), ("mac", "address"), ("zip", "code"),
     ("postal", "code"), ("post", "code"), ("currency", "code"), ("phone", "number"), ("fax", "number")}
)  # fmt: skip
