"""Many questions in few statements: each bad part is named, no good one, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from include.schema_sync.introspect.bisect import Refusal, refusals
from include.schema_sync.warehouses.engine import Failure


class Warehouse:
    """Refuses a statement (numbers) that holds a bad one of them."""

    def __init__(self, bad: set[int], *, pipelined: bool = False, together: frozenset[int] = frozenset()) -> None:
        self.bad, self.pipelined, self.together = bad, pipelined, together
        self.statements = self.round_trips = 0

    def __call__(self, statements: Sequence[str]) -> list[Refusal | None]:
        self.statements += len(statements)
        self.round_trips += 1
        return [self._answer({int(number) for number in statement.split()}) for statement in statements]

    def _answer(self, asked: set[int]) -> Refusal | None:
        refused = asked & self.bad or (len(self.together) > 0 and self.together <= asked)
        return Refusal(Failure.TERMINAL, f"no: {sorted(asked & self.bad)}") if refused else None


def found(warehouse: Warehouse, parts: int) -> set[int]:
    return set(refusals(range(parts), lambda some: " ".join(map(str, some)), warehouse))


@pytest.mark.parametrize("bad", [0, 1, 74, 75, 149, 150, 337, 449, 450, 598, 599])
def test_one_bad_part_of_600_is_named_within_20_statements(bad: int) -> None:
    warehouse = Warehouse({bad})
    assert found(warehouse, 600) == {bad}
    assert warehouse.statements <= 20


@pytest.mark.parametrize("parts", [1, 150, 151, 600])
@pytest.mark.parametrize("pipelined", [True, False])
def test_clean_parts_cost_a_statement_for_150(parts: int, *, pipelined: bool) -> None:
    warehouse = Warehouse(set(), pipelined=pipelined)
    assert found(warehouse, parts) == set()
    assert (warehouse.statements, warehouse.round_trips) == (-(-parts // 150), 1)


def test_a_pipeline_names_every_bad_part_in_a_second_round_trip() -> None:
    bad = set(range(0, 600, 7))
    warehouse = Warehouse(bad, pipelined=True)
    assert found(warehouse, 600) == bad
    assert warehouse.round_trips == 2


@pytest.mark.parametrize("bad", [set(), {3}, {3, 4, 140}, set(range(150)), set(range(0, 300, 2))])
def test_what_cannot_stand_together_accuses_nobody(bad: set[int]) -> None:
    warehouse = Warehouse(bad, together=frozenset({10, 100}))
    assert found(warehouse, 300) == bad


def test_a_transient_answer_is_not_asked_again_in_parts() -> None:
    calls: list[int] = []

    class Slow(Warehouse):
        def __call__(self, statements: Sequence[str]) -> list[Refusal | None]:
            calls.append(len(statements))
            return [Refusal(Failure.TRANSIENT, "timeout")] * len(statements)

    assert found(Slow(set()), 200) == set(range(200))
    assert calls == [2]
