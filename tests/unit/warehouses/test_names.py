"""How a written name finds the stored one: the contract's section 8, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.schema_sync.warehouses.names import NameCase, NameIndex, Resolution, can_be_asked, fold, unquote


@pytest.mark.parametrize(
    ("case", "stored", "wanted", "expected"),
    [
        (NameCase.LOWER, ["orders"], "orders", Resolution("orders")),
        (NameCase.LOWER, ["orders"], "ORDERS", Resolution("orders")),
        (NameCase.LOWER, ["orders", "Orders"], "Orders", Resolution("orders")),
        (NameCase.LOWER, ["Orders"], "Orders", Resolution("Orders")),
        (NameCase.LOWER, ["ORDERS"], "Orders", Resolution("ORDERS", case_differs=True)),
        (NameCase.LOWER, ["orders"], "order", Resolution(None)),
        (NameCase.LOWER, [], "orders", Resolution(None)),
        (NameCase.UPPER, ["ORDERS"], "orders", Resolution("ORDERS")),
        (NameCase.UPPER, ["ORDERS"], "ORDERS", Resolution("ORDERS")),
        (NameCase.UPPER, ["orders"], "orders", Resolution("orders")),
        (NameCase.UPPER, ["orders", "ORDERS"], "orders", Resolution("ORDERS")),
        (NameCase.UPPER, ["Orders"], "orders", Resolution("Orders", case_differs=True)),
        (NameCase.INSENSITIVE, ["Orders"], "oRDERS", Resolution("Orders")),
        (NameCase.INSENSITIVE, ["STRASSE"], "straße", Resolution("STRASSE")),
        (NameCase.SENSITIVE, ["Orders", "orders"], "Orders", Resolution("Orders")),
        (NameCase.SENSITIVE, ["Orders"], "orders", Resolution("Orders", case_differs=True)),
        (NameCase.SENSITIVE, ["Orders"], "order", Resolution(None)),
    ],
)
def test_a_name_is_looked_up_as_the_engine_resolves_it(
    case: NameCase, stored: list[str], wanted: str, expected: Resolution
) -> None:
    assert NameIndex(stored, case).resolve(wanted) == expected


@pytest.mark.parametrize("case", [NameCase.LOWER, NameCase.UPPER, NameCase.SENSITIVE])
def test_several_names_that_differ_only_in_case_are_nobodys_guess_but_are_told(case: NameCase) -> None:
    resolution = NameIndex(["oRders", "orDers", "customers"], case).resolve("orderS")
    assert resolution == Resolution(None, case_differs=True)


@pytest.mark.parametrize("written", ['"Order ID"', "`Order ID`", "[Order ID]"])
@pytest.mark.parametrize("case", list(NameCase))
def test_a_quoted_name_is_exact_without_its_quotes(case: NameCase, written: str) -> None:
    assert NameIndex(["Order ID", "order id", "ORDER ID"], case).resolve(written) == Resolution("Order ID")


def test_a_quoted_name_in_the_wrong_case_is_a_case_mismatch_because_the_engine_would_not_find_it() -> None:
    assert NameIndex(["orders"], NameCase.LOWER).resolve('"Orders"') == Resolution("orders", case_differs=True)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"a""b"', ('a"b', True)),
        ("`a``b`", ("a`b", True)),
        ("[a]]b]", ("a]b", True)),
        ('"line\nbreak"', ("line\nbreak", True)),
        ('""', ('""', False)),
        ("plain", ("plain", False)),
        ('"half', ('"half', False)),
        ("", ("", False)),
    ],
)
def test_quotes_are_taken_off_only_where_they_enclose_a_name(written: str, expected: tuple[str, bool]) -> None:
    assert unquote(written) == expected


def test_a_stored_name_that_holds_quotes_is_found_as_it_is() -> None:
    assert NameIndex(['"odd"'], NameCase.LOWER).resolve('"odd"') == Resolution('"odd"')


def test_only_ascii_letters_are_folded_because_postgresql_leaves_the_others() -> None:
    assert fold("ÄPFEL", NameCase.LOWER) == "Äpfel"
    assert fold("äpfel", NameCase.UPPER) == "äPFEL"
    assert NameIndex(["äpfel"], NameCase.LOWER).resolve("ÄPFEL") == Resolution("äpfel", case_differs=True)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("a" * 200, "a" * 63),
        ("A" * 200, "a" * 63),
        ('"' + "A" * 200 + '"', "A" * 63),
        ("ä" * 40, "ä" * 31),  # 62 bytes: the 32nd would need the 64th
        ("x" + "😀" * 20, "x" + "😀" * 15),
    ],
)
def test_long_names_are_cut_at_a_character_as_the_engine_cuts_them(written: str, stored: str) -> None:
    assert fold(written, NameCase.LOWER, 63) == stored
    assert NameIndex([stored], NameCase.LOWER, 63).resolve(written) == Resolution(stored)


def test_a_name_without_limit_is_never_cut() -> None:
    assert NameIndex(["a" * 63], NameCase.LOWER).resolve("a" * 64) == Resolution(None)


@pytest.mark.parametrize("name", ["a\0b", "lone \ud800", "\udfff", "ä\0"])
def test_names_without_bytes_in_utf8_cannot_be_asked_but_are_looked_up_in_peace(name: str) -> None:
    assert not can_be_asked(name)
    assert NameIndex(["orders"], NameCase.LOWER, 63).resolve(name * 30) == Resolution(None)


@pytest.mark.parametrize("name", ["orders", "", "😀", "ä", '"; DROP TABLE x', "a\nb"])
def test_odd_names_can_be_asked(name: str) -> None:
    assert can_be_asked(name)


@given(st.lists(st.text(max_size=80)), st.text(max_size=80), st.sampled_from(NameCase), st.sampled_from([None, 63]))
def test_a_resolution_names_something_that_is_stored_or_nothing(
    stored: list[str], wanted: str, case: NameCase, max_bytes: int | None
) -> None:
    resolution = NameIndex(stored, case, max_bytes).resolve(wanted)
    assert resolution.name is None or resolution.name in stored
    if wanted in stored:
        assert resolution.name is not None
        assert not resolution.case_differs


@given(st.text(max_size=100), st.sampled_from(NameCase))
def test_a_folded_name_fits_and_keeps_its_start(name: str, case: NameCase) -> None:
    folded = fold(name, case, 63)
    assert len(folded.encode("utf-8", "surrogatepass")) <= 63
    assert fold(name, case).startswith(folded)
