"""Whose turn it is to speak: Slack's rate limits, shared by every thread of this process.

Two rules, both Slack's (https://docs.slack.dev/apis/web-api/rate-limits):

- a channel takes one message a second. Senders of one channel get turns a second apart;
- HTTP 429 with ``Retry-After`` holds for a token and a method, so it pauses every thread that uses the two, not only
  the one that was told. Between processes each learns from its own 429.

Whoever has waited asks again whether it may still speak (:func:`gate`): meanwhile its worker may have been given up.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ...errors import TransientError

SECONDS_PER_MESSAGE = 1.0
# Longer waits than this are the scheduler's: no task holds its worker, nor a row, for them.
LONGEST_WAIT_S = 60

_lock = threading.Lock()
_channel_turns: dict[str, float] = {}
_pauses: dict[str, float] = {}
_gate: ContextVar[Callable[[], None]] = ContextVar("slack_gate", default=lambda: None)


def wait_for_channel(channel: str, sleep: Callable[[float], None]) -> None:
    """Take the channel's next turn, and wait for it."""
    with _lock:
        moment = time.monotonic()
        turn = max(moment, _channel_turns.get(channel, 0.0) + SECONDS_PER_MESSAGE)
        _channel_turns[channel] = turn
    if turn > moment:
        sleep(turn - moment)


def limit_key(token: str, url: str) -> str:
    """What a rate limit counts by: a token and a method's address. The token is kept as a hash only."""
    return hashlib.sha256(f"{token} {url}".encode()).hexdigest()


def pause(key: str, seconds: float) -> None:
    """Slack wants to hear nothing for this token and method for ``seconds``."""
    with _lock:
        _pauses[key] = max(_pauses.get(key, 0.0), time.monotonic() + seconds)


def wait_out_pause(key: str) -> None:
    """Wait as long as Slack told any thread to. :raises TransientError: that is longer than a worker should be held."""
    with _lock:
        left = _pauses.get(key, 0.0) - time.monotonic()
        if left <= 0:
            _pauses.pop(key, None)
            return
    if left > LONGEST_WAIT_S:
        raise TransientError(f"Slack asks to try again later: its rate limit holds for another {left:.0f} s.")
    # A moment more, so that not all of them come back at once.
    _sleep(left + random.uniform(0.05, 0.5))  # noqa: S311 - no secret


@contextmanager
def gate(check: Callable[[], None]) -> Iterator[None]:
    """While the block runs, ``check`` is called directly before each request of this thread; what it raises ends it."""
    token = _gate.set(check)
    try:
        yield
    finally:
        _gate.reset(token)


def pass_gate() -> None:
    """Called by the client directly before a request goes out."""
    _gate.get()()


def _sleep(seconds: float) -> None:
    time.sleep(seconds)
