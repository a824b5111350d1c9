"""Connections of drivers that have no transactions."""

from __future__ import annotations

from typing import Any


class AutocommitConnection:
    """A connection on which every statement stands alone: there is nothing to roll back."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def cursor(self) -> Any:
        return self.raw.cursor()

    def rollback(self) -> None:
        """Nothing is open after a failed statement; the drivers refuse to be asked, or have no such method."""

    def close(self) -> None:
        self.raw.close()
