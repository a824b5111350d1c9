"""A check's result in the words of its readers: people, scripts, code scanners, GitHub, test reports. Pure.

Names and texts come from files and warehouses: each format escapes them its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from ...nouns.discrepancy import Severity
from ..run import CheckResult


def rendered(result: CheckResult, name: str, fail_on: Severity, *, with_patches: bool, stream: TextIO | None) -> str:
    """The report in one of the formats of ``--format``; each is imported when it is asked for.

    :param stream: where it will be written, None: a file; a terminal gets colours.
    """
    if name == "text":
        from .terminal import text_report, wants_colour

        return text_report(result, with_patches=with_patches, colour=wants_colour(stream))
    if name == "markdown":
        from .markdown import markdown_report

        return markdown_report(result, with_patches=with_patches)
    if name == "junit":
        from .junit import junit_report

        return junit_report(result, fail_on)
    render: Callable[[CheckResult], str]
    if name == "json":
        from .scripts import json_report as render
    elif name == "sarif":
        from .sarif import sarif_report as render
    else:
        from .github import github_report as render
    return render(result)
