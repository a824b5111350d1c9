"""A channel's name → its id, which looking up, joining and updating want. https://docs.slack.dev/reference/methods"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...errors import SchemaSyncError, TransientError
from .client import translate

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
    failure: SchemaSyncError | None = None
    try:
        for page in client.conversations_list(
            types="public_channel,private_channel", exclude_archived=True, limit=1000
        ):
            for each in page["channels"]:
                if each["name"] == channel[1:]:
                    return str(each["id"])
    except Exception as error:  # noqa: BLE001 - its frames may hold the token; translated
        failure = translate(error, what=f"The channel {channel} could not be looked up")
    if isinstance(failure, TransientError):
        raise failure
    log.warning(
        "The id of channel %s is not known: set DATA_TEAM_SLACK_CHANNEL_ID to it. %s",
        channel, failure or "The app sees no channel of this name.",
    )  # fmt: skip
    return channel
