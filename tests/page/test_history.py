"""Sixty days with gaps, test runs and outages: each change once, under the first run that saw it; drift by day."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from html import unescape

import pytest

from include.schema_sync.compare.history import Memory, changes_of, remember
from include.schema_sync.nouns.dataset import DataSource
from include.schema_sync.nouns.snapshot import Column, GroupSnapshot, OrganizationSnapshot, SourceSnapshot, Table
from tests.page import seeding

pytestmark = pytest.mark.airflow


DAYS, COLUMNS = 60, 40
ACME = seeding.identity(1)
OTHER = seeding.clean(2, "Bluebird Coffee")
SOURCE = DataSource("source-1", "Shop", "postgres")


def snapshot(columns: dict[int, Column], *, error: str | None = None) -> OrganizationSnapshot:
    table = Table("orders", "table", True, tuple(columns.values()), identity=7)
    group = GroupSnapshot(SOURCE.id, "shop", "public", True, () if error else (table,), error=error)
    return OrganizationSnapshot(ACME, "Acme", (SourceSnapshot(SOURCE, "shop", {}, (group,)),))


def migrate(columns: dict[int, Column], number: int, how: str) -> str:
    """Change one column that was never changed; returns what people should read."""
    old = columns[number]
    if how == "rename":
        columns[number] = old._replace(name=f"new_{number}")
        return f"`{old.name}` was renamed to `new_{number}`"
    if how == "drop":
        del columns[number]
        return f"`{old.name}` was dropped"
    columns[number] = old._replace(type="text")
    return f"`{old.name}` was integer, now text"


@pytest.mark.parametrize("chance", range(3))
def test_sixty_days_are_told_as_they_were(seed, client, chance):
    dice = random.Random(chance)
    columns = {at: Column(f"c{at}", "integer", identity=at) for at in range(1, COLUMNS + 1)}
    untouched = list(columns)
    memories: list[Memory] = []
    waiting: list[str] = []  # what no run has seen yet
    expected: list[tuple[int, set[str]]] = []
    for day in range(DAYS):
        if memories and dice.random() < 0.5 and untouched:
            number = untouched.pop(dice.randrange(len(untouched)))
            waiting.append(migrate(columns, number, dice.choice(["rename", "drop", "retype"])))
        kind = "full" if day == 0 else dice.choice(["full", "full", "full", "none", "dry", "restricted", "outage"])
        if kind == "none":
            continue
        now = snapshot(columns, error="timed out" if kind == "outage" else None)
        found = remember(now, memories[:10])
        report = replace(seeding.clean(1, "Acme"), changes=changes_of(found))
        conf = {"dry": {"dry_run": True}, "restricted": {"organization_ids": [ACME]}}.get(kind, {})
        seed([report] if kind == "restricted" else [OTHER, report], day=day, conf=conf)
        if kind in ("full", "outage"):
            memories.insert(0, Memory(f"2026-01-{day:02d}", found))
        if waiting and kind != "outage":
            expected.append((day, set(waiting)))
            waiting.clear()
    html = client.get(f"/schema-sync/organizations/{ACME}/history").text
    rows = re.findall(
        r'class="when">.*?datetime="([^"]+)".*?<bdi>shop.public.orders</bdi>.*?<bdi>(.*?)</bdi>', html, re.DOTALL
    )
    told = [(day, set(unescape(said).split("; "))) for day, said in rows]
    moments = [(seeding.FIRST_DAY + seeding.timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ") for day, _ in expected]
    assert told == list(reversed(list(zip(moments, (said for _, said in expected), strict=True))))
    assert len(expected) > 10


def test_another_organization_and_garbage_show_nothing(seed, client):
    report = replace(seeding.clean(1, "Acme"), changes=())
    seed([report, OTHER])
    seed([report, OTHER], day=1, stored_as=lambda _: [{"organization_id": ACME, "changes": [[1], {"a": 2}]}])
    for organization_id in (ACME, OTHER.organization_id, "nobody"):
        page = client.get(f"/schema-sync/organizations/{organization_id}/history")
        assert page.status_code == 200
        assert "Nothing changed" in page.text


def test_the_chart_has_a_bar_a_day_of_runs_over_everybody(seed, client):
    drifted = seeding.drifted(1, "Acme", findings=9)
    seed([drifted])
    seed([drifted], day=1, conf={"organization_ids": [ACME]})
    seed([OTHER], day=3)
    html = client.get("/schema-sync/").text
    titles = re.findall(r"<g><title>(.*?)</title>", html)
    assert titles == ["2026-01-15: 3 critical, 3 warnings", "2026-01-18: 0 critical, 0 warnings"]
    assert re.findall(r'class="critical" x="(\d+)" y="[\d.]+" width="12" height="([\d.]+)"', html) == [
        ("0", "30.0"), ("48", "0.0")
    ]  # fmt: skip
