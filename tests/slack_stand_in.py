"""Slack for the tests: the demo's stand-in, with what can go wrong in Slack. It can be told to fail."""

from __future__ import annotations

import copy
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from include.schema_sync.demo import slack as plain
from include.schema_sync.demo.slack import MAX_TOTAL, Call, is_true, limit_broken, refusal


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens instead of the usual answer.

    :ivar hold_s: seconds before Slack takes the call; ``delay_s``: seconds between that and the answer.
    :ivar accepted: the message is posted nevertheless, as when an answer gets lost.
    :ivar drop: the connection is cut without an answer.
    """

    status: int = 200
    error: str | None = None
    retry_after: int | None = None
    hold_s: float = 0.0
    delay_s: float = 0.0
    drop: bool = False
    accepted: bool = False


@dataclass
class SlackStandIn(plain.SlackStandIn):
    """A running stand-in; ``workspace`` of a message is what ``tokens`` says of its token, never the token itself.

    :ivar tokens: {token that is accepted: name of its workspace}; None accepts any.
    :ivar channels: {channel: ``joined``, ``public`` (the app may join it), ``private``, ``archived`` or ``unknown``};
        one that is not named is joined.
    :ivar channel_names: {name without #: id} of ``conversations.list``.
    :ivar message_total: how many characters all blocks of a message may have together.
    :ivar most_a_page: messages of history, 15 for many apps.
    :ivar oldest_shown: what is older is hidden, as from workspaces that do not pay; None: nothing is.
    :ivar one_a_second: HTTP 429 for a channel's second message within a second, as Slack does.
    :ivar calls_a_second: HTTP 429 for a token's calls of one method beyond this number, None: no limit.
    """

    tokens: Mapping[str, str] | None = None
    channels: dict[str, str] = field(default_factory=dict)
    channel_names: dict[str, str] = field(default_factory=dict)
    message_total: int = MAX_TOTAL
    one_a_second: bool = False
    oldest_shown: float | None = None
    most_a_page: int = 1_000
    calls_a_second: int | None = None
    _faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _busy_until: dict[str, float] = field(default_factory=dict)
    _windows: dict[tuple[str, str | None], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def delete(self, channel: str, ts: str) -> None:
        """Somebody deletes a message in Slack; replies to it stay where they are."""
        with self._lock:
            if not self._delete(channel, ts):
                raise LookupError(f"no message {ts} in {channel}")

    def fail(self, method: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next ``times`` calls of ``method`` (``webhook`` for the webhook) meet ``fault``."""
        with self._lock:
            self._faults[method].extend([fault] * times)

    def relent(self) -> None:
        """Forget the faults that no call has met yet."""
        with self._lock:
            self._faults.clear()

    def react(self, channel: str, ts: str, reactions: Mapping[str, list[str]]) -> None:
        """People react to a message, {reaction: users}; what is not named is taken away."""
        message = self.message(channel, ts)
        assert message is not None
        message["reactions"] = [{"name": name, "users": users} for name, users in reactions.items()]

    def answer(self, method: str, arguments: Call, token: str | None) -> tuple[int, dict[str, Any], dict[str, str]]:
        with self._lock:
            self.calls.append(method)
            fault = self._faults[method].popleft() if self._faults[method] else Fault()
        time.sleep(fault.hold_s)
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        fails = fault.drop or fault.error is not None or fault.status != 200
        if fails and not fault.accepted:
            said = refusal(fault.error or ("ratelimited" if fault.status == 429 else "internal_error"))
        else:
            with self._lock:
                if self._is_too_fast(method, arguments, token):
                    return 429, refusal("ratelimited"), {"Retry-After": "1"}
                workspace = self._workspace(method, token)
                if workspace is None:
                    said = refusal("invalid_auth" if token else "not_authed")
                else:
                    said = self.accept(method, arguments, workspace)
        time.sleep(fault.delay_s)
        if fault.drop:
            raise ConnectionResetError
        return fault.status, said, headers

    def accept(self, method: str, arguments: Call, workspace: str) -> dict[str, Any]:
        match method:
            case "chat.delete":
                found = self._delete(str(arguments.get("channel")), str(arguments.get("ts")))
                return {"ok": True} if found else refusal("message_not_found")
            case "conversations.list":
                named = [{"id": id_, "name": name} for name, id_ in self.channel_names.items()]
                return {"ok": True, "channels": named}
            case "conversations.join":
                return self._join(str(arguments.get("channel")))
            case "conversations.history" | "conversations.replies":
                return self._read(method, arguments)
            case "reactions.get" if float(arguments["timestamp"]) < (self.oldest_shown or 0):
                return refusal("message_not_found")
            case "chat.postMessage" if not arguments.get("channel"):
                return refusal("channel_not_found")
        return super().accept(method, arguments, workspace)

    def problem(self, arguments: Call) -> str | None:
        return self._channel_problem(arguments.get("channel")) or limit_broken(arguments, self.message_total)

    def _workspace(self, method: str, token: str | None) -> str | None:
        if method == "webhook":
            return "webhook"
        if self.tokens is None:
            return "any" if token else None
        return self.tokens.get(token or "")

    def _delete(self, channel: str, ts: str) -> bool:
        if (message := self.message(channel, ts)) is None:
            return False
        self.messages.remove(message)
        return True

    def _join(self, channel: str) -> dict[str, Any]:
        match self.channels.get(channel, "joined"):
            case "joined" | "public":
                self.channels[channel] = "joined"
                return {"ok": True, "channel": {"id": channel}}
            case "archived":
                return refusal("is_archived")
            case "private":
                return refusal("method_not_supported_for_channel_type")
        return refusal("channel_not_found")

    def _channel_problem(self, channel: str | None) -> str | None:
        state = self.channels.get(channel or "", "joined")
        return {"archived": "is_archived", "unknown": "channel_not_found", "joined": None}.get(state, "not_in_channel")

    def _is_too_fast(self, method: str, arguments: Call, token: str | None) -> bool:
        moment = time.monotonic()
        if self.calls_a_second is not None:
            window = self._windows[method, token]
            while window and window[0] <= moment - 1:
                window.popleft()
            if len(window) >= self.calls_a_second:
                return True
            window.append(moment)
        if self.one_a_second and method == "chat.postMessage":
            channel = str(arguments.get("channel"))
            if self._busy_until.get(channel, 0.0) > moment:
                return True
            self._busy_until[channel] = moment + 0.9  # senders a second apart must not be late by their way here
        return False

    def _read(self, method: str, arguments: Call) -> dict[str, Any]:
        """Newest first in a channel, oldest first in a thread; replies show in the channel when they are broadcast."""
        if (problem := self._channel_problem(arguments.get("channel"))) is not None:
            return refusal(problem)
        in_channel = [message for message in self.messages if message["channel"] == arguments.get("channel")]
        if method == "conversations.replies":
            thread = arguments.get("ts")
            found = [message for message in in_channel if thread in (message["ts"], message["thread_ts"])]
            if not found:
                return refusal("thread_not_found")
        else:
            oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
            shown = [m for m in in_channel if m["thread_ts"] is None or m["reply_broadcast"]]
            found = [m for m in reversed(shown) if oldest < float(m["ts"]) < latest]
        start, limit = int(arguments.get("cursor") or 0), min(int(arguments.get("limit") or 100), self.most_a_page)
        page = copy.deepcopy(found[start : start + limit])
        if not is_true(arguments.get("include_all_metadata")):
            for message in page:
                message.pop("metadata")
        cursor = str(start + limit) if start + limit < len(found) else ""
        return {
            "ok": True,
            "messages": page,
            "has_more": bool(cursor),
            "response_metadata": {"next_cursor": cursor},
        }


@contextmanager
def running_slack(tokens: Mapping[str, str] | None = None) -> Iterator[SlackStandIn]:
    """Run a stand-in on 127.0.0.1 until the block ends, which accepts these tokens."""
    with plain.running_slack(SlackStandIn) as slack:
        slack.tokens = tokens
        yield slack
