"""Rename hints: right ones are given, doubtful ones are not."""

from __future__ import annotations

import pytest

from include.schema_sync.compare.suggestions import closest_name


@pytest.mark.parametrize(
    ("wanted", "candidates", "expected"),
    [
        ("amount", ["amount_usd", "status"], "amount_usd"),
        ("cust_id", ["customer_id", "order_date"], "customer_id"),
        ("createdAt", ["created_at", "id"], "created_at"),
        ("email", ["email_address", "city"], "email_address"),
        ("colour", ["color"], "color"),
        ("refunds", ["refunds_archive", "orders"], "refunds_archive"),
        ("coupon", ["channel", "store_id"], None),
        ("a", ["b"], None),
        ("amount", [], None),
        ("", ["x"], None),
    ],
)
def test_only_a_clearly_close_name_is_suggested(wanted, candidates, expected):
    assert closest_name(wanted, candidates) == expected


def test_two_equally_close_names_give_no_hint():
    assert closest_name("amount", ["amount_usd", "amount_eur"]) is None


def test_an_agreeing_type_decides_between_close_names():
    assert closest_name("amount", ["amount_usd", "amount_eur"], same_type=[False, True]) == "amount_eur"
