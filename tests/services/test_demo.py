"""``scripts/demo`` as a person starts it, in a copy of the checkout so that nobody's own demo is touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from include.schema_sync.demo.__main__ import DATA_TEAM_CHANNEL

pytestmark = [pytest.mark.services, pytest.mark.airflow, pytest.mark.postgres]

NEEDED = ("dags", "include", "plugins", "scripts")
START_TIMEOUT_S, STOP_TIMEOUT_S = 120.0, 60.0
# By organization: its state, and whether it was notified.
EXPECTED = {
    "Acme Outdoor": ("clean", "no"),
    "Bluebird Coffee": ("drifted", "yes"),
    "Cobalt Logistics": ("partial", "yes"),
    "Dune Energy": ("failed", "no"),
    "Ember Studios": ("drifted", "yes"),
    "Harbor Health": ("drifted", "it has no active Slack integration: connect Slack"),
    "Iris Analytics": ("drifted", "yes"),
    "Juniper Farms": ("drifted", "yes"),
}


@dataclass(frozen=True)
class Demo:
    """A demo that has ended. ``folder``: what it left behind."""

    code: int
    output: str
    folder: Path

    def section(self, title: str) -> list[str]:
        """The lines below a ruled heading, up to the next one."""
        start = next(index for index, line in enumerate(self.lines) if line.startswith(f"━━━ {title} "))
        rest = self.lines[start + 1 :]
        return rest[: next((index for index, line in enumerate(rest) if line.startswith("━━━ ")), len(rest))]

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()


@pytest.fixture(scope="module")
def checkout(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the demo needs, sharing the installed environment."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in NEEDED:
        shutil.copytree(project_root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in project_root.glob("requirements*.*"):
        shutil.copy(path, copy)
    (copy / ".venv").symlink_to(project_root / ".venv")
    return copy


@pytest.fixture(scope="module")
def interruptible() -> Iterator[None]:
    """Programs started now may be stopped, also where the tests themselves run in the background or under nohup."""
    before = {how: signal.signal(how, signal.default_int_handler) for how in (signal.SIGINT, signal.SIGHUP)}
    yield
    for how, handler in before.items():
        signal.signal(how, handler)


@pytest.fixture(scope="module")
def demo(checkout, programs, plain_environment) -> Demo:
    settings = {  # of somebody who also works with a real installation: nothing of it may be touched
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:9/production",
        "AIRFLOW_CONN_APP_DB": "postgresql://nobody@127.0.0.1:9/production",
        "DATA_TEAM_SLACK_WEBHOOK_URL": "http://127.0.0.1:9/production",
        "SCHEMA_SYNC_MAX_MAPPED": "1",
    }
    code, output = programs.run("demo", [checkout / "scripts" / "demo"], {**plain_environment, **settings})
    return Demo(code, output, checkout / ".demo")


def test_the_demo_ends_well_and_shows_the_state_of_every_active_organization(demo):
    assert demo.code == 0, demo.output
    rows = {}
    for line in demo.section("Organizations"):
        for name in EXPECTED:
            if line.strip().startswith(name):
                cells, _, why = line.strip().removeprefix(name).partition("not told: ")
                state, *_, notified = cells.split()
                rows[name] = (state, why or notified)
    assert rows == EXPECTED
    assert "Fjord" not in demo.output  # deleted
    assert "Glacier" not in demo.output  # not onboarded yet


def test_the_demo_shows_what_slack_would_show(demo):
    bluebird = demo.section("Slack, to Bluebird Coffee")
    assert bluebird[0].startswith("🔴 ")
    assert bluebird[0].endswith(" in Bluebird Coffee")
    assert "not* a drift report" in "\n".join(demo.section("Slack, to Dune Energy"))
    assert any("1 of 8 organizations failed" in line for line in demo.section("Slack, to the data team"))
    told = {line.split("to ", 1)[1].rstrip(" ━") for line in demo.lines if line.startswith("━━━ Slack, to ")}
    silent = {"Acme Outdoor", "Harbor Health"}  # clean; without Slack
    assert told == set(EXPECTED) - silent | {"the data team"}


def test_no_alert_of_the_demo_has_more_than_twelve_lines_before_its_button(demo):
    for message in json.loads((demo.folder / "messages.json").read_text()):
        if message["thread_ts"] is None and message["channel"] != DATA_TEAM_CHANNEL:
            # Without an address of the results page, as here, there is no button; where it would be, the foot begins.
            said = [block["text"]["text"] for block in message["blocks"] if "text" in block]
            lines = [line for text in said for line in text.splitlines()]
            assert 1 < len(lines) <= 12, lines


def test_one_organization_of_the_demo_shows_what_only_compiling_finds(demo):
    lines = (demo.folder / "airflow.log").read_text().splitlines()
    told = {word for line in lines if " ember_" in line for word in line.split()[:3]}
    assert told >= {"broken_expression", "broken_relationship", "broken_view", "key_type_mismatch", "type_mismatch"}
    ember = "\n".join(demo.section("Slack, to Ember Studios"))
    assert "metric late_rentals and metric late_share fail" in ember
    assert "`film_id` is `text`, the dataset expects `integer`: relationship films fails\n" in ember  # and no fix


def test_the_demo_leaves_the_result_as_json_and_no_secret(demo):
    result: dict[str, Any] = json.loads((demo.folder / "result.json").read_text())
    assert result["success"] is True
    assert result["result"]["organizationsProcessed"] == len(EXPECTED)
    assert {error["organizationName"] for error in result["result"]["errors"]} == {"Cobalt Logistics", "Dune Energy"}
    assert "xoxb-" not in demo.output
    assert "xoxb-" not in (demo.folder / "airflow.log").read_text()


@pytest.mark.parametrize(
    ("how", "whole_group", "impatient"),
    [
        pytest.param(signal.SIGINT, True, False, id="Ctrl-C"),
        pytest.param(signal.SIGINT, True, True, id="impatient Ctrl-C"),
        pytest.param(signal.SIGHUP, True, False, id="terminal closed"),
        pytest.param(signal.SIGTERM, False, False, id="kill"),
    ],
)
def test_a_stopped_demo_leaves_nothing_running(
    how, whole_group, impatient, checkout, programs, plain_environment, wait_until, interruptible
):
    name = f"stopped-{how.name}{'-again' if impatient else ''}"
    process = programs.start(name, [checkout / "scripts" / "demo"], plain_environment)

    def at_work() -> list[psutil.Process] | None:
        assert process.poll() is None
        family = programs.family(name)
        commands = [_command(member) for member in family]
        is_at_work = any(" -m airflow dags test " in command for command in commands)
        return family if is_at_work and any("/bin/postgres -D " in command for command in commands) else None

    family = wait_until(at_work, "the demo runs PostgreSQL and Airflow", timeout_s=START_TIMEOUT_S)
    data = next(Path(path) for path in re.findall(r"/bin/postgres -D (\S+)", "\n".join(map(_command, family))))
    send = os.killpg if whole_group else os.kill
    send(process.pid, how)
    if impatient:  # again and again, while it tidies up
        wait_until(
            lambda: process.poll() is not None or send(process.pid, how), "the demo ends", timeout_s=STOP_TIMEOUT_S
        )
    assert process.wait(STOP_TIMEOUT_S) == 130
    _, alive = psutil.wait_procs(family, timeout=1)
    assert alive == []
    assert [_command(each) for each in psutil.process_iter() if str(checkout) in _command(each)] == []
    assert not data.exists()
    assert "Nothing is left running." in programs.output(name)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
