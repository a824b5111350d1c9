"""Hints: what is plainly the same thing gets one, what only looks alike does not."""

from __future__ import annotations

import pytest

from include.schema_sync.compare.likeness import Names, closest_name, same_spelling
from include.schema_sync.nouns.snapshot import Column, Table
from tests.unit.repair.patching import check

# Written and stored: letter case, separators, plural, one typo, an added unit or suffix.
SAME = """
amount:amount_usd length:length_cm unitPrice:unit_price note:notes colour:color recieved_at:received_at
adress:address catagory:category emial:email lenght:length email:e_mail category:categories email:email_address
status:statuses zip:zip_code dim_boats:dim_boats_v2 created_at:created_at_utc custoner_id:customer_id
Amount:AMOUNT_USD cup-size:cup_size chanel:channel employe:employee URLPath:url_path address1:address_1
weight:weightKg quantitiy:quantity calender_day:calendar_day createdAt:created_at phone:phone_number area:area_m2
e-mail:EMail
"""

# One of them was dropped, the other stays: a word that differs has a meaning of its own.
OTHER = """
created_at:updated_at order_id:user_id net_amount:gross_amount first_name:last_name min_price:max_price
valid_from:valid_to billing_city:shipping_city tax_amount:tip_amount q1_sales:q2_sales amount:amount_tax
weight:height country:county state:stage payer:payee employee:employer shipped:skipped invoice:invoiced price:prize
amount:total_amount a_1:a_2 v1_2:v12 discount:discount_pct start_date:end_date debit:credit opened_at:closed_at
sender:gender male:female user:used order_id:older_id price_eur:price_usd duration:duration_min account:amount
quantity:quality trial_end:trail_end address_1:address_2 lat:lon ordered:orders created:creator id:order_id
name:name_old price:price_list sales:salesman cost:cost_center hits:hit_rate phone:phone_home x:y
cust_id:customer_id refunds:refunds_archive coupon:channel opening_balance:closing_balance planned_cost:actual_cost
latitude:longitude source_id:target_id inbound_calls:outbound_calls high_price:low_price buyer_id:seller_id
primary_email:secondary_email home_phone:work_phone previous_plan:current_plan paid:unpaid
amount_eur:amount_eur_usd debit_total:credit_total gross_margin:gross_margin_pct is_active:is_inactive
parent_id:child_id subtotal:total price_before:price_after city:city_id
"""


@pytest.mark.parametrize("pair", SAME.split())
def test_what_is_plainly_the_same_thing_is_a_hint(pair):
    written, stored = pair.split(":")
    assert closest_name(written, Names(["something_else", stored])) == stored


@pytest.mark.parametrize("pair", OTHER.split())
def test_what_only_looks_alike_is_none_in_either_direction(pair):
    one, other = pair.split(":")
    assert closest_name(one, Names([other])) is None
    assert closest_name(other, Names([one])) is None
    assert not same_spelling(one, other)


@pytest.mark.parametrize("wanted", ["", "_", "%", "x" * 300])
def test_a_name_without_words_is_like_nothing(wanted):
    assert closest_name(wanted, Names(["x", "", "-", "x" * 301])) is None


def test_of_several_nobody_can_tell():
    assert closest_name("amount", Names(["amount_usd", "amount_eur"])) is None
    assert closest_name("unitPrice", Names(["unit_price", "UNIT-PRICE"])) is None
    assert closest_name("unitPrice", Names(["unit_price", "unit_prices"])) == "unit_price"


def hint(declared: str, *columns: Column, more: str = "") -> str | None:
    yml = f"name: orders\nmeasures: [{{name: amount, type: {declared}}}{more}]"
    _, report = check(yml, [Table("orders", "table", True, columns)])
    return next(each for each in report.discrepancies if each.column == "amount").suggestion


def test_a_hint_is_of_the_declared_types_family():
    assert hint("numeric", Column("amount_usd", "numeric(10,2)")) == "amount_usd"
    assert hint("numeric", Column("amount_usd", "text")) is None
    assert hint("numeric", Column("AMOUNT-", "text")) is None
    assert hint("numeric", Column("amount_usd", "text"), Column("amount_eur", "numeric")) == "amount_eur"
    assert hint("'{{TODO}}'", Column("amount_usd", "text")) == "amount_usd"


def test_a_number_of_a_thing_is_it_only_where_the_type_says_so():
    assert hint("integer", Column("amount_no", "integer")) == "amount_no"
    assert hint("'{{TODO}}'", Column("amount_no", "integer")) is None


def test_a_column_that_a_field_uses_or_nobody_may_read_is_no_hint():
    taken = (Column("amount_usd", "numeric"), Column("amount_eur", "numeric"))
    assert hint("numeric", *taken[:1], more=", {name: amount_usd}") is None
    assert hint("numeric", *taken, more=", {name: amount_usd}") is None
    assert hint("numeric", Column("amount_usd", "numeric", None, False)) is None
