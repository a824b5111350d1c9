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
    MAX_TEXT,
    MAX_TOTAL,
    Block,
    Listing,
    context,
    cost,
    fill,
    plain_text,
    prose,
    section,
    units,
)

# A thread longer than this is not read. What is left is counted; the next run lists it.
MAX_REPLIES = 20
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
) -> Message:
    """Lay out head, listings and foot within Slack's limits; what does not fit is counted and goes into replies.

    Every listing gets some room in the first message, the first one the most.

    :param text: fallback text, escaped.
    :param title: how a page of the thread calls its subject, escaped, at most about 500 units.
    :param paged: False: what does not fit is counted only; it is in the thread already.
    """
    blocks_left = MAX_BLOCKS - len(head) - len(foot) - len(listings)
    cost_left = MAX_TOTAL - MARKER_RESERVE - cost(head) - cost(foot) - _NOTE_COST * len(listings)
    shares = [fill(listing, 0, max_blocks=_SHARE_BLOCKS, max_cost=_SHARE_COST) for listing in listings]
    body: list[Block] = []
    ends: list[int] = []
    for number, listing in enumerate(listings):
        later = shares[number + 1 :]
        filled = fill(
            listing,
            0,
            max_blocks=blocks_left - sum(len(share.blocks) for share in later),
            max_cost=cost_left - sum(share.cost for share in later),
        )
        blocks_left -= len(filled.blocks)
        cost_left -= filled.cost
        body += [*filled.blocks, *_notes([listing], [filled.end], " in the thread")]
        ends.append(filled.end)
    return Message(
        text=_bounded(text),
        blocks=(*head, *body, *foot),
        replies=_replies(title, listings, ends) if paged else (),
    )


def run_context(run: RunFacts) -> Block:
    """The small print: which run this is, with a link to it where one is known."""
    label = f"run {prose(run.run_id, 250)}"
    if run.run_url is not None and run.run_url.startswith(("http://", "https://")) and len(run.run_url) <= 1_000:
        address = quote(run.run_url, safe=":/?#[]@!$&()*+,;=%~").replace("&", "&amp;")
        label = f"<{address}|{label}>"
    return context(f"Schema Sync · {prose(run.timestamp, 40)} · {label}")


def _replies(title: str, listings: Sequence[Listing], ends: Sequence[int]) -> tuple[Message, ...]:
    ends = list(ends)
    pages: list[list[Block]] = []
    while len(pages) < MAX_REPLIES and any(end < listing.size for listing, end in zip(listings, ends, strict=True)):
        blocks_left = MAX_BLOCKS - 1 - len(listings)
        cost_left = MAX_TOTAL - MARKER_RESERVE - _TITLE_COST - _NOTE_COST * len(listings)
        page: list[Block] = []
        for number, listing in enumerate(listings):
            filled = fill(listing, ends[number], max_blocks=blocks_left, max_cost=cost_left)
            blocks_left -= len(filled.blocks)
            cost_left -= filled.cost
            page += filled.blocks
            ends[number] = filled.end
            if filled.end < listing.size:
                break
        pages.append(page)
    if pages:
        pages[-1] += _notes(listings, ends, ", not listed. The next run lists what is left then.")
    return tuple(
        Message(
            text=_bounded(f"{title}, continued ({number} of {len(pages)})"),
            blocks=(section(f"*{title}*, continued ({number} of {len(pages)})"), *page),
        )
        for number, page in enumerate(pages, start=1)
    )


def _notes(listings: Sequence[Listing], ends: Sequence[int], where: str) -> list[Block]:
    return [
        context(f"…and {left} more {listing.noun[left != 1]}{where}")
        for listing, end in zip(listings, ends, strict=True)
        if (left := listing.size - end)
    ]


def _bounded(text: str) -> str:
    """Texts are short by construction; a caller's slip must not make Slack refuse the message."""
    return text if units(text) <= MAX_TEXT else text[: MAX_TEXT // 2 - 1] + "…"
