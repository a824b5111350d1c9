"""What reading one organization's datasets may cost: beyond it they are unchecked, and nobody else waits for them."""

from __future__ import annotations

import time

from ..sql.expressions import needs_parser

MOST_PARSED = 5_000  # expressions of one dataset that take a parser, about half a millisecond each


class BeyondBudgetError(Exception):
    """Why a dataset is not read to its end, for people."""


class ReadingBudget:
    """Not to be shared by threads: it counts the time of the thread that reads, so that others' work costs nothing.

    :param seconds: for all datasets of an organization together.
    :param ends: when nobody waits any longer, on the monotonic clock.
    :ivar unread: {dataset id: why it was not read to its end}.
    """

    def __init__(self, seconds: float = float("inf"), ends: float = float("inf")) -> None:
        self.unread: dict[str, str] = {}
        self._seconds = seconds
        self._until = time.thread_time() + seconds
        self._ends = ends
        self._parsed: dict[str, int] = {}

    def spend(self, dataset_id: str, expression: str, dialect: str) -> None:
        """:raises BeyondBudgetError: the dataset has too many, or the time is up; ``unread`` has it then."""
        if not needs_parser(expression, dialect):
            return
        parsed = self._parsed[dataset_id] = self._parsed.get(dataset_id, 0) + 1
        if parsed > MOST_PARSED:
            reason = f"more than {MOST_PARSED:,} of its expressions are more than a name: divide it"
            self.unread[dataset_id] = reason
        if dataset_id in self.unread or (parsed % 50 == 1 and self.is_over(dataset_id)):
            raise BeyondBudgetError(self.unread[dataset_id])

    def is_over(self, dataset_id: str) -> bool:
        """True when there is no time for this dataset; ``unread`` has it then."""
        if dataset_id not in self.unread:
            if time.thread_time() > self._until:
                self.unread[dataset_id] = (
                    f"reading this organization's datasets takes longer than {self._seconds:g} s "
                    "(SCHEMA_SYNC_READING_TIMEOUT_SECONDS); it was not read, or not to its end"
                )
            elif time.monotonic() > self._ends:
                self.unread[dataset_id] = "the time of the task was up before it was read"
        return dataset_id in self.unread
