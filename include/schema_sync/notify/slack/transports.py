"""The two transports to Slack: its Web API, and an incoming webhook, which knows less.

The Web API does what Slack's refusals allow: it joins a channel once, and halves what is too long.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ...errors import SchemaSyncError, TerminalError, TransientError
from ..messages.blocks import Block, context
from . import history
from . import rate_limits as turns
from .client import TIMEOUT_S, SlackRefusedError, ask, post_webhook
from .history import LookUp

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

    from ..delivery.outgoing import Outgoing
    from ..messages.layout import Message

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
    """A message that is in Slack.

    :ivar ts: Slack's id of it within ``channel``.
    :ivar kept: how many blocks of its body Slack took, None: all; :func:`rest` has the others.
    :ivar already_sent: an earlier attempt had posted it; this one did not.
    :ivar thread_error: why the rest of its thread will not follow, or None.
    """

    ts: str
    channel: str
    kept: int | None = None
    already_sent: bool = False
    thread_error: str | None = None


class Slack:
    """A transport to Slack. What one cannot do it leaves undone."""

    has_threads: ClassVar[bool]

    def take_turn(self, outgoing: Outgoing) -> None:
        """Wait until the channel may get another message."""

    def look_up(self, outgoing: Outgoing, between: tuple[float, float]) -> LookUp:
        """As :func:`history.look_up`."""
        raise NotImplementedError

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        """Post a message.

        :param check: called directly before each request; what it raises ends the call before anything is sent.
        :raises TerminalError: nothing was posted.
        :raises TransientError: it may have been posted.
        """
        raise NotImplementedError

    def update(self, outgoing: Outgoing, ts: str, marker: str, check: Callable[[], None]) -> None:
        """Let the message ``ts``, known by the block id ``marker``, read as ``outgoing`` does. May be repeated."""

    def reactions(self, channel: str, ts: str) -> list[tuple[str, str]] | None:  # noqa: ARG002 (the interface's)
        """As :func:`history.read_reactions`."""
        return None

    def withdraw_second(self, outgoing: Outgoing, ts: str) -> None:
        """As :func:`history.withdraw_second`."""


@dataclass(frozen=True, slots=True)
class WebApi(Slack):
    client: WebClient
    sleep: Callable[[float], None] = time.sleep
    has_threads: ClassVar[bool] = True

    def take_turn(self, outgoing: Outgoing) -> None:
        turns.wait_for_channel(outgoing.channel, self.sleep)

    def look_up(self, outgoing: Outgoing, between: tuple[float, float]) -> LookUp:
        return history.look_up(self.client, outgoing, between)

    def reactions(self, channel: str, ts: str) -> list[tuple[str, str]] | None:
        return history.read_reactions(self.client, channel, ts)

    def withdraw_second(self, outgoing: Outgoing, ts: str) -> None:
        history.withdraw_second(self.client, outgoing, ts)

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        what = f"The message for {outgoing.whom} to channel {outgoing.channel} was not posted"

        def call(text: str, blocks: Sequence[Block]) -> SlackResponse:
            return self.client.chat_postMessage(
                channel=outgoing.channel,
                text=text,
                blocks=_marked(blocks, outgoing.marker) or None,
                thread_ts=outgoing.thread_ts,
                reply_broadcast=True if outgoing.broadcast else None,
                unfurl_links=False,
                unfurl_media=False,
                metadata={"event_type": "schema_sync", "event_payload": {"internal_message_id": outgoing.id}},
            )

        response, kept = self._shorter_until_accepted(outgoing, call, what, check)
        ts = response.get("ts")
        if not isinstance(ts, str) or not ts:
            raise TransientError(f"{what}, or it was: Slack's answer names no message.")
        log.info("Slack message %s posted for %s to channel %s", outgoing.id, outgoing.whom, outgoing.channel)
        return Posted(ts, str(response.get("channel") or outgoing.channel), kept)

    def update(self, outgoing: Outgoing, ts: str, marker: str, check: Callable[[], None]) -> None:
        what = f"The message {ts} for {outgoing.whom} in channel {outgoing.channel} was not updated"

        def call(text: str, blocks: Sequence[Block]) -> SlackResponse:
            if len(blocks) < len(outgoing.blocks) and blocks:
                blocks = [*blocks, context("…and more that does not fit here.")]
            return self.client.chat_update(channel=outgoing.channel, ts=ts, text=text, blocks=_marked(blocks, marker))

        self._shorter_until_accepted(outgoing, call, what, check)
        log.info("Slack message %s of channel %s updated for %s", ts, outgoing.channel, outgoing.whom)

    def _shorter_until_accepted(
        self,
        outgoing: Outgoing,
        call: Callable[[str, Sequence[Block]], SlackResponse],
        what: str,
        check: Callable[[], None],
    ) -> tuple[SlackResponse, int | None]:
        head, body, foot = _parts(outgoing.blocks)
        blocks: Sequence[Block] = outgoing.blocks
        text, kept, may_join = outgoing.text, None, True
        while True:
            try:
                with turns.gate(check):
                    return ask(partial(call, text, blocks), what=what), kept
            except SlackRefusedError as refused:
                if refused.code == "not_in_channel" and may_join:
                    may_join = False
                    if self._join(outgoing, check):
                        continue
                if refused.code != "msg_blocks_too_long" or not blocks:
                    raise
            taken = len(body) if kept is None else kept
            if taken > 1:
                kept = taken // 2
                blocks = (*head, *body[:kept], *foot)
            else:
                # What is left cannot be divided: a title, a section or two. Their texts are escaped already.
                text, blocks = _as_text(outgoing.text, blocks), ()
            log.warning("Slack refused message %s as too long; trying it with %d blocks", outgoing.id, len(blocks))

    def _join(self, outgoing: Outgoing, check: Callable[[], None]) -> bool:
        """Public channels may be joined; of a private one somebody has to let the app in."""
        what = f"Schema Sync is not in channel {outgoing.channel} and could not join it"
        try:
            with turns.gate(check):
                ask(lambda: self.client.conversations_join(channel=outgoing.channel), what=what)
        except TerminalError as error:
            log.warning("%s", error)
            return False
        log.info("Joined channel %s to post the message for %s", outgoing.channel, outgoing.whom)
        return True


@dataclass(frozen=True, slots=True)
class Webhook(Slack):
    """Posts ``message`` with all its pages, whatever it is given: a webhook knows no threads, and changes nothing."""

    url: str
    message: Message
    timeout_s: int = TIMEOUT_S
    proxy: str | None = None
    sleep: Callable[[float], None] = time.sleep
    has_threads: ClassVar[bool] = False

    def look_up(self, outgoing: Outgoing, between: tuple[float, float]) -> LookUp:  # noqa: ARG002 (the interface's)
        return LookUp(note="a webhook shows no history")

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        check()
        post = partial(post_webhook, self.url, timeout_s=self.timeout_s, proxy=self.proxy)
        post(self.message)
        for number, page in enumerate(self.message.replies, start=1):
            self.sleep(turns.SECONDS_PER_MESSAGE)
            try:
                post(page)
            except SchemaSyncError as error:  # not raised: repeating would post the first message again
                log.warning("Page %d of %d was not posted: %s", number, len(self.message.replies), error)
                break
        return Posted("webhook", outgoing.channel)


def rest(blocks: Sequence[Block], kept: int) -> tuple[Block, ...]:
    """What of a message's body did not go out with it."""
    return tuple(_parts(blocks)[1][kept:])


def kept_of(blocks: Sequence[Block], found: int) -> int | None:
    """How many blocks of the body a message has that was found with ``found`` blocks, None: all."""
    missing = len(blocks) - found
    return None if not found or missing <= 0 else max(len(_parts(blocks)[1]) - missing, 0)


def _marked(blocks: Sequence[Block], marker: str) -> list[Block]:
    return [{**block, "block_id": marker} for block in blocks[:1]] + list(blocks[1:])


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
