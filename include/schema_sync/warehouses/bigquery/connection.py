"""How BigQuery is connected to: Google's client, its DB-API, and statements that run where their dataset is."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import TerminalError
from ...settings import Settings
from ..autocommit import AutocommitConnection
from ..sign_in import Driver, SignIn, Uri, VaultJson


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    """A service account's key, and nothing of this machine's: neither its own credentials nor a file on it."""
    options: dict[str, Any] = {"project": secret["project_id"], "location": secret.get("location")}
    secret["service_account_key"]
    key = secret.raw("service_account_key")
    try:
        key = dict(json.loads(key) if isinstance(key, str) else key)
    except (ValueError, TypeError):
        key = {}
    if key.get("type", "service_account") != "service_account" or not key:
        raise secret.invalid("its `service_account_key` is not the JSON text of a service account's key")
    # Where the key is shown is not for the key to say.
    options["key"] = {**key, "token_uri": "https://oauth2.googleapis.com/token"}
    return SignIn(options, options["project"], secret.get("default_dataset"))


def _sign_in_from_uri(uri: Uri) -> SignIn:
    """``bigquery://project/dataset?location=…``; the key as ``credentials_path`` or ``credentials_base64``."""
    options: dict[str, Any] = {"project": uri.host or None, "location": uri.options.get("location")}
    if text := uri.options.get("credentials_base64"):
        try:
            options["key"] = dict(json.loads(base64.b64decode(text)))
        except (ValueError, TypeError):
            options["key"] = None
        if options["key"] is None:
            raise TerminalError("The connection URI's credentials_base64 is not the encoded JSON of a key.")
    elif path := uri.options.get("credentials_path"):
        options["key_file"] = path
    return SignIn(options, uri.host or None, uri.database)


def _connect(options: dict[str, Any], _database: str | None, settings: Settings) -> Any:
    from google.cloud import bigquery

    def client(location: str | None) -> Any:
        arguments = {"project": options["project"], "location": location}
        if key := options.get("key"):
            return bigquery.Client.from_service_account_info(key, **arguments)
        if path := options.get("key_file"):
            return bigquery.Client.from_service_account_json(path, **arguments)
        return bigquery.Client(**arguments)

    return located(client, options["location"], settings)


def located(client: Callable[[str | None], Any], location: str | None, settings: Settings) -> LocatedConnection:
    """A connection that finds datasets of every location, and on which no wait is without an end.

    :param client: location or None → Google's client.
    :param location: where statements run first; None: where BigQuery guesses.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import DEFAULT_RETRY, QueryJobConfig, dbapi

    timeout_s = settings.statement_timeout_s
    retry = DEFAULT_RETRY.with_timeout(timeout_s)  # the client would try for ten minutes

    def bounded(location: str | None) -> Any:
        made = client(location)
        made.default_query_job_config = QueryJobConfig(job_timeout_ms=timeout_s * 1000, use_legacy_sql=False)
        # The DB-API has no way to pass these on.
        made.query_and_wait = partial(made.query_and_wait, wait_timeout=timeout_s, retry=retry, job_retry=retry)
        return made

    def location_of(project: str, dataset: str) -> str | None:
        try:
            found = bounded(None).get_dataset(f"{project}.{dataset}", retry=retry, timeout=settings.connect_timeout_s)
        except NotFound:
            return None
        return str(found.location)

    # Rows of a catalogue are few: the Storage API would need one more right, and one more connection.
    connect = partial(dbapi.Connection, prefer_bqstorage_client=False)
    return LocatedConnection(lambda location: connect(bounded(location)), location, location_of)


_NOT_FOUND_HERE = re.compile(
    r"Not found: (?:Dataset|Table) (?P<project>\S+):(?P<dataset>[A-Za-z0-9_]+)[.\s].*?"
    r"not found in location (?P<here>\S+)"
)


class LocatedConnection(AutocommitConnection):
    """Runs a statement where its dataset is.

    BigQuery looks in one location only, the connection's or the one that it guesses, and says of a dataset in another
    location the same as of one that is not there. So a dataset that is not found is looked up without a location.

    :ivar raw: the DB-API connection of the current location.
    :param connect: location → DB-API connection.
    :param location_of: (project, dataset) → its location, or None when there is no such dataset.
    """

    def __init__(
        self, connect: Callable[[str | None], Any], location: str | None, location_of: Callable[[str, str], str | None]
    ) -> None:
        super().__init__(connect(location))
        self._connections = {location: self.raw}
        self._connect = connect
        self._location_of = location_of

    def cursor(self) -> Any:
        return _Cursor(self)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def cursor_elsewhere(self, error: Exception) -> Any:
        """A cursor where the dataset is that this error could not find; None when it is in no other location."""
        match = _NOT_FOUND_HERE.search(str(error))
        location = self._location_of(match["project"], match["dataset"]) if match else None
        if match is None or location is None or location.lower() == match["here"].rstrip(".").lower():
            return None
        if location not in self._connections:
            self._connections[location] = self._connect(location)
        return self._connections[location].cursor()


class _Cursor:
    def __init__(self, connection: LocatedConnection) -> None:
        self._connection = connection
        self._raw = connection.raw.cursor()

    def execute(self, sql: str, *parameters: Any) -> None:
        try:
            self._raw.execute(sql, *parameters)
        except Exception as error:
            elsewhere = self._connection.cursor_elsewhere(error)
            if elsewhere is None:
                raise
            self._raw = elsewhere
            self._raw.execute(sql, *parameters)

    def fetchmany(self, size: int) -> Any:
        return self._raw.fetchmany(size)

    def close(self) -> None:
        self._raw.close()


_VAULT_KEYS = "project_id service_account_key default_dataset? location?"
DRIVER = Driver(
    "google-cloud-bigquery",
    "google.cloud.bigquery",
    _VAULT_KEYS,
    _sign_in_from_vault,
    _sign_in_from_uri,
    _connect,
)
