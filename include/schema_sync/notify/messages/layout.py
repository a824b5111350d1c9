"""A message within Slack's limits: what does not fit is counted and follows in the thread (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from ...nouns.run import RunFacts
from .blocks import (
    MARKER_RESERVE,
    MAX_BLOCKS,
    MAX_TOTAL,
    Block,
    Listing,
    button,
    context,
    cost,
    date,
    fallback_text,
    fill,
    is_web_address,
    plain_text,
    prose,
    section,
)

# A thread longer than this is not read. What is left is counted; the next run lists it.
MAX_REPLIES = 9
# Lines that a message in a channel has before its button: more are not read; what is left is counted, and follows.
MAX_LINES = 12
# What every listing after the first may claim in the first message, so that a long one never hides a short one.
_SHARE_BLOCKS, _SHARE_COST = 5, 1_500
# Room for one "…and 214 more", and for the line above a page of the thread.
_NOTE_COST, _TITLE_COST = 200, 700


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, not how.

    :ivar text: fallback for notifications and screen readers, escaped.
    :ivar replies: what did not fit, for the message's thread, in order; replies have no replies.
    """

    text: str
    blocks: tuple[dict[str, Any], ...]
    replies: tuple[Message, ...] = ()


class MessageKind(StrEnum):
    """``slack_message_tracking.message_type`` (contract, section 10)."""

    SCHEMA_SYNC = "schema_sync"
    SCHEMA_SYNC_RESOLVED = "schema_sync_resolved"
    SCHEMA_SYNC_ERROR = "schema_sync_error"
    SCHEMA_SYNC_SUMMARY = "schema_sync_summary"


def render_text(message: Message) -> str:
    """A message as a person reads it, replies included: for dry runs, task logs and the demo."""
    lines = [plain_text(block) for block in message.blocks]
    for reply in message.replies:
        lines.append("↳ in the thread")
        lines += [plain_text(block).replace("\n", "\n  ") for block in reply.blocks]
    return "\n".join(lines)


def compose(
    *,
    text: str,
    title: str,
    head: Sequence[Block],
    listings: Sequence[Listing],
    foot: Sequence[Block],
    paged: bool = True,
    max_lines: int = 10_000,
) -> Message:
    """Lay out head, listings and foot within Slack's limits; what does not fit is counted and goes into replies.

    Every listing gets some room in the first message, the first one the most.

    :param text: fallback text, escaped.
    :param title: how a page of the thread calls its subject, escaped, at most about 500 units.
    :param paged: False: what does not fit is counted only; it is in the thread already.
    :param max_lines: of head and body together, as far as short listings leave it.
    """
    everywhere, listings = listings, [each for each in listings if not each.in_thread]
    blocks_left = MAX_BLOCKS - len(head) - len(foot) - len(listings)
    cost_left = MAX_TOTAL - MARKER_RESERVE - cost(head) - cost(foot) - _NOTE_COST * len(listings)
    lines_left = max_lines - _lines(head) - sum(map(_fewest_lines, listings))
    shares = [fill(listing, 0, max_blocks=_SHARE_BLOCKS, max_cost=_SHARE_COST)[0] for listing in listings]
    body: list[Block] = []
    ends: list[int] = []
    for number, listing in enumerate(listings):
        later = [block for share in shares[number + 1 :] for block in share]
        filled, end = fill(
            listing,
            0,
            max_blocks=blocks_left - len(later),
            max_cost=cost_left - cost(later),
            max_lines=lines_left + max(_fewest_lines(listing) - 1, 0),  # the last line is for what does not fit
        )
        lines_left -= max(_lines(filled) + 1 - _fewest_lines(listing), 0) if filled else 0
        blocks_left -= len(filled)
        cost_left -= cost(filled)
        body += [*filled, *_notes([listing], [end], " in the thread")]
        ends.append(end)
    return Message(
        text=fallback_text(text),
        blocks=(*head, *body, *foot),
        replies=_replies(title, everywhere, [*ends, *([0] * (len(everywhere) - len(ends)))]) if paged else (),
    )


def _lines(blocks: Sequence[Block]) -> int:
    return sum(plain_text(block).count("\n") + 1 for block in blocks)


def _fewest_lines(listing: Listing) -> int:
    """Of a listing that is cut short: its heading, its first line, and the note of what is left."""
    return listing.line(listing.rows[0]).count("\n") + 2 + bool(listing.heading) if listing.rows else 0


def run_context(run: RunFacts) -> Block:
    """The small print: which run this is, with a link where one is known."""
    label = f"run {prose(run.run_id, 250)}"
    if is_web_address(run.run_url):
        label = f"<{_address(str(run.run_url)).replace('&', '&amp;')}|{label}>"
    return context(f"Schema Sync · {date(run.timestamp, time=True)} · {label}")


def details(run: RunFacts, organization_id: str, label: str, small_print: str) -> tuple[Block, ...]:
    """How an organization's message ends: a button to its page, where that is known, and the small print."""
    url = f"{str(run.results_url).rstrip('/')}/organizations/{quote(organization_id, safe='')}"
    known = run.results_url is not None and is_web_address(url)
    return (*([button(label, _address(url))] if known else []), context(small_print))


def _address(url: str) -> str:
    return quote(url, safe=":/?#[]@!$&()*+,;=%~")


def _replies(title: str, listings: Sequence[Listing], ends: list[int]) -> tuple[Message, ...]:
    pages: list[list[Block]] = []
    while len(pages) < MAX_REPLIES and any(
        end < len(listing.rows) for listing, end in zip(listings, ends, strict=True)
    ):
        blocks_left = MAX_BLOCKS - 1 - len(listings)
        cost_left = MAX_TOTAL - MARKER_RESERVE - _TITLE_COST - _NOTE_COST * len(listings)
        page: list[Block] = []
        for number, listing in enumerate(listings):
            filled, ends[number] = fill(listing, ends[number], max_blocks=blocks_left, max_cost=cost_left)
            blocks_left -= len(filled)
            cost_left -= cost(filled)
            page += filled
            if ends[number] < len(listing.rows):
                break
        pages.append(page)
    if pages:
        pages[-1] += _notes(listings, ends, ", not listed. The next run lists what is left then.")
    return tuple(
        Message(
            text=fallback_text(f"{title}, continued ({number} of {len(pages)})"),
            blocks=(section(f"*{title}*, continued ({number} of {len(pages)})"), *page),
        )
        for number, page in enumerate(pages, start=1)
    )


def _notes(listings: Sequence[Listing], ends: Sequence[int], where: str) -> list[Block]:
    return [
        context(f"…and {left} more {listing.noun[left != 1]}{where}")
        for listing, end in zip(listings, ends, strict=True)
        if (left := len(listing.rows) - end)
    ]
