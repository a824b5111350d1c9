"""For a person at a terminal, or in the log of a build."""

from __future__ import annotations

import os
from typing import TextIO

from ...nouns.discrepancy import Severity
from ...text import visible
from ..run import CheckResult
from .wording import by_reason, files_against, hit, message, patch_title, place, totals

# ANSI's own sixteen colours, which every terminal shows as its user has set them.
_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "alarm": "1;31"}
_STYLES = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}


def wants_colour(stream: TextIO | None) -> bool:
    """A terminal whose user has not said no (https://no-color.org)."""
    return (
        stream is not None and stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def text_report(result: CheckResult, *, with_patches: bool = True, colour: bool = False) -> str:
    """Each file's findings, what was not checked, the sum, and the suggested patches below.

    :return: control and direction characters of names are escaped.
    """

    def styled(text: str, style: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if colour and style else text

    lines = []
    path = None
    for finding in result.findings:
        if finding.path != path:
            path = finding.path
            lines.append(styled(visible(path, 500), "bold"))
        found = finding.discrepancy
        severity = styled(str(found.severity), _STYLES[found.severity])
        lines.append(f"  {visible(path, 500)}:{finding.line}: {severity} {found.type} {place(found)}")
        lines.append(f"      {found.type.heading}: {message(found)}")
        if hits := hit(found):
            lines.append(f"      Fails with it: {hits}")
    for text, paths in by_reason(result.unchecked).items():
        files = ", ".join(visible(path, 500) for path in paths)
        lines.append(f"{styled('NOT CHECKED', 'alarm')} {files}: {visible(text, 1_000)}")
    lines += [
        f"No longer found, take it out of the baseline: {visible(note.path, 500)}: {visible(note.text, 1_000)}"
        for note in result.stale
    ]
    lines.append(styled(f"{files_against(result)}: {totals(result)}.", "bold"))
    for patch in result.patches if with_patches else ():
        title = f"{patch_title(patch)}, repairs {len(patch.fixes)} of the above (apply with `patch -p1`):"
        lines += ["", styled(title, "bold")]
        for line in patch.diff.split("\n"):
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            lines.append(styled(_visible_line(line), style))
    return "\n".join(lines)


def _visible_line(line: str) -> str:
    """A patch's line as it is, but for what would act on a terminal; a copy of it is for reading, not for applying."""
    return "".join(mark if mark.isprintable() or mark == "\t" else visible(mark) for mark in line.removesuffix("\r"))
