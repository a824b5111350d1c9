"""A channel's name → its id, which looking up, joining and updating want. https://docs.slack.dev/reference/methods"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...errors import TerminalError
from .client import ask

if TYPE_CHECKING:
    from slack_sdk import WebClient

log = logging.getLogger(__name__)


def channel_id(client: WebClient, channel: str) -> str:
    """The id of a channel that is given by name (``#data-team-alerts``); an id stays what it is.

    :return: the name itself, with a warning, where the app may not list channels: posting takes names, too.
    :raises TransientError: Slack could not answer.
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
