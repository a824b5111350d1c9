"""Vault JSON of Snowflake and Redshift → Airflow connections as their hooks read them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow

SNOWFLAKE = {
    "type": "snowflake", "account_id": "org-account", "warehouse_id": "wh", "default_database": "SHOP",
    "username": "reader", "password": "p@ss/word",
}  # fmt: skip
REDSHIFT = {
    "type": "redshift", "host": "c.x.eu-west-1.redshift.amazonaws.com", "database": "shop", "username": "reader",
    "password": "p@ss/word",
}  # fmt: skip


@pytest.fixture
def from_vault(tmp_path):
    from schema_sync_airflow.warehouse_hooks import warehouse_hook

    def make(secret, **keys):
        return warehouse_hook(secret["type"]).from_vault({**secret, **keys}, tmp_path)

    return make


def test_snowflakes_keys_become_a_connection(from_vault):
    connection = from_vault(SNOWFLAKE, role="ANALYST", default_schema="PUBLIC")
    assert (connection.conn_type, connection.schema) == ("snowflake", "PUBLIC")
    assert (connection.login, connection.password) == ("reader", "p@ss/word")
    assert connection.extra_dejson == {
        "account": "org-account", "warehouse": "wh", "database": "SHOP", "role": "ANALYST",
    }  # fmt: skip


def test_snowflakes_own_database_is_the_extra_or_the_older_one(from_vault):
    from airflow.sdk import Connection
    from schema_sync_airflow.warehouse_hooks import warehouse_hook

    hook = warehouse_hook("snowflake")
    older = Connection(conn_id="x", conn_type="snowflake", extra='{"extra__snowflake__database": "OLD"}')
    assert hook.own_database(from_vault(SNOWFLAKE)) == "SHOP"
    assert hook.own_database(older) == "OLD"
    assert hook.own_database(Connection(conn_id="x", conn_type="snowflake")) is None


def test_redshifts_keys_become_a_connection(from_vault):
    connection = from_vault(REDSHIFT, connection_timeout=2500)
    assert (connection.conn_type, connection.port, connection.schema) == ("redshift", 5439, "shop")
    assert (connection.login, connection.password) == ("reader", "p@ss/word")
    assert connection.extra_dejson == {"timeout": 3}


@pytest.mark.parametrize(
    ("ssl", "expected"),
    [
        (None, {}),
        (True, {}),
        (False, {"ssl": False}),
        ({"rejectUnauthorized": False}, {"ssl": True, "sslmode": "verify-ca"}),
        ({"rejectUnauthorized": True, "ca": "CA"}, {"ssl": True, "sslmode": "verify-full"}),
    ],
)
def test_tls_options_become_the_drivers(from_vault, ssl, expected):
    assert from_vault(REDSHIFT, ssl=ssl).extra_dejson == expected


@pytest.mark.parametrize(
    ("secret", "key"), [(SNOWFLAKE, "account_id"), (SNOWFLAKE, "default_database"), (REDSHIFT, "host")]
)
def test_a_missing_key_is_named(from_vault, secret, key):
    with pytest.raises(KeyError, match=key):
        from_vault({name: value for name, value in secret.items() if name != key})
