"""The real slack_sdk against a local Slack over HTTP: nothing twice, nothing for ever, no secret anywhere."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import pytest

from include.schema_sync.errors import SchemaSyncError, TerminalError, TransientError
from include.schema_sync.notify.delivery.outgoing import DATA_TEAM, Outgoing
from include.schema_sync.notify.messages.blocks import header, section
from include.schema_sync.notify.messages.layout import Message, MessageKind
from include.schema_sync.notify.slack import rate_limits as turns
from include.schema_sync.notify.slack.client import SlackRefusedError, post_webhook, slack_client, translate
from include.schema_sync.notify.slack.rate_limits import LONGEST_WAIT_S
from include.schema_sync.notify.slack.transports import Webhook
from tests.slack_stand_in import Fault, SlackStandIn, running_slack

TOKEN = "xoxb-very-secret-token"
MESSAGE = Message("fallback", (header("Title"), section("body")))
OUTGOING = Outgoing("1", MessageKind.SCHEMA_SYNC_SUMMARY, DATA_TEAM, "webhook", None, "run", "", ())


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_slack(tokens={TOKEN: "acme"}) as stand_in:
        yield stand_in


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the SDK would have waited."""
    waited: list[float] = []
    monkeypatch.setattr(turns, "_sleep", waited.append)
    return waited


def error_of_posting(slack: SlackStandIn, *, token: str = TOKEN, base_url: str | None = None) -> SchemaSyncError:
    client = slack_client(token, base_url=base_url or slack.base_url, timeout_s=1)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error is judged by its translation
        client.chat_postMessage(channel="C1", text="x")
    return translate(caught.value, what="The message was not posted")


def webhook_error(url: str) -> SchemaSyncError:
    with pytest.raises(SchemaSyncError) as caught:
        post_webhook(url, MESSAGE, timeout_s=1)
    # What a log would print, causes and contexts included.
    assert "stand-in" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


def test_client_posts_with_its_token_and_to_its_address(slack: SlackStandIn) -> None:
    client = slack_client(f" {TOKEN}\n", base_url=slack.base_url.rstrip("/"))
    assert client.auth_test()["team"] == "acme"
    client.chat_postMessage(channel="C1", text=MESSAGE.text, blocks=MESSAGE.blocks)
    assert [(m["channel"], m["workspace"], m["text"]) for m in slack.messages] == [("C1", "acme", "fallback")]


def test_client_without_address_talks_to_slack_itself() -> None:
    assert slack_client(TOKEN, base_url=None).base_url == "https://slack.com/api/"


@pytest.mark.parametrize("token", ["", "xoxb-a\nb", "xoxb-secret geheim", "xoxb-sécret"])
def test_token_that_cannot_be_one_is_refused_without_showing_it(token: str) -> None:
    # http.client would quote it: "Invalid header value b'Bearer xoxb-…'".
    with pytest.raises(TerminalError, match="store it again") as caught:
        slack_client(token, base_url=None)
    assert "xoxb" not in str(caught.value)


def test_connection_lost_after_acceptance_is_not_repeated(slack: SlackStandIn) -> None:
    slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    assert isinstance(error_of_posting(slack), TransientError)
    assert slack.calls == ["chat.postMessage"]
    assert len(slack.messages) == 1


def test_rate_limit_waits_as_asked_and_then_posts(slack: SlackStandIn, waits: list[float]) -> None:
    slack.fail("chat.postMessage", Fault(status=429, retry_after=7), times=2)
    slack_client(TOKEN, base_url=slack.base_url).chat_postMessage(channel="C1", text="x")
    assert [7 <= wait < 8 for wait in waits] == [True, True]
    assert len(slack.messages) == 1


def test_rate_limit_that_goes_on_is_given_back_to_the_scheduler(slack: SlackStandIn, waits: list[float]) -> None:
    slack.fail("chat.postMessage", Fault(status=429, retry_after=1), times=50)
    assert isinstance(error_of_posting(slack), TransientError)
    assert len(slack.calls) == 4


@pytest.mark.parametrize("retry_after", [LONGEST_WAIT_S + 1, -5])
def test_rate_limit_with_an_unreasonable_wait_holds_no_worker(
    slack: SlackStandIn, waits: list[float], retry_after: int
) -> None:
    slack.fail("chat.postMessage", Fault(status=429, retry_after=retry_after))
    assert isinstance(error_of_posting(slack), TransientError)
    assert waits == []


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault(error="not_in_channel"), TerminalError, "Invite the app to the channel"),
        (Fault(error="channel_not_found"), TerminalError, "channel_not_found"),
        (Fault(error="is_archived"), TerminalError, "archived"),
        (Fault(error="token_revoked"), TerminalError, "connect Slack again"),
        (Fault(error="something_new"), TerminalError, "something_new"),
        (Fault(error="fatal_error"), TransientError, "try again later"),
        (Fault(status=500), TransientError, "try again later"),
        (Fault(status=503, error="Not a <word> of Slack's"), TransientError, "HTTP 503"),
        (Fault(status=404, error="Not a word"), TerminalError, "SCHEMA_SYNC_SLACK_BASE_URL"),
        (Fault(error="Not a word"), TransientError, "nothing it documents"),
        (Fault(delay_s=1.3), TransientError, "TimeoutError"),
        (Fault(drop=True), TransientError, "RemoteDisconnected"),
    ],
)
def test_errors_are_terminal_only_when_slack_refused_for_certain(
    slack: SlackStandIn, fault: Fault, kind: type[SchemaSyncError], said: str
) -> None:
    slack.fail("chat.postMessage", fault)
    error = error_of_posting(slack)
    assert isinstance(error, kind)
    assert isinstance(error, SlackRefusedError) is (kind is TerminalError and fault.status == 200)
    assert said in str(error)
    assert TOKEN not in str(error)


def test_unknown_token_tells_to_connect_again_and_is_not_shown(slack: SlackStandIn) -> None:
    error = error_of_posting(slack, token="xoxb-old")
    assert isinstance(error, TerminalError)
    assert "invalid_auth" in str(error)
    assert "xoxb" not in str(error)


def test_nobody_listening_is_transient_and_an_address_that_is_none_is_not(slack: SlackStandIn) -> None:
    assert isinstance(error_of_posting(slack, base_url="http://127.0.0.1:1/api/"), TransientError)
    assert isinstance(error_of_posting(slack, base_url="ftp://127.0.0.1/api/"), TerminalError)


def test_debug_logging_shows_neither_token_nor_webhook(slack: SlackStandIn, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        slack_client(TOKEN, base_url=slack.base_url).chat_postMessage(channel="C1", text="x")
        error_of_posting(slack, base_url="http://127.0.0.1:1/api/")
        post_webhook(slack.webhook_url, MESSAGE)
        webhook_error(slack.webhook_url.replace("127.0.0.1", "127.0.0.1:1@127.0.0.1"))
        slack.fail("webhook", Fault(drop=True))
        webhook_error(slack.webhook_url)
    assert TOKEN not in caplog.text
    assert "stand-in" not in caplog.text


def test_webhook_gets_the_message_and_what_follows(slack: SlackStandIn) -> None:
    waited: list[float] = []
    more = Message("page 2", (section("more"),))
    Webhook(slack.webhook_url, Message("page 1", MESSAGE.blocks, (more,)), sleep=waited.append).post(
        OUTGOING, lambda: None
    )
    assert [(m["method"], m["text"]) for m in slack.messages] == [("webhook", "page 1"), ("webhook", "page 2")]
    assert slack.messages[0]["unfurl_links"] is False
    assert waited == [1.0]


def test_webhook_page_that_fails_does_not_make_the_first_go_out_again(
    slack: SlackStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    message = Message("page 1", MESSAGE.blocks, (Message("page 2", (section(""),)),))
    Webhook(slack.webhook_url, message, sleep=lambda _: None).post(OUTGOING, lambda: None)
    assert [m["text"] for m in slack.messages] == ["page 1"]
    assert "Page 1 of 1 was not posted" in caplog.text


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault(status=404, error="no_service"), TerminalError, "create a new one"),
        (Fault(status=410, error="channel_is_archived"), TerminalError, "archived"),
        (Fault(status=400, error="Not a word"), TerminalError, "HTTP 400"),
        (Fault(status=500), TransientError, "HTTP 500"),
        (Fault(status=429, retry_after=3_600), TransientError, "HTTP 429"),
        (Fault(delay_s=1.3), TransientError, "TimeoutError"),
        (Fault(drop=True), TransientError, "RemoteDisconnected"),
    ],
)
def test_webhook_errors_say_what_to_do_and_never_the_address(
    slack: SlackStandIn, fault: Fault, kind: type[SchemaSyncError], said: str
) -> None:
    slack.fail("webhook", fault)
    error = webhook_error(slack.webhook_url)
    assert type(error) is kind
    assert said in str(error)
    assert slack.calls == ["webhook"]


@pytest.mark.parametrize(
    "url", ["", "hooks.slack.com/stand-in", "https://hooks.slack.com/stand-in\n/x", "file:///stand-in"]
)
def test_webhook_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    error = webhook_error(url)
    assert isinstance(error, TerminalError)
    assert "DATA_TEAM_SLACK_WEBHOOK_URL" in str(error)


@pytest.mark.parametrize(
    ("blocks", "refusal"),
    [
        ([section("x")] * 50, None),
        ([section("x")] * 51, "invalid_blocks"),
        ([section("x" * 3_001)], "invalid_blocks"),
        ([section("")], "invalid_blocks"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "invalid_blocks"),
        ([{**section("x"), "block_id": "same"}] * 2, "invalid_blocks"),
        ([section("x" * 3_000)] * 3, None),
        ([section("x" * 3_000)] * 3 + [section("x")], "msg_blocks_too_long"),
    ],
)
def test_stand_in_refuses_what_slack_refuses(
    slack: SlackStandIn, blocks: list[dict[str, object]], refusal: str | None
) -> None:
    from slack_sdk.errors import SlackApiError

    client = slack_client(TOKEN, base_url=slack.base_url)
    if refusal is None:
        assert client.chat_postMessage(channel="C1", text="x", blocks=blocks)["ok"]
    else:
        with pytest.raises(SlackApiError, match=refusal):
            client.chat_postMessage(channel="C1", text="x", blocks=blocks)


def test_stand_in_updates_keeps_threads_apart_and_pages_its_history(slack: SlackStandIn) -> None:
    client = slack_client(TOKEN, base_url=slack.base_url)
    first, second, _ = (client.chat_postMessage(channel="C1", text=f"m{number}")["ts"] for number in range(3))
    client.chat_postMessage(channel="C1", text="reply", thread_ts=first)
    client.chat_update(channel="C1", ts=second, text="changed")
    page = client.conversations_history(channel="C1", limit=2)
    rest = client.conversations_history(channel="C1", limit=2, cursor=page["response_metadata"]["next_cursor"])
    assert [m["text"] for m in page["messages"] + rest["messages"]] == ["m2", "changed", "m0"]
    assert [m["text"] for m in client.conversations_replies(channel="C1", ts=first)["messages"]] == ["m0", "reply"]
