"""A stand-in for Slack over real HTTP, for the demo: the real slack_sdk talks to it.

It keeps what it accepts and refuses what Slack refuses: too many blocks, too long texts. What else goes wrong in Slack
is in the tests' own (tests/slack_stand_in.py), which is made of this one.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qs

# Slack's own limits (https://docs.slack.dev/reference/block-kit/blocks), and the project's for the sum of all texts:
# Slack answers msg_blocks_too_long somewhere above it.
MAX_BLOCKS, MAX_SECTION, MAX_HEADER, MAX_BLOCK_ID, MAX_TOTAL, MAX_TEXT = 50, 3_000, 150, 255, 9_000, 40_000
MAX_BUTTON = 75
_WEBHOOK_PATH = "/services/T000/B000/stand-in"
_METADATA_KEYS = ("event_type", "event_payload")

Call = Mapping[str, Any]  # a call's arguments


@dataclass
class SlackStandIn:
    """A running stand-in.

    :ivar base_url: for ``WebClient(base_url=…)``, ends with ``/api/``.
    :ivar messages: accepted messages, oldest first: method, channel, text, blocks, thread_ts, reply_broadcast, ts,
        metadata, ``workspace`` (whose token posted), and once it was updated ``updates``: how often.
    :ivar calls: every call by method name, refused and failed ones included.
    """

    base_url: str
    webhook_url: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    _posted: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, arguments: Call, token: str | None) -> tuple[int, dict[str, Any], dict[str, str]]:
        """One call: HTTP status, the JSON that Slack answers, and further headers.

        :raises ConnectionError: the connection is to be cut without an answer.
        """
        with self._lock:
            self.calls.append(method)
            return 200, self.accept(method, arguments, "any") if token else refusal("not_authed"), {}

    def accept(self, method: str, arguments: Call, workspace: str) -> dict[str, Any]:
        match method:
            case "auth.test":
                return {"ok": True, "team": workspace, "user": "schema-sync", "user_id": "U000", "team_id": "T000"}
            case "chat.postMessage" | "webhook":
                return self._post(method, arguments, workspace)
            case "chat.update":
                return self._update(arguments)
            case "reactions.get":
                return self._reactions(str(arguments.get("channel")), str(arguments.get("timestamp")))
        return refusal("unknown_method")

    def problem(self, arguments: Call) -> str | None:
        """The word with which Slack refuses a message, or None."""
        return limit_broken(arguments, MAX_TOTAL)

    def message(self, channel: Any, ts: Any) -> dict[str, Any] | None:
        return next((each for each in self.messages if (each["channel"], each["ts"]) == (channel, ts)), None)

    def _post(self, method: str, arguments: Call, workspace: str) -> dict[str, Any]:
        if (problem := self.problem(arguments)) is not None:
            return refusal(problem)
        channel = arguments.get("channel") or "webhook"
        thread = arguments.get("thread_ts")
        if thread and not any(thread in (m["ts"], m["thread_ts"]) for m in self.messages if m["channel"] == channel):
            return refusal("thread_not_found")
        self._posted += 1
        message = {
            "method": method,
            "workspace": workspace,
            "channel": channel,
            # As Slack's own: seconds and a number that makes it unique within the channel.
            "ts": f"{int(time.time())}.{self._posted:06d}",
            **{key: arguments.get(key) for key in ("text", "blocks", "thread_ts", "metadata", "unfurl_links")},
            "reply_broadcast": is_true(arguments.get("reply_broadcast")),
        }
        self.messages.append(message)
        return {"ok": True, "channel": channel, "ts": message["ts"], "message": message}

    def _update(self, arguments: Call) -> dict[str, Any]:
        if (problem := self.problem(arguments)) is not None:
            return refusal(problem)
        if (message := self.message(arguments.get("channel"), arguments.get("ts"))) is None:
            return refusal("message_not_found")
        message |= {key: arguments[key] for key in ("text", "blocks", "metadata") if key in arguments}
        message["updates"] = message.get("updates", 0) + 1
        return {"ok": True, **{key: message[key] for key in ("channel", "ts", "text")}}

    def _reactions(self, channel: str, ts: str) -> dict[str, Any]:
        if (message := self.message(channel, ts)) is None:
            return refusal("message_not_found")
        return {"ok": True, "message": {"ts": ts, "reactions": message.get("reactions", [])}}


Kind = TypeVar("Kind", bound=SlackStandIn)


@contextmanager
def running_slack(kind: Callable[[str, str], Kind]) -> Iterator[Kind]:
    """Run a stand-in of this kind on a free port of 127.0.0.1 until the block ends."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_port}"
    slack = Handler.slack = kind(f"{address}/api/", f"{address}{_WEBHOOK_PATH}")
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

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if "json" in self.headers.get("Content-Type", ""):
            arguments = json.loads(body or "{}")
        else:
            arguments = {key: values[-1] for key, values in parse_qs(body).items()}
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        webhook = self.path == _WEBHOOK_PATH
        method = "webhook" if webhook else self.path.removeprefix("/api/")
        try:
            status, said, headers = self.slack.answer(method, arguments, token if scheme == "Bearer" else None)
            kind, content = "application/json", json.dumps(said).encode()
            if webhook:  # answers in plain text, refusals with a status of their own
                kind, content = "text/plain", b"ok" if said["ok"] else said["error"].encode()
                status = 400 if status == 200 and not said["ok"] else status
            self.send_response(status)
            for key, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            self.close_connection = True  # cut on purpose, or given up by a caller for whom it was too slow

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: the demo's output belongs to the demo."""


def refusal(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


def is_true(argument: object) -> bool:
    """A flag of a call, as slack_sdk writes them in forms and in JSON."""
    return str(argument).lower() in ("1", "true")


def limit_broken(arguments: Mapping[str, Any], message_total: int) -> str | None:
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
