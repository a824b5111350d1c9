"""No organization ever reads another's names: from snapshot over diff to messages, whatever they share.

Every name of an organization may carry its marker; the rest of the names are the same for everybody. A report or
message that holds a marker of somebody else has mixed two organizations up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.errors import InvalidDatasetYml
from include.schema_sync.introspect.organizations import unreachable_report
from include.schema_sync.needs.placement import group_requests, place
from include.schema_sync.notify.messages.conversation import drift_alert, error_notice
from include.schema_sync.notify.messages.layout import Message, render_text
from include.schema_sync.notify.messages.summary import result_json, run_result, summary_message
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.run import RunFacts
from include.schema_sync.nouns.snapshot import (
    Column,
    GroupRequest,
    GroupSnapshot,
    OrganizationSnapshot,
    SourceSnapshot,
    Table,
)
from include.schema_sync.nouns.wire import report_from_json, report_to_json, snapshot_from_json, snapshot_to_json
from include.schema_sync.report.task_log import discrepancy_table, report_line
from include.schema_sync.yml.dataset import parse_dataset_yml
from tests.examples import examples

RUN = RunFacts("manual__1", "2026-01-15T07:00:00Z", None)

# No marker is part of another one: all are as long, and begin and end with a letter that is nowhere inside.
MARKERS = st.text("bdfg", min_size=6, max_size=6).map(lambda inside: f"z{inside}z")
SHARED_TABLE = Table(  # everybody's warehouse has it; where a warehouse is shared it is one and the same object
    "orders", "table", True, (Column("id", "bigint"), Column("amount", "text"), Column("note", "text"))
)


@dataclass(frozen=True)
class Customer:
    """One organization as introspection leaves it, and its datasets as the diff reads them."""

    marker: str
    snapshot: OrganizationSnapshot
    datasets: tuple[Dataset, ...]

    @property
    def source_ids(self) -> set[str]:
        return {source.data_source.id for source in self.snapshot.sources}

    def report(self) -> OrganizationReport:
        return diff_organization(self.snapshot, self.datasets)


@st.composite
def customers(draw: st.DrawFn) -> list[Customer]:
    markers = draw(st.lists(MARKERS, min_size=2, max_size=3, unique=True))
    return [draw(customer(index, marker)) for index, marker in enumerate(markers)]


@st.composite
def customer(draw: st.DrawFn, index: int, marker: str) -> Customer:
    organization_id = f"organization-{index}"
    name = st.sampled_from(
        ["orders", "id", "amount", f"orders_{marker}", f"{marker} id", f"<!channel> `{marker}`", marker.upper()]
    )
    column = st.builds(
        Column,
        name,
        st.sampled_from(["bigint", "text", "numeric(12,2)", f"mood_{marker}"]),
        st.sampled_from([None, "enum"]),
        st.booleans(),
    )
    own_table = st.builds(
        Table,
        name,
        st.just("table"),
        st.booleans(),
        st.lists(column, max_size=4, unique_by=lambda each: each.name).map(tuple),
    )
    sources: list[SourceSnapshot] = []
    datasets: list[Dataset] = []
    for number in range(draw(st.integers(1, 2))):
        source = DataSource(f"source-{index}-{number}", draw(name), "postgres")
        own = tuple(
            Dataset(
                id=f"dataset-{index}-{number}-{position}",
                name=draw(name),
                organization_id=organization_id,
                data_source_id=source.id,
                database_identifier=draw(st.sampled_from([None, "shop", f"shop_{marker}"])),
                schema=draw(st.sampled_from(["public", f"schema_{marker}"])),
                yml=draw(yml(marker, name)),
            )
            for position in range(draw(st.integers(1, 3)))
        )
        datasets += own
        tables = draw(st.lists(own_table, max_size=3, unique_by=lambda each: each.name))
        groups = tuple(
            draw(answer(request, [SHARED_TABLE, *(each for each in tables if each.name != "orders")], marker))
            for request in requests(source, own)
        )
        sources.append(
            SourceSnapshot(
                data_source=source,
                own_database="shop",
                # Some were edited since they were asked for.
                datasets={each.id: draw(st.sampled_from([each.yml_hash] * 9 + ["edited"])) for each in own},
                groups=groups,
                error=draw(st.sampled_from([None] * 5 + [f"no route to {marker}"])),
            )
        )
    return Customer(marker, OrganizationSnapshot(organization_id, f"Company {marker}", tuple(sources)), tuple(datasets))


@st.composite
def yml(draw: st.DrawFn, marker: str, name: st.SearchStrategy[str]) -> str:
    """A dataset's text: JSON is YAML. Some of it cannot be read, or not safely."""
    expression = st.one_of(name, st.sampled_from(["*", f"sum(x_{marker}) over (((", "{{ 1 + 1 }}", "lower(note)"]))
    field = st.fixed_dictionaries(
        {"name": st.one_of(name, st.sampled_from(["id", "amount", "note", "AMOUNT"]))},
        optional={"expr": expression, "type": st.sampled_from(["text", "integer", f"{marker}_type", "{{TODO}}"])},
    )
    link = st.fixed_dictionaries({"name": name, "source_col": expression, "ref_col": expression})
    document = st.fixed_dictionaries(
        {"name": name, "model": st.one_of(st.just("orders"), name, name.map("ref('{}')".format))},
        optional={
            "schema": st.sampled_from(["public", f"schema_{marker}"]),
            "dimensions": st.lists(field, max_size=3),
            "measures": st.lists(field, max_size=2),
            "metrics": st.lists(field, max_size=2),
            "relationships": st.lists(link, max_size=2),
        },
    ).map(lambda value: json.dumps(value, ensure_ascii=False))
    broken = st.sampled_from(["", f"{marker}: [", f"name: a\nname: {marker}", f"dimension_{marker}: []"])
    return draw(broken if draw(st.integers(0, 7)) == 7 else document)


def answer(request: GroupRequest, tables: list[Table], marker: str) -> st.SearchStrategy[GroupSnapshot]:
    """What the warehouse says to one request: mostly what it has, sometimes that there is nothing, or an error."""
    place_of = (request.data_source_id, request.database, request.schema)
    found = GroupSnapshot(*place_of, exists=True, tables=tuple(tables), neighbours=("order", f"orders_of_{marker}"))
    absent = GroupSnapshot(*place_of, exists=False)
    failed = GroupSnapshot(*place_of, exists=True, error=f"cannot read PostgreSQL: {marker} is in recovery")
    return st.sampled_from([found, found, found, absent, failed])


def requests(source: DataSource, datasets: tuple[Dataset, ...]) -> list[GroupRequest]:
    """The requests that introspection would make."""
    placements = []
    for dataset in datasets:
        try:
            definitions = parse_dataset_yml(dataset.yml, name=dataset.name)
        except InvalidDatasetYml:
            continue
        placements += [place(dataset, definition, own_database="shop") for definition in definitions]
    return group_requests(source.id, placements, "postgres")


def messages(report: OrganizationReport, snapshot: OrganizationSnapshot) -> list[Message]:
    """Everything that could be said to the organization."""
    alerts = [drift_alert(report, min_severity=severity, run=RUN) for severity in Severity]
    failed = unreachable_report(snapshot)
    return [
        *(alert for alert in alerts if alert is not None),
        error_notice(report, RUN),
        error_notice(failed, RUN),
    ]


def as_text(message: Message) -> str:
    """All of it, replies included."""
    parts = [message, *message.replies]
    return json.dumps([[part.text, part.blocks] for part in parts], ensure_ascii=False).lower()


@settings(max_examples=examples(40))
@given(everybody=customers())
def test_reports_and_messages_hold_no_name_of_another_organization(everybody: list[Customer]) -> None:
    for own in everybody:
        report = own.report()
        others = [each.marker for each in everybody if each is not own]
        told = [as_text(message) for message in messages(report, own.snapshot)]
        logged = [report_line(report), discrepancy_table(report.discrepancies), json.dumps(report_to_json(report))]
        for text in [*told, *(each.lower() for each in logged)]:
            assert not [marker for marker in others if marker in text]
        assert all(own.marker in text for text in told)


@settings(max_examples=examples(40))
@given(everybody=customers())
def test_a_report_names_its_own_organization_sources_and_datasets_only(everybody: list[Customer]) -> None:
    for own in everybody:
        report = own.report()
        assert report.organization_id == own.snapshot.organization_id
        assert {found.organization_id for found in report.discrepancies} <= {own.snapshot.organization_id}
        assert {found.data_source_id for found in report.discrepancies} <= own.source_ids
        assert {found.dataset_id for found in report.discrepancies} <= {None, *(each.id for each in own.datasets)}
        assert {source.data_source_id for source in report.unchecked} <= own.source_ids
        assert report.datasets_checked + report.datasets_unchecked == len(own.datasets)


@settings(max_examples=examples(40))
@given(everybody=customers())
def test_what_others_have_changes_nothing_in_a_report(everybody: list[Customer]) -> None:
    """Neither comparing them before, in one batch, nor being handed their datasets as well."""
    alone = [own.report() for own in everybody]
    assert [own.report() for own in reversed(everybody)] == alone[::-1]
    all_datasets = [dataset for each in everybody for dataset in each.datasets]
    assert [diff_organization(own.snapshot, all_datasets) for own in everybody] == alone
    batch = [snapshot_from_json(json.loads(json.dumps(snapshot_to_json(own.snapshot)))) for own in everybody]
    crossed = [diff_organization(snapshot, own.datasets) for snapshot, own in zip(batch, everybody, strict=True)]
    assert list(map(_through_xcom, crossed)) == list(map(_through_xcom, alone))


def _through_xcom(report: OrganizationReport) -> OrganizationReport:
    """Of undocumented columns it keeps names and types alone."""
    return report_from_json(json.loads(json.dumps(report_to_json(report))))


@settings(max_examples=examples(40))
@given(everybody=customers())
def test_no_two_organizations_share_an_open_problem(everybody: list[Customer]) -> None:
    """Fingerprints remember what was told already: a shared one would silence the second organization."""
    fingerprints = [found.fingerprint for own in everybody for found in own.report().discrepancies]
    assert len(fingerprints) == len(set(fingerprints))


@settings(max_examples=examples(40))
@given(everybody=customers())
def test_every_line_of_the_summary_is_about_one_organization(everybody: list[Customer]) -> None:
    reports = [own.report() for own in everybody]
    result = run_result([report.totals for report in reports], timestamp=RUN.timestamp, execution_time_ms=1)
    for line in render_text(summary_message(result, run=RUN)).lower().splitlines():
        assert len([own for own in everybody if own.marker in line]) <= 1
    for error in result_json(result)["result"]["errors"]:
        (own,) = [each for each in everybody if each.snapshot.organization_id == error["organizationId"]]
        named = [each.marker for each in everybody if each.marker in json.dumps(error).lower()]
        assert named == [own.marker]
