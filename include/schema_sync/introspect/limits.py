"""How much of an answer is taken in. Contract, section 14."""

from __future__ import annotations

from dataclasses import dataclass

# Columns of a table that no dataset names and that are kept all the same, for hints; others are counted.
OTHER_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the answer to one statement. :ivar rows: a column each. :ivar size: bytes, on the wire and of its texts."""

    rows: int = 2_000_000
    size: int = 256 * 2**20

    def refusal(self, rows: int, size: int) -> str | None:
        if rows > self.rows:
            return f"its catalogue has more than {self.rows:,} columns there (SCHEMA_SYNC_MOST_COLUMNS)"
        if size > self.size:
            return f"its answer is larger than {self.size / 2**20:,.0f} MiB (SCHEMA_SYNC_MOST_MEBIBYTES)"
        return None
