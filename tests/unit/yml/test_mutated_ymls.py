"""Damaged YMLs come to a verdict or a refusal, in time; scripts/mutate takes a hundred thousand."""

from __future__ import annotations

import time

import pytest

from tests import mutations
from tests.mutations import YMLS, campaign, check_yml, mutated_yml


def test_mutated_ymls_are_read_compared_patched_and_told_or_refused() -> None:
    found = campaign(400, YMLS, mutated_yml, check_yml)
    assert found["faults"] == []
    assert found["refused"] > 100  # else nothing was damaged
    assert found["patched"] > 50  # else everything was


def test_a_campaign_names_the_text_that_crashes_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "BOUND_S", 0.05)

    def faulty(text: str, dialect: str) -> str:
        if len(text) % 2:
            raise RecursionError("too deep")
        time.sleep(0.2)
        return "read"

    found = campaign(6, ["", "a"], lambda chooser, texts: (chooser.choice(texts), "duckdb"), faulty)
    whys = {fault["text"]: fault["why"] for fault in found["faults"]}
    assert found["fault"] == found["runs"] == 6
    assert "RecursionError: too deep" in whys["a"]
    assert "HangError: not done after 0.05 s" in whys[""]
