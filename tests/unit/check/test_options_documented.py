"""The page about the command line is complete: every option and every key of the JSON is on it."""

from __future__ import annotations

import json
import re

from include.schema_sync.check.formats.scripts import json_report
from tests.check_command import run
from tests.unit.check.test_formats import finding, result


def test_every_option_is_documented(project_root):
    page = (project_root / "docs" / "command-line.md").read_text()
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", run("-h").stdout)) - {"--help"}
    assert len(options) > 12
    assert {option for option in options if f"`{option}" not in page} == set()


def test_every_key_of_the_json_is_documented(project_root):
    page = (project_root / "docs" / "command-line.md").read_text()
    told = json.loads(json_report(result(finding())))
    keys = {*told, *told["summary"], *told["findings"][0]}
    assert {key for key in keys if f"`{key}`" not in page} == set()
