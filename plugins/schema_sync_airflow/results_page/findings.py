"""Findings over all organizations: who has this table or column, what is new, what nobody was told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.schema_sync.nouns.discrepancy import Severity
from schema_sync_airflow.results_page import reading, stored
from schema_sync_airflow.results_page.overview import Line

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class Question:
    """:ivar text: part of a table's, column's or dataset's name. :ivar new: only what this very run saw first."""

    text: str = ""
    severity: Severity | None = None
    new: bool = False
    untold: bool = False

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Question:
        severity = next((each for each in Severity if each == query.get("severity")), None)
        return cls(query.get("q", "").strip()[:200], severity, query.get("new") == "1", query.get("untold") == "1")

    def query(self, **changes: str) -> dict[str, str]:
        """As parameters of an address, with changes."""
        own = {"q": self.text, "severity": str(self.severity or ""), "new": "1" if self.new else "",
               "untold": "1" if self.untold else ""}  # fmt: skip
        return {key: value for key, value in {**own, **changes}.items() if value}


@dataclass(frozen=True, slots=True)
class Hit:
    line: Line
    finding: reading.Finding

    @property
    def is_new(self) -> bool:
        return self.finding.first_seen == self.line.run.timestamp


def find(session: Session, lines: Sequence[Line], question: Question) -> list[Hit]:
    """Most severe first, then by organization: of each its findings in its line's run; two statements a run."""
    of = {line.totals.organization_id: line for line in lines if not question.untold or line.told[0] == "no"}
    hits: list[Hit] = []
    for run in {line.run.key: line.run for line in of.values()}.values():
        dates = dict(stored.values(session, run, [stored.FIRST_SEEN])[stored.FIRST_SEEN])
        said = stored.values(session, run, [stored.REPORTS], containing=question.text)
        for map_index, content in said[stored.REPORTS]:
            for report in reading.reports(content, dates.get(map_index)):
                line = of.get(report.totals.organization_id)
                if line is not None and line.run.key == run.key:
                    hits += [hit for each in report.findings if _answers(hit := Hit(line, each), question)]
    return sorted(hits, key=lambda hit: (hit.finding.severity.rank, hit.line.totals.organization_name.casefold()))


def _answers(hit: Hit, question: Question) -> bool:
    found, wanted = hit.finding, question.text.casefold()
    names = (found.place, found.column, found.dataset_name)
    return (
        question.severity in (None, found.severity)
        and (not question.new or hit.is_new)
        and (not wanted or any(wanted in name.casefold() for name in names if name))
    )
