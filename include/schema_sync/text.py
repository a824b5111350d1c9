"""Texts for people that survive any name: visible, in one line, cut, counted. Pure, and imports nothing of ours."""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb

_NAME_LIMIT = 256  # characters of a name that a report keeps; no engine allows longer ones
_LONGEST_TEXT = 500
_LONGEST_FOREIGN_TEXT = 65_536


def cut(text: str) -> str:
    """A name as reports keep it: at most 256 characters, and without NUL."""
    text = text.replace("\0", "␀")  # YAML can write NUL; PostgreSQL's jsonb, where Airflow keeps reports, has none
    return text if len(text) <= _NAME_LIMIT else f"{text[: _NAME_LIMIT - 1]}…"


def visible(text: str, limit: int = 60) -> str:
    """A foreign text in one line, control and direction characters escaped, cut to ``limit`` characters."""
    cut = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


def one_line(text: str) -> str:
    """A driver's error text fit for a message: one line, nothing unprintable, at most 500 characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"


def without_full_stop(words: str) -> str:
    """An engine's words for the middle of a sentence: some end with ``.`` or ``!``, most do not."""
    return words.rstrip(".! ")


def cut_text(text: str) -> str:
    """A server's text where it arrives: whatever works on it takes bounded time."""
    return text[:_LONGEST_FOREIGN_TEXT]


def counted(number: int, singular: str, plural: str) -> str:
    """``1 dataset``, ``2 datasets``."""
    return f"{number} {singular if number == 1 else plural}"


def raised_at(error: Exception) -> str:
    """Where an unexpected error came from, innermost first; its text may hold a secret."""
    frames = reversed(extract_tb(error.__traceback__))
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
