"""Saved charts that read what is broken, and where they are shown → a finding's impact (contract, section 12). Pure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..application.charts import Chart
from ..nouns.discrepancy import Discrepancy, DiscrepancyType, Impact
from ..nouns.report import OrganizationReport
from ..nouns.snapshot import OrganizationSnapshot, SourceSnapshot
from ..sql.expressions import words_of
from ..sql.queries import Path, QueryReading, read_query
from ..text import cut
from ..warehouses import dialect_for
from ..warehouses.engine import Dialect
from ..warehouses.names import NameCase, fold, unquote

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
    ends = time.thread_time() + _READING_S
    readers = {
        source.data_source.id: _Source(
            source, [each for each in charts if each.data_source_id == source.data_source.id]
        )
        for source in snapshot.sources
        if any(each.data_source_id == source.data_source.id for each in charts)
    }
    found = [
        replace(each, impact=readers[each.data_source_id].impact_of(each, ends=ends, names=names))
        if each.type in _ABOUT and each.data_source_id in readers
        else each
        for each in report.discrepancies
    ]
    return replace(report, discrepancies=tuple(sorted(found, key=lambda each: each.sort_key)))


class _Source:
    """One data source's charts, each read at most once."""

    def __init__(self, source: SourceSnapshot, charts: Sequence[Chart]) -> None:
        self._dialect = dialect_for(source.data_source.type)
        self._charts = charts
        self._readings: dict[str, QueryReading] = {}
        self._words = [words_of(chart.sql) for chart in charts]
        self._columns = {
            (table.name.casefold()): None if table.more else {column.name.casefold() for column in table.columns}
            for group in source.groups
            for table in group.tables
        }
        self._places = Counter(table.name.casefold() for group in source.groups for table in group.tables)

    def impact_of(self, found: Discrepancy, *, ends: float, names: bool) -> Impact | None:
        mentioned = [chart for chart, words in zip(self._charts, self._words, strict=True) if _words_of(found) <= words]
        hit: list[Chart] = []
        unread = 0
        for chart in mentioned:  # a text without the names cannot read them
            reading = self._readings.get(chart.sql)
            if reading is None:
                reading = read_query(chart.sql, self._dialect.name) if time.thread_time() < ends else _LATE
                self._readings[chart.sql] = reading
            is_hit = None if reading.problem is not None else self._is_hit(reading, found)
            if is_hit:
                hit.append(chart)
            unread += is_hit is None
        return _impact(hit, unread, names=names) if hit or unread else None

    def _is_hit(self, reading: QueryReading, found: Discrepancy) -> bool | None:
        """None: it may be."""
        if found.column is None:
            answers = [self._means(path, found) for path in reading.tables]
        else:
            wanted = found.column
            answers = [
                self._reads(each.tables, found)
                for each in reading.columns
                if _same(each.name, wanted, self._dialect.column_case, self._dialect)
            ]
        return True if True in answers else None if None in answers else False

    def _reads(self, tables: Iterable[Path], found: Discrepancy) -> bool | None:
        means = {path: self._means(path, found) for path in tables}
        if not any(answer is not False for answer in means.values()):
            return False
        column = unquote(found.column or "")[0].casefold()
        for path, answer in means.items():
            if answer is False:  # another table in the same query: is the column its own?
                known = self._columns.get(unquote(path[-1])[0].casefold())
                if known is None:
                    return None
                if column in known:
                    return False
        return True if True in means.values() else None

    def _means(self, path: Path, found: Discrepancy) -> bool | None:
        """Whether a table as a query writes it is the finding's; None: another schema has one of that name."""
        *around, name = path
        wanted = (found.database, found.schema, found.table)
        if found.table is not None and not _same(name, found.table, self._dialect.table_case, self._dialect):
            return False
        pairs = zip(reversed(around), (wanted[1], wanted[0]), strict=False)
        if any(place is not None and unquote(part)[0].casefold() != place.casefold() for part, place in pairs):
            return False
        if found.table is None:
            return bool(around)
        return True if around or self._places[unquote(name)[0].casefold()] <= 1 else None


def _same(written: str, stored: str, case: NameCase, dialect: Dialect) -> bool:
    one, other = (fold(each, case, dialect.max_name_bytes) for each in (written, stored))
    return one in (other, stored) or (case is NameCase.INSENSITIVE and one.casefold() == other.casefold())


def _words_of(found: Discrepancy) -> set[str]:
    return {word for name in (found.column, found.table or found.schema) if name for word in words_of(name)}


@dataclass(slots=True)
class _Use:
    title: str
    uses: int = 0


def _impact(hit: Sequence[Chart], unread: int, *, names: bool) -> Impact:
    shown: dict[str, dict[str, _Use]] = {"dashboards": {}, "reports": {}}
    uses = [_Use(chart.title, len(chart.dashboards) + len(chart.reports)) for chart in hit]
    for chart in hit:
        for where, titles in (("dashboards", chart.dashboards), ("reports", chart.reports)):
            for id_, title in titles.items():
                shown[where].setdefault(id_, _Use(title)).uses += 1
    return Impact(
        charts=len(hit),
        dashboards=len(shown["dashboards"]),
        reports=len(shown["reports"]),
        names=tuple(_most_used([*uses, *shown["dashboards"].values(), *shown["reports"].values()])) if names else (),
        unread=unread,
    )


def _most_used(uses: Sequence[_Use]) -> Iterator[str]:
    titles = dict.fromkeys(cut(each.title) for each in sorted(uses, key=lambda each: (-each.uses, each.title)))
    yield from list(titles)[:MOST_NAMES]
