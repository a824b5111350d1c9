"""A whole run over more organizations than there may be mapped task instances: nobody lost, doubled or mixed up.

Every name of an organization carries its marker, in the application database as well as in its warehouse.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

ORGANIZATIONS, DRIFTED, FAILED = 1_200, 80, 34
MOST_MAPPED = 40  # fewer than the default: of the time that a test run takes, Airflow needs nearly all for itself
BATCH = ORGANIZATIONS // MOST_MAPPED
WAREHOUSES = 4
DATA_TEAM_CHANNEL, DATA_TEAM_TOKEN = "C0DATATEAM", "xoxb-data-team-0123456789"
MARKER = re.compile(r"mark\d{4}q")

# Each customer of a warehouse has a schema of its own there; `orders` is called the same in all of them.
CUSTOMERS_SCHEMAS = """
DO $$
DECLARE marker text;
BEGIN
  FOREACH marker IN ARRAY '{%s}'::text[] LOOP
    EXECUTE format('CREATE SCHEMA %%I', 'of_' || marker);
    EXECUTE format('CREATE TABLE %%I.orders (id bigint, %%I numeric(12,2))', 'of_' || marker, 'amount_' || marker);
    EXECUTE format('CREATE TABLE %%I.%%I (id bigint)', 'of_' || marker, 'customers_' || marker);
  END LOOP;
END $$
"""

# What is wrong with a customer → (critical, warnings) that must be found.
DRIFTS = {"missing_column": (1, 0), "missing_table": (1, 0), "type_mismatch": (0, 1)}
OUTAGES = ("refused", "no credentials")


@dataclass
class Customer:
    number: int
    problem: str | None = None
    organization_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    source_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def marker(self) -> str:
        return f"mark{self.number:04d}q"

    @property
    def name(self) -> str:
        return f"Organization {self.marker}"

    @property
    def channel(self) -> str:
        return f"C{self.number:04d}"

    @property
    def token(self) -> str:
        return f"xoxb-{self.marker}"

    @property
    def failed(self) -> bool:
        return self.problem in OUTAGES

    def ymls(self) -> list[str]:
        amount_type = "boolean" if self.problem == "type_mismatch" else "number"
        orders = [{"name": "id"}, {"name": f"amount_{self.marker}", "type": amount_type}]
        if self.problem == "missing_column":
            orders.append({"name": f"discount_{self.marker}"})
        customers = f"people_{self.marker}" if self.problem == "missing_table" else f"customers_{self.marker}"
        return [
            json.dumps({"name": "orders", "measures": orders}),
            json.dumps({"name": customers, "dimensions": [{"name": "id"}]}),
        ]

    def outcome(self) -> dict[str, object]:
        """What the run must say of it."""
        critical, warnings = DRIFTS.get(self.problem or "", (0, 0))
        return {
            "organization_id": self.organization_id,
            "checked": 0 if self.failed else 2,
            "unchecked": 2 if self.failed else 0,
            "critical": critical,
            "warnings": warnings,
            "infos": 0,
            "failed": self.failed,
            "unchecked_sources": [self.source_id] if self.failed else [],
            "notified": self.problem in DRIFTS,
        }


def choose_customers() -> list[Customer]:
    """One batch fails as a whole; the other problems are spread over the rest."""
    customers = [Customer(number) for number in range(ORGANIZATIONS)]
    middle = ORGANIZATIONS // 2
    whole_batch = customers[middle : middle + BATCH]
    rest = random.Random(7).sample(customers[:middle] + customers[middle + BATCH :], DRIFTED + FAILED - BATCH)
    for index, customer in enumerate(rest[:DRIFTED]):
        customer.problem = list(DRIFTS)[index % len(DRIFTS)]
    for index, customer in enumerate(whole_batch + rest[DRIFTED:]):
        customer.problem = OUTAGES[index % len(OUTAGES)]
    return customers


def install(world, customers: list[Customer], refused_uri: str) -> None:
    world.environment.setenv("SCHEMA_SYNC_MAX_MAPPED", str(MOST_MAPPED))
    uris = [
        world.warehouse(CUSTOMERS_SCHEMAS % ",".join(customer.marker for customer in customers[number::WAREHOUSES]))
        for number in range(WAREHOUSES)
    ]
    world.copy("organizations", ["id", "name"], [(each.organization_id, each.name) for each in customers])
    world.copy(
        "data_sources",
        ["id", "name", "type", "onboarding_status", "organization_id"],
        [(each.source_id, f"Shop {each.marker}", "postgres", "completed", each.organization_id) for each in customers],
    )
    world.copy(
        "datasets",
        ["name", "database_name", "schema", "data_source_id", "organization_id", "yml_file"],
        [
            (f"dataset {each.marker}", "ignored", f"of_{each.marker}", each.source_id, each.organization_id, yml)
            for each in customers
            for yml in each.ymls()
        ],
    )
    world.copy(
        "slack_integrations",
        ["organization_id", "token_vault_key", "status", "default_channel"],
        [
            (each.organization_id, f"slack {each.marker}", "active", json.dumps({"id": each.channel}))
            for each in customers
        ],
    )
    world.execute("CREATE SCHEMA vault")
    world.execute("CREATE TABLE vault.decrypted_secrets (name text, decrypted_secret text)")
    secrets = [(f"slack {each.marker}", each.token) for each in customers]
    secrets += [
        (each.source_id, vault_json(refused_uri if each.problem == "refused" else uris[each.number % WAREHOUSES]))
        for each in customers
        if each.problem != "no credentials"
    ]
    world.copy("vault.decrypted_secrets", ["name", "decrypted_secret"], secrets)
    # The stand-in then says whose token posted a message.
    world.slack.tokens = {each.token: each.marker for each in customers} | {DATA_TEAM_TOKEN: "data team"}


def vault_json(uri: str) -> str:
    parts = urlsplit(uri)
    return json.dumps(
        {
            "type": "postgres",
            "host": parts.hostname,
            "port": parts.port,
            "database": parts.path.removeprefix("/"),
            "username": parts.username,
            "password": parts.password,
        }
    )


def test_each_of_1200_organizations_gets_its_own_outcome_and_reads_nobody_elses_names(world, refused_uri):
    customers = choose_customers()
    install(world, customers, refused_uri)
    run = world.run()
    assert run.state == "success"

    mapped = Counter(key.split("[")[0] for key in run.states if key.startswith("check_organization."))
    assert set(mapped.values()) == {MOST_MAPPED}
    assert len(mapped) == 3

    # Nobody is lost, nobody is there twice, and everybody's outcome is their own.
    outcomes = [outcome for key, _, value in run.xcoms if key == "outcomes" for outcome in value]
    found = {
        outcome["organization_name"]: {
            "organization_id": outcome["organization_id"],
            "checked": outcome["datasets_checked"],
            "unchecked": outcome["datasets_unchecked"],
            "critical": outcome["critical"],
            "warnings": outcome["warnings"],
            "infos": outcome["infos"],
            "failed": outcome["error"] is not None,
            "unchecked_sources": [source["data_source_id"] for source in outcome["unchecked"]],
            "notified": outcome["notified"],
        }
        for outcome in outcomes
    }
    assert len(outcomes) == ORGANIZATIONS
    assert found == {customer.name: customer.outcome() for customer in customers}

    result = run.result["result"]
    critical, warnings = (
        sum(DRIFTS[customer.problem][index] for customer in customers if customer.problem in DRIFTS) for index in (0, 1)
    )
    assert result | {"executionTimeMs": 0, "errors": []} == {
        "success": True,
        "executionTimeMs": 0,
        "organizationsProcessed": ORGANIZATIONS,
        "totalDiscrepancies": DRIFTED,
        "criticalIssues": critical,
        "warnings": warnings,
        "infos": 0,
        "datasetsChecked": 2 * (ORGANIZATIONS - FAILED),
        "datasetsUnchecked": 2 * FAILED,
        "notificationsSent": DRIFTED,
        "errors": [],
    }
    assert sorted((error["organizationId"], error["dataSourceId"] or "") for error in result["errors"]) == sorted(
        (customer.organization_id, source)
        for customer in customers
        if customer.failed
        for source in ("", customer.source_id)
    )

    # Messages: one to each with something to tell, with its own token, in its own words only.
    told = {"schema_sync": set(), "schema_sync_error": set(), "schema_sync_summary": set()}
    rows = world.tracked()
    for message_type, channel, *_ in rows:
        told[message_type].add(channel)
    assert told == {
        "schema_sync": {customer.channel for customer in customers if customer.problem in DRIFTS},
        "schema_sync_error": {customer.channel for customer in customers if customer.failed},
        "schema_sync_summary": {DATA_TEAM_CHANNEL},
    }
    by_channel = {customer.channel: customer for customer in customers}
    organizations_messages = [each for each in world.slack.messages if each["channel"] != DATA_TEAM_CHANNEL]
    assert len(organizations_messages) == DRIFTED + FAILED
    for message in organizations_messages:
        own = by_channel[message["channel"]].marker
        assert message["workspace"] == own
        assert set(MARKER.findall(json.dumps(message))) == {own}

    # And every value that goes from task to task is of one organization.
    for each in run.reports().values():
        assert set(MARKER.findall(json.dumps(each))) == {MARKER.search(each["organization_name"]).group()}
    for error in result["errors"]:
        assert set(MARKER.findall(json.dumps(error))) == set(MARKER.findall(error["organizationName"]))
