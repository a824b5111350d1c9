"""The page as a person meets it: in the frame of Airflow's real UI, in a real Chromium."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from include.schema_sync.nouns.discrepancy import DiscrepancyType
from tests.page import seeding

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.airflow,
    pytest.mark.services,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

SCRIPT = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
REVERSED = "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\N{LEFT-TO-RIGHT ISOLATE} Ltd"
LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 5
ACME = seeding.drifted(1, "Acme Analytics", findings=9)
ORGANIZATIONS = [
    ACME,
    seeding.clean(2, "Bluebird Coffee"),
    seeding.partial(3, "Cobalt Logistics", "The role `reader` may not use database `marketing`; grant it CONNECT."),
    seeding.failed(4, "Dune Energy", f"No data source could be reached: {SCRIPT} {LONG}"),
    seeding.drifted(5, SCRIPT, findings=3),
    seeding.drifted(6, REVERSED, findings=3),
    seeding.drifted(7, LONG, findings=3),
]
# Of every text on the page: the contrast with what is behind it, where it is too low to be read.
FAINT = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((element) => !element.closest(".unseen, .off, [aria-hidden], dialog, noscript"))
    .map((element) => {
      const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.className, element.textContent.slice(0, 40)];
    })
    .filter(([contrast]) => contrast < 4.5);
}"""


UNNAMED = """[...document.querySelectorAll("a, button, input:not([type=hidden]), select")]
  .filter((element) => !element.closest("dialog") && !element.hidden)
  .filter((element) => !element.textContent.trim() && !element.labels?.length)
  .map((element) => element.outerHTML)"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, api_server):
    """Open a window as somebody who is logged in; everything that leaves Airflow's address fails the test."""
    contexts, strays, problems = [], [], []

    def window(user: str = "admin", *, width: int = 1280, scheme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        answer = context.request.post(
            f"{api_server.url}/auth/token", data={"username": user, "password": api_server.passwords[user]}
        )
        context.add_cookies([{"name": "_token", "value": answer.json()["access_token"], "url": api_server.url}])
        page = context.new_page()
        page.on("request", lambda request: strays.append(request.url) if not at_home(request.url) else None)
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        return page

    def at_home(url: str) -> bool:
        return url.startswith((api_server.url, "data:", "blob:", "about:"))

    yield window
    for context in contexts:
        context.close()
    assert strays == []
    assert problems == []


@pytest.fixture
def framed(visit, api_server):
    """The page inside Airflow's UI: (window, frame)."""

    def opened(**options):
        window = visit(**options)
        window.goto(f"{api_server.url}/plugin/schema-sync")
        frame = window.frame_locator("iframe")
        frame.get_by_role("heading", level=1).wait_for()
        return window, frame

    return opened


def test_the_page_is_in_airflows_navigation_and_shows_the_latest_run(api_server, visit):
    api_server.seed(ORGANIZATIONS)
    window = visit()
    window.goto(api_server.url)
    window.get_by_text("Browse", exact=True).first.click()
    window.get_by_role("menuitem", name="Schema Sync").click()
    frame = window.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_have_text("Schema Sync")
    expect(frame.get_by_role("rowheader")).to_have_count(len(ORGANIZATIONS))
    expect(frame.get_by_role("list", name="Organizations by state").get_by_role("listitem")).to_have_text(
        [r"7 All organizations", r"1 ✕ Failed", r"1 ◐ Partly checked", r"4 ▲ Drifted", r"1 ✓ Clean"],
        use_inner_text=False,
    )


@pytest.mark.parametrize("tab", ["/dags/schema_sync/plugin/schema-sync-latest", "run"])
def test_the_dag_and_each_of_its_runs_have_the_page_as_a_tab(api_server, visit, tab):
    older = api_server.seed([seeding.clean(2, "Bluebird Coffee")])
    with api_server.engine.connect() as connection:
        seeding.seed_run(connection, ORGANIZATIONS, day=1)
    window = visit()
    path = f"/dags/schema_sync/runs/{older.run_id.replace('+', '%2B')}/plugin/schema-sync-run" if tab == "run" else tab
    window.goto(f"{api_server.url}{path}")
    rows = window.frame_locator("iframe").get_by_role("rowheader")
    # Airflow's own page around it has much to load.
    expect(rows).to_have_count(1 if tab == "run" else len(ORGANIZATIONS), timeout=30_000)


def test_names_of_customers_stay_text(api_server, framed):
    api_server.seed(ORGANIZATIONS)
    window, frame = framed()
    expect(frame.get_by_role("link", name=SCRIPT, exact=True)).to_be_visible()
    expect(frame.get_by_role("link", name=r"\u202egnp.exe\u2066 Ltd", exact=True)).to_be_visible()
    frame.get_by_role("link", name=SCRIPT, exact=True).click()
    expect(frame.get_by_role("heading", level=1)).to_have_text(SCRIPT)
    assert all(each.evaluate("document.title") != "owned" for each in window.frames)
    assert frame.locator("script:not([src]), img").count() == 0


def test_the_address_in_the_window_leads_back_to_the_same_organization(api_server, framed):
    api_server.seed(ORGANIZATIONS)
    window, frame = framed()
    frame.get_by_role("link", name="Acme Analytics").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Acme Analytics")
    window.wait_for_url(re.compile(ACME.organization_id))
    window.reload()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Acme Analytics")


def test_the_page_follows_airflows_theme_when_it_changes(api_server, framed):
    api_server.seed(ORGANIZATIONS)
    window, frame = framed(scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    inner = window.frames[-1]
    assert inner.evaluate(ground) == "rgb(255, 255, 255)"
    window.evaluate("localStorage.setItem('theme', 'dark')")
    window.reload()
    frame.get_by_role("heading", level=1).wait_for()
    assert window.frames[-1].evaluate(ground) == "rgb(17, 17, 17)"


def test_searching_narrows_the_table_while_one_types_and_says_how_many_are_left(api_server, framed):
    api_server.seed(ORGANIZATIONS)
    _, frame = framed()
    box = frame.get_by_role("searchbox", name="Search by name or id")
    box.press_sequentially("bluebird", delay=20)
    expect(frame.get_by_role("rowheader")).to_have_text(["Bluebird Coffee"])
    expect(frame.get_by_role("status")).to_have_text("1 of 7 organizations, matching “bluebird”. Show all")
    expect(box).to_be_focused()
    box.fill("nobody of this name")
    expect(frame.get_by_text("No organization of this run matches.")).to_be_visible()
    frame.get_by_role("link", name="Show all").click()
    expect(frame.get_by_role("rowheader")).to_have_count(7)
    expect(box).to_have_value("")


def test_sorting_and_filtering_work_by_keyboard_and_keep_the_focus(api_server, framed):
    api_server.seed(ORGANIZATIONS)
    window, frame = framed()
    heading = frame.get_by_role("columnheader", name="Critical")
    heading.get_by_role("link").focus()
    window.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(frame.get_by_role("rowheader").first).to_contain_text("Acme Analytics")
    expect(heading.get_by_role("link")).to_be_focused()
    window.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    tile = frame.get_by_role("link", name="Clean")
    tile.focus()
    window.keyboard.press("Enter")
    expect(frame.get_by_role("rowheader")).to_have_text(["Bluebird Coffee"])
    expect(tile).to_have_attribute("aria-current", "true")
    expect(tile).to_be_focused()


def test_a_run_of_the_strip_shows_that_run(api_server, framed):
    api_server.seed([seeding.clean(2, "Bluebird Coffee")])
    with api_server.engine.connect() as connection:
        seeding.seed_run(connection, ORGANIZATIONS, day=1)
    _, frame = framed()
    strip = frame.get_by_role("navigation", name="Last 2 runs")
    first, _ = strip.get_by_role("link").all()
    expect(first).to_have_accessible_name("15 Jan 2026, 07:00 UTC: Clean, 1 organization, 0 critical, 0 warnings")
    expect(strip.locator("[aria-current]")).to_have_count(0)  # what is known last may be of several runs
    first.click()
    expect(first).to_have_attribute("aria-current", "true")
    expect(frame.get_by_role("rowheader")).to_have_text(["Bluebird Coffee"])


def test_a_link_to_a_task_log_leaves_the_frame_for_airflows_own_page(api_server, framed):
    run = api_server.seed(ORGANIZATIONS)
    window, frame = framed()
    frame.get_by_role("link", name="Cobalt Logistics").click()
    frame.get_by_role("link", name="diff").click()
    window.wait_for_url(re.compile("/dags/schema_sync/runs/.*/tasks/check_organization.diff/mapped/2$"))
    expect(window.get_by_text("check_organization.diff").first).to_be_visible()
    assert run.run_id in window.evaluate("decodeURIComponent(location.pathname)")


def test_checking_an_organization_now_triggers_a_run_for_it_alone(api_server, framed):
    api_server.seed(ORGANIZATIONS)
    _, frame = framed()
    frame.get_by_role("link", name="Acme Analytics").click()
    frame.get_by_role("button", name="Check this organization now").click()
    form = frame.get_by_role("dialog", name="Check Acme Analytics now")
    expect(form.get_by_label("Organizations")).to_have_value(ACME.organization_id)
    expect(form.get_by_label("Dry run")).to_have_accessible_description(re.compile("but send nothing"))
    form.get_by_label("Dry run").check()
    form.get_by_label("Least severity shown").select_option("info")
    form.get_by_role("button", name="Trigger the run").click()
    expect(frame.get_by_text("This run is queued.")).to_be_visible()
    with api_server.engine.connect() as connection:
        (conf,) = connection.execute(
            text("SELECT conf FROM dag_run WHERE run_type = 'manual' AND triggering_user_name = 'admin'")
        ).scalars()
    assert json.loads(conf) == {
        "organization_ids": [ACME.organization_id],
        "dry_run": True,
        "min_severity": "info",
    }


def test_findings_are_searched_over_all_organizations_and_exported_from_within_the_frame(api_server, framed):
    api_server.seed(ORGANIZATIONS)
    window, frame = framed()
    frame.get_by_role("link", name="Search all findings by table or column").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Findings of all organizations")
    frame.get_by_label("Findings on a table, column or dataset").press_sequentially("attribute_8")
    expect(frame.get_by_role("rowheader")).to_have_count(1)
    expect(frame.get_by_role("rowheader")).to_contain_text("customer_attribute_8")
    with window.expect_download() as download:
        frame.get_by_role("link", name="CSV").click()
    assert "customer_attribute_8" in Path(download.value.path()).read_text()
    frame.get_by_role("link", name="Schema Sync").click()
    frame.get_by_role("link", name="Not checked 2").click()
    expect(frame.get_by_role("rowheader")).to_have_count(2)


def test_before_the_first_run_one_can_be_started_as_a_dry_run(api_server, framed):
    api_server.forget()
    window, frame = framed()
    frame.get_by_role("button", name="Run now…").click()
    expect(frame.get_by_role("checkbox")).to_be_checked()
    with window.expect_request(re.compile("/api/v2/dags/schema_sync/dagRuns$")) as sent:
        frame.get_by_role("button", name="Trigger the run").click()
    asked = json.loads(sent.value.post_data)["conf"]
    assert asked == {"organization_ids": None, "dry_run": True, "min_severity": "warning"}


def test_who_may_not_trigger_runs_is_not_offered_to(api_server, visit):
    api_server.seed(ORGANIZATIONS)
    window = visit("viewer")
    window.goto(f"{api_server.url}/schema-sync/organizations/{ACME.organization_id}")
    expect(window.get_by_role("heading", level=1)).to_have_text("Acme Analytics")
    assert window.get_by_role("button", name="Check this organization now").count() == 0


def test_a_run_in_progress_is_looked_at_again_without_losing_ones_place(api_server, visit):
    api_server.seed(ORGANIZATIONS, state="running", batches=7, done=2)
    window = visit()
    window.clock.install()
    window.goto(f"{api_server.url}/schema-sync/")
    expect(window.get_by_text("2 of 7 organizations checked.")).to_be_visible()
    window.get_by_role("searchbox").focus()
    api_server.seed(ORGANIZATIONS)  # the run comes to its end
    window.clock.run_for(11_000)
    expect(window.get_by_text("This run is in progress.")).to_have_count(0)
    expect(window.get_by_role("link", name="Clean")).to_be_visible()
    expect(window.get_by_role("searchbox")).to_be_focused()
    expect(window.get_by_role("status")).to_have_text("The results were updated.")


def test_an_organization_that_the_run_has_not_listed_yet_appears_by_itself(api_server, visit):
    run = api_server.seed([], state="queued")
    window = visit()
    window.clock.install()
    window.goto(f"{api_server.url}/schema-sync/organizations/{ACME.organization_id}")
    expect(window.get_by_text("This run is queued.")).to_be_visible()
    api_server.seed(ORGANIZATIONS, run_id=run.run_id)
    window.clock.run_for(11_000)
    expect(window.get_by_role("heading", level=1)).to_have_text("Acme Analytics")


def test_the_suggested_patch_can_be_copied(api_server, framed):
    api_server.seed(ORGANIZATIONS)
    window, frame = framed()
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    frame.get_by_role("link", name="Acme Analytics").click()
    frame.get_by_text("Suggested patch, repairs 1 finding").click()
    frame.get_by_role("button", name="Copy").click()
    expect(frame.get_by_role("button", name="Copied")).to_be_visible()
    assert window.evaluate("navigator.clipboard.readText()") == seeding.PATCH


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off_and_all_text_can_be_read(api_server, visit, width, scheme, tmp_path):
    undocumented = seeding.discrepancy(seeding.identity(7), 1, 1, DiscrepancyType.TYPE_MISMATCH,
                                       column=LONG, declared=LONG, actual=LONG, dataset_name=LONG)  # fmt: skip
    hostile = seeding.drifted(7, LONG, discrepancies=(undocumented,))
    api_server.seed([*ORGANIZATIONS[:-1], hostile])
    window = visit(width=width, scheme=scheme)
    organizations = (f"organizations/{each.organization_id}" for each in (ACME, ORGANIZATIONS[2], hostile))
    for path in ("", "findings", *organizations):
        window.goto(f"{api_server.url}/schema-sync/{path}")
        window.screenshot(path=tmp_path / f"{path[:12].replace(chr(47), chr(45))}{path[-2:]}.png", full_page=True)
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert window.evaluate(FAINT) == []


def test_a_screen_reader_finds_landmarks_headings_labels_and_tables(api_server, visit):
    api_server.seed(ORGANIZATIONS)
    window = visit()
    for path in ("", "findings", f"organizations/{seeding.identity(3)}"):
        window.goto(f"{api_server.url}/schema-sync/{path}")
        window.keyboard.press("Tab")
        expect(window.get_by_role("link", name="Skip to the results")).to_be_focused()
        window.keyboard.press("Enter")
        expect(window.get_by_role("main")).to_be_focused()
        levels = [int(each.evaluate("e => e.tagName[1]")) for each in window.get_by_role("heading").all()]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert levels.count(1) == 1
        for table in window.get_by_role("table").all():
            assert table.locator("caption").count() == 1
            assert table.locator("th:not([scope])").count() == 0
        assert window.evaluate(UNNAMED) == []
        marks = window.evaluate("document.querySelectorAll('header, main, nav').length")
        assert marks >= (2 if path == "findings" else 3)
