"""How many examples a property test takes."""

from __future__ import annotations

import os

PROFILE = os.environ.get("SCHEMA_SYNC_TEST_PROFILE", "schema-sync")
_TIMES = 25 if PROFILE == "explore" else 1


def examples(number: int) -> int:
    """``scripts/test --explore`` takes 25 times as many: a number in a test would override the profile's."""
    return number * _TIMES
