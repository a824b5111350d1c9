"""Airflow connections through the providers' real hooks, up to the driver's own connect function, which is stubbed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from engines.base import open_with_hook

pytestmark = pytest.mark.airflow


class Raw:
    _usock = property(lambda self: self)
    timeout = 0

    def settimeout(self, _seconds: float) -> None: ...


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """What reached each driver's connect function."""
    told: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    microsofts = ModuleType("mssql_python")
    monkeypatch.setitem(sys.modules, "mssql_python", microsofts)
    monkeypatch.setattr(microsofts, "Error", ValueError, raising=False)

    def connect(*given: Any, **options: Any) -> Raw:
        told.append((given, options))
        return Raw()

    for module in (microsofts, pytest.importorskip("snowflake.connector"), pytest.importorskip("redshift_connector")):
        monkeypatch.setattr(module, "connect", connect, raising=False)
    return told


def test_snowflakes_programmatic_access_token_reaches_the_connector(calls: Any) -> None:
    extra = {"account": "acc", "authenticator": "programmatic_access_token", "session_parameters": {"TIMEZONE": "UTC"}}
    open_with_hook("snowflake", None, login="reader", password="pat-1", extra=extra)
    ((_, options),) = calls
    assert (options["authenticator"], options["token"]) == ("PROGRAMMATIC_ACCESS_TOKEN", "pat-1")
    session = options["session_parameters"]
    assert (session["TIMEZONE"], session["STATEMENT_TIMEOUT_IN_SECONDS"]) == ("UTC", 360)
    assert options["network_timeout"] > 360


def test_snowflakes_key_pair_is_the_providers_own(calls: Any) -> None:
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    key = generate_private_key(65537, 2048)
    text = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"pp")).decode()
    open_with_hook("snowflake", None, login="r", password="pp", extra={"account": "a", "private_key_content": text})
    ((_, options),) = calls
    assert options["private_key"] == key.private_bytes(
        pem.Encoding.DER, pem.PrivateFormat.PKCS8, pem.NoEncryption()
    )  # fmt: skip
    assert "password" not in options


def test_redshifts_own_iam_keys_go_to_the_driver_and_not_to_another_airflow_connection(calls: Any) -> None:
    pytest.importorskip("airflow.providers.amazon", reason="the provider amazon is not installed")
    keys = {"cluster_identifier": "c", "region": "r", "access_key_id": "AK", "secret_access_key": "s"}
    open_with_hook("redshift", "other", login="reader", schema="shop", extra={"iam": True, **keys})
    ((_, options),) = calls
    assert options.items() >= {"iam": True, **keys, "db_user": "reader", "database": "other", "timeout": 10}.items()


def test_sql_servers_tenant_takes_microsofts_driver(calls: Any) -> None:
    place: dict[str, Any] = {"host": "x.database.windows.net", "schema": "shop"}
    open_with_hook("sqlserver", None, **place, login="app-1", password="s3cret", extra={"tenant_id": "t-1"})
    (((text,), _),) = calls
    assert "Authentication={ActiveDirectoryServicePrincipal};UID={app-1};PWD={s3cret};" in text
    assert text.startswith("Server={x.database.windows.net,1433};Database={shop};")
