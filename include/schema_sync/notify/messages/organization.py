"""What Schema Sync says to an organization: report → message (pure). How it is sent is the outbox's matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from include.schema_sync.notify.messages.blocks import (
    MARKER_RESERVE,
    MAX_BLOCKS,
    MAX_TEXT,
    MAX_TOTAL,
    Block,
    Listing,
    context,
    cost,
    fill,
    header,
    name,
    plain_text,
    prose,
    section,
    units,
)
from include.schema_sync.notify.messages.wording import (
    CONSEQUENCE,
    EMOJI,
    PROBLEMS,
    called_by_name,
    datasets_line,
    discrepancy_item,
    first_of,
    in_order,
    report_counts,
    unchecked_listing,
)
from include.schema_sync.nouns.models import OrganizationReport, Severity, UncheckedSource

# A thread longer than this is not read. What is left is counted; the next run lists it.
MAX_REPLIES = 20

_AFTER_A_FAILURE = (
    "Problems found earlier stay open until a check sees them gone. Schema Sync tries again on its next run."
)

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


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Which run speaks.

    :ivar timestamp: ISO 8601, UTC.
    :ivar run_url: link to the run in Airflow, None when unknown.
    :ivar as_of: since when the run could start, ISO 8601, UTC, always with six digits of microseconds, so that runs
        compare as text; a run that is cleared and runs again keeps it. Empty: as ``timestamp``.
    """

    run_id: str
    timestamp: str
    run_url: str | None
    as_of: str = ""


def drift_alert(
    report: OrganizationReport,
    *,
    min_severity: Severity,
    run: RunFacts,
    first_seen: Mapping[str, str] | None = None,
    mention: str = "",
) -> Message | None:
    """What an organization has to act on: counts of everything, then each problem, then what was not checked.

    :param min_severity: the least severity that is listed; counts include all.
    :param first_seen: {fingerprint: timestamp}, to list the newest first; None: all are as old.
    :param mention: who is called by name, in Slack's own markup.
    :return: None when no discrepancy is at or above ``min_severity``. Unchecked data sources alone make no
        drift alert: they are an :func:`error_notice`.
    """
    shown = in_order([found for found in report.discrepancies if found.severity.at_least(min_severity)], first_seen)
    if not shown:
        return None
    facts = [f"*{report_counts(report)}*", datasets_line(report)]
    if shown[0].severity is Severity.CRITICAL:
        facts.append(CONSEQUENCE)
    if len(shown) < len(report.discrepancies):
        least = {Severity.CRITICAL: "critical problems only", Severity.WARNING: "warnings and worse"}[min_severity]
        facts.append(f"Listed here: {least}. The rest is only counted.")
    facts += called_by_name(mention)
    title = f"{EMOJI[shown[0].severity]} Schema drift: {report.organization_name}"
    return compose(
        text=f"{prose(title, 200)}: {report_counts(report)}. {datasets_line(report)} {first_of(shown)}",
        title=f"Schema drift: {name(report.organization_name)}",
        head=(header(title), section("\n".join(facts))),
        listings=(
            Listing(len(shown), lambda index: discrepancy_item(shown[index]), PROBLEMS),
            unchecked_listing(report.unchecked),
        ),
        foot=(run_context(run),),
    )


def error_notice(
    organization_name: str, *, error: str | None, unchecked: Sequence[UncheckedSource], run: RunFacts
) -> Message:
    """Tell an organization that its check failed, as a whole (``error``) or for some data sources.

    Says that it is no drift report, and calls nothing clean. Reads right in a channel and in an incident's thread.
    """
    if error is None:
        title = f"⚠️ Schema check incomplete: {organization_name}"
        happened = "Some data sources were not checked."
    else:
        title = f"⚠️ Schema check failed: {organization_name}"
        happened = f"No dataset was checked in this run. Reason: {prose(error, 1_500)}"
    meaning = "This is *not* a drift report: whether the datasets concerned still match their warehouse is not known."
    return compose(
        text=prose(title, 200) + ". This is not a drift report. " + happened,
        title=f"Not checked: {name(organization_name)}",
        head=(header(title), section(f"{meaning}\n{happened}\n{_AFTER_A_FAILURE}")),
        listings=(unchecked_listing(unchecked),),
        foot=(run_context(run),),
    )


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
