"""The same tables, the same datasets and the same findings on every engine that runs here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from engines import ENGINES, GOLDEN_ONLY
from engines.base import DROPPED_SCHEMA, Engine, Found, Place, Scenario, Server

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.source import GroupOutcome, introspect_source
from include.schema_sync.needs.placement import group_requests, place
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.discrepancy import DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import GroupRequest, OrganizationSnapshot, SourceSnapshot
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import DIALECTS
from include.schema_sync.warehouses.engine import Dialect, Failure
from include.schema_sync.warehouses.names import NameCase
from include.schema_sync.yml.dataset import parse_dataset_yml

pytestmark = pytest.mark.airflow

TIMEOUT_S = 10
SOURCE = DataSource("source", "Warehouse", "")


def _model(name: str, **fields: str | None) -> dict[str, object]:
    """A definition in the product's form; a column without a type is only needed."""
    return {"name": name, "dimensions": [{"name": column, "type": type_} for column, type_ in fields.items()]}


def _hostile(engine: Engine) -> dict[str, object]:
    return {"models": [_model(name, **dict.fromkeys(engine.hostile_names, "integer")) for name in engine.hostile_names]}


def _types(engine: Engine) -> dict[str, object]:
    return _model("all_types", **{f"c{number}": declared for number, (_, declared) in enumerate(engine.types)})


CUSTOMERS = {"customer_id": "integer", "email": "text", "balance": "decimal", "created_at": "timestamp"}
ORDERS = {"order_id": "integer", "amount_usd": "decimal", "quantity": "text", "status": "text", "channel": "text"}

DATASETS: Mapping[Scenario, Callable[[Engine], Mapping[str, object]]] = {
    Scenario.CLEAN: lambda _: _model(
        "customers", customer_id="integer", email="string", balance="decimal", created_at="timestamp"
    ),
    # Yesterday `amount` and `coupon` were there, `quantity` was a number, and `channel` was not.
    Scenario.DRIFTED: lambda _: _model(
        "orders", order_id="integer", amount="decimal", coupon="text", quantity="integer", status="string"
    ),
    Scenario.DROPPED_TABLE: lambda _: _model("refunds", refund_id="integer"),
    Scenario.DROPPED_SCHEMA: lambda _: {**_model("customers", customer_id="integer"), "schema": DROPPED_SCHEMA},
    Scenario.VIEW: lambda _: _model("big_customers", customer_id="integer", email="string"),
    Scenario.MATERIALIZED_VIEW: lambda _: _model("customer_values", customer_id="integer", balance="decimal"),
    Scenario.OTHER_CASE: lambda _: _model("PLAIN_CASE", Plain_Column="integer"),
    Scenario.QUOTED_CASE: lambda _: {
        "models": [_model("QuotedCase", camelCase="integer", other="text"), _model("quotedcase", camelCase="integer")]
    },
    Scenario.HOSTILE_NAMES: _hostile,
    Scenario.UNREADABLE: lambda _: _model("payroll", salary="decimal"),
    Scenario.TYPES: _types,
}


def expected(engine: Engine, scenario: Scenario) -> frozenset[Found]:
    """The planted discrepancies. Only the engine's own rule for letter case makes them differ."""
    if scenario in engine.expected:
        return engine.expected[scenario]
    dialect = engine.dialect
    found: list[Found] = []
    if scenario is Scenario.DRIFTED:
        found = [
            Found(DiscrepancyType.MISSING_COLUMN, "orders", "amount"),
            Found(DiscrepancyType.MISSING_COLUMN, "orders", "coupon"),
            Found(DiscrepancyType.TYPE_MISMATCH, "orders", "quantity"),
            Found(DiscrepancyType.UNDOCUMENTED_COLUMN, "orders", "amount_usd"),
            Found(DiscrepancyType.UNDOCUMENTED_COLUMN, "orders", "channel"),
        ]
    elif scenario is Scenario.DROPPED_TABLE:
        found = [Found(DiscrepancyType.MISSING_TABLE, "refunds")]
    elif scenario is Scenario.DROPPED_SCHEMA:
        found = [Found(DiscrepancyType.MISSING_SCHEMA, None)]
    elif scenario is Scenario.UNREADABLE:
        found = [Found(DiscrepancyType.INACCESSIBLE_TABLE, "payroll")]
    elif scenario is Scenario.OTHER_CASE and dialect.table_case is NameCase.SENSITIVE:
        found = [Found(DiscrepancyType.CASE_MISMATCH, "plain_case")]
    elif scenario is Scenario.QUOTED_CASE:
        if dialect.table_case is not NameCase.INSENSITIVE:
            found.append(Found(DiscrepancyType.CASE_MISMATCH, "quotedcase"))
        if dialect.column_case is not NameCase.INSENSITIVE:
            found.append(Found(DiscrepancyType.CASE_MISMATCH, "quotedcase", "other"))
    return frozenset(found)


def build(engine: Engine, server: Server, place: Place) -> None:
    """Make every table of every scenario that the engine does not lack."""
    from_customers = f"FROM {engine.written('customers')}"
    server.run(
        place,
        engine.create_table("customers", CUSTOMERS),
        engine.create_table("orders", ORDERS),
        engine.create_table("refunds", {"refund_id": "integer"}),
        engine.create_table("refunds_2024", {"refund_id": "integer"}),
        engine.create_table("plain_case", {"plain_column": "integer"}),
        engine.create_table("QuotedCase", {"camelCase": "integer", "Other": "text"}),
        engine.create_table("payroll", {"salary": "decimal"}),
        engine.create_table("all_types", {f"c{number}": type_ for number, (type_, _) in enumerate(engine.types)}),
        *(engine.create_table(name, dict.fromkeys(engine.hostile_names, "integer")) for name in engine.hostile_names),
    )
    server.run(place, "DROP TABLE refunds")
    if Scenario.VIEW not in engine.lacks:
        server.run(place, f"CREATE VIEW big_customers AS SELECT customer_id, email {from_customers}")
    if Scenario.MATERIALIZED_VIEW not in engine.lacks:
        query = f"SELECT customer_id, balance {from_customers}"
        server.run(place, engine.materialized_view.format(name="customer_values", query=query))
    if Scenario.UNREADABLE not in engine.lacks:
        server.hide(place, "payroll")


@dataclass(frozen=True)
class Checked:
    outcome: tuple[GroupOutcome, ...]
    report: OrganizationReport

    def of(self, scenario: Scenario) -> frozenset[Found]:
        return frozenset(
            Found(found.type, _lower(found.table), _lower(column))
            for found in self.report.discrepancies
            for column in ([column.name for column in found.columns] or (found.column,))
            if scenario in (found.dataset_id, _SCENARIO_OF_TYPE.get(found.type))
        )


# A missing schema is told once for its group, whatever the datasets in it.
_SCENARIO_OF_TYPE = {DiscrepancyType.MISSING_SCHEMA: Scenario.DROPPED_SCHEMA}


def _lower(name: str | None) -> str | None:
    return None if name is None else name.lower()


def datasets_of(engine: Engine, where: Place, scenarios: Sequence[Scenario]) -> list[Dataset]:
    return [
        Dataset(
            id=scenario,
            name=scenario,
            organization_id="organization",
            data_source_id=SOURCE.id,
            database_identifier=where.database,
            schema=where.schema,
            yml=json.dumps(DATASETS[scenario](engine), ensure_ascii=False),
        )
        for scenario in scenarios
    ]


def check(engine: Engine, server: Server, connect: Any, datasets: Sequence[Dataset]) -> Checked:
    """What the operators do, without Airflow between: group, introspect, diff."""
    placements = [
        place(dataset, definition, own_database=server.own_database)
        for dataset in datasets
        for definition in parse_dataset_yml(dataset.yml, name=dataset.name)
    ]
    requests = group_requests(SOURCE.id, placements, engine.dialect.name)
    outcome = introspect_source(connect, engine.dialect, requests, timeout_s=TIMEOUT_S)
    source = SourceSnapshot(
        data_source=DataSource(SOURCE.id, SOURCE.name, engine.dialect_name),
        own_database=server.own_database,
        datasets={dataset.id: dataset.yml_hash for dataset in datasets},
        groups=tuple(group.snapshot for group in outcome),
    )
    snapshot = OrganizationSnapshot("organization", "Organization", (source,))
    return Checked(outcome, diff_organization(snapshot, datasets))


@pytest.fixture(scope="session")
def built(engine: Engine, server: Server) -> Place:
    where = server.new_place()
    build(engine, server, where)
    return where


@pytest.fixture(scope="session")
def checked(engine: Engine, server: Server, built: Place) -> Checked:
    """Every scenario in one check, as one organization would have them."""
    scenarios = [scenario for scenario in Scenario if scenario not in engine.lacks]
    return check(engine, server, server.connect, datasets_of(engine, built, scenarios))


# What is found


@pytest.mark.parametrize("scenario", Scenario)
def test_exactly_the_planted_discrepancies_are_found(engine: Engine, checked: Checked, scenario: Scenario) -> None:
    if scenario in engine.lacks:
        pytest.skip(f"{engine.name}: {engine.lacks[scenario]}")
    assert checked.of(scenario) == expected(engine, scenario)


def test_nothing_else_is_found_and_nothing_is_unchecked(engine: Engine, checked: Checked) -> None:
    assert checked.report.unchecked == ()
    assert checked.report.datasets_checked == len(Scenario) - len(engine.lacks)
    planted = sum(len(expected(engine, scenario)) for scenario in Scenario if scenario not in engine.lacks)
    assert sum(max(1, len(found.columns)) for found in checked.report.discrepancies) == planted


def test_a_renamed_column_is_suggested_because_it_is_close(checked: Checked) -> None:
    (amount,) = (found for found in checked.report.discrepancies if _lower(found.column) == "amount")
    assert _lower(amount.suggestion) == "amount_usd"


def test_the_engine_is_asked_for_at_least_forty_types(engine: Engine) -> None:
    assert len({type_ for type_, _ in engine.types}) >= 40


# What it costs


def _session(engine: Engine) -> list[str]:
    return [text.format(timeout_ms=TIMEOUT_S * 1000) for text in engine.dialect.session_statements]


def test_a_group_without_suspects_is_one_statement(engine: Engine, server: Server, built: Place, watch: Any) -> None:
    scenarios = [Scenario.CLEAN, Scenario.TYPES, Scenario.HOSTILE_NAMES]
    result = check(engine, server, watch.over(server.connect), datasets_of(engine, built, scenarios))
    assert result.report.discrepancies == ()
    assert [group.statements for group in result.outcome] == [1]
    assert len(watch.statements) == 1 + len(_session(engine))


def test_what_is_asked_first_is_one_statement_with_suspects_too(
    engine: Engine, server: Server, built: Place, watch: Any
) -> None:
    check(engine, server, watch.over(server.connect), datasets_of(engine, built, [Scenario.CLEAN, Scenario.DRIFTED]))
    asked = [statement for statement in watch.statements if statement not in _session(engine)]
    probes = [statement for statement in asked if "1 = 0" in statement]
    assert len(asked) - len(probes) == 1
    spellings = engine.dialect.spellings("amount", engine.dialect.column_case)
    assert len(probes) <= 3 * len(spellings)  # amount and coupon together, then one by one
    assert not any("customers" in probe for probe in probes)


# What cannot be known


def test_a_stale_catalogue_raises_nothing_critical(engine: Engine, server: Server, built: Place, watch: Any) -> None:
    """The catalogue's answer is robbed of a table and of a column; the real engine still has them."""

    def stale(rows: Sequence[Any]) -> Sequence[Any]:
        return [row for row in rows if not _is_robbed(row)]

    watch.rows = stale
    datasets = datasets_of(engine, built, [Scenario.CLEAN])
    datasets.append(replace(datasets[0], id="stale", yml=json.dumps(_model("refunds_2024", refund_id="integer"))))
    result = check(engine, server, watch.over(server.connect), datasets)
    assert result.report.unchecked == ()
    assert not any(found.severity.rank == 0 for found in result.report.discrepancies)


def _is_robbed(row: Sequence[Any]) -> bool:
    table, column = _lower(row[1]), _lower(row[4])
    return table == "refunds_2024" or (table == "customers" and column == "email")


def test_an_engine_that_cannot_be_reached_is_unchecked_never_missing(
    engine: Engine, server: Server, built: Place
) -> None:
    server.unplug(server.connect(None))
    try:
        result = check(engine, server, server.connect, datasets_of(engine, built, [Scenario.CLEAN, Scenario.DRIFTED]))
    finally:
        server.plug_in()
    assert result.report.discrepancies == ()
    assert result.report.datasets_checked == 0
    assert [group.failure for group in result.outcome] == [Failure.TRANSIENT]


def test_an_engine_unplugged_in_the_middle_of_a_group_is_unchecked_never_missing(
    engine: Engine, server: Server, built: Place, watch: Any
) -> None:
    """The first group is read; the plug is pulled when the second group's statement is on its way."""
    catalogue: list[str] = []

    def unplug(connection: Any, statement: str) -> None:
        if statement not in _session(engine) and "1 = 0" not in statement:
            catalogue.append(statement)
            if len(catalogue) == 2:
                server.unplug(connection)

    watch.before = unplug
    groups = [
        GroupRequest(SOURCE.id, built.database, built.schema, ("customers",)),
        GroupRequest(SOURCE.id, built.database, built.schema, ("orders", "refunds")),
    ]
    try:
        read, lost = introspect_source(watch.over(server.connect), engine.dialect, groups, timeout_s=TIMEOUT_S)
    finally:
        server.plug_in()
    assert [_lower(table.name) for table in read.snapshot.tables] == ["customers"]
    assert lost.failure is Failure.TRANSIENT
    assert lost.snapshot.error
    assert (lost.snapshot.exists, lost.snapshot.tables) == (True, ())


# Which engines there are


def test_a_vault_secret_signs_in_to_the_same_tables(engine: Engine, server: Server, built: Place) -> None:
    secret = server.secret()
    if secret is None:
        pytest.skip(f"{engine.name}: a vault secret cannot name this server")
    driver, settings = engine.dialect.driver, Settings.from_environment({})
    sign_in = driver.from_vault(secret)
    assert sign_in.own_database == server.own_database
    (outcome,) = introspect_source(
        lambda database: driver.open(sign_in, database, settings),
        engine.dialect, [GroupRequest("s", built.database, built.schema, ("customers",))], timeout_s=TIMEOUT_S,
    )  # fmt: skip
    assert [table.name.lower() for table in outcome.snapshot.tables] == ["customers"]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
def test_every_dialect_has_an_engine_or_a_reason_why_not(dialect: Dialect) -> None:
    rows = [row for row in ENGINES.values() if row.dialect_name == dialect.name]
    assert bool(rows) != bool(GOLDEN_ONLY.get(dialect.name)), (
        f"{dialect.name} needs a row in tests/warehouses/engines/, or a reason in GOLDEN_ONLY, and not both"
    )


def test_engines_are_listed_under_their_names() -> None:
    assert all(name == row.name and row.dialect_name in DIALECTS for name, row in ENGINES.items())
