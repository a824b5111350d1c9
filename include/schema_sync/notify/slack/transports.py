"""The two transports to Slack: its Web API, and an incoming webhook, which knows less."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import history as look_up
from . import rate_limits as turns
from . import web_api
from .client import TIMEOUT_S, post_webhook
from .history import LookUp
from .web_api import Posted

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from ..delivery.outgoing import Outgoing
    from ..messages.layout import Message


class Slack:
    """A transport to Slack. What one cannot do it leaves undone."""

    has_threads: ClassVar[bool]

    def take_turn(self, outgoing: Outgoing) -> None:
        """Wait until the channel may get another message."""

    def look_up(self, outgoing: Outgoing, between: tuple[float, float]) -> LookUp:
        """Tell whether the message is there already.

        :param between: when it can have been posted; seconds since the epoch.
        :raises TransientError: Slack could not answer; posting now could post twice.
        """
        raise NotImplementedError

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        """Post it; ``check`` is called directly before each request."""
        raise NotImplementedError

    def update(self, outgoing: Outgoing, ts: str, marker: str, check: Callable[[], None]) -> None:
        """Let the message ``ts`` read as ``outgoing`` does."""

    def reactions(self, channel: str, ts: str) -> list[tuple[str, str]] | None:  # noqa: ARG002 (the interface's)
        """Who has acknowledged a message, as (reaction, user); None: that is not known."""
        return None

    def withdraw_second(self, outgoing: Outgoing, ts: str) -> None:
        """Take it back if another worker has posted it before."""


@dataclass(frozen=True, slots=True)
class WebApi(Slack):
    client: WebClient
    sleep: Callable[[float], None] = time.sleep
    has_threads: ClassVar[bool] = True

    def take_turn(self, outgoing: Outgoing) -> None:
        turns.wait_for_channel(outgoing.channel, self.sleep)

    def look_up(self, outgoing: Outgoing, between: tuple[float, float]) -> LookUp:
        return look_up.look_up(self.client, outgoing, between)

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        return web_api.post(self.client, outgoing, check)

    def update(self, outgoing: Outgoing, ts: str, marker: str, check: Callable[[], None]) -> None:
        web_api.update(self.client, outgoing, ts=ts, marker=marker, check=check)

    def reactions(self, channel: str, ts: str) -> list[tuple[str, str]] | None:
        return look_up.read_reactions(self.client, channel, ts)

    def withdraw_second(self, outgoing: Outgoing, ts: str) -> None:
        look_up.withdraw_second(self.client, outgoing, ts=ts)


@dataclass(frozen=True, slots=True)
class Webhook(Slack):
    """Posts ``message`` with all its pages, whatever it is given: a webhook knows no threads, and changes nothing."""

    url: str
    message: Message
    timeout_s: int = TIMEOUT_S
    proxy: str | None = None
    has_threads: ClassVar[bool] = False

    def look_up(self, outgoing: Outgoing, between: tuple[float, float]) -> LookUp:  # noqa: ARG002 (the interface's)
        return LookUp(note="a webhook shows no history")

    def post(self, outgoing: Outgoing, check: Callable[[], None]) -> Posted:
        check()
        post_webhook(self.url, self.message, timeout_s=self.timeout_s, proxy=self.proxy)
        return Posted("webhook", outgoing.channel)
