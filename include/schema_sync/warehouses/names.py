"""How a written name finds the stored one, on engines that fold, ignore or keep letter case. Pure.

Source of the rules: contract, section 8, and each warehouse's own page on identifiers (named in its dialect).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from functools import partial
from typing import NamedTuple

ASCII_LOWER = {ord(letter): ord(letter) + 32 for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_ASCII_UPPER = {lower: upper for upper, lower in ASCII_LOWER.items()}
_QUOTED = re.compile(r'"(?P<double>.+)"|`(?P<back>.+)`|\[(?P<square>.+)\]', re.DOTALL)


class NameCase(StrEnum):
    """How an engine treats the case of a name that is not quoted."""

    LOWER = "lower"
    UPPER = "upper"
    INSENSITIVE = "insensitive"
    SENSITIVE = "sensitive"


class Resolution(NamedTuple):
    """What a written name stands for.

    :ivar name: the stored name, or None: there is no such name, or nobody can tell which of several is meant.
    :ivar case_differs: True when only another letter case was found, or several, on an engine where case matters.
    """

    name: str | None
    case_differs: bool = False


def unquote(wanted: str) -> tuple[str, bool]:
    """Take quotes of any engine off a name: ``"x"``, `` `x` ``, ``[x]``; a doubled closing quote stands for one.

    :return: (the name, whether it was quoted).
    """
    match = _QUOTED.fullmatch(wanted)
    if match is None:
        return wanted, False
    close = wanted[-1]
    return match[match.lastgroup or 0].replace(close * 2, close), True


def fold(wanted: str, case: NameCase, max_bytes: int | None = None) -> str:
    """The name as the engine stores what is written: unquoted, folded unless it was quoted, cut if too long.

    Only ASCII letters are folded: PostgreSQL leaves others alone in multibyte encodings, and Snowflake takes
    no others without quotes.

    :param max_bytes: longest name in UTF-8 bytes; the cut never splits a character. None: any length.
    """
    text, quoted = unquote(wanted)
    if not quoted:
        text = _fold_ascii(text, case)
    return text if max_bytes is None else cut_name(text, max_bytes)


def can_be_asked(name: str) -> bool:
    """False for text that no engine takes as a name: a NUL, or a lone surrogate that has no bytes in UTF-8."""
    return "\0" not in name and (name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name))


# Most look-ups end here: the written name is the stored one. Half the cost of Resolution(…).
_found: Callable[[tuple[str, bool]], Resolution] = partial(tuple.__new__, Resolution)

# True means that folding surely changes nothing; a name of digits alone may say False and is folded for nothing.
_IS_FOLDED: dict[NameCase, Callable[[str], bool]] = {
    NameCase.LOWER: str.islower,
    NameCase.UPPER: str.isupper,
    NameCase.INSENSITIVE: bool,
    NameCase.SENSITIVE: bool,
}


class NameIndex:
    """The stored names of one table (its columns) or of one schema (its tables), to look written names up.

    Built in no time when everything is found; what rarer look-ups need is made when the first of them comes.

    :param names: names as the catalogue has them.
    :param case: the engine's rule for this sort of name.
    :param max_bytes: the engine's longest name in UTF-8 bytes; longer written names are cut as it cuts them.
    """

    __slots__ = ("_by_casefold", "_case", "_is_folded", "_max_bytes", "_names")

    def __init__(self, names: Iterable[str], case: NameCase, max_bytes: int | None = None) -> None:
        self._names: Collection[str] = names if isinstance(names, dict) else frozenset(names)
        self._case = case
        self._is_folded = _IS_FOLDED[case]
        self._max_bytes = max_bytes
        self._by_casefold: dict[str, tuple[str, ...]] | None = None

    def resolve(self, wanted: str) -> Resolution:
        """Look a written name up: folded, then exact, then the only one that differs in nothing but case."""
        if wanted in self._names:
            if self._is_folded(wanted):
                return _found((wanted, False))
            folded = _fold_ascii(wanted, self._case)
            return Resolution(folded if folded in self._names else wanted)
        return self._resolve_otherwise(wanted)

    def _resolve_otherwise(self, wanted: str) -> Resolution:
        folded = fold(wanted, self._case, self._max_bytes)
        if folded in self._names:
            return Resolution(folded)
        exact, _ = unquote(wanted)
        if self._max_bytes is not None:
            exact = cut_name(exact, self._max_bytes)
        if exact in self._names:
            return Resolution(exact)
        hits = self._other_cases(exact)
        if not hits or self._case is NameCase.INSENSITIVE:
            return Resolution(next(iter(hits), None))
        return Resolution(hits[0] if len(hits) == 1 else None, case_differs=True)

    def _other_cases(self, name: str) -> tuple[str, ...]:
        if self._by_casefold is None:
            self._by_casefold = {}
            for stored in self._names:  # those that are their own key need no entry: mostly all
                if (key := stored.casefold()) != stored:
                    self._by_casefold[key] = (*self._by_casefold.get(key, ()), stored)
        key = name.casefold()
        return tuple(sorted((*self._by_casefold.get(key, ()), *((key,) if key in self._names else ()))))


def _fold_ascii(name: str, case: NameCase) -> str:
    if case is NameCase.LOWER:
        return name.lower() if name.isascii() else name.translate(ASCII_LOWER)
    if case is NameCase.UPPER:
        return name.upper() if name.isascii() else name.translate(_ASCII_UPPER)
    return name


def cut_name(name: str, max_bytes: int) -> str:
    # A character has at most four bytes, so most names need not be encoded to know that they fit.
    if len(name) * 4 <= max_bytes or (name.isascii() and len(name) <= max_bytes):
        return name
    encoded = name.encode("utf-8", "surrogatepass")
    if len(encoded) <= max_bytes:
        return name
    end = max_bytes
    while end and encoded[end] & 0xC0 == 0x80:  # a continuation byte: its character began before the limit
        end -= 1
    return encoded[:end].decode("utf-8", "surrogatepass")
