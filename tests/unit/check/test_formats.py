"""The check's report formats: stable, valid, and harmless whatever the names in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.schema_sync.check.files import Defaults, Note, Selection, candidates, find_datasets, why_no_dataset
from include.schema_sync.check.formats.github import github_report
from include.schema_sync.check.formats.sarif import sarif_report
from include.schema_sync.check.formats.scripts import json_report
from include.schema_sync.check.formats.terminal import text_report
from include.schema_sync.check.run import CheckResult, Finding
from include.schema_sync.errors import TerminalError
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from include.schema_sync.nouns.report import SuggestedPatch
from include.schema_sync.settings import Settings

SETTINGS = Settings.from_environment({})


def finding(
    kind: DiscrepancyType = DiscrepancyType.MISSING_COLUMN, path: str = "models/orders.yml", **changes
) -> Finding:
    values = {
        "type": kind,
        "organization_id": "o",
        "data_source_id": "s",
        "dataset_id": "d",
        "dataset_name": "orders",
        "database": "shop",
        "schema": "public",
        "table": "orders",
        "column": "amount",
        "declared": None,
        "actual": None,
        "message": "Column `amount` is not in the table.",
        "line": 7,
        "suggestion": "amount_usd",
    }
    discrepancy = Discrepancy(**{**values, **changes})
    return Finding(path, path, discrepancy.line or 1, discrepancy)


def result(
    *findings: Finding, unchecked: tuple[Note, ...] = (), patches: tuple[SuggestedPatch, ...] = ()
) -> CheckResult:
    return CheckResult("PostgreSQL", ("models/orders.yml",), findings, unchecked, (), 0, patches)


@pytest.mark.parametrize(
    ("findings", "unchecked", "fail_on", "code"),
    [
        ([], False, Severity.CRITICAL, 0),
        ([DiscrepancyType.TYPE_MISMATCH], False, Severity.CRITICAL, 0),
        ([DiscrepancyType.TYPE_MISMATCH], False, Severity.WARNING, 1),
        ([DiscrepancyType.UNDOCUMENTED_COLUMN], False, Severity.WARNING, 0),
        ([DiscrepancyType.INVALID_YML], False, Severity.CRITICAL, 1),
        ([], True, Severity.CRITICAL, 2),
        ([DiscrepancyType.MISSING_TABLE], True, Severity.CRITICAL, 2),
    ],
)
def test_what_could_not_be_checked_is_never_clean(findings, unchecked, fail_on, code):
    notes = (Note("a.yml", "refused"),) if unchecked else ()
    assert result(*map(finding, findings), unchecked=notes).exit_code(fail_on) == code


def test_an_authors_severity_decides_about_failing():
    assert result(finding(own_severity=Severity.INFO)).exit_code(Severity.WARNING) == 0


def test_github_commands_escape_what_would_end_them():
    found = finding(path="a,b:c%.yml", message="one\ntwo, 100%: three", suggestion=None)
    assert github_report(result(found)).splitlines()[0] == (
        "::error file=a%2Cb%3Ac%25.yml,line=7,title=Schema Sync%3A Missing column::one\\ntwo, 100%25: three"
    )


def test_unchecked_files_are_annotated_as_errors():
    first = github_report(result(unchecked=(Note("a.yml", "connection\nrefused"),))).splitlines()[0]
    assert first == "::error file=a.yml,line=1,title=Schema Sync%3A not checked::connection%0Arefused"


def test_json_has_its_documented_keys():
    told = json.loads(json_report(result(finding())))
    assert list(told) == ["version", "warehouse", "summary", "findings", "unchecked", "skipped", "stale", "patches"]
    assert list(told["summary"]) == ["files", "critical", "warning", "info", "ignored", "known", "unchecked"]
    assert told["findings"][0]["file"] == "models/orders.yml"
    assert told["findings"][0]["severity"] == "critical"


# What GitHub's and other scanners' uploads refuse a file for, of the schema of SARIF 2.1.0.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {"type": "array", "uniqueItems": True, "items": {"required": ["id"]}}
                                },
                            }
                        },
                    },
                    "invocations": {"items": {"required": ["executionSuccessful"]}},
                    "results": {
                        "items": {
                            "required": ["message", "locations", "ruleId"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"], "properties": {"text": {"type": "string"}}},
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {
                                                            "uri": {
                                                                "type": "string",
                                                                "pattern": "^[A-Za-z0-9._~%/:-]+$",
                                                            }
                                                        }
                                                    },
                                                    "region": {
                                                        "properties": {"startLine": {"type": "integer", "minimum": 1}}
                                                    },
                                                },
                                            }
                                        }
                                    },
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}


@pytest.mark.parametrize("path", ["models/orders.yml", "with space/ü.yml", "/elsewhere/orders.yml"])
def test_sarif_is_valid_and_every_result_has_its_rule(path):
    from jsonschema import validate

    findings = [finding(kind, path, line=None) for kind in DiscrepancyType]
    told = json.loads(sarif_report(result(*findings, unchecked=(Note(path, "why"),))))
    validate(told, SARIF)
    run = told["runs"][0]
    for each in run["results"]:
        assert run["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] == each["ruleId"]
    assert {each["level"] for each in run["results"]} == {"error", "warning", "note"}
    assert run["invocations"][0]["executionSuccessful"] is False


texts = st.text(max_size=40)


@given(path=texts.filter(bool), message=texts, column=texts, reason=texts)
def test_no_text_breaks_a_format(path, message, column, reason):
    patch = SuggestedPatch("d", "orders", f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{column}\n", ("f",))
    each = result(finding(path=path, message=message, column=column), unchecked=(Note(path, reason),), patches=(patch,))
    json.loads(json_report(each))
    json.loads(sarif_report(each))
    lines = github_report(each).split("\n")
    assert len(lines) == 3
    assert all(line.startswith("::error file=") for line in lines[:2])
    assert all(mark == "\n" or mark == "\t" or mark.isprintable() for mark in text_report(each))


# Which files are datasets


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: a\ndimensions: []", None),
        ("models:\n- name: a", None),
        ("semantic_models: [{name: a}]", None),
        ("dimensions:\n- name: [", None),
        ("dimensions:\n- nmae: x", None),
        ("version: 1\nmeasures: [{name: x}]", None),
        ("models: []\n---\nname: a\ndimensions: []", None),
        ("openapi: 3.1.0\n---\nname: a\ndimensions: []", None),
        ("services:\n  web: {image: x}", "none of a dataset's keys"),
        ("name: dbt\nmodels:\n  shop: {materialized: view}", "none of a dataset's keys"),
        ("on: push\njobs: {a: {", "none of a dataset's keys"),
        ("", "none of a dataset's keys"),
        ("models: []", "`models` is empty"),
        ("title: x\nfilters: [{name: y}]", "no name"),
        ("metrics: [{name: x, type: derived, expr: a + b}]\nversion: 2", "dbt's metrics"),
        ("sources: [{name: x}]\nmetrics: [{name: x, type_params: {measure: y}}]", "dbt's metrics"),
        ("version: 0.1\nsource: a.b.c\ndimensions: [{name: x, expr: y}]", "Databricks metric view"),
        ("name: x\ntables: [{name: t, base_table: {table: t}}]\nrelationships: [{name: r}]", "Cortex Analyst"),
        ("openapi: 3.1.0\ninfo: {}\nfilters: [open]", "OpenAPI"),
        ("receivers: {}\nexporters: {}\nmetrics: [{name: m}]", "OpenTelemetry"),
        ("table_name: t\nuuid: x\nmetrics: [{metric_name: m}]\ncolumns: [{column_name: c}]", "Superset dataset"),
        ("type: metrics_view\nmodel: m\ndimensions: [{name: d, column: c}]\nmeasures: []", "Rill metrics view"),
        ("type: explore\nmetrics_view: m\ndimensions: [a]", "Rill dashboard"),
        ("apiVersion: 1\nkind: x\nname: n\nfilters: [{name: a}]", "Grafana"),
        ("name: n\nmetrics: [{name: a}]\npanels: []\ntemplating: {}", "Grafana dashboard"),
        ("cubes: [{name: c}]\nmeasures: [{name: m}]", "Cube"),
    ],
)
def test_a_folder_search_takes_what_is_a_dataset_and_says_what_the_rest_is(text, why):
    found = why_no_dataset(text)
    assert found is None if why is None else why in (found or "")


def test_folders_are_searched_and_named_files_are_taken_whatever_they_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b" / ".hidden").mkdir(parents=True)
    (tmp_path / "b" / "one.yml").write_text("name: one\ndimensions: []")
    (tmp_path / "b" / "two.YAML").write_text("services: {}")
    (tmp_path / "b" / "bad.yml").write_bytes(b"\xff\xfe")
    (tmp_path / "b" / ".hidden" / "no.yml").write_text("name: no\ndimensions: []")
    (tmp_path / "named.txt").write_text("services: {}")
    paths = [tmp_path / "b", tmp_path / "named.txt", tmp_path / "b" / "one.yml"]
    found = find_datasets(candidates(paths), Selection(tmp_path), lambda _: Defaults("s", None, "s"))
    assert [each.path for each in found.files] == ["b/one.yml", "named.txt"]
    assert [each.path for each in found.skipped] == ["b/two.YAML"]
    assert [(each.path, each.text) for each in found.unreadable] == [
        ("b/bad.yml", "cannot be read: it is not UTF-8 text")
    ]
    with pytest.raises(TerminalError, match="no file or folder"):
        list(candidates([tmp_path / "gone"]))
