"""A stand-in for Slack over real HTTP, for the demo and the tests: the real slack_sdk talks to it.

It refuses what Slack refuses (unknown tokens, too many blocks, too long texts, channels that are archived or that the
app is not in, too many calls), keeps what it accepts, and can be told to fail. Other processes read what was posted
with ``GET /_messages``.
"""

from __future__ import annotations

import copy
import json
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

# Slack's own limits (https://docs.slack.dev/reference/block-kit/blocks), and the project's for the sum of all texts:
# Slack answers msg_blocks_too_long somewhere above it.
MAX_BLOCKS, MAX_SECTION, MAX_HEADER, MAX_BLOCK_ID, MAX_TOTAL, MAX_TEXT = 50, 3_000, 150, 255, 9_000, 40_000
MAX_BUTTON = 75
_WEBHOOK_PATH = "/services/T000/B000/stand-in"
_METADATA_KEYS = ("event_type", "event_payload")


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
class SlackStandIn:
    """A running stand-in.

    :ivar base_url: for ``WebClient(base_url=…)``, ends with ``/api/``.
    :ivar messages: accepted messages, oldest first: method, channel, text, blocks, thread_ts, reply_broadcast, ts,
        metadata, ``workspace``: what ``tokens`` says of the token that posted (never the token itself), and once it
        was updated ``updates``: how often.
    :ivar calls: every call by method name, refused and failed ones included.
    :ivar channels: {channel: ``joined``, ``public`` (the app may join it), ``private``, ``archived`` or ``unknown``};
        one that is not named is joined.
    :ivar channel_names: {name without #: id} of ``conversations.list``.
    :ivar message_total: how many characters all blocks of a message may have together.
    :ivar most_a_page: messages of history, 15 for many apps.
    :ivar oldest_shown: what is older is hidden, as from workspaces that do not pay; None: nothing is.
    :ivar one_a_second: HTTP 429 for a channel's second message within a second, as Slack does.
    :ivar calls_a_second: HTTP 429 for a token's calls of one method beyond this number, None: no limit.
    """

    base_url: str
    webhook_url: str
    tokens: Mapping[str, str] | None
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    channels: dict[str, str] = field(default_factory=dict)
    channel_names: dict[str, str] = field(default_factory=dict)
    message_total: int = MAX_TOTAL
    one_a_second: bool = False
    oldest_shown: float | None = None
    most_a_page: int = 1_000
    calls_a_second: int | None = None
    _faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _posted: int = 0
    _busy_until: dict[str, float] = field(default_factory=dict)
    _windows: dict[tuple[str, str | None], deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _lock: threading.Lock = field(default_factory=threading.Lock)

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

    def answer(self, method: str, arguments: Mapping[str, Any], token: str | None) -> tuple[Fault, dict[str, Any]]:
        """One call: what goes wrong, and the JSON that Slack answers."""
        with self._lock:
            self.calls.append(method)
            fault = self._faults[method].popleft() if self._faults[method] else Fault()
        time.sleep(fault.hold_s)
        fails = fault.drop or fault.error is not None or fault.status != 200
        if fails and not fault.accepted:
            usual = "ratelimited" if fault.status == 429 else "internal_error"
            return fault, _refusal(fault.error or usual)
        with self._lock:
            if self._is_too_fast(method, arguments, token):
                return replace(fault, status=429, retry_after=1), _refusal("ratelimited")
            return fault, self._accept(method, arguments, token)

    def _accept(self, method: str, arguments: Mapping[str, Any], token: str | None) -> dict[str, Any]:
        workspace = self._workspace(method, token)
        if workspace is None:
            return _refusal("invalid_auth" if token else "not_authed")
        match method:
            case "auth.test":
                return {"ok": True, "team": workspace, "user": "schema-sync", "user_id": "U000", "team_id": "T000"}
            case "chat.postMessage" | "webhook":
                return self._post(method, arguments, workspace)
            case "chat.update":
                return self._update(arguments)
            case "chat.delete":
                found = self._delete(str(arguments.get("channel")), str(arguments.get("ts")))
                return {"ok": True} if found else _refusal("message_not_found")
            case "conversations.list":
                named = [{"id": id_, "name": name} for name, id_ in self.channel_names.items()]
                return {"ok": True, "channels": named}
            case "conversations.join":
                return self._join(str(arguments.get("channel")))
            case "reactions.get":
                return self._reactions(str(arguments.get("channel")), str(arguments.get("timestamp")))
            case "conversations.history" | "conversations.replies":
                return self._read(method, arguments)
        return _refusal("unknown_method")

    def _workspace(self, method: str, token: str | None) -> str | None:
        if method == "webhook":
            return "webhook"
        if self.tokens is None:
            return "any" if token else None
        return self.tokens.get(token or "")

    def _post(self, method: str, arguments: Mapping[str, Any], workspace: str) -> dict[str, Any]:
        channel = arguments.get("channel") or ("webhook" if method == "webhook" else None)
        if (problem := self._channel_problem(channel) or _limit(arguments, self.message_total)) is not None:
            return _refusal(problem)
        thread = arguments.get("thread_ts")
        if thread and not any(thread in (m["ts"], m["thread_ts"]) for m in self.messages if m["channel"] == channel):
            return _refusal("thread_not_found")
        self._posted += 1
        message = {
            "method": method,
            "workspace": workspace,
            "channel": channel,
            # As Slack's own: seconds and a number that makes it unique within the channel.
            "ts": f"{int(time.time())}.{self._posted:06d}",
            **{key: arguments.get(key) for key in ("text", "blocks", "thread_ts", "metadata", "unfurl_links")},
            "reply_broadcast": str(arguments.get("reply_broadcast")).lower() in ("1", "true"),
        }
        self.messages.append(message)
        return {"ok": True, "channel": channel, "ts": message["ts"], "message": message}

    def _update(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        problem = self._channel_problem(arguments.get("channel")) or _limit(arguments, self.message_total)
        if problem is not None:
            return _refusal(problem)
        for message in self.messages:
            if (message["channel"], message["ts"]) == (arguments.get("channel"), arguments.get("ts")):
                message |= {key: arguments[key] for key in ("text", "blocks", "metadata") if key in arguments}
                message["updates"] = message.get("updates", 0) + 1
                return {"ok": True, "channel": message["channel"], "ts": message["ts"], "text": message["text"]}
        return _refusal("message_not_found")

    def react(self, channel: str, ts: str, reactions: Mapping[str, list[str]]) -> None:
        """People react to a message, {reaction: users}; what is not named is taken away."""
        (message,) = (each for each in self.messages if (each["channel"], each["ts"]) == (channel, ts))
        message["reactions"] = [{"name": name, "users": users} for name, users in reactions.items()]

    def _reactions(self, channel: str, ts: str) -> dict[str, Any]:
        for each in self.messages:
            if (each["channel"], each["ts"]) == (channel, ts) and float(ts) >= (self.oldest_shown or 0):
                return {"ok": True, "message": {"ts": ts, "reactions": each.get("reactions", [])}}
        return _refusal("message_not_found")

    def _delete(self, channel: str, ts: str) -> bool:
        for index, message in enumerate(self.messages):
            if (message["channel"], message["ts"]) == (channel, ts):
                del self.messages[index]
                return True
        return False

    def _join(self, channel: str) -> dict[str, Any]:
        match self.channels.get(channel, "joined"):
            case "joined" | "public":
                self.channels[channel] = "joined"
                return {"ok": True, "channel": {"id": channel}}
            case "archived":
                return _refusal("is_archived")
            case "private":
                return _refusal("method_not_supported_for_channel_type")
        return _refusal("channel_not_found")

    def _channel_problem(self, channel: str | None) -> str | None:
        state = self.channels.get(channel, "joined") if channel else "unknown"
        return {"archived": "is_archived", "unknown": "channel_not_found", "joined": None}.get(state, "not_in_channel")

    def _is_too_fast(self, method: str, arguments: Mapping[str, Any], token: str | None) -> bool:
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

    def _read(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Newest first in a channel, oldest first in a thread; replies show in the channel when they are broadcast."""
        if (problem := self._channel_problem(arguments.get("channel"))) is not None:
            return _refusal(problem)
        in_channel = [message for message in self.messages if message["channel"] == arguments.get("channel")]
        if method == "conversations.replies":
            thread = arguments.get("ts")
            found = [message for message in in_channel if thread in (message["ts"], message["thread_ts"])]
            if not found:
                return _refusal("thread_not_found")
        else:
            oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
            shown = [m for m in in_channel if m["thread_ts"] is None or m["reply_broadcast"]]
            found = [m for m in reversed(shown) if oldest < float(m["ts"]) < latest]
        start, limit = int(arguments.get("cursor") or 0), min(int(arguments.get("limit") or 100), self.most_a_page)
        page = copy.deepcopy(found[start : start + limit])
        if str(arguments.get("include_all_metadata")).lower() not in ("1", "true"):
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
def running_slack(*, tokens: Mapping[str, str] | None = None, port: int = 0) -> Iterator[SlackStandIn]:
    """Run a stand-in on 127.0.0.1 until the block ends.

    :param tokens: {token that is accepted: name of its workspace}; None accepts any.
    :param port: 0 takes a free one.
    """

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_port}"
    slack = SlackStandIn(f"{address}/api/", f"{address}{_WEBHOOK_PATH}", tokens)
    Handler.slack = slack
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    slack: ClassVar[SlackStandIn]

    def do_GET(self) -> None:
        if self.path == "/_messages":
            self._send(200, "application/json", json.dumps(self.slack.messages).encode())
        else:
            self._send(404, "text/plain", b"not found")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if "json" in self.headers.get("Content-Type", ""):
            arguments = json.loads(body or "{}")
        else:
            arguments = {key: values[-1] for key, values in parse_qs(body).items()}
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        webhook = self.path == _WEBHOOK_PATH
        method = "webhook" if webhook else self.path.removeprefix("/api/")
        fault, said = self.slack.answer(method, arguments, token if scheme == "Bearer" else None)
        time.sleep(fault.delay_s)
        if fault.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, kind, content = fault.status, "application/json", json.dumps(said).encode()
        if webhook:  # answers in plain text, refusals with a status of their own
            kind, content = "text/plain", b"ok" if said["ok"] else said["error"].encode()
            status = 400 if status == 200 and not said["ok"] else status
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        self._send(status, kind, content, headers)

    def _send(self, status: int, kind: str, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for key, value in {"Content-Type": kind, "Content-Length": len(content), **(headers or {})}.items():
                self.send_header(key, str(value))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            self.close_connection = True  # the caller has given up, as a slow answer wants it to

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: the demo's output belongs to the demo."""


def _limit(arguments: Mapping[str, Any], message_total: int) -> str | None:
    """The word with which Slack refuses a message that breaks a limit, or None."""
    blocks, text = arguments.get("blocks") or [], arguments.get("text") or ""
    if not blocks and not text:
        return "no_text"
    if len(text) > MAX_TEXT:
        return "msg_too_long"
    metadata = arguments.get("metadata")
    if metadata is not None and not all(key in metadata for key in _METADATA_KEYS):
        return "invalid_metadata_format"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    fine = (
        len(blocks) <= MAX_BLOCKS
        and len(ids) == len(set(ids))
        and all(len(block_id) <= MAX_BLOCK_ID for block_id in ids)
        and all(map(_is_valid, blocks))
    )
    if not fine:
        return "invalid_blocks"
    total = sum(len(content) for block in blocks for content in _texts(block))
    return "msg_blocks_too_long" if total > message_total else None


def _is_valid(block: Mapping[str, Any]) -> bool:
    lengths = [len(content) for content in _texts(block)]
    match block.get("type"):
        case "divider":
            return True
        case "header":
            return block["text"]["type"] == "plain_text" and 1 <= lengths[0] <= MAX_HEADER
        case "section":
            return bool(lengths) and all(1 <= length <= MAX_SECTION for length in lengths)
        case "actions":
            return all(
                len(each["text"]["text"]) <= MAX_BUTTON and len(each["url"]) <= 3_000 for each in block["elements"]
            )
        case "context":
            return 1 <= len(lengths) <= 10 and all(length >= 1 for length in lengths)
    return False


def _texts(block: Mapping[str, Any]) -> list[str]:
    holders = [*([block["text"]] if "text" in block else []), *block.get("elements", []), *block.get("fields", [])]
    texts = [holder["text"] for holder in holders if "text" in holder]
    return [str(text["text"] if isinstance(text, dict) else text) for text in texts]


def _refusal(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}
