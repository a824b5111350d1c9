"""Long lists in pages. What somebody typed into an address is never an error. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """Which page it is, from 1, of how many, and what of the list is on it."""

    number: int
    count: int
    part: slice


def page_number(text: str) -> int:
    """1 where it is not understood."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def page_of(total: int, size: int, wanted: int) -> Page:
    """The last page where there are fewer."""
    count = max(1, -(-total // size))
    number = min(wanted, count)
    return Page(number, count, slice((number - 1) * size, number * size))
