"""For what reads test reports: one suite a file, one test case a finding, and one for a file without any.

Source: the form that Jenkins, GitLab and GitHub's reporters read, https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ...nouns.discrepancy import Severity
from ...text import visible
from ..run import CheckResult
from .wording import hit, message, place


def junit_report(result: CheckResult, fail_on: Severity) -> str:
    """Findings at or above ``fail_on`` are failures, what was not checked is an error, the rest passes with a note."""
    root = Element("testsuites", name="schema-sync")
    for path in dict.fromkeys((*result.files, *(note.path for note in result.unchecked))):
        suite = SubElement(root, "testsuite", name=visible(path, 500))
        for finding in (each for each in result.findings if each.path == path):
            found = finding.discrepancy
            case = _case(suite, path, f"{found.type.heading} {place(found)}, line {finding.line}")
            if found.severity.at_least(fail_on):
                failure = SubElement(case, "failure", type=str(found.type), message=message(found))
                failure.text = hit(found) or message(found)
            else:
                SubElement(case, "system-out").text = f"{found.severity}: {message(found)}"
        for note in (each for each in result.unchecked if each.path == path):
            case = _case(suite, path, "not checked")
            SubElement(case, "error", type="not checked", message=visible(note.text, 1_000))
        if len(suite) == 0:
            _case(suite, path, "matches the warehouse")
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        element.set("tests", str(len(cases)))
        for kind, attribute in (("failure", "failures"), ("error", "errors")):
            element.set(attribute, str(sum(1 for case in cases if case.find(kind) is not None)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode")


def _case(suite: Element, path: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=visible(path, 500), name=name, file=visible(path, 500))
