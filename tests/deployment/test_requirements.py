"""The lock files pin what the requirement files ask for, with hashes, and nothing of this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def pins(lock: str) -> dict[str, Version]:
    """What a lock file pins; where a version depends on the platform or Python, the lowest."""
    found: dict[str, Version] = {}
    for name, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        found[name] = min(Version(version), found.get(name, Version(version)))
    return found


def requirements(path: str) -> list[Requirement]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / path).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith(("-r", "-c"))]


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_lock_is_of_the_current_requirements(name: str) -> None:
    locked = pins(f"{name}.lock")
    wanted = requirements(f"{name}.txt")
    assert len(wanted) >= 9
    assert {entry.name.lower() for entry in wanted} <= locked.keys()
    assert [str(entry) for entry in wanted if locked[entry.name.lower()] not in entry.specifier] == []


def test_warehouses_are_tested_with_versions_that_customers_are_told_to_install() -> None:
    locked = pins("requirements-dev.lock")
    tested = [entry for entry in requirements("requirements-warehouses.txt") if entry.name.lower() in locked]
    assert len(tested) >= 3
    assert [str(entry) for entry in tested if locked[entry.name.lower()] not in entry.specifier] == []


def test_development_lock_contains_the_production_lock() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_production_lock_holds_no_tool_of_developers() -> None:
    developers = {entry.name.lower() for entry in requirements("requirements-dev.txt")}
    assert developers & pins("requirements.lock").keys() == set()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_has_a_hash_for_every_package_and_names_no_server(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(pins(lock))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"https?://|file:|--(?:extra-)?index|--find-links", text) == []
