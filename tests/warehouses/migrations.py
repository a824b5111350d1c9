"""Thirty ways in which a table's owner changes it between two runs: the table that ``test_migrations.py`` tries.

Each is steps, and the truth about them. ``renamed`` are columns that the engine itself renamed; a copy under a new
name, and a table that is made anew, are renames in nobody's eyes but the author's.
"""

from __future__ import annotations

from typing import NamedTuple

COLUMNS = {"id": "integer", "amount": "integer", "tax": "integer", "status": "text", "placed": "text", "note": "text"}
ROWS = [
    (1, 100, 7, "open", "2026-01-01", "x"),
    (2, 250, 11, "paid", "2026-01-02", "y"),
    (3, 3, 1, "open", "2026-01-03", "z"),
]
YML = """\
name: orders
dimensions:
  - name: status
    type: text
  - name: placed
    type: text
measures:
  - name: amount
    type: integer
    agg: sum
  - name: tax
    type: integer
    agg: sum
metrics:
  - name: revenue
    expr: sum(amount)
  - name: net
    expr: sum(amount) - sum(tax)
  - name: paid
    expr: sum(case when status = 'paid' then 1 end)
  - name: first_day
    expr: min(placed)
"""


class Migration(NamedTuple):
    """:ivar renamed: {old: new}. :ivar dropped: columns whose data is in no column of the engine's any more."""

    steps: tuple[tuple[str, ...], ...]
    renamed: dict[str, str] = {}  # noqa: RUF012 (never changed)
    dropped: tuple[str, ...] = ()


def _rename(old: str, new: str) -> tuple[str, str, str]:
    return ("rename", old, new)


def _exchange(one: str, other: str) -> tuple[tuple[str, ...], ...]:
    return (_rename(one, "held"), _rename(other, one), _rename("held", other))


MIGRATIONS = {
    "nothing": Migration(()),
    "rename": Migration((_rename("amount", "amount_usd"),), {"amount": "amount_usd"}),
    "rename to an unlike name": Migration((_rename("amount", "gross"),), {"amount": "gross"}),
    "rename a dimension": Migration((_rename("status", "state"),), {"status": "state"}),
    "rename what nobody documents": Migration((_rename("note", "remark"),), {"note": "remark"}),
    "rename in two steps": Migration((_rename("tax", "vat"), _rename("vat", "tax_total")), {"tax": "tax_total"}),
    "rename and back": Migration((_rename("tax", "vat"), _rename("vat", "tax"))),
    "two renames": Migration(
        (_rename("amount", "amount_usd"), _rename("tax", "vat")), {"amount": "amount_usd", "tax": "vat"}
    ),
    "two renames to each other's likeness": Migration(
        (_rename("amount", "tax_amount"), _rename("tax", "amount_tax")), {"amount": "tax_amount", "tax": "amount_tax"}
    ),
    "rename and retype": Migration(
        (_rename("amount", "amount_usd"), ("retype", "amount_usd", "decimal")), {"amount": "amount_usd"}
    ),
    "rename and make it another sort": Migration(
        (_rename("amount", "amount_usd"), ("retype", "amount_usd", "text")), {"amount": "amount_usd"}
    ),
    "rename and another like it comes": Migration(
        (_rename("amount", "gross"), ("add", "amount_usd", "integer")), {"amount": "gross"}
    ),
    "rename and the last one goes": Migration(
        (_rename("amount", "gross"), ("drop", "note")), {"amount": "gross"}, ("note",)
    ),
    "rename and one comes": Migration((_rename("tax", "vat"), ("add", "currency", "text")), {"tax": "vat"}),
    "rename the last": Migration((_rename("placed", "placed_at"),), {"placed": "placed_at"}),
    "drop": Migration((("drop", "tax"),), {}, ("tax",)),
    "drop two": Migration((("drop", "tax"), ("drop", "status")), {}, ("tax", "status")),
    "drop the last": Migration((("drop", "note"),), {}, ("note",)),
    "drop and add alike": Migration((("drop", "amount"), ("add", "amount_usd", "integer")), {}, ("amount",)),
    "drop and add in its place": Migration((("drop", "note"), ("add", "remark", "text")), {}, ("note",)),
    "drop, add and fill with other data": Migration(
        (("drop", "tax"), ("add", "taxes", "integer"), ("fill", "taxes", "id * 1000")), {}, ("tax",)
    ),
    "drop and come back empty": Migration((("drop", "tax"), ("add", "tax", "integer"))),
    "copy under a new name": Migration(
        (("add", "amount_usd", "integer"), ("fill", "amount_usd", "amount"), ("drop", "amount")), {}, ("amount",)
    ),
    "exchange two": Migration(_exchange("amount", "tax"), {"amount": "tax", "tax": "amount"}),
    "exchange two of other types": Migration(_exchange("amount", "status"), {"amount": "status", "status": "amount"}),
    "shift names": Migration((_rename("tax", "vat"), _rename("amount", "tax")), {"tax": "vat", "amount": "tax"}),
    "add": Migration((("add", "currency", "text"),)),
    "retype": Migration((("retype", "amount", "decimal"),)),
    "made anew as it was": Migration((("anew", "id, amount, tax, status, placed, note"),)),
    "made anew, renamed": Migration((("anew", "id, amount AS amount_usd, tax, status, placed, note"),)),
    "made anew, in another order": Migration((("anew", "note, placed, status, tax AS vat, amount, id"),)),
    "made anew, one less": Migration((("anew", "id, amount, status, placed, note"),), {}, ("tax",)),
    "made anew, names exchanged": Migration((("anew", "id, amount AS tax, tax AS amount, status, placed, note"),)),
    "restored from a dump, one dropped before": Migration(
        (("drop", "note"), ("anew", "*"), _rename("amount", "total")), {"amount": "total"}, ("note",)
    ),
    "restored, one for another": Migration((("drop", "tax"), ("add", "fee", "integer"), ("anew", "*")), {}, ("tax",)),
}
