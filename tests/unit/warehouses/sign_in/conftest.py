"""The sign-in of each engine as a vault has it, and drivers that say what reached them."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest

from include.schema_sync.check.connections import place_from_uri
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for

SETTINGS = Settings.from_environment(
    {
        "SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS": "7",
        "SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS": "50",
        "SCHEMA_SYNC_WAKE_UP_SECONDS": "200",
    }
)

# Every key that has no `?`, one of those between `|`.
VAULT: dict[str, dict[str, Any]] = {
    "postgres": {"host": "db", "database": "shop", "username": "reader", "password": "p@ss"},
    "redshift": {"host": "c.eu-west-1.redshift.amazonaws.com", "database": "shop", "username": "reader",
                 "password": "p@ss"},
    "snowflake": {"account_id": "org-acc", "warehouse_id": "wh", "default_database": "SHOP", "username": "reader",
                  "password": "p@ss"},
    "bigquery": {"project_id": "shop-prod", "service_account_key": {"type": "service_account"}},
    "databricks": {"host": "x.cloud.databricks.com", "warehouse_id": "abc", "access_token": "dapi-1"},
    "mysql": {"host": "db", "database": "shop", "username": "reader", "password": "p@ss"},
    "sqlserver": {"server": "db", "database": "shop", "username": "reader", "password": "p@ss"},
    "duckdb": {"path": "/data/shop.duckdb"},
    "sqlite": {"path": "/data/shop.db"},
}  # fmt: skip

# Where each driver's own connect function is, and how a call is checked as the driver itself would.
DRIVERS = {
    "postgres": "psycopg.connect",
    "redshift": "redshift_connector.connect",
    "snowflake": "snowflake.connector.connect",
    "databricks": "databricks.sql.connect",
    "mysql": "mysql.connector.connect",
    "sqlserver": "pymssql.connect",
    "duckdb": "duckdb.connect",
    "sqlite": "sqlite3.connect",
}

Connected = Callable[..., dict[str, Any]]


class Raw:
    """What the stubs return."""

    def __init__(self) -> None:
        self.open = True
        self._usock = self
        self.read_timeout: float | None = None
        self.timeout = 0

    def settimeout(self, seconds: float) -> None:
        self.read_timeout = seconds

    def close(self) -> None:
        self.open = False


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Connected:
    """Sign in and connect with the driver's connect function stubbed → the arguments that reached it.

    With ``uri`` or with vault JSON; ``driver`` names another connect function than the engine's usual one.
    """

    def run(
        engine: str, secret: Mapping[str, Any] | None = None, *, uri: str | None = None, driver: str | None = None
    ) -> dict[str, Any]:
        calls: list[dict[str, Any]] = []
        path = driver or DRIVERS[engine]
        module, _, function = path.rpartition(".")
        real = _real(module, function, monkeypatch)

        def connect(*arguments: Any, **options: Any) -> Raw:
            if real is not None:
                _as_the_driver_would(engine, real, arguments, options)
            calls.append({**options, **({"arguments": arguments} if arguments else {}), **_pems(options)})
            return Raw()

        monkeypatch.setattr(sys.modules[module], function, connect)
        if uri is not None:
            place_from_uri(uri, None, SETTINGS).access.connect(None)
        else:
            owner = dialect_for(engine).driver
            owner.open(owner.from_vault(secret or {}), None, SETTINGS)
        (call,) = calls
        return call

    return run


def _real(module: str, function: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    try:
        found = find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # ValueError: made here, for an earlier call of the same test
        found = False
    if found:
        __import__(module)
        return getattr(sys.modules[module], function)
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        name = ".".join(parts[:number])
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        if number > 1:
            monkeypatch.setattr(sys.modules[".".join(parts[: number - 1])], parts[number - 1], sys.modules[name],
                                raising=False)  # fmt: skip
    monkeypatch.setattr(sys.modules[module], function, None, raising=False)
    monkeypatch.setattr(sys.modules[module], "Error", ValueError, raising=False)
    return None


def _as_the_driver_would(engine: str, real: Any, arguments: Any, options: Any) -> None:
    """Refuse an option that the driver does not know."""
    if engine == "postgres":
        from psycopg.conninfo import make_conninfo

        make_conninfo(**options)
    elif engine == "mysql":
        from mysql.connector.constants import DEFAULT_CONFIGURATION

        assert options.keys() <= DEFAULT_CONFIGURATION.keys()
    elif engine == "snowflake":
        from snowflake.connector.connection import DEFAULT_CONFIGURATION as KNOWN

        assert options.keys() <= KNOWN.keys()
        wrong = {key: value for key, value in options.items() if not isinstance(value, KNOWN[key][1])}
        assert not wrong
    elif engine not in ("duckdb", "sqlite"):
        inspect.signature(real).bind(*arguments, **options)


def _pems(options: Mapping[str, Any]) -> dict[str, str]:
    """What certificates' files hold while connecting; nobody else may read them."""
    texts = {}
    for key, value in options.items():
        if isinstance(value, str) and value.endswith(".pem"):
            assert os.stat(value).st_mode & 0o077 == 0
            with open(value) as file:
                texts[key] = f"file with {file.read()}"
    return texts


@lru_cache
def pem(passphrase: str | None = None) -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()
