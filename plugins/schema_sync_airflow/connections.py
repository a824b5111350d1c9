"""Credentials: data source or Slack integration → Airflow connection or vault row → something to talk to.

The order of look-up is the contract's (section 4). What is found is masked in Airflow's logs at once, and
every error text that leaves here has been through :func:`redactor`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.log import mask_secret

from include.schema_sync.application.rows import application_errors, vault_secrets
from include.schema_sync.errors import TerminalError, TransientError
from include.schema_sync.introspect.organizations import OpenSource, SourceAccess
from include.schema_sync.nouns.dataset import DataSource
from include.schema_sync.settings import Settings
from include.schema_sync.text import one_line, visible
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Failure
from include.schema_sync.warehouses.sign_in import Driver, InvalidVaultJson, SignIn, sensitive_values
from include.schema_sync.warehouses.sign_in import redactor as secrets_redactor
from include.schema_sync.warehouses.tenants import confined
from schema_sync_airflow.airflow_versions import AirflowNotFoundException
from schema_sync_airflow.warehouse_hooks import WarehouseHook, warehouse_hook

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.webhook import WebhookClient

    from include.schema_sync.application.rows import Connection as ApplicationConnection

APPLICATION_DB = "app_db"
DATA_TEAM_SLACK = "data_team_slack"
SLACK_DEFAULT = "slack_default"  # Airflow's own name; vault tokens use its proxy
_NO_TOKENS = (APPLICATION_DB, DATA_TEAM_SLACK, SLACK_DEFAULT, "data_source_")
_SLACK_TOKEN = re.compile(r"xox[a-z](?:\.xox[a-z])?-\S+")  # https://docs.slack.dev/authentication/tokens


@contextmanager
def application_db(settings: Settings) -> Iterator[ApplicationConnection]:
    """The application database in autocommit mode.

    :raises TransientError, TerminalError: it cannot be reached, or the Airflow connection ``app_db`` does not exist.
    """
    connection = _airflow_connection(APPLICATION_DB)
    if connection is None:
        raise TerminalError(
            "The Airflow connection `app_db` does not exist, so no organization can be read. Create it as a postgres "
            "connection to the product's database, for instance with the environment variable AIRFLOW_CONN_APP_DB."
        )
    redact = redactor(connection)
    try:
        opened = warehouse_hook("postgres").open(connection, None, settings)
    except Exception as error:  # noqa: BLE001 (whatever a driver raises may quote its arguments; told without cause)
        text = one_line(redact(str(error)))
        failure = dialect_for("postgres").classify(getattr(error, "sqlstate", None), text)
        kind = TransientError if failure is Failure.TRANSIENT else TerminalError
        raise kind(
            f"The application database cannot be reached: {text}. Check the Airflow connection `app_db`."
        ) from None
    with opened:
        with application_errors("use the connection"):
            opened.autocommit = True
        yield opened


def source_opener(application: ApplicationConnection, owners: Mapping[str, str], settings: Settings) -> OpenSource:
    """What finds a data source's credentials; it connects to nothing yet, and reads the vault once, if needed.

    :param owners: {data source id: organization id}, of all that may be asked for.
    :return: raises TerminalError, saying what to create, where there are no credentials that can be read.
    """
    vault = cache(partial(vault_secrets, application, owners))

    def open_source(source: DataSource) -> SourceAccess:
        dialect = dialect_for(source.type)
        conn_id = f"data_source_{source.id.replace('-', '_')}"
        in_vault = settings.vault_first and source.id in vault()
        connection = None if in_vault else _airflow_connection(conn_id)
        if connection is not None:
            hook = warehouse_hook(dialect.name)
            return SourceAccess(
                dialect=dialect,
                own_database=hook.own_database(connection),
                connect=_connect(hook, connection, settings),
                redact=redactor(connection),
                host=connection.host or None,
            )
        secret, sign_in = _vault_sign_in(source, dialect.driver, vault().get(source.id), conn_id)
        return SourceAccess(
            dialect=dialect,
            own_database=sign_in.own_database,
            connect=confined(dialect.driver, sign_in, owners[source.id], settings),
            redact=secrets_redactor(sensitive_values(secret)),
            host=sign_in.host,
        )

    return open_source


def slack_default() -> Connection | None:
    """The connection whose proxy serves tokens of the vault."""
    return _airflow_connection(SLACK_DEFAULT)


def organization_slack(
    key: str | None,
    organization_name: str,
    application: ApplicationConnection,
    settings: Settings,
    shared: Callable[[], Connection | None] = slack_default,
) -> WebClient:
    """:param shared: :func:`slack_default`, which whoever asks for many remembers.

    :raises TerminalError: there is no token; says what to create.
    """
    from include.schema_sync.notify.slack.client import slack_client

    # The tenant writes the key: it must not name a connection of ours, or anybody's database.
    if key and not key.lower().startswith(_NO_TOKENS):
        connection = _airflow_connection(key)
        if connection is not None and connection.conn_type == "slack" and connection.password:
            return _slack_of(connection, settings)
        token = vault_secrets(application, [key]).get(key)
        if token and _SLACK_TOKEN.fullmatch(token.strip()):
            mask_secret(token)
            proxy = of_all.extra_dejson.get("proxy") if (of_all := shared()) is not None else None
            return slack_client(token, base_url=settings.slack_base_url, proxy=proxy)
    raise TerminalError(
        f"The Slack integration of {visible(organization_name)} is active but has no token. Create the Airflow "
        f"connection {key!r} of type slack with the bot token as its password, or the vault secret of that name; "
        "or let the organization connect Slack again."
    )


def data_team_slack(settings: Settings) -> WebClient | WebhookClient | None:
    """The data team's Slack; a connection of type ``slackwebhook`` is a webhook. None when there is none."""
    connection = _airflow_connection(DATA_TEAM_SLACK)
    if connection is None or not connection.password:
        return None
    if connection.conn_type != "slackwebhook":
        return _slack_of(connection, settings)
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    return SlackWebhookHook(slack_webhook_conn_id=DATA_TEAM_SLACK, timeout=_timeout_s(connection)).client


def _slack_of(connection: Connection, settings: Settings) -> WebClient:
    """The connection as Slack's own hook reads it, with its proxy, timeout and address; repeating stays ours."""
    from airflow.providers.slack.hooks.slack import SlackHook

    from include.schema_sync.notify.slack.client import slack_client

    theirs = SlackHook(slack_conn_id=connection.conn_id, timeout=_timeout_s(connection)).client
    return slack_client(
        theirs.token or "",
        base_url=settings.slack_base_url or theirs.base_url,
        timeout_s=theirs.timeout,
        proxy=theirs.proxy,
    )


def _timeout_s(connection: Connection) -> int:
    from include.schema_sync.notify.slack.client import TIMEOUT_S

    return int(connection.extra_dejson.get("timeout") or TIMEOUT_S)


def redactor(connection: Connection) -> Callable[[str], str]:
    """A function that takes a connection's secrets out of any text, however they are encoded."""
    return secrets_redactor([connection.password, *sensitive_values(connection.extra_dejson)])


def _airflow_connection(conn_id: str) -> Connection | None:
    try:
        connection: Connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    return connection


def _vault_sign_in(
    source: DataSource, driver: Driver, text: str | None, conn_id: str
) -> tuple[Mapping[str, Any], SignIn]:
    if text is None:
        raise TerminalError(
            f"No credentials for data source {visible(source.name)}: create the Airflow connection `{conn_id}`, "
            f"or the vault secret named {source.id}."
        )
    mask_secret(text)
    # Raised outside the handler: a parser's error quotes the text, and `from None` only hides it.
    try:
        secret = json.loads(text)
        for value in sensitive_values(secret):
            mask_secret(value)
        return secret, driver.from_vault(secret)
    except InvalidVaultJson as error:
        problem = str(error)
    except ValueError:
        problem = "it is not JSON"
    raise TerminalError(
        f"The vault secret of data source {visible(source.name)} cannot be used: {problem}. "
        f"Correct the secret named {source.id}, or create the Airflow connection `{conn_id}`."
    )


def _connect(hook: WarehouseHook, connection: Connection, settings: Settings) -> Callable[[str | None], Any]:
    with _installed(hook):
        import_module(hook.module)  # before anybody counts the seconds that connecting takes
    return _installed(hook)(lambda database: hook.open(connection, database, settings))


@contextmanager
def _installed(hook: WarehouseHook) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise TerminalError(
            f"The package for this kind of warehouse is not installed ({error.name or error}). "
            f"Run: pip install apache-airflow-providers-{hook.provider}"
        ) from None
