"""OpenLineage: what ``diff`` compared, as input datasets with their columns and an assertion for each problem.

Only where Airflow's OpenLineage provider is installed, which then asks the operator for it. A dataset of OpenLineage is
a table here: its namespace is the data source (``postgres://<its id>``, because hosts are credentials), its name
``database.schema.table``. A table is said to match only where nothing was found in it, nothing of its data
source stayed unchecked, and its name is no other table's there, in whatever letter case.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.schema_sync.nouns.discrepancy import Discrepancy
    from include.schema_sync.nouns.report import OrganizationReport
    from include.schema_sync.nouns.snapshot import OrganizationSnapshot, SourceSnapshot

_MOST_TABLES = 500  # an event is one HTTP request, which receivers limit to a few megabytes
MATCHES = "matches_dataset_yml"


def operator_lineage(organizations: Iterable[tuple[OrganizationReport, OrganizationSnapshot]]) -> Any:
    """:return: an ``OperatorLineage`` of at most 500 tables, those with problems first."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs = [
        table
        for report, snapshot in organizations
        if report.error is None
        for source in snapshot.sources
        for table in _tables(source, report)
    ]
    inputs.sort(key=lambda each: all(a.success for a in each.inputFacets["dataQualityAssertions"].assertions))
    return OperatorLineage(inputs=inputs[:_MOST_TABLES])


def _tables(source: SourceSnapshot, report: OrganizationReport) -> Iterator[Any]:
    from openlineage.client.facet_v2 import schema_dataset

    from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
    from include.schema_sync.nouns.report import LeftOut

    id_ = source.data_source.id
    # All of the source was checked, and all that was found is in the report.
    whole = id_ not in {each.data_source_id for each in report.unchecked} and report.left_out == LeftOut()
    silent, doubted = set(report.ignored), set()  # an info or an ignored finding may hide a fault
    problems: dict[tuple[str, str], list[Discrepancy]] = defaultdict(list)
    for each in (*report.discrepancies, *report.ignored):
        if each.data_source_id != id_:
            continue
        if each.table is None:
            whole = False  # a YML that cannot be read may mean any of the tables
        elif each in silent or not each.severity.at_least(Severity.WARNING):
            if each.type is not DiscrepancyType.UNDOCUMENTED_COLUMN:
                doubted.add(_key(each.schema, each.table))
        else:
            problems[_key(each.schema, each.table)].append(each)
    tables = [(group, table) for group in source.groups for table in group.tables]
    of_name = Counter(_key(group.schema, table.name) for group, table in tables)
    namespace = f"{source.data_source.type}://{id_}"
    for group, table in tables:
        key = _key(group.schema, table.name)
        if of_name[key] > 1:
            continue  # which of them a dataset means is not known here; what was found is told below, as it says
        fields = [schema_dataset.SchemaDatasetFacetFields(name=each.name, type=each.type) for each in table.columns]
        own = problems.pop(key, [])
        matches = whole and not own and key not in doubted
        yield _input(namespace, (group.database, group.schema, table.name), fields, own, matches)
    for own in problems.values():  # of tables that are not there, or that share a name
        yield _input(namespace, (own[0].database, own[0].schema, own[0].table), (), own, False)


def _key(schema: str, table: str) -> tuple[str, str]:
    return schema.casefold(), table.casefold()


def _input(
    namespace: str, names: Sequence[str | None], fields: Sequence[Any], problems: Sequence[Discrepancy], matches: bool
) -> Any:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality
    from openlineage.client.facet_v2 import schema_dataset

    assertions = [quality.Assertion(assertion=each.type, success=False, column=each.column) for each in problems]
    if matches:
        assertions.append(quality.Assertion(assertion=MATCHES, success=True))
    return InputDataset(
        namespace=namespace,
        name=".".join(name for name in names if name),
        facets={"schema": schema_dataset.SchemaDatasetFacet(fields=list(fields))} if fields else {},
        inputFacets={"dataQualityAssertions": quality.DataQualityAssertionsDatasetFacet(assertions=assertions)},
    )
