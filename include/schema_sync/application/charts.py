"""SQL on the product's optional tables of saved charts, dashboards and reports (contract, section 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .rows import application_errors

if TYPE_CHECKING:
    from .rows import Connection

MOST_CHARTS = 20_000  # of one organization: nobody saves more, and one must not cost the others of its batch
_TABLES = (
    "metric_files", "metric_files_to_dashboard_files", "dashboard_files",
    "metric_files_to_report_files", "report_files",
)  # fmt: skip
_EXIST = "SELECT " + ", ".join(f"to_regclass('{table}') IS NOT NULL" for table in _TABLES)

# Each side by the index on its ids; a text longer than what is read is cut, so that it counts as one that cannot be.
_CHARTS = """
SELECT organization_id::text, data_source_id::text, name, left(content ->> 'sql', 20001), {dashboards}, {reports}
  FROM (
    SELECT *, row_number() OVER (PARTITION BY organization_id ORDER BY id) AS number
      FROM metric_files
     WHERE organization_id = ANY (%(organizations)s::uuid[])
       AND data_source_id = ANY (%(sources)s::uuid[])
       AND deleted_at IS NULL
  ) chart
 WHERE number <= %(most)s
"""
_SHOWN_ON = """
(SELECT jsonb_object_agg(shown.id, shown.name)
   FROM metric_files_to_{what}_files pair
   JOIN {what}_files shown ON shown.id = pair.{what}_file_id
  WHERE pair.metric_file_id = chart.id AND pair.deleted_at IS NULL
    AND shown.organization_id = chart.organization_id AND shown.deleted_at IS NULL)"""


@dataclass(frozen=True, slots=True)
class Chart:
    """A saved chart. :ivar dashboards, reports: {id: title} of its organization's that show it."""

    data_source_id: str
    title: str
    sql: str
    dashboards: Mapping[str, str]
    reports: Mapping[str, str]


def fetch_charts(connection: Connection, sources: Mapping[str, Sequence[str]]) -> dict[str, list[Chart]] | None:
    """Read the saved charts of a batch in one statement, after one that asks whether there are any such tables.

    :param sources: {organization id: data sources whose charts are wanted}.
    :return: {organization id: charts}; None: the product has no such tables here.
    :raises TerminalError: they may not be read.
    """
    with application_errors("read the saved charts"):
        exist = dict(zip(_TABLES, connection.execute(_EXIST).fetchone() or (), strict=False))
        if not exist.get("metric_files"):
            return None
        shown = {
            f"{what}s": _SHOWN_ON.format(what=what)
            if exist[f"metric_files_to_{what}_files"] and exist[f"{what}_files"]
            else "NULL"
            for what in ("dashboard", "report")
        }
        wanted = {"organizations": list(sources), "sources": sorted({id_ for own in sources.values() for id_ in own})}
        rows = connection.execute(_CHARTS.format(**shown).encode(), {**wanted, "most": MOST_CHARTS}).fetchall()
    charts: dict[str, list[Chart]] = {organization_id: [] for organization_id in sources}
    for organization_id, source_id, title, sql, dashboards, reports in rows:
        if source_id in sources[organization_id]:
            charts[organization_id].append(Chart(source_id, title, sql or "", dashboards or {}, reports or {}))
    return charts
