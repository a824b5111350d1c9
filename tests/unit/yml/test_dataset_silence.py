"""What authors ask not to be told, and how patterns match."""

from __future__ import annotations

import pytest

from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
from include.schema_sync.warehouses.names import NameCase
from include.schema_sync.yml.silence import Silence
from tests.unit.yml.reading import definition, parse


def test_an_author_s_wishes_are_read_and_a_document_s_hold_for_all_of_its_models() -> None:
    outer = "schema_sync: {ignore: [_*, tmp], severity: {missing_column: info, type_mismatch: info}}\n"
    inner = "{name: b, schema_sync: {ignore: [tmp, x], severity: {missing_column: warning}}}"
    a, b, c = parse(f"{outer}models: [{{name: a}}, {inner}]\nsemantic_models: [{{name: c}}]\n")
    ignored = Silence(
        ("_*", "tmp"),
        ((DiscrepancyType.MISSING_COLUMN, Severity.INFO), (DiscrepancyType.TYPE_MISMATCH, Severity.INFO)),
    )
    assert (a.silence, c.silence) == (ignored, ignored)
    assert b.silence.ignore == ("tmp", "x", "_*")
    assert b.silence.severity_of(DiscrepancyType.MISSING_COLUMN) is Severity.WARNING
    assert b.silence.severity_of(DiscrepancyType.TYPE_MISMATCH) is Severity.INFO
    assert b.silence.severity_of(DiscrepancyType.CASE_MISMATCH) is None


@pytest.mark.parametrize("nothing", ["", "null", "{}", "{ignore: null, severity: null}", "{ignore: [], severity: {}}"])
def test_an_empty_wish_silences_nothing(nothing: str) -> None:
    assert definition(f"name: a\nschema_sync: {nothing}\n").silence == Silence()


def test_wishes_can_be_shared_through_merge_keys() -> None:
    yml = "x: &x {ignore: [a], severity: {type_mismatch: info}}\nname: n\nschema_sync: {<<: *x, ignore: [b]}\n"
    assert definition(yml).silence == Silence(("b",), ((DiscrepancyType.TYPE_MISMATCH, Severity.INFO),))


@pytest.mark.parametrize(
    ("pattern", "column", "case", "matches"),
    [
        ("_*", "_loaded_at", NameCase.LOWER, True),
        ("_*", "loaded_at", NameCase.LOWER, False),
        ("TMP_?", "tmp_1", NameCase.UPPER, True),
        ("tmp_[0-9]", "tmp_x", NameCase.UPPER, False),
        ("tmp", '"TMP"', NameCase.INSENSITIVE, True),
        ("tmp", "TMP", NameCase.SENSITIVE, False),
        ("a", "ab", NameCase.LOWER, False),
        ("a.b", "axb", NameCase.LOWER, False),
    ],
)
def test_patterns_match_whole_names_in_the_case_that_the_engine_sees(
    pattern: str, column: str, case: NameCase, matches: bool
) -> None:
    assert Silence((pattern,)).ignores(column, case) is matches
