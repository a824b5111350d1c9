"""Edits of a YAML text that leave everything else as it is: comments, quotes, indentation, line ends. Pure.

Each function makes an edit, or None where the text is written in a way that cannot be edited safely. Whether the
edited text says what was meant is for the caller to check: it knows what the text means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .yaml_places import MappingPlace, ScalarPlace, SequencePlace


class Edit(NamedTuple):
    """Replace ``text[start:end]``."""

    start: int
    end: int
    text: str


def replace_scalar(text: str, place: ScalarPlace, value: str) -> Edit | None:
    """Another value in the same quotes; a plain one gets quotes when it needs them."""
    old = place.text
    if place.shared or old is None or old == value or _written(old, place.style) != text[place.start : place.end]:
        return None
    if place.style:
        new = _written(value, place.style)
    else:
        new = value if _stays_plain(old, value) or is_plain(value, flow=place.flow) else _written(value, "'")
    return None if new is None else Edit(place.start, place.end, new)


def give_entry(text: str, mapping: MappingPlace, key: str, value: str, *, after: str) -> Edit | None:
    """A value for a key: one that is there with nothing, ``~`` or ``null`` under it, or one more.

    :param after: the entry that a new one follows; its value is a scalar on its key's line.
    """
    if mapping.entries.get(key) is not None:
        return _fill_null(text, mapping, key, value)
    name, place = mapping.key(after), mapping.entries.get(after)
    if mapping.shared or name is None or not isinstance(place, ScalarPlace) or place.shared:
        return None
    if place.style in ("|", ">") or "\n" in text[name.start : place.end]:
        return None
    shown_key = _new_scalar(key, name.style)
    if mapping.flow:
        return Edit(place.end, place.end, f", {shown_key}: {_new_scalar(value, place.style, flow=True)}")
    line_start, line_end = _line_start(text, name.start), _line_end(text, place.end)
    if not _only_comment(text[place.end : line_end]):
        return None
    return _insert_line(text, line_end, f"{' ' * (name.start - line_start)}{shown_key}: {_new_scalar(value)}")


def _fill_null(text: str, mapping: MappingPlace, key: str, value: str) -> Edit | None:
    place, name = mapping.entries.get(key), mapping.key(key)
    if not isinstance(place, ScalarPlace) or name is None or place.text is not None or place.shared:
        return None
    new = _new_scalar(value, flow=place.flow)
    if place.end > place.start:
        return Edit(place.start, place.end, new)
    colon = text.find(":", name.end)
    if colon < 0 or text[name.end : colon].strip(" "):
        return None
    return Edit(colon + 1, colon + 1, f" {new}")


def comment_out_item(text: str, sequence: SequencePlace, item: MappingPlace, reason: str) -> Edit | None:
    """Comment an item of a block list out, line by line, below a line that says why."""
    if sequence.shared or sequence.flow or item.shared:
        return None
    start, end = _line_start(text, item.start), _line_end(text, _content_end(text, item))
    lead = re.match(r" *(?=-)", text[start : item.start])
    if lead is None or text[start + lead.end() + 1 : item.start].strip(" "):
        return None
    if not _only_comment(text[_content_end(text, item) : end]):
        return None
    indent, newline = lead[0], _newline(text)
    lines = [f"{indent}# {reason}{newline}"]
    for line in lines_of(text[start:end]):
        if not line.strip():
            lines.append(line)
        elif line.startswith(indent):
            lines.append(f"{indent}# {line[len(indent) :]}")
        else:  # a comment or a continuation to the left of the list
            lines.append(f"# {line}")
    return Edit(start, end, "".join(lines))


def append_item(text: str, sequence: SequencePlace, values: Mapping[str, str]) -> Edit | None:
    """One more mapping at the end of a list, written as the list's last item is."""
    if sequence.shared:
        return None
    last = sequence.items[-1] if sequence.items else None
    if last is None:
        is_empty = sequence.flow and re.fullmatch(r"\[ *\]", text[sequence.start : sequence.end])
        return Edit(sequence.start, sequence.end, f"[{_flow_item('', values)}]") if is_empty else None
    if not isinstance(last, MappingPlace) or last.shared:
        return None
    first = last.keys[0] if last.keys else None
    in_flow = _flow_item(first.style if isinstance(first, ScalarPlace) else "", values)
    if sequence.flow:
        in_one_line = re.fullmatch(r"\[[^\n]*\]", text[sequence.start : sequence.end])
        return Edit(last.end, last.end, f", {in_flow}") if in_one_line and last.flow else None
    start, content_end = _line_start(text, last.start), _content_end(text, last)
    end = _line_end(text, content_end)
    lead = re.fullmatch(r" *- +", text[start : last.start])
    if first is None or lead is None or not _only_comment(text[content_end:end]):
        return None
    lines = [in_flow] if last.flow else [f"{key}: {_new_scalar(value)}" for key, value in values.items()]
    return _insert_line(text, end, lead[0] + f"{_newline(text)}{' ' * len(lead[0])}".join(lines))


def is_plain(value: str, *, flow: bool) -> bool:
    """True when a text can be written without quotes and stays text, for readers of YAML 1.1 and 1.2 alike."""
    return (
        _PLAIN.fullmatch(value) is not None
        and value.lower() not in _WORDS
        and not value.endswith((":", " "))
        and ": " not in value
        and " #" not in value
        and not (flow and any(mark in value for mark in ",[]{}:"))
    )


_PLAIN = re.compile(r"[A-Za-z_(][^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _written(value: str, style: str) -> str | None:
    """A value in one line in the given quotes, or None when they cannot hold it."""
    if style == "'":
        return None if not value.isprintable() else f"'{value.replace(chr(39), chr(39) * 2)}'"
    if style == '"':
        marks = (_ESCAPES.get(mark, mark) for mark in value)
        escaped = "".join(mark if mark.isprintable() or len(mark) == 2 else f"\\U{ord(mark):08x}" for mark in marks)
        return f'"{escaped}"'
    return value if not style else None


def _new_scalar(value: str, style: str = "", *, flow: bool = False) -> str:
    """A value in double quotes where ``style`` is that of double quotes, else in quotes only where it needs them."""
    if style != '"' and is_plain(value, flow=flow):
        return value
    return (_written(value, "'") if style != '"' else None) or _written(value, '"') or ""


def _stays_plain(old: str, new: str) -> bool:
    """True when an expression that is plain differs in simple names only: then nothing about it needs quotes."""
    strip = re.compile(r"\w+").sub
    return _SIMPLE.fullmatch(new) is None and strip("x", old) == strip("x", new)


def _flow_item(style: str, values: Mapping[str, str]) -> str:
    entries = (f"{_new_scalar(key, style)}: {_new_scalar(value, style, flow=True)}" for key, value in values.items())
    return "{" + ", ".join(entries) + "}"


def _insert_line(text: str, line_end: int, line: str) -> Edit:
    newline = _newline(text)
    if line_end and text[line_end - 1] == "\n":
        return Edit(line_end, line_end, f"{line}{newline}")
    return Edit(line_end, line_end, f"{newline}{line}")  # the text's last line has no end, and will have none


def _content_end(text: str, place: MappingPlace) -> int:
    """Behind the last visible character: a block scalar's end is behind its line break, and its empty lines."""
    return place.start + len(text[place.start : place.end].rstrip())


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line_end(text: str, offset: int) -> int:
    """Behind the line break of the line that ``offset`` is in."""
    end = text.find("\n", offset)
    return len(text) if end < 0 else end + 1


def _newline(text: str) -> str:
    """The line break that the text uses, by its first line."""
    end = text.find("\n")
    return "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"


def lines_of(text: str) -> list[str]:
    """Lines with their ends, as `patch` counts them: by line feed alone."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _only_comment(rest: str) -> bool:
    return not rest.strip() or re.match(r"[ \t]+#", rest) is not None
