"""How the data team is reached: its channel, else its webhook, else the log; and any notifier of Airflow that is set.

SCHEMA_SYNC_NOTIFIER={"class": "airflow.providers.apprise.notifications.apprise.AppriseNotifier",
                      "arguments": {"title": "Schema Sync", "body": "{{ message }}"}}
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.schema_sync.application.rows import Connection
    from include.schema_sync.notify.delivery.outgoing import Occasion
    from include.schema_sync.notify.messages.layout import Message
    from include.schema_sync.notify.slack.transports import Slack
    from include.schema_sync.settings import Settings

log = logging.getLogger(__name__)


def tell_data_team(message: Message, occasion: Occasion, settings: Settings, *, unless: Occasion | None = None) -> bool:
    """Send and record one message an occasion, however often this is called; the newest words win.

    :param unless: nothing is said when this was.
    :return: False when there is nobody to tell: then the message is in the log.
    :raises TerminalError, TransientError: it could not be delivered.
    """
    from slack_sdk.webhook import WebhookClient

    from include.schema_sync.errors import TerminalError
    from include.schema_sync.notify.delivery.outbox import Sender, deliver, is_delivered
    from include.schema_sync.notify.delivery.outgoing import DATA_TEAM
    from include.schema_sync.notify.messages.layout import render_text
    from include.schema_sync.notify.slack.history import channel_id
    from include.schema_sync.notify.slack.transports import WebApi, Webhook
    from schema_sync_airflow.connections import data_team_slack

    text = render_text(message)
    client = data_team_slack(settings)
    channel = settings.data_team_channel
    slack: Slack
    if isinstance(client, WebhookClient):
        slack, channel = Webhook(client.url, message, client.timeout, client.proxy), channel or "webhook"
    elif client is not None and channel is not None:
        slack, channel = WebApi(client), channel_id(client, channel)
    elif (url := settings.data_team_webhook_url) is not None:
        slack, channel = Webhook(url, message), channel or "webhook"
    else:
        log.warning(
            "Nobody is told: neither the Airflow connection `data_team_slack` with DATA_TEAM_SLACK_CHANNEL_ID nor "
            "DATA_TEAM_SLACK_WEBHOOK_URL is set. The data team's message:\n%s",
            text,
        )
        _tell_others(text, occasion.run_id, settings)
        return False
    with _application_if_reachable(settings) as application:
        before = unless is not None and application is not None and is_delivered(application, DATA_TEAM, unless)
        try:
            before = before or deliver(Sender(application, slack), DATA_TEAM, message, occasion, channel).already_sent
        except TerminalError:
            _tell_others(text, occasion.run_id, settings)
            raise
    if before:
        log.info("The data team was told before: nothing is sent")
    else:
        log.info("Told the data team:\n%s", text)
        _tell_others(text, occasion.run_id, settings)
    return True


@contextmanager
def _application_if_reachable(settings: Settings) -> Iterator[Connection | None]:
    """The application database for the message's row, or None: that it is down is what the data team must hear."""
    from include.schema_sync.application.rows import transactions
    from include.schema_sync.errors import SchemaSyncError
    from schema_sync_airflow.connections import application_db

    with ExitStack() as stack:
        application: Connection | None = None
        try:
            application = stack.enter_context(application_db(settings))
            stack.enter_context(transactions(application))
        except SchemaSyncError as error:
            log.warning("%s", error)
        yield application


def _tell_others(text: str, run_id: str, settings: Settings) -> None:
    """Tell one message; whatever goes wrong here is a warning, and never turns a run red.

    :param text: as a person reads it; arguments take it by ``{{ message }}``, the run by ``{{ run_id }}``.
    """
    if settings.notifier is None:
        return
    try:
        wanted = json.loads(settings.notifier)
        module, _, name = wanted["class"].rpartition(".")
        notifier = getattr(import_module(module), name)(**wanted.get("arguments", {}))
        notifier({"message": text, "run_id": run_id})
    except Exception as error:  # noqa: BLE001 (a notifier raises what it likes; its text may hold a secret)
        log.warning(
            "The notifier of SCHEMA_SYNC_NOTIFIER did not tell anybody (%s); nothing else is affected. Check its "
            "class, its arguments and its provider's connection.",
            type(error).__name__,
        )
