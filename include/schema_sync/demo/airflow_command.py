"""One Airflow command in a process of its own: its milestones on the screen, the rest in a log, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
RESULT_MARK = "schema-sync result "
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, a terminal that is closed
_ORIGIN = re.compile(r" \[[\w.]+\] loc=\S+\s*$")  # where in the code a line was logged

Say = Callable[[str], None]


def catch_stops() -> None:
    """From here on every way to stop the program is a KeyboardInterrupt, once."""
    for how in _STOPS:
        if signal.getsignal(how) is not signal.SIG_IGN:  # nohup and background jobs mean it
            signal.signal(how, _interrupt)


def run_airflow(arguments: Sequence[str], environment: Mapping[str, str], log: Path, say: Say) -> int:
    """Run one Airflow command; its output goes to ``log``, its milestones to the screen.

    :return: its exit code. Whatever interrupts this stops the command and its children, too.
    """
    with subprocess.Popen(
        [str(ROOT / "scripts" / "airflow"), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its children can be stopped with it
    ) as process:
        try:
            assert process.stdout is not None
            with log.open("w") as file:
                for line in process.stdout:
                    file.write(line)
                    file.flush()
                    if (milestone := _milestone(line)) is not None:
                        say(milestone)
        except BaseException:
            stop(process)
            raise
        return process.wait()


def without_origin(line: str) -> str:
    """A logged line without where in the code it was logged."""
    return _ORIGIN.sub("", line)


def result_in(log: Path) -> dict[str, Any] | None:
    """The run result, from the line that the contract promises in the log of ``summarize``."""
    for line in log.read_text().splitlines():
        position = line.find(RESULT_MARK)
        if position >= 0:
            value: dict[str, Any] = json.JSONDecoder().raw_decode(line[position + len(RESULT_MARK) :])[0]
            return value
    return None


def stop(process: subprocess.Popen[str]) -> None:
    """Stop a process that was started in a session of its own, and its children."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _milestone(line: str) -> str | None:
    for mark in ("schema-sync fetched ", "schema-sync group ", "schema-sync source ", "schema-sync organization="):
        position = line.find(mark)
        if position >= 0:
            return "  " + without_origin(line[position + len("schema-sync ") :]).strip()[:150]
    if line.startswith(("airflow: ", "bootstrap: ")):
        return "  " + line.strip()
    return None


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # Once is enough: a second Ctrl-C would interrupt the tidying up, and leave processes and folders behind.
    for how in _STOPS:
        signal.signal(how, signal.SIG_IGN)
    raise KeyboardInterrupt
