"""What Slack knows: whether a message is there, who has reacted to it, and the id of a channel.

Whether one is there, its marker tells: metadata, or the id of its first block. That is asked only after an attempt that
did not finish; the ordinary case needs no history, and no scope for it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import SchemaSyncError, TerminalError
from .client import SlackRefusedError, ask

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from ..delivery.outgoing import Outgoing

log = logging.getLogger(__name__)

_PAGE, _PAGES = 200, 5
# The reactions that mean something, the strongest first (:mod:`acknowledgements` says what).
REACTIONS = SLEEP, MUTED, EYES = "zzz", "no_bell", "eyes"


@dataclass(frozen=True, slots=True)
class LookUp:
    """What history says of a message.

    :ivar ts, blocks: None: it is not there; how many it has there.
    :ivar note: why history could not tell; then ``ts`` None means nothing.
    """

    ts: str | None = None
    blocks: int = 0
    note: str | None = None


def look_up(client: WebClient, outgoing: Outgoing, between: tuple[float, float]) -> LookUp:
    """Search the channel, or for a reply its thread, for the message's marker.

    :param between: when it can have been posted, seconds since the epoch; nothing else is read, because many apps get
        15 messages a page and a page a minute (https://docs.slack.dev/reference/methods/conversations.history).
    :return: the earliest, should there be two.
    :raises TransientError: Slack could not answer; posting now could post twice.
    """
    cursor: str | None = None
    read = 0
    for _ in range(_PAGES):
        try:
            page = ask(
                partial(_page, client, outgoing, between, cursor),
                what=f"Slack's history of channel {outgoing.channel} was not read",
            )
        except TerminalError as failure:
            code = failure.code if isinstance(failure, SlackRefusedError) else "refused"
            if code == "thread_not_found":
                return LookUp()
            log.warning("Whether message %s was posted before cannot be told. %s", outgoing.id, failure)
            return LookUp(note=f"history not readable ({code})")
        messages = page.get("messages") or []
        read += len(messages)
        if marked := [message for message in messages if _is_marked(message, outgoing)]:
            earliest = min(marked, key=lambda message: str(message["ts"]))
            return LookUp(str(earliest["ts"]), len(earliest.get("blocks") or []))
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return LookUp()
    return LookUp(note=f"history longer than {read} messages")


def read_reactions(client: WebClient, channel: str, ts: str) -> list[tuple[str, str]] | None:
    """The reactions that mean something, as (reaction, user), the app aside; None: Slack does not tell."""

    def read() -> list[tuple[str, str]]:
        message: Any = client.reactions_get(channel=channel, timestamp=ts, full=True).get("message") or {}
        names = {each["name"].partition("::")[0]: each.get("users") or [] for each in message.get("reactions") or []}
        if not names.keys() & set(REACTIONS):
            return []
        own = client.auth_test().get("user_id")
        return [(name, user) for name in REACTIONS for user in names.get(name, ()) if user != own]

    try:
        return ask(read, what="Reactions to an alert were not read")
    except SchemaSyncError as failure:
        log.info("%s", failure)  # no scope, too old for the workspace's plan, or Slack is busy: the alert matters more
        return [] if isinstance(failure, SlackRefusedError) and failure.code == "missing_scope" else None


def channel_id(client: WebClient, channel: str) -> str:
    """The id of a channel that is given by name (``#data-team-alerts``); an id stays what it is.

    Where the app may not list channels it is the name itself, with a warning: posting takes names, too.
    """
    if not channel.startswith("#"):
        return channel

    def find() -> str | None:
        pages = client.conversations_list(types="public_channel,private_channel", exclude_archived=True, limit=1000)
        return next(
            (str(each["id"]) for page in pages for each in page["channels"] if each["name"] == channel[1:]), None
        )

    why: object = "The app sees no channel of this name."
    try:
        if (found := ask(find, what=f"The channel {channel} could not be looked up")) is not None:
            return found
    except TerminalError as failure:
        why = failure
    log.warning("The id of channel %s is not known: set DATA_TEAM_SLACK_CHANNEL_ID to it. %s", channel, why)
    return channel


def withdraw_second(client: WebClient, outgoing: Outgoing, ts: str) -> None:
    """Take back a message that another worker has posted, too.

    For a worker that posted and then found that it had lost its row: while it slept between its last look and the
    post, somebody else may have done its work. The earlier message stays, so of two such workers one gives way.
    """
    try:
        earliest = look_up(client, outgoing, (float(ts) - 24 * 3600, float(ts) + 1))
    except SchemaSyncError as error:
        log.warning("Whether message %s is in Slack twice cannot be told. %s", outgoing.id, error)
        return
    if earliest.ts is None or earliest.ts >= ts:
        return
    try:
        what = f"The second copy of message {outgoing.id} was not taken back"
        ask(lambda: client.chat_delete(channel=outgoing.channel, ts=ts), what=what)
    except SchemaSyncError as error:
        log.warning("%s", error)
    else:
        log.warning("Message %s was posted by another worker meanwhile: the second copy is taken back", outgoing.id)


def _page(client: WebClient, outgoing: Outgoing, between: tuple[float, float], cursor: str | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "channel": outgoing.channel,
        "oldest": f"{max(between[0], 0):.6f}",
        "latest": f"{max(between[1], 0):.6f}",
        "limit": _PAGE,
        "cursor": cursor,
        "include_all_metadata": True,
    }
    if outgoing.thread_ts is None:
        response = client.conversations_history(**arguments)
    else:
        response = client.conversations_replies(ts=outgoing.thread_ts, **arguments)
    return response.data if isinstance(response.data, dict) else {}


def _is_marked(message: dict[str, Any], outgoing: Outgoing) -> bool:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    blocks = message.get("blocks") or [{}]
    return payload.get("internal_message_id") == outgoing.id or blocks[0].get("block_id") == outgoing.marker
