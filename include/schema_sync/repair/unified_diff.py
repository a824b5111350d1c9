"""Edits of a text → the edited text, and a unified diff that ``patch -p1`` and ``git apply`` take. Pure.

The lines that change are known from the edits, so nothing has to be searched for: a text of a megabyte costs no more
than its lines. Lines end with a line feed; a carriage return before it belongs to the line, as ``patch`` has it.

Source: POSIX, ``diff -u``; GNU diffutils, "Unified Format" and "Incomplete Lines"; git for quoted file names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from .yaml_edits import Edit, lines_of

_CONTEXT = 3
_NO_NEWLINE = "\\ No newline at end of file\n"
_C_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def apply_edits(text: str, edits: Iterable[Edit]) -> str | None:
    """The edited text; None when two edits want the same place. Insertions at one place keep their order."""
    parts: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        if edit.start < done:
            return None
        parts += [text[done : edit.start], edit.text]
        done = edit.end
    return "".join([*parts, text[done:]])


def unified_diff(text: str, edits: Iterable[Edit], path: str) -> str:
    """The difference that edits make, as one file's unified diff.

    :param edits: none wants another's place (:func:`apply_edits` tells).
    :param path: the file's name in the headers, with ``/``.
    :return: with ``a/`` and ``b/`` before the name; empty when the edits change nothing.
    """
    lines = lines_of(text)
    changes = [each for each in _changes(text, lines, edits) if lines[each.first : each.last] != each.lines]
    if not changes:
        return ""
    out = [f"--- {_file_name('a/' + path)}\n", f"+++ {_file_name('b/' + path)}\n"]
    shift = 0
    for hunk in _hunks(changes):
        body, removed, added = _hunk_body(lines, hunk)
        first = max(hunk[0].first - _CONTEXT, 0)
        out.append(f"@@ -{_range(first, removed)} +{_range(first + shift, added)} @@\n")
        out += body
        shift += added - removed
    return "".join(out)


def apply_diff(text: str, diff: str) -> str:
    """The text that ``patch`` makes of it, of a diff that :func:`unified_diff` made of this text."""
    old, at, mark = lines_of(text), 0, ""
    new: list[str] = []
    for line in lines_of(diff)[2:]:
        if line == _NO_NEWLINE:
            if mark == "+":
                new.append(new.pop().removesuffix("\n"))
            continue
        mark = line[0]
        if mark == "@":
            start, _, count = line.split()[1][1:].partition(",")
            first = int(start) if count == "0" else int(start) - 1
            new += old[at:first]
            at = first
        elif mark == "+":
            new.append(line[1:])
        else:
            new += [old[at]] if mark == " " else []
            at += 1
    return "".join([*new, *old[at:]])


class _Change(NamedTuple):
    """Lines ``first`` to ``last`` (0-based, ``last`` excluded) become others."""

    first: int
    last: int
    lines: list[str]


def _changes(text: str, lines: Sequence[str], edits: Iterable[Edit]) -> Iterator[_Change]:
    """Edits of the same or of neighbouring lines make one change."""
    starts = [0, *accumulate(map(len, lines))]
    group: list[Edit] = []
    first = last = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        begin, end = _lines_of_edit(edit, starts, lines)
        if group and begin > last:
            yield _change(text, starts, group, first, last)
            group = []
        if not group:
            first, last = begin, end
        group.append(edit)
        last = max(last, end)
    if group:
        yield _change(text, starts, group, first, last)


def _lines_of_edit(edit: Edit, starts: Sequence[int], lines: Sequence[str]) -> tuple[int, int]:
    line = bisect_right(starts, edit.start) - 1
    if edit.start == edit.end == starts[line] and (not edit.text or edit.text.endswith("\n")):
        return line, line  # whole lines before this one, which stays as it is
    if line == len(lines):  # behind a last line that has no end
        line -= 1
    return line, max(bisect_right(starts, max(edit.start, edit.end - 1)) - 1, line) + 1 if line < len(lines) else line


def _change(text: str, starts: Sequence[int], edits: Iterable[Edit], first: int, last: int) -> _Change:
    last = min(last, len(starts) - 1)
    base = starts[first]
    moved = (Edit(edit.start - base, edit.end - base, edit.text) for edit in edits)
    return _Change(first, last, lines_of(apply_edits(text[base : starts[last]], moved) or ""))


def _hunks(changes: Sequence[_Change]) -> Iterator[list[_Change]]:
    """Changes whose context would touch stand in one hunk."""
    hunk: list[_Change] = []
    for change in changes:
        if hunk and change.first - hunk[-1].last > 2 * _CONTEXT:
            yield hunk
            hunk = []
        hunk.append(change)
    if hunk:
        yield hunk


def _hunk_body(lines: Sequence[str], hunk: Sequence[_Change]) -> tuple[list[str], int, int]:
    """(lines with their marks, how many of them are of the old text, how many of the new)."""
    at = max(hunk[0].first - _CONTEXT, 0)
    body: list[str] = []
    removed = added = 0
    for change in hunk:
        kept, gone = lines[at : change.first], lines[change.first : change.last]
        body += [_marked(" ", line) for line in kept]
        body += [_marked("-", line) for line in gone]
        body += [_marked("+", line) for line in change.lines]
        removed += len(kept) + len(gone)
        added += len(kept) + len(change.lines)
        at = change.last
    tail = lines[at : at + _CONTEXT]
    body += [_marked(" ", line) for line in tail]
    return body, removed + len(tail), added + len(tail)


def _marked(mark: str, line: str) -> str:
    return f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n{_NO_NEWLINE}"


def _range(first: int, count: int) -> str:
    """An empty range names the line before it."""
    start = first + 1 if count else first
    return str(start) if count == 1 else f"{start},{count}"


def _file_name(path: str) -> str:
    """Quoted as git does it where it has to be; a tab ends a name with spaces."""
    if all(mark.isprintable() and mark not in '"\\' for mark in path):
        return f"{path}\t" if " " in path else path
    marks = (
        _C_ESCAPES.get(mark)
        or (mark if mark.isprintable() else "".join(f"\\{byte:03o}" for byte in mark.encode("utf-8", "surrogatepass")))
        for mark in path
    )
    return f'"{"".join(marks)}"'
