"""scripts/check-advisories never calls clean what it could not ask for: pip-audit's own exit code would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check-advisories"
CLEAN = [{"name": "one", "version": "1.0", "vulns": []}, {"name": "two", "version": "2.0", "vulns": []}]
KNOWN = {"name": "two", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": []}]}
SKIPPED = {"name": "two", "skip_reason": "Dependency not found on PyPI and could not be audited: two (2.0)"}


def run(
    folder: Path, answer: list[dict[str, Any]] | None, *, lock: str = "one==1.0 \\\n    --hash=x\ntwo==2.0\n"
) -> Any:
    """The script, with a uv that answers this as pip-audit does; None: it fails without a network."""
    (folder / "some.lock").write_text(lock)
    uv = folder / "uv"
    said = "" if answer is None else json.dumps({"dependencies": answer, "fixes": []})
    code = 1 if answer is None or any(each.get("vulns") for each in answer) else 0
    uv.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\necho 'ConnectionError: no such host' >&2\nexit {code}\n")
    uv.chmod(0o755)
    return subprocess.run(
        [sys.executable, SCRIPT, folder / "some.lock"],
        env=os.environ | {"UV": str(uv)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_pin_without_advisories_is_zero(tmp_path: Path) -> None:
    done = run(tmp_path, CLEAN)
    assert (done.returncode, done.stdout) == (0, "some.lock: 2 packages asked for, advisories about 0\n")


def test_an_advisory_is_named_with_the_version_that_ends_it(tmp_path: Path) -> None:
    done = run(tmp_path, [CLEAN[0], KNOWN])
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "two 2.0: PYSEC-1, fixed in 2.1"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "ConnectionError: no such host"),
        ([], "no answer about 2 of 2 packages (one, two)"),
        ([CLEAN[0], SKIPPED], "no answer about 1 of 2 packages (two)"),
        (CLEAN[:1], "no answer about 1 of 2 packages (two)"),
    ],
    ids=["no network", "nothing", "skipped", "left out"],
)
def test_what_could_not_be_asked_for_is_two_and_says_so(tmp_path: Path, answer: Any, why: str) -> None:
    done = run(tmp_path, answer)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"check-advisories: some.lock could NOT be checked: {why}\n"


def test_an_advisory_is_told_even_when_another_pin_was_not_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, [KNOWN])
    assert done.returncode == 2
    assert "PYSEC-1" in done.stdout


def test_a_lock_without_pins_is_not_clean(tmp_path: Path) -> None:
    assert run(tmp_path, [], lock="one>=1\n").returncode == 2
