"""Block Kit within Slack's limits, and foreign text that can do no harm in it (pure).

Everything that comes from a customer passes :func:`name` or :func:`prose` on its way into a message.
Lengths are counted as UTF-16 units of the escaped text: Slack does not document how it counts, and no
usual way of counting text gives more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Block = dict[str, Any]

# The numbers of slack_sdk.models.blocks. Written out, because pure rooms do not import the SDK; a unit test
# holds them to the SDK's own constants, where it has one.
MAX_BLOCKS = 50
MAX_SECTION = 3_000
MAX_HEADER = 150
MAX_BLOCK_ID = 255
# Slack refuses somewhere above this sum without documenting it (contract, section 10). Whole blocks are
# counted as JSON, so that keys and formatting are inside the sum as well.
MAX_TOTAL = 9_000
# Not a limit of Slack's (40 000): a notification that is longer helps nobody.
MAX_TEXT = 3_000

NAME_LENGTH = 128
PROSE_LENGTH = 500

# The outbox writes its marker into the first block; that room is kept free.
MARKER_RESERVE = 100


@dataclass(frozen=True, slots=True)
class Listing:
    """Any number of lines, formatted only when they are shown.

    :ivar line: row → line, already escaped, at most about 2 000 units long together with the heading.
    :ivar noun: what one line stands for, (singular, plural).
    :ivar in_thread: it stands in the thread alone, behind what did not fit; such listings are the last ones.
    """

    rows: Sequence[Any]
    line: Callable[[Any], str]
    noun: tuple[str, str]
    heading: str = ""
    in_thread: bool = False


def name(text: str | None, limit: int = NAME_LENGTH) -> str:
    """Foreign text as a code span: exact, every invisible character visible, the middle cut when it is long."""
    if not text:
        return "_(empty)_"
    return f"`{_shortened(text, limit, keep_end=True)}`"


def prose(text: str | None, limit: int = PROSE_LENGTH) -> str:
    """Foreign text as running text: white space collapsed, the end cut when it is long."""
    return _shortened(" ".join((text or "").split()), limit, keep_end=False)


def header(text: str) -> Block:
    """``text`` is escaped here and cut to Slack's 150 characters."""
    return {"type": "header", "text": {"type": "plain_text", "text": prose(text, MAX_HEADER) or "…", "emoji": True}}


def section(text: str) -> Block:
    """Of text that is already escaped and within Slack's 3 000 characters."""
    return {"type": "section", "text": _mrkdwn(text)}


def context(text: str) -> Block:
    """Small print, of text that is already escaped."""
    return {"type": "context", "elements": [_mrkdwn(text)]}


def button(text: str, url: str) -> Block:
    """A block with one button that opens ``url``; needs no server."""
    return {
        "type": "actions",
        "elements": [{"type": "button", "text": {"type": "plain_text", "text": text}, "url": url, "style": "primary"}],
    }


def is_web_address(url: str | None) -> bool:
    return url is not None and url.startswith(("http://", "https://")) and len(url) <= 1_000


def date(timestamp: str, *, time: bool = False) -> str:
    """A moment in ISO 8601 as each reader's own clock and calendar have it."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return prose(timestamp, 40)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    tokens = "{date_short_pretty}" + (" {time}" if time else "")
    plain = "%Y-%m-%d %H:%M UTC" if time else "%Y-%m-%d"
    return f"<!date^{int(moment.timestamp())}^{tokens}|{moment.astimezone(UTC):{plain}}>"


def fallback_text(text: str) -> str:
    """Without Slack's dates, which only blocks show; and cut, as a caller's slip must not make Slack refuse it."""
    text = _DATE.sub(r"\1", text)
    return text if units(text) <= MAX_TEXT else text[: MAX_TEXT // 2 - 1] + "…"


def units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cost(blocks: Sequence[Block]) -> int:
    """What blocks count towards MAX_TOTAL."""
    return sum(units(json.dumps(block, ensure_ascii=False)) for block in blocks)


def fill(
    listing: Listing, start: int, *, max_blocks: int, max_cost: int, max_lines: int = 10_000
) -> tuple[list[Block], int]:
    """As many lines from ``start`` on as fit, in sections, and the index of the first line that is in none of them."""
    heading = f"{listing.heading}\n" if listing.heading else ""
    blocks: list[Block] = []
    text, finished_cost, lines = "", 0, int(bool(heading))
    for index in range(start, len(listing.rows)):
        line = listing.line(listing.rows[index])
        lines += line.count("\n") + 1
        longer, finished = f"{text}\n{line}", len(blocks) - 1
        if not text or units(longer) > MAX_SECTION:
            longer, finished = heading + line, len(blocks)
            finished_cost += cost(blocks[-1:])
        if lines > max_lines or finished >= max_blocks or finished_cost + cost([section(longer)]) > max_cost:
            return blocks, index
        blocks[finished:] = [section(longer)]
        text = longer
    return blocks, len(listing.rows)


def plain_text(block: Block) -> str:
    """A block as a person reads it, on one or more lines."""
    if block["type"] == "divider":
        return "—" * 20
    if block["type"] == "actions":
        return "  ".join(f"[ {each['text']['text']} ] {each['url']}" for each in block["elements"])
    texts = [block["text"]] if "text" in block else block.get("elements", [])
    return "  ".join(_read(text["text"]) for text in texts)


def _mrkdwn(text: str) -> dict[str, Any]:
    # verbatim: Slack turns no @here, #channel or bare URL of the text into something live.
    # Source: https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    return {"type": "mrkdwn", "text": text, "verbatim": True}


# Slack makes a mention only of <!…>, unless a workspace or caller asks for more; then these words are live.
_MENTION = re.compile(r"@(?=here|channel|everyone|group)", re.IGNORECASE)
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"}
# Joiners shape ordinary words and emoji, and are harmless.
_JOINERS = "\u200c\u200d"


def _shortened(text: str, limit: int, *, keep_end: bool) -> str:
    """Escape ``text`` and cut it to ``limit`` units between two characters, never inside an escape."""
    text = _MENTION.sub("＠", text)
    if len(text) <= limit:
        escaped = [_escaped(character) for character in text]
        if sum(map(units, escaped)) <= limit:
            return "".join(escaped)
    # Each character is at least one unit, so no more than the first and last ``limit`` can be shown.
    tail_room = limit // 3 if keep_end else 0
    tail = _fitting(text[-limit:][::-1], tail_room)
    head = _fitting(text[:limit], limit - 1 - tail_room)
    return "".join(head) + "…" + "".join(reversed(tail))


def _fitting(characters: str, room: int) -> list[str]:
    taken: list[str] = []
    for character in characters:
        escaped = _escaped(character)
        room -= units(escaped)
        if room < 0:
            break
        taken.append(escaped)
    return taken


def _escaped(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return _ESCAPES.get(character, character)
    return _visible(character)


def _visible(character: str) -> str:
    """A stand-in for a character that cannot be seen: ␊ for a newline, ``\\u202e`` for a direction mark."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_LINK = re.compile(r"<(https?://[^|>]*)\|([^>]*)>")
_DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")


def _read(text: str) -> str:
    text = _DATE.sub(r"\1", _LINK.sub(r"\2 (\1)", text))
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    # Blocks are safe already unless somebody else built them; a log line must be in any case.
    return "".join(c if c == "\n" or c.isprintable() or c in _JOINERS else _visible(c) for c in text)
