"""BigQuery: vault JSON → Airflow connection → BigQueryHook → the client's own DB-API connection."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from include.schema_sync.settings import Settings
from include.schema_sync.warehouses.driver_connections import AutocommitConnection
from schema_sync_airflow.warehouse_hooks.base import WarehouseHook, with_extra


def _from_vault(secret: Mapping[str, Any], _folder: Path) -> Connection:
    """Without a key, the credentials of the machine are used (workload identity)."""
    extra: dict[str, Any] = {"project": str(secret["project_id"])}
    if key := secret.get("service_account_key"):
        # As text, so that only what is secret in it is taken out of messages, not the project's name.
        extra["keyfile_dict"] = json.dumps(dict(json.loads(key) if isinstance(key, str) else key))
    elif path := secret.get("key_file_path"):
        extra["key_path"] = str(path)
    if location := secret.get("location"):
        extra["location"] = str(location)
    return Connection(conn_id="vault", conn_type="google_cloud_platform", extra=json.dumps(extra))


_NOT_FOUND_HERE = re.compile(
    r"Not found: (?:Dataset|Table) (?P<project>\S+):(?P<dataset>[A-Za-z0-9_]+)[.\s].*?"
    r"not found in location (?P<here>\S+)"
)


class _Connection(AutocommitConnection):
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

    def at(self, location: str) -> Any:
        if location not in self._connections:
            self._connections[location] = self._connect(location)
        return self._connections[location]

    def elsewhere(self, error: Exception) -> str | None:
        """The location of the dataset that this error could not find, when it is another one."""
        match = _NOT_FOUND_HERE.search(str(error))
        if match is None:
            return None
        location = self._location_of(match["project"], match["dataset"])
        return location if location is not None and location.lower() != match["here"].rstrip(".").lower() else None


class _Cursor:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._raw = connection.raw.cursor()

    def execute(self, sql: str, *parameters: Any) -> None:
        try:
            self._raw.execute(sql, *parameters)
        except Exception as error:
            location = self._connection.elsewhere(error)
            if location is None:
                raise
            self._raw = self._connection.at(location).cursor()
            self._raw.execute(sql, *parameters)

    def fetchmany(self, size: int) -> Sequence[Any]:
        rows: Sequence[Any] = self._raw.fetchmany(size)
        return rows

    def close(self) -> None:
        self._raw.close()


def _open(connection: Connection, _database: str | None, settings: Settings) -> Any:
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import DEFAULT_RETRY, QueryJobConfig, dbapi

    given = with_extra(connection, "google_cloud_platform", connection.extra_dejson)
    # The hook looks its Airflow connection up by id while it is made; a vault's has none.
    hook_class = type("GivenConnectionHook", (BigQueryHook,), {"get_connection": staticmethod(lambda _conn_id: given)})
    hook = hook_class(use_legacy_sql=False)
    timeout_s = settings.statement_timeout_s
    retry = DEFAULT_RETRY.with_timeout(timeout_s)  # the client would try for ten minutes

    def client(location: str | None) -> Any:
        made = hook.get_client(project_id=hook.project_id, location=location)
        made.default_query_job_config = QueryJobConfig(job_timeout_ms=timeout_s * 1000, use_legacy_sql=False)
        # The DB-API has no way to pass these on.
        made.query_and_wait = partial(made.query_and_wait, wait_timeout=timeout_s, retry=retry, job_retry=retry)
        return made

    def location_of(project: str, dataset: str) -> str | None:
        try:
            found = client(None).get_dataset(f"{project}.{dataset}", retry=retry, timeout=settings.connect_timeout_s)
        except NotFound:
            return None
        return str(found.location)

    # Rows of a catalogue are few: the Storage API would need one more right, and one more connection.
    connect = partial(dbapi.Connection, prefer_bqstorage_client=False)
    return _Connection(lambda location: connect(client(location)), hook.location or None, location_of)


def _own_database(connection: Connection) -> str | None:
    """The project that is named in the connection, or in its key; the machine's own cannot be told from here."""
    extra = connection.extra_dejson
    named = extra.get("project") or extra.get("extra__google_cloud_platform__project")
    key = extra.get("keyfile_dict") or extra.get("extra__google_cloud_platform__keyfile_dict")
    if named or not key:
        return str(named) if named else None
    try:
        project = dict(json.loads(key) if isinstance(key, str) else key).get("project_id")
    except (ValueError, TypeError):
        return None  # opening the connection will say what is wrong with it
    return str(project) if project else None


HOOK = WarehouseHook(
    provider="apache-airflow-providers-google",
    from_vault=_from_vault,
    open=_open,
    own_database=_own_database,
)
