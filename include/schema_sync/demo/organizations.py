"""The demo's customers: who they are, what they connected, and the drift that Schema Sync should find.

``samples/organizations.toml`` lists them, ``samples/warehouses.sql`` is what their PostgreSQL warehouses hold today,
``samples/<name>.duckdb.sql`` and ``samples/<name>.sqlite.sql`` what is in their files, ``samples/*.yml`` is what their
datasets say.
"""

from __future__ import annotations

import json
import sqlite3
import tomllib
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

_SAMPLES = Path(__file__).parent / "samples"
_SQL = Path(__file__).parents[2] / "sql"
_READER = "schema_sync_reader"
_NAMESPACE = uuid.UUID("b5b1a1a6-6f8e-4f7e-9a51-1b8d0a3f6c2e")


@dataclass(frozen=True, slots=True)
class SampleSource:
    """One data source. ``vault``: its credentials are in the vault rather than in an Airflow connection.

    ``type`` is postgres, or duckdb or sqlite: then ``database`` is the name of a file.
    """

    name: str
    database: str
    datasets: tuple[str, ...]
    reachable: bool = True
    vault: bool = False
    onboarding: str = "completed"
    type: str = "postgres"


@dataclass(frozen=True, slots=True)
class SampleOrganization:
    name: str
    sources: tuple[SampleSource, ...]
    slack: bool = True
    deleted: bool = False


def organizations() -> list[SampleOrganization]:
    """As ``samples/organizations.toml`` lists them."""
    listed = tomllib.loads((_SAMPLES / "organizations.toml").read_text())["organization"]
    return [
        SampleOrganization(**{**each, "sources": tuple(SampleSource(**source) for source in each["sources"])})
        for each in listed
    ]


def identifier(*parts: str) -> str:
    """The same id for the same thing on every run of the demo."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def channel_of(organization: SampleOrganization) -> str:
    return "C" + identifier("channel", organization.name).replace("-", "")[:9].upper()


def slack_token_of(organization: SampleOrganization) -> str:
    return f"xoxb-demo-{identifier('token', organization.name)[:8]}"


def create_warehouses(server_uri: str, password: str) -> None:
    """Create every customer's database as ``samples/warehouses.sql`` describes it, readable by one role."""
    with psycopg.connect(server_uri, autocommit=True) as server:
        server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(_READER), password))
    for part in (_SAMPLES / "warehouses.sql").read_text().split("-- database ")[1:]:
        name, _, statements = part.partition("\n")
        with psycopg.connect(server_uri, autocommit=True) as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name.strip())))
        with psycopg.connect(server_uri, dbname=name.strip(), autocommit=True) as database:
            database.execute(statements.encode())


def create_files(folder: Path) -> None:
    """Create the customers' warehouses that are files, in ``folder``, as the samples of their name describe them."""
    import duckdb

    for script in sorted(_SAMPLES.glob("*.duckdb.sql")):
        with duckdb.connect(str(folder / script.stem)) as lake:
            lake.execute(script.read_text())
    for script in sorted(_SAMPLES.glob("*.sqlite.sql")):
        with closing(sqlite3.connect(folder / script.stem)) as file:
            file.executescript(script.read_text())


def create_application(server_uri: str, password: str, *, port: int, closed_port: int, folder: Path) -> dict[str, str]:
    """Create the application database with its vault, and enter the organizations.

    :param password: of the role that reads the warehouses.
    :param port: where the warehouses listen; ``closed_port``: where nothing does.
    :param folder: where the warehouses are that are files.
    :return: environment for Airflow: the connections that are not in the vault.
    """
    with psycopg.connect(server_uri, autocommit=True) as server:
        server.execute("CREATE DATABASE application")
    environment = {"AIRFLOW_CONN_APP_DB": f"{server_uri.rsplit('/', 1)[0]}/application"}
    with psycopg.connect(server_uri, dbname="application", autocommit=True) as application:
        for tables in ("application_tables.sql", "chart_tables.sql"):
            application.execute((_SQL / tables).read_bytes())
        application.execute("CREATE SCHEMA vault")
        application.execute("CREATE TABLE vault.decrypted_secrets (name text, decrypted_secret text)")
        for organization in organizations():
            _enter(application, organization)
            for source in organization.sources:
                access = _access(source, password, port if source.reachable else closed_port, folder)
                source_id = identifier(organization.name, source.name)
                if source.vault and "path" in access:  # credentials of the vault reach files of their own folder only
                    own = folder / identifier(organization.name)
                    own.mkdir(exist_ok=True)
                    access["path"] = str(Path(str(access["path"])).rename(own / f"{source.database}.{source.type}"))
                if source.vault:
                    _put_secret(application, source_id, json.dumps(access))
                else:
                    key = f"AIRFLOW_CONN_DATA_SOURCE_{source_id.replace('-', '_').upper()}"
                    environment[key] = _airflow_json(access)
        charts = (_SAMPLES / "charts.sql").read_text().replace("{organization}", identifier("Bluebird Coffee"))
        application.execute(charts.replace("{source}", identifier("Bluebird Coffee", "Warehouse")).encode())
    return environment


def _access(source: SampleSource, password: str, port: int, folder: Path) -> dict[str, object]:
    """A source's credentials in the vault's form."""
    file = f"{source.database}.{source.type}"
    if (_SAMPLES / f"{file}.sql").is_file():
        return {"type": source.type, "path": str(folder / file)}
    server = {"host": "127.0.0.1", "port": port, "database": source.database}
    return {"type": source.type, **server, "username": _READER, "password": password}


def _airflow_json(access: Mapping[str, object]) -> str:
    names = {"type": "conn_type", "path": "host", "database": "schema", "username": "login"}
    return json.dumps({names.get(key, key): value for key, value in access.items()})


def _enter(application: psycopg.Connection[tuple[object, ...]], organization: SampleOrganization) -> None:
    organization_id = identifier(organization.name)
    application.execute(
        "INSERT INTO organizations (id, name, deleted_at) VALUES (%s, %s, CASE WHEN %s THEN now() END)",
        (organization_id, organization.name, organization.deleted),
    )
    for source in organization.sources:
        source_id = identifier(organization.name, source.name)
        application.execute(
            "INSERT INTO data_sources (id, name, type, onboarding_status, organization_id) VALUES (%s, %s, %s, %s, %s)",
            (source_id, source.name, source.type, source.onboarding, organization_id),
        )
        for name in source.datasets:
            yml = (_SAMPLES / f"{name}.yml").read_text()
            application.execute(
                "INSERT INTO datasets (id, name, database_name, schema, data_source_id, organization_id, yml_file)"
                " VALUES (%s, %s, %s, 'public', %s, %s, %s)",
                (identifier(organization.name, name), name, name, source_id, organization_id, yml),
            )
    if organization.slack:
        key = f"slack-{organization_id}"
        application.execute(
            "INSERT INTO slack_integrations (id, organization_id, token_vault_key, status, default_channel)"
            " VALUES (%s, %s, %s, 'active', jsonb_build_object('id', %s::text, 'name', 'data-alerts'))",
            (identifier("integration", organization.name), organization_id, key, channel_of(organization)),
        )
        _put_secret(application, key, slack_token_of(organization))


def _put_secret(application: psycopg.Connection[tuple[object, ...]], name: str, secret: str) -> None:
    application.execute("INSERT INTO vault.decrypted_secrets VALUES (%s, %s)", (name, secret))
