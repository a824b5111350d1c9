"""What crosses a task boundary comes back as it was, through real JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from include.schema_sync.nouns.dataset import DataSource, Organization
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport, UncheckedSource
from include.schema_sync.nouns.snapshot import (
    Column,
    GroupSnapshot,
    OrganizationSnapshot,
    Probe,
    ProbeAnswer,
    SourceSnapshot,
    Table,
)
from include.schema_sync.nouns.wire import (
    organizations_from_text,
    organizations_to_text,
    report_from_json,
    report_to_json,
    snapshot_from_json,
    snapshot_to_json,
    totals_from_json,
    totals_to_json,
)

text = st.text(max_size=20)
maybe = st.none() | text
sources = st.builds(DataSource, text, text, text)
tables = st.builds(
    Table,
    text,
    text,
    st.booleans(),
    st.lists(st.builds(Column, text, text, maybe, st.booleans()), max_size=4).map(tuple),
)


@st.composite
def snapshots(draw) -> OrganizationSnapshot:
    source = draw(sources)
    group = st.builds(
        GroupSnapshot,
        st.just(source.id),
        maybe,
        text,
        st.booleans(),
        st.lists(tables, max_size=3).map(tuple),
        st.lists(text, max_size=3).map(tuple),
        maybe,
        st.lists(st.builds(Probe, text, maybe, st.sampled_from(ProbeAnswer), maybe), max_size=4).map(tuple),
    )
    groups = draw(st.lists(group, max_size=3))
    snapshot = SourceSnapshot(source, draw(maybe), draw(st.dictionaries(text, text)), tuple(groups), draw(maybe))
    return OrganizationSnapshot(draw(text), draw(text), (snapshot,))


def through_json(value):
    return json.loads(json.dumps(value, sort_keys=True))


@given(snapshots())
def test_snapshots_come_back_as_they_were(snapshot):
    assert snapshot_from_json(through_json(snapshot_to_json(snapshot))) == snapshot


@given(
    st.lists(
        st.builds(
            Discrepancy,
            type=st.sampled_from(DiscrepancyType),
            organization_id=st.just("org"),
            data_source_id=text,
            dataset_id=maybe,
            dataset_name=maybe,
            database=maybe,
            schema=text,
            table=maybe,
            column=maybe,
            declared=maybe,
            actual=maybe,
            message=text,
            line=st.none() | st.integers(1, 9999),
            suggestion=maybe,
            subject=text,
        ),
        max_size=4,
    ),
    st.lists(st.builds(UncheckedSource, text, text, st.integers(0, 9), text), max_size=3),
)
def test_reports_and_totals_come_back_as_they_were(discrepancies, unchecked):
    report = OrganizationReport("org", "Acme", 3, 2, tuple(discrepancies), tuple(unchecked), None)
    assert report_from_json(through_json(report_to_json(report))) == report
    assert totals_from_json(through_json(totals_to_json(report.totals))) == report.totals


def test_a_discrepancy_on_the_wire_names_severity_and_fingerprint():
    found = Discrepancy(DiscrepancyType.MISSING_TABLE, "o", "s", "d", "n", "db", "sc", "t", None, None, None, "m")
    (value,) = report_to_json(OrganizationReport("o", "Acme", discrepancies=(found,)))["discrepancies"]
    assert (value["severity"], value["fingerprint"], value["type"]) == ("critical", found.fingerprint, "missing_table")


def test_organizations_come_back_as_they_were():
    organization = Organization("o", "Acme", (DataSource("s", "Shop", "postgres"),))
    assert organizations_from_text(organizations_to_text([organization])) == [organization]


def test_each_type_text_is_written_once_a_group():
    columns = tuple(Column(f"c{number}", "timestamp with time zone") for number in range(50))
    group = GroupSnapshot("s", "db", "sc", True, (Table("t", "table", True, columns),))
    snapshot = OrganizationSnapshot(
        "o", "Acme", (SourceSnapshot(DataSource("s", "S", "postgres"), "db", {}, (group,)),)
    )
    assert json.dumps(snapshot_to_json(snapshot)).count("timestamp with time zone") == 1


def test_each_reason_for_no_answer_is_written_once_a_group():
    reason = "cannot read PostgreSQL: canceling statement due to statement timeout"
    probes = tuple(Probe("t", f"c{number}", ProbeAnswer.UNKNOWN, reason) for number in range(50))
    group = GroupSnapshot("s", "db", "sc", True, probes=probes)
    snapshot = OrganizationSnapshot(
        "o", "Acme", (SourceSnapshot(DataSource("s", "S", "postgres"), "db", {}, (group,)),)
    )
    written = json.dumps(snapshot_to_json(snapshot))
    assert written.count(reason) == 1
    assert snapshot_from_json(json.loads(written)) == snapshot
