"""Every error text that a person can meet has an entry in docs/runbook.md.

The texts are read from the source: what errors, warnings and refusals are made of. Of each, the longest literal piece
of its first sentence is looked for, as … stands for what varies; so a new text or a new wording fails here until it has
an entry.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.schema_sync.notify.slack.client import _NEXT_STEP, _TRANSIENT_CODES
from include.schema_sync.nouns.discrepancy import DiscrepancyType

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "runbook.md"
SOURCES = sorted(path for room in ("include", "plugins", "dags") for path in (ROOT / room).rglob("*.py"))

# What makes a text an error's, by the last part of the called name.
_MAKERS = re.compile(
    r"\w*Error|InvalidDatasetYml|HTTPException|Refusal|kind|invalid|_invalid_at|_refuse|_failed|_problem|_misspelt"
)
_LOGGED = {"warning", "error", "exception", "critical"}
_KEYWORDS = {"error", "note", "reason", "notification_error"}
_LONGEST_KEY = 60

# No entry, each with the reason; by the piece that is looked for.
NOT_FOR_PEOPLE = {
    "each batch is a transaction: the connection must be in autoc": "a defect's assertion",
    "a row is locked across statements: the connection must not b": "a defect's assertion",
    "it is no query": "a saved chart that cannot be read is counted, not quoted",
}


def _literals(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can become, with a NUL for whatever varies: f-string fields and %-directives."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.sub(r"%(?:\.\d+f|[sdrg])", "\0", node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
    elif isinstance(node, ast.BinOp):
        yield "\0".join([*_literals(node.left), *_literals(node.right)])
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def _error_texts(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        if _MAKERS.fullmatch(called) or (called in _LOGGED and isinstance(node.func, ast.Attribute)):
            yield from node.args
        yield from (keyword.value for keyword in node.keywords if keyword.arg in _KEYWORDS)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("`", "").replace("\\", "")).strip()


def _key(text: str) -> str | None:
    """The longest literal piece of the first sentence; None when next to nothing of the text is literal."""
    sentence = re.split(r"\.\s", text, maxsplit=1)[0]
    pieces = [_plain(piece).strip(" .:;,([{<'\"") for piece in sentence.split("\0")]
    longest = max(pieces, key=len)[:_LONGEST_KEY].rstrip()
    return longest if len(re.findall(r"[A-Za-z]", longest)) >= 7 else None


def _python_texts() -> dict[str, str]:
    """{what to look for: where it is made}."""
    found: dict[str, str] = {}
    for path in SOURCES:
        for node in _error_texts(ast.parse(path.read_text())):
            for text in _literals(node):
                if (key := _key(text)) is not None:
                    found.setdefault(key, f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def _script_texts() -> dict[str, str]:
    """What the scripts say when they give up."""
    found = {}
    for path in sorted((ROOT / "scripts").iterdir()):
        for text in re.findall(r'\bfail "([^"$]{7,})|"(airflow: [^"]*could not[^"]*)"', path.read_text()):
            found[_plain("".join(text))[:_LONGEST_KEY].rstrip()] = f"scripts/{path.name}"
    return found


@pytest.fixture(scope="module")
def runbook() -> str:
    return _plain(RUNBOOK.read_text())


def test_every_error_text_of_the_code_has_an_entry(runbook: str) -> None:
    missing = {
        text: place for text, place in _python_texts().items() if text not in runbook and text not in NOT_FOR_PEOPLE
    }
    assert not missing, "docs/runbook.md has no entry for these texts, or they are for nobody (NOT_FOR_PEOPLE)"


def test_every_refusal_of_a_script_has_an_entry(runbook: str) -> None:
    assert not {text: place for text, place in _script_texts().items() if text not in runbook}


@pytest.mark.parametrize("word", sorted({*_NEXT_STEP, *_TRANSIENT_CODES}))
def test_every_word_of_slack_that_is_translated_has_an_entry(word: str) -> None:
    assert f"`{word}`" in RUNBOOK.read_text()


@pytest.mark.parametrize("kind", sorted(DiscrepancyType))
def test_every_kind_of_finding_has_an_entry(kind: str) -> None:
    assert f"`{kind}`" in RUNBOOK.read_text()


def test_the_collector_sees_every_layer_and_every_way_to_write_a_text() -> None:
    found, scripts = _python_texts(), _script_texts()
    for text, room in {
        "The application database did not let Schema Sync": "include/",  # an f-string of several lines
        "expected a whole number from": "include/",  # the longest piece is behind what varies
        "its notice goes to the channel": "include/",
        "Some organizations were not told; the task is tried again": "plugins/",
        "schema-sync metrics: not recorded, nothing else is affected": "plugins/",  # a logger's %-text
        "it is several statements": "include/",
    }.items():
        place = next((place for found_text, place in found.items() if text in found_text), None)
        assert place is not None, text
        assert place.startswith(room)
    assert "the installation failed, see above" in " ".join(scripts)


def test_nothing_is_excused_that_the_code_does_not_say_any_more() -> None:
    assert set(NOT_FOR_PEOPLE) <= set(_python_texts())


def test_the_runbook_quotes_nothing_twice_as_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert len(headings) == len(set(headings))
