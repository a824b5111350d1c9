"""Post a message, or change one, with what Slack's refusals allow: join the channel once, halve what is too long."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import SchemaSyncError, TransientError
from ..messages.blocks import Block, context
from . import rate_limits as turns
from .client import SlackRefusedError, translate

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

    from ..delivery.outgoing import Outgoing

log = logging.getLogger(__name__)

# Slack's words for a message, or its thread, that is not there any more, is not ours, or takes no replies.
GONE = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "thread_not_found",
        "invalid_thread_ts",
        "cannot_reply_to_message",
        "restricted_action_thread_locked",
        "restricted_action_non_threadable_channel",
    }
)
# For a message that stays as it is. https://docs.slack.dev/reference/methods/chat.update
FROZEN = frozenset({"edit_window_closed", "cant_edit", "is_inactive", "block_mismatch", "update_failed"})


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message is.

    :ivar kept: how many blocks of its body Slack took, None: all; :func:`rest` has the others.
    """

    ts: str
    channel: str
    kept: int | None = None


def post(client: WebClient, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
    """``chat.postMessage``.

    :param check: called directly before each request; what it raises ends the call before anything is sent.
    :raises SlackRefusedError: nothing was posted.
    :raises TransientError: it may have been posted.
    """
    what = f"The message for {outgoing.whom} to channel {outgoing.channel} was not posted"

    def call(text: str, blocks: Sequence[Block]) -> SlackResponse:
        first = [{**blocks[0], "block_id": outgoing.marker}] if blocks else []
        return client.chat_postMessage(
            channel=outgoing.channel,
            text=text,
            blocks=[*first, *blocks[1:]] or None,
            thread_ts=outgoing.thread_ts,
            reply_broadcast=True if outgoing.broadcast else None,
            unfurl_links=False,
            unfurl_media=False,
            metadata={"event_type": "schema_sync", "event_payload": {"internal_message_id": outgoing.id}},
        )

    response, kept = _shorter_until_accepted(client, outgoing, call, what, check)
    ts = response.get("ts")
    if not isinstance(ts, str) or not ts:
        raise TransientError(f"{what}, or it was: Slack's answer names no message.")
    log.info("Slack message %s posted for %s to channel %s", outgoing.id, outgoing.whom, outgoing.channel)
    return Posted(ts, str(response.get("channel") or outgoing.channel), kept)


def update(client: WebClient, outgoing: Outgoing, *, ts: str, marker: str, check: Callable[[], None]) -> None:
    """``chat.update``: let the message ``ts`` read as ``outgoing`` does. Doing it twice is doing it once.

    :param marker: the block id by which the message is known; its first block keeps it.
    :raises SlackRefusedError, TransientError: as :func:`post`.
    """
    what = f"The message {ts} for {outgoing.whom} in channel {outgoing.channel} was not updated"

    def call(text: str, blocks: Sequence[Block]) -> SlackResponse:
        if len(blocks) < len(outgoing.blocks) and blocks:
            blocks = [*blocks, context("…and more that does not fit here.")]
        first = [{**blocks[0], "block_id": marker}] if blocks else []
        return client.chat_update(channel=outgoing.channel, ts=ts, text=text, blocks=[*first, *blocks[1:]])

    _shorter_until_accepted(client, outgoing, call, what, check)
    log.info("Slack message %s of channel %s updated for %s", ts, outgoing.channel, outgoing.whom)


def rest(blocks: Sequence[Block], kept: int) -> tuple[Block, ...]:
    """What of a message's body did not go out with it."""
    return tuple(_parts(blocks)[1][kept:])


def kept_of(blocks: Sequence[Block], found: int) -> int | None:
    """How many blocks of the body a message has that was found with ``found`` blocks, None: all."""
    missing = len(blocks) - found
    return None if not found or missing <= 0 else max(len(_parts(blocks)[1]) - missing, 0)


def _shorter_until_accepted(
    client: WebClient,
    outgoing: Outgoing,
    call: Callable[[str, Sequence[Block]], SlackResponse],
    what: str,
    check: Callable[[], None],
) -> tuple[SlackResponse, int | None]:
    head, body, foot = _parts(outgoing.blocks)
    blocks: Sequence[Block] = outgoing.blocks
    text, kept, may_join = outgoing.text, None, True
    while True:
        failure: SchemaSyncError | None = None
        try:
            with turns.gate(check):
                return call(text, blocks), kept
        except Exception as error:  # noqa: BLE001 - its text or frames may hold the token; translated, never swallowed
            failure = translate(error, what=what)
        code = failure.code if isinstance(failure, SlackRefusedError) else None
        if code == "not_in_channel" and may_join:
            may_join = False
            if _join(client, outgoing, check):
                continue
        elif code == "msg_blocks_too_long" and blocks:
            taken = len(body) if kept is None else kept
            if taken > 1:
                kept = taken // 2
                blocks = (*head, *body[:kept], *foot)
            else:
                # What is left cannot be divided: a title, a section or two. Their texts are escaped already.
                text, blocks = _as_text(outgoing.text, blocks), ()
            log.warning("Slack refused message %s as too long; trying it with %d blocks", outgoing.id, len(blocks))
            continue
        raise failure


def _join(client: WebClient, outgoing: Outgoing, check: Callable[[], None]) -> bool:
    """Public channels may be joined; of a private one somebody has to let the app in."""
    failure: SchemaSyncError | None = None
    try:
        with turns.gate(check):
            client.conversations_join(channel=outgoing.channel)
    except Exception as error:  # noqa: BLE001 - its frames may hold the token; logged
        failure = translate(error, what=f"Schema Sync is not in channel {outgoing.channel} and could not join it")
    if isinstance(failure, TransientError):
        raise failure
    if failure is not None:
        log.warning("%s", failure)
        return False
    log.info("Joined channel %s to post the message for %s", outgoing.channel, outgoing.whom)
    return True


def _parts(blocks: Sequence[Block]) -> tuple[list[Block], list[Block], list[Block]]:
    """(head, body, foot): title and first section; what may be divided; the button and the small print at the end."""
    start = min(2 if blocks and blocks[0].get("type") == "header" else 1, len(blocks))
    end = len(blocks) - 1 if len(blocks) > start and blocks[-1].get("type") == "context" else len(blocks)
    if end > start and blocks[end - 1].get("type") == "actions":
        end -= 1
    return list(blocks[:start]), list(blocks[start:end]), list(blocks[end:])


def _as_text(text: str, blocks: Sequence[Block]) -> str:
    lines = [str(block["text"]["text"]) for block in blocks if block.get("type") == "section" and "text" in block]
    return "\n".join([text, *lines])
