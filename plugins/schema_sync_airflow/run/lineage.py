"""OpenLineage: what ``diff`` compared, as input datasets with their columns and an assertion for each problem.

Only where Airflow's OpenLineage provider is installed, which then asks the operator for it. A dataset of OpenLineage is
a table here: its namespace is the data source (``postgres://<its id>``, because hosts are credentials), its name
``database.schema.table``. A table is said to match only where nothing of its data source stayed unchecked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.schema_sync.nouns.discrepancy import Discrepancy
    from include.schema_sync.nouns.report import OrganizationReport
    from include.schema_sync.nouns.snapshot import OrganizationSnapshot, SourceSnapshot

_MOST_TABLES = 500  # an event is one HTTP request, which receivers limit to a few megabytes
MATCHES = "matches_dataset_yml"


def operator_lineage(compared: Iterable[tuple[OrganizationReport, OrganizationSnapshot]]) -> Any:
    """:return: an ``OperatorLineage`` of at most 500 tables, those with problems first."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs = [each for report, snapshot in compared if report.error is None for each in _tables(report, snapshot)]
    inputs.sort(key=lambda each: all(a.success for a in each.inputFacets["dataQualityAssertions"].assertions))
    return OperatorLineage(inputs=inputs[:_MOST_TABLES])


def _tables(report: OrganizationReport, snapshot: OrganizationSnapshot) -> Iterator[Any]:
    problems = defaultdict(list)
    for each in report.discrepancies:
        if each.severity.rank < 2:
            problems[each.data_source_id].append(each)
    unchecked = {each.data_source_id for each in report.unchecked}
    for source in snapshot.sources:
        yield from _of_source(source, problems[source.data_source.id], source.data_source.id not in unchecked)


def _of_source(source: SourceSnapshot, problems: Sequence[Discrepancy], whole: bool) -> Iterator[Any]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality
    from openlineage.client.facet_v2 import schema_dataset

    of_table = defaultdict(list)
    for each in problems:
        if each.table is None:
            whole = False  # a YML that cannot be read may mean any of the tables
        else:
            of_table[each.schema.casefold(), each.table.casefold()].append(each)
    namespace = f"{source.data_source.type}://{source.data_source.id}"

    def dataset(names: Sequence[str | None], columns: Any, found: Sequence[Discrepancy]) -> Any:
        assertions = [quality.Assertion(assertion=each.type, success=False, column=each.column) for each in found]
        if not found and whole:
            assertions = [quality.Assertion(assertion=MATCHES, success=True)]
        return InputDataset(
            namespace=namespace,
            name=".".join(name for name in names if name),
            facets={"schema": schema_dataset.SchemaDatasetFacet(fields=columns)} if columns else {},
            inputFacets={"dataQualityAssertions": quality.DataQualityAssertionsDatasetFacet(assertions=assertions)},
        )

    for group in source.groups:
        for table in group.tables:
            columns = [
                schema_dataset.SchemaDatasetFacetFields(name=each.name, type=each.type) for each in table.columns
            ]
            found = of_table.pop((group.schema.casefold(), table.name.casefold()), [])
            yield dataset((group.database, group.schema, table.name), columns, found)
    for found in of_table.values():  # tables that are not there
        yield dataset((found[0].database, found[0].schema, found[0].table), [], found)
