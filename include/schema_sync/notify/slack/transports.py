"""The two ways to Slack: its Web API, and an incoming webhook, which knows less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from . import history as look_up
from . import rate_limits as turns
from . import web_api
from .client import post_webhook
from .history import LookUp
from .web_api import Posted

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from ..delivery.rows import Outgoing
    from ..messages.layout import Message


class Slack(Protocol):
    """A way to Slack."""

    def take_turn(self, outgoing: Outgoing) -> None:
        """Wait until the channel may get another message."""

    def look_up(self, outgoing: Outgoing, *, since: float) -> LookUp:
        """Tell whether the message is there already.

        :raises TransientError: Slack could not answer; posting now could post twice.
        """

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        """Post it; ``check`` is called directly before each request."""

    def withdraw_second(self, outgoing: Outgoing, ts: str) -> None:
        """Take it back if another worker has posted it before."""


@dataclass(frozen=True, slots=True)
class WebApi:
    client: WebClient
    sleep: Callable[[float], None]

    def take_turn(self, outgoing: Outgoing) -> None:
        turns.wait_for_channel(outgoing.channel, self.sleep)

    def look_up(self, outgoing: Outgoing, *, since: float) -> LookUp:
        return look_up.look_up(self.client, outgoing, since=since)

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        return web_api.post(self.client, outgoing, check)

    def withdraw_second(self, outgoing: Outgoing, ts: str) -> None:
        look_up.withdraw_second(self.client, outgoing, ts=ts)


@dataclass(frozen=True, slots=True)
class Webhook:
    url: str
    message: Message

    def take_turn(self, outgoing: Outgoing) -> None:
        """The data team's channel gets one summary a day."""

    def look_up(self, outgoing: Outgoing, *, since: float) -> LookUp:  # noqa: ARG002 (the protocol's)
        return LookUp(note="a webhook shows no history")

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        check()
        post_webhook(self.url, self.message)
        return Posted("webhook", outgoing.channel)

    def withdraw_second(self, outgoing: Outgoing, ts: str) -> None:
        """A webhook takes nothing back."""
