"""Slack clients set up so that nothing is posted twice and no secret gets out; what Slack's errors mean.

slack_sdk logs failures with the error's text, which can hold a token or a webhook's address. Its clients
therefore get a logger that says nothing, and every error is translated here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.error import URLError

from ...errors import SchemaSyncError, TerminalError, TransientError
from . import rate_limits as turns
from .rate_limits import LONGEST_WAIT_S

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryHandler, RetryState

    from ..messages.layout import Message

log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

TIMEOUT_S = 15
# HTTP 429: how often a request waits for Retry-After; longer waits are the scheduler's.
RATE_LIMIT_RETRIES = 3

_CHECK_ADDRESS = "Check SCHEMA_SYNC_SLACK_BASE_URL, the connection's base_url and the proxy."
_OTHER_CHANNEL = "choose another channel for the alerts."
# Slack's words for a refusal, by what to do about them. Sources: the error lists of chat.postMessage, chat.update,
# conversations.history and conversations.join, and https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
_WORDS_OF_STEP = {
    "The bot token is not valid (any more): connect Slack again and store the new token.": (
        "invalid_auth not_authed account_inactive token_revoked token_expired team_access_not_granted invalid_token "
        "not_allowed_token_type"
    ),
    "The workspace is being moved to another Slack organization: connect Slack again.": (
        "org_login_required team_not_found no_team"
    ),
    "Choose another channel; if this one is private, invite the app to it.": "channel_not_found user_not_found",
    "Invite the app to the channel.": "not_in_channel",
    f"The channel is archived: {_OTHER_CHANNEL}": "is_archived channel_is_archived",
    f"The workspace restricts who may post in the channel: let the app post, or {_OTHER_CHANNEL}": (
        "restricted_action no_permission action_prohibited posting_to_general_channel_denied"
    ),
    f"Only some may post in the channel: let the app post, or {_OTHER_CHANNEL}": "restricted_action_read_only_channel",
    f"The channel takes replies only: {_OTHER_CHANNEL}": "restricted_action_thread_only_channel",
    f"The channel takes no replies, so each alert is a message of its own; for threads, {_OTHER_CHANNEL}": (
        "restricted_action_non_threadable_channel"
    ),
    f"This kind of channel takes no messages of apps: {_OTHER_CHANNEL}": (
        "channel_type_not_supported method_not_supported_for_channel_type messages_tab_disabled cannot_reply_to_message"
    ),
    "The thread is locked: unlock it, or delete the alert to get a new one.": "restricted_action_thread_locked",
    "Give the app the scope that is missing and install it again.": "missing_scope",
    "The workspace's administrators have suspended or restricted the app: ask them.": (
        "ekm_access_denied access_denied accesslimited enterprise_is_restricted two_factor_setup_required "
        "team_disabled slack_connect_file_link_sharing_blocked"
    ),
    "The webhook does not exist (any more): create a new one and set its address.": (
        "no_service no_service_id no_active_hooks"
    ),
    "The message is not there any more, or not the app's own: the next run begins a new one.": (
        "message_not_found cant_update_message thread_not_found invalid_thread_ts edit_window_closed cant_edit "
        "is_inactive update_failed block_mismatch"
    ),
    "This is a defect of Schema Sync: report it together with the run's id.": (
        "msg_too_long msg_blocks_too_long invalid_blocks invalid_blocks_format invalid_payload invalid_metadata_format "
        "invalid_metadata_schema metadata_too_large metadata_must_be_sent_from_app no_text too_many_attachments "
        "invalid_arguments invalid_arg_name invalid_array_arg invalid_charset invalid_form_data invalid_post_type "
        "missing_post_type unknown_method method_deprecated deprecated_endpoint as_user_not_supported"
    ),
}
_NEXT_STEP = {word: step for step, words in _WORDS_OF_STEP.items() for word in words.split()}
_UNKNOWN_WORD = (
    "Look the word up at https://docs.slack.dev/reference/methods/chat.postMessage, or try another channel; the next "
    "run tells what was not told."
)
_TRANSIENT_WORDS = (
    "ratelimited rate_limited message_limit_exceeded internal_error fatal_error service_unavailable request_timeout "
    "rollup_error team_added_to_org external_channel_migrating"
)
_TRANSIENT_CODES = frozenset(_TRANSIENT_WORDS.split())
_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")
_TOKEN = re.compile(r"[!-~]+")
# Outside the hierarchy, so that no configuration makes it speak.
_SILENT = logging.Logger("slack_sdk, silenced", level=logging.CRITICAL + 1)


class SlackRefusedError(TerminalError):
    """Slack refused a call for certain, and nothing happened; ``code`` is its own word, such as ``not_in_channel``."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def slack_client(
    token: str, *, base_url: str | None, timeout_s: int = TIMEOUT_S, proxy: str | None = None
) -> WebClient:
    """Build a Web API client that waits on HTTP 429 and repeats nothing else.

    The SDK's default handler repeats a request whose connection was lost, although Slack may have accepted it.

    :param timeout_s: for connecting and for each read, seconds.
    :raises TerminalError: the token cannot be one; the message does not show it.
    """
    from slack_sdk import WebClient

    if not _TOKEN.fullmatch(token.strip()):
        raise TerminalError("The Slack token is empty or has characters that no token has: store it again.")

    class PacedClient(WebClient):
        """Waits while Slack pauses this token for the method, whichever thread was told so."""

        def api_call(self, api_method: str, **arguments: Any) -> Any:
            turns.wait_out_pause(turns.limit_key(self.token or "", self.base_url + api_method))
            turns.pass_gate()
            return super().api_call(api_method, **arguments)

    return PacedClient(
        token=token.strip(),
        base_url=base_url or WebClient.BASE_URL,
        timeout=timeout_s,
        proxy=proxy,
        logger=_SILENT,
        retry_handlers=[_rate_limit_handler()],
    )


def ask(request: Callable[[], _Answer], *, what: str) -> _Answer:
    """The request's answer, or its error as :func:`translate` has it: without context, which may hold the token."""
    try:
        return request()
    except Exception as error:  # noqa: BLE001 - translated, never swallowed
        failure = translate(error, what=what)
    raise failure


def translate(error: Exception, *, what: str) -> SchemaSyncError:
    """What an error of the SDK means for us.

    :param what: what failed and for whom, as the beginning of a sentence: "The message to … was not posted".
    :return: TerminalError only for a definite refusal: nothing was posted. Everything else is a TransientError.
    """
    from slack_sdk.errors import SlackApiError, SlackRequestError

    if isinstance(error, SchemaSyncError):  # from a pause or a gate: nothing was sent
        return type(error)(f"{what}: {error}") if type(error) in (TransientError, TerminalError) else error
    if isinstance(error, SlackApiError):
        return _answered(error.response, what)
    if isinstance(error, SlackRequestError):  # made before anything is sent: the address is no web address
        return TerminalError(f"{what}: the request could not be made. {_CHECK_ADDRESS}")
    if isinstance(error, (OSError, HTTPException, ValueError)):
        cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
        return TransientError(f"{what}: no answer from Slack ({type(cause).__name__}).")
    return TransientError(f"{what}: {type(error).__name__}.")


def _answered(response: Any, what: str) -> SchemaSyncError:
    status, code = int(response.status_code), _code(response)
    if status in (408, 429) or code in _TRANSIENT_CODES:
        return TransientError(f"{what}: Slack asks to try again later ({code or f'HTTP {status}'}).")
    if status >= 500 or (status < 400 and code is None):
        return TransientError(f"{what}: Slack answered HTTP {status} with nothing it documents.")
    if code is None:
        return TerminalError(f"{what}: HTTP {status}. {_CHECK_ADDRESS}")
    needed = response.get("needed") if code == "missing_scope" else None
    said = f"{code}: {needed}" if isinstance(needed, str) and re.fullmatch(r"[a-z:.,_ ]{1,100}", needed) else code
    return SlackRefusedError(f"{what}: Slack refused it ({said}). {_NEXT_STEP.get(code, _UNKNOWN_WORD)}", code=code)


def _code(response: Any) -> str | None:
    code = response.get("error") if isinstance(response.data, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def post_webhook(url: str, message: Message, *, timeout_s: int = TIMEOUT_S, proxy: str | None = None) -> None:
    """Post to an incoming webhook. :param url: a secret: whoever knows it can post."""
    from slack_sdk.webhook import WebhookClient, WebhookResponse

    what = "The message to the data team's webhook was not posted"
    # Anything else in an address makes urllib raise an error that quotes it.
    if not re.fullmatch(r"https?://[!-~]+", url):
        raise TerminalError(f"{what}: DATA_TEAM_SLACK_WEBHOOK_URL is not a web address. Copy it again from Slack.")

    def request() -> WebhookResponse:
        client = WebhookClient(url, timeout_s, proxy=proxy, logger=_SILENT, retry_handlers=[_rate_limit_handler()])
        return client.send(text=message.text, blocks=list(message.blocks), unfurl_links=False, unfurl_media=False)

    response = ask(request, what=what)
    # A webhook answers in plain text: "ok", or its word for a refusal.
    code = response.body if _CODE.fullmatch(response.body or "") else None
    if response.status_code in (408, 429) or response.status_code >= 500:
        raise TransientError(f"{what}: Slack answered HTTP {response.status_code}.")
    if response.status_code >= 300:
        said = f"HTTP {response.status_code}, {code}" if code else f"HTTP {response.status_code}"
        step = _NEXT_STEP.get(code or "no_service", _UNKNOWN_WORD)
        raise TerminalError(f"{what}: Slack refused it ({said}). {step}")


def _rate_limit_handler() -> RetryHandler:
    from slack_sdk.http_retry import RetryHandler

    class RateLimits(RetryHandler):
        """Waits as Slack asks, unless that takes longer than a task should hold its worker."""

        def can_retry(
            self, *, state: RetryState, request: HttpRequest, response: HttpResponse | None = None, **_: Any
        ) -> bool:
            seconds = _retry_after(response) if response is not None and response.status_code == 429 else None
            if seconds is None:
                return False
            # Also when this request is given up: the others need not find out for themselves.
            turns.pause(_key_of(request), seconds)
            if seconds > LONGEST_WAIT_S or state.current_attempt >= self.max_retry_count:
                return False
            log.info("Slack asks to wait %s s (HTTP 429)", seconds)
            return True

        def prepare_for_next_attempt(self, *, state: RetryState, request: HttpRequest, **_: Any) -> None:
            state.next_attempt_requested = True
            turns.wait_out_pause(_key_of(request))
            turns.pass_gate()
            state.increment_current_attempt()

    def _key_of(request: HttpRequest) -> str:
        authorization = next((values for key, values in request.headers.items() if key.lower() == "authorization"), "")
        sent = authorization if isinstance(authorization, str) else (authorization or [""])[0]
        return turns.limit_key(str(sent).partition(" ")[2], request.url)

    return RateLimits(max_retry_count=RATE_LIMIT_RETRIES)


def _retry_after(response: HttpResponse) -> int | None:
    """Seconds that Slack asks for; 1 when it names none, None for nonsense."""
    asked = [value for key, value in response.headers.items() if key.lower() == "retry-after"]
    seconds = str(asked[0][0]) if asked and asked[0] else "1"
    return int(seconds) if seconds.isdecimal() else None
