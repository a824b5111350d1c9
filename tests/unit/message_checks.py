"""What every test of messages looks with: a report of every type, hostile names, Slack's limits, golden files."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from include.schema_sync.notify.messages import blocks
from include.schema_sync.notify.messages.layout import Message
from include.schema_sync.nouns.discrepancy import Change, ChangeKind, Discrepancy, DiscrepancyType, Impact
from include.schema_sync.nouns.report import OrganizationReport, SuggestedPatch, UncheckedSource
from include.schema_sync.nouns.run import RunFacts

RUN = RunFacts(
    run_id="scheduled__2026-01-15T07:00:00+00:00",
    timestamp="2026-01-15T07:00:00Z",
    run_url="https://airflow.example.com/dags/schema_sync/runs/scheduled__1?a=1&b=2",
    results_url="https://results.example.com/schema-sync",
)
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
HOSTILE = [
    "<!channel>",
    "<@U012345>",
    "@here",
    "@Channel",
    "@everyone",
    "`rm`",
    "a&b&amp;",
    "x" * 5_000,
    "&" * 500,
    "😀" * 300,
    "line\nbreak\r\n",
    "\u202eright\u200f",
    "\x00\x1b[31m\x7f\x85",
    "\ud800",
    '"\\' * 200,
    "",
    " ",
]


def discrepancy(kind: DiscrepancyType, **changes: Any) -> Discrepancy:
    usual: dict[str, Any] = {
        "organization_id": "00000000-0000-0000-0000-00000000000a",
        "data_source_id": "source",
        "dataset_id": "dataset",
        "dataset_name": "orders",
        "database": "analytics",
        "schema": "public",
        "table": "orders",
        "column": None,
        "declared": None,
        "actual": None,
        "message": "",
    }
    return Discrepancy(kind, **(usual | changes))


def report_of_every_type() -> OrganizationReport:
    kinds = DiscrepancyType
    return OrganizationReport(
        organization_id="00000000-0000-0000-0000-00000000000a",
        organization_name="Acme & Sons",
        datasets_checked=12,
        datasets_unchecked=3,
        discrepancies=(
            discrepancy(kinds.UNVERIFIABLE_EXPRESSION, declared="{{ x }}", message="The expression cannot be read."),
            discrepancy(kinds.UNVERIFIABLE_TYPE, column="payload", declared="{{TODO}}", actual="jsonb"),
            discrepancy(kinds.UNDOCUMENTED_COLUMN, column="note", actual="text"),
            discrepancy(
                kinds.CASE_MISMATCH,
                column="Email",
                declared="Email",
                actual="email",
                suggestion="email",
                line=9,
            ),
            discrepancy(kinds.TYPE_MISMATCH, column="total", declared="integer", actual="numeric(10,2)", line=20),
            discrepancy(
                kinds.INVALID_YML,
                dataset_name="broken",
                table=None,
                message="Line 3, column 7: expected a list of dimensions.",
                line=3,
            ),
            discrepancy(
                kinds.INACCESSIBLE_TABLE, dataset_name="salaries", table="salaries", message="Grant the role SELECT."
            ),
            discrepancy(
                kinds.MISSING_COLUMN,
                column="customer_email",
                declared="string",
                message="Column `customer_email` is not in the table, and dimension `email` needs it.",
                suggestion="customer_mail",
                line=12,
                users=("dimension email", "metric reachable", "filter has_email", "metric bounce_rate of mails"),
                impact=Impact(charts=4, dashboards=1, names=("Mailing list",)),
            ),
            discrepancy(
                kinds.MISSING_COLUMN,
                column="amount",
                changed=Change("2026-01-14T07:00:00Z", ChangeKind.RENAMED, "amount_usd"),
                users=("measure revenue",),
            ),
            discrepancy(
                kinds.BROKEN_VIEW,
                dataset_name="daily",
                table="daily",
                actual='column "day" does not exist',
                message='The warehouse says: column "day" does not exist.',
                impact=Impact(charts=1),
            ),
            discrepancy(
                kinds.MISSING_TABLE,
                dataset_name="refunds",
                table="refunds",
                suggestion="refund",
                message="No table or view `refunds` is in schema `public`.",
            ),
            discrepancy(
                kinds.MISSING_SCHEMA,
                dataset_id=None,
                dataset_name=None,
                schema="sales",
                table=None,
                declared="`analytics.sales`",
                message="The schema is not there; 2 datasets need it.",
            ),
        ),
        unchecked=(UncheckedSource("source-2", "Warehouse B", 3, "Create the Airflow connection `data_source_2`."),),
    )


def bluebird() -> OrganizationReport:
    """The alert that the contract aims at: what broke since yesterday, one of it with its fix."""
    gone = discrepancy(
        DiscrepancyType.MISSING_COLUMN,
        column="coupon",
        changed=Change("2026-01-14T07:00:00Z", ChangeKind.DROPPED),
        users=("dimension coupon", "metric coupon_rate"),
        impact=Impact(charts=4),
    )
    renamed = replace(gone, column="amount", changed=Change("2026-01-14T07:00:00Z", ChangeKind.RENAMED, "amount_usd"),
                      users=("measure revenue",), impact=None)  # fmt: skip
    patch = SuggestedPatch("dataset", "orders", "--- orders", (renamed.fingerprint,))
    return OrganizationReport(
        "00000000-0000-0000-0000-00000000000b", "Bluebird Coffee", 5, 0, (gone, renamed), patches=(patch,)
    )


def as_json(message: Message) -> dict[str, Any]:
    return {
        "text": message.text,
        "blocks": list(message.blocks),
        "replies": [as_json(reply) for reply in message.replies],
    }


def assert_golden(message: Message | None, file: str) -> None:
    """UPDATE_GOLDEN=1 rewrites the files: then read the difference as a customer would."""
    assert message is not None
    path = GOLDEN / file
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(json.dumps(as_json(message), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert as_json(message) == json.loads(path.read_text(encoding="utf-8"))


def texts_of(message: Message) -> list[str]:
    """Every text of the first message only."""
    return [text for block in message.blocks for text in texts_of_block(block)]


def texts_of_block(block: dict[str, Any]) -> list[str]:
    if block["type"] == "actions":
        return [each["text"]["text"] for each in block["elements"]]
    return [each["text"] for each in ([block["text"]] if "text" in block else block.get("elements", []))]


def assert_within_limits(message: Message) -> None:
    assert 1 <= len(message.blocks) <= 50
    ids = [block["block_id"] for block in message.blocks if "block_id" in block]
    assert len(ids) == len(set(ids))
    for block in message.blocks:
        limit = {"header": 150, "section": 3_000, "context": 3_000, "actions": 75}[block["type"]]
        assert all(1 <= blocks.units(text) <= limit for text in texts_of_block(block))
    # Room for the marker that the outbox writes into the first block.
    assert len(json.dumps(message.blocks, ensure_ascii=False)) <= 9_000 - 60
    assert sum(blocks.units(text) for text in texts_of(message)) <= 9_000
    assert 1 <= blocks.units(message.text) <= 3_000
    for reply in message.replies:
        assert reply.replies == ()
        assert_within_limits(reply)


def assert_harmless(message: Message) -> None:
    for text in [message.text, *texts_of(message)]:
        ours = re.sub(r"<(https://airflow\.example\.com/|!date\^\d+\^)[^<>|]*\|[^<>]*>", "", text)
        assert "<" not in ours
        assert ">" not in ours
        # What remains of code spans once each is taken out whole is no backtick of ours, nor one of the data's.
        assert "`" not in re.sub(r"`[^`\n]+`", "", ours)
        assert not re.search(r"@(here|channel|everyone)", ours, re.IGNORECASE)
        assert all(character == "\n" or character.isprintable() or character in "\u200c\u200d" for character in ours)
        ours.encode("utf-8")
    for reply in message.replies:
        assert_harmless(reply)
