"""Saved charts that read what is broken, and where they are shown → a finding's impact (contract, section 12). Pure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..application.charts import Chart
from ..needs.needs import folded
from ..nouns.discrepancy import Discrepancy, DiscrepancyType, Impact
from ..nouns.report import OrganizationReport
from ..nouns.snapshot import OrganizationSnapshot, SourceSnapshot
from ..sql.expressions import words_of
from ..sql.queries import Path, QueryReading, read_query
from ..text import cut
from ..warehouses import dialect_for
from ..warehouses.engine import Dialect
from ..warehouses.names import NameCase, fold

MOST_NAMES = 20
_READING_S = 20.0  # of one organization, of this thread's own time; a chart whose turn does not come may be hit
_LATE = QueryReading(problem="the time for reading charts was up")
_ABOUT = frozenset(
    (DiscrepancyType.MISSING_SCHEMA, DiscrepancyType.MISSING_TABLE, DiscrepancyType.MISSING_COLUMN,
     DiscrepancyType.INACCESSIBLE_TABLE, DiscrepancyType.BROKEN_VIEW, DiscrepancyType.TYPE_MISMATCH,
     DiscrepancyType.CASE_MISMATCH)
)  # fmt: skip


def wanted_sources(report: OrganizationReport) -> list[str]:
    """The data sources whose charts may be hit by a finding."""
    return sorted({each.data_source_id for each in report.discrepancies if each.type in _ABOUT})


def with_impact(
    report: OrganizationReport, snapshot: OrganizationSnapshot, charts: Sequence[Chart], *, names: bool = True
) -> OrganizationReport:
    """The report with the impact of each finding about a table or column, and its findings ordered by it.

    :param charts: the organization's. :param names: False: counts only.
    """
    own: dict[str, list[Chart]] = {}
    for chart in charts:
        own.setdefault(chart.data_source_id, []).append(chart)
    sources = {each.data_source.id: _Source(each, own.get(each.data_source.id, ())) for each in snapshot.sources}
    ends = time.thread_time() + _READING_S

    def told(found: Discrepancy) -> Discrepancy:
        if found.type not in _ABOUT or found.data_source_id not in own:
            return found
        hit, unread = sources[found.data_source_id].readers_of(found, ends)
        return replace(found, impact=_impact(hit, unread, names=names)) if hit or unread else found

    return replace(report, discrepancies=tuple(sorted(map(told, report.discrepancies), key=lambda each: each.sort_key)))


class _Source:
    """One data source's charts, each read at most once."""

    def __init__(self, source: SourceSnapshot, charts: Sequence[Chart]) -> None:
        self._dialect = dialect_for(source.data_source.type)
        self._charts = [(chart, words_of(chart.sql)) for chart in charts]
        self._readings: dict[str, QueryReading] = {}
        tables = [table for group in source.groups for table in group.tables]
        self._places = Counter(table.name.casefold() for table in tables)
        self._columns = {
            table.name.casefold(): None if table.more else {column.name.casefold() for column in table.columns}
            for table in tables
        }

    def readers_of(self, found: Discrepancy, ends: float) -> tuple[list[Chart], int]:
        """(the charts that read it, how many may)."""
        names = (found.column, found.table or found.schema)
        words = {word for name in names if name for word in words_of(name)}
        hit: list[Chart] = []
        unread = 0
        for chart, own in self._charts:
            if words <= own:  # a text without the names cannot read them
                if chart.sql not in self._readings:
                    is_late = time.thread_time() > ends
                    self._readings[chart.sql] = _LATE if is_late else read_query(chart.sql, self._dialect.name)
                is_hit = self._is_hit(self._readings[chart.sql], found)
                hit += [chart] if is_hit else []
                unread += is_hit is None
        return hit, unread

    def _is_hit(self, reading: QueryReading, found: Discrepancy) -> bool | None:
        """None: it may be."""
        if found.column is None:
            answers = [self._means(path, found) for path in reading.tables]
        else:
            case, wanted = self._dialect.column_case, found.column
            columns = [each for each in reading.columns if _same(each.name, wanted, case, self._dialect)]
            answers = [self._reads(each.tables, found) for each in columns]
        return True if True in answers else None if reading.problem is not None or None in answers else False

    def _reads(self, tables: Iterable[Path], found: Discrepancy) -> bool | None:
        means = {path: self._means(path, found) for path in tables}
        column = folded(found.column or "")
        others = [self._columns.get(folded(path[-1])) for path in means if means[path] is False]
        if len(others) == len(means) or any(column in known for known in others if known is not None):
            return False  # of another table in the same query
        return True if None not in others and True in means.values() else None

    def _means(self, path: Path, found: Discrepancy) -> bool | None:
        """Whether a table as a query writes it is the finding's; None: another schema has one of that name."""
        *around, name = path
        if found.table is not None and not _same(name, found.table, self._dialect.table_case, self._dialect):
            return False
        pairs = zip(reversed(around), (found.schema, found.database), strict=False)
        if any(place is not None and folded(part) != place.casefold() for part, place in pairs):
            return False
        if found.table is None:
            return bool(around)
        return True if around or self._places[folded(name)] <= 1 else None


def _same(written: str, stored: str, case: NameCase, dialect: Dialect) -> bool:
    one, other = (fold(each, case, dialect.max_name_bytes) for each in (written, stored))
    return one in (other, stored) or (case is NameCase.INSENSITIVE and one.casefold() == other.casefold())


def _impact(hit: Sequence[Chart], unread: int, *, names: bool) -> Impact:
    uses: Counter[tuple[str, str]] = Counter()
    titles: dict[tuple[str, str], str] = {}
    for number, chart in enumerate(hit):
        shown = {("dashboard", id_): title for id_, title in chart.dashboards.items()}
        shown |= {("report", id_): title for id_, title in chart.reports.items()}
        uses.update([*shown, *[("chart", str(number))] * len(shown)])
        titles |= {("chart", str(number)): chart.title, **shown}
    kinds = Counter(what for what, _ in titles)
    named = dict.fromkeys(cut(titles[key]) for key in sorted(titles, key=lambda key: (-uses[key], titles[key])))
    return Impact(
        kinds["chart"], kinds["dashboard"], kinds["report"], tuple(named)[:MOST_NAMES] if names else (), unread
    )
