"""For one comment in a pull request, which its marker finds again to be updated.

Source: GitHub Flavored Markdown; a comment holds at most 65 536 characters.
"""

from __future__ import annotations

import re

from ...nouns.discrepancy import Severity
from ...text import visible
from ..run import CheckResult
from .wording import files_against, hit, message, patch_title, place, totals

MARKER = "<!-- schema-sync -->"
_LONGEST_COMMENT = 60_000
_MOST_FOR_ROWS = 40_000  # the rest is for patches


def markdown_report(result: CheckResult, *, with_patches: bool = True) -> str:
    """Findings as a table, most severe first, who fails with them, what was not checked, and the patches."""
    worst = next((severity.sign for severity in Severity if result.count(severity)), "✅")
    lines = [MARKER, f"### {'⚪' if result.unchecked else worst} Schema Sync: {totals(result)}", ""]
    rows = [
        f"| {found.severity.sign} {found.type.heading} | {_code(f'{finding.path}:{finding.line}')} | "
        f"{_code(place(found))} | {_text(message(found))} | {_text(hit(found))} |"
        for finding in sorted(result.findings, key=lambda each: each.discrepancy.severity.rank)
        for found in (finding.discrepancy,)
    ]
    if rows:
        lines += ["| | File | Where | What | Fails with it |", "|---|---|---|---|---|", *_fitting(rows)]
    for heading, notes in (
        ("Not checked, so nothing is known of these", result.unchecked),
        ("No longer found, to be taken out of the baseline", result.stale),
    ):
        if notes:
            lines += ["", f"**{heading}:**", ""]
            lines += _fitting([f"- {_code(note.path)}: {_text(visible(note.text, 1_000))}" for note in notes], " ")
    lines += ["", f"{files_against(result)}."]
    for patch in result.patches if with_patches else ():
        fence = "`" * (max((len(run) for run in re.findall(r"`+", patch.diff)), default=2) + 1)
        summary = f"<details><summary>{patch_title(patch)}, repairs {len(patch.fixes)} of the above</summary>"
        block = ["", summary, "", f"{fence}diff", patch.diff.rstrip("\n"), fence, "", "</details>"]
        if sum(map(len, (*lines, *block))) + len(lines) > _LONGEST_COMMENT:
            lines += ["", "More patches did not fit here: run `schema-sync check --patch fix.patch`."]
            break
        lines += block
    return "\n".join(lines)


def _fitting(rows: list[str], before: str = "\n") -> list[str]:
    size = 0
    kept: list[str] = []
    for row in rows:
        size += len(row) + 1
        if size > _MOST_FOR_ROWS:
            return [*kept, before.strip(" "), f"…and {len(rows) - len(kept)} more."]
        kept.append(row)
    return kept


def _code(text: str) -> str:
    harmless = visible(text, 500).replace("`", "'").replace("|", "¦")  # both end a table's code, whatever escapes them
    return f"`{harmless}`" if text else ""


def _text(text: str) -> str:
    """Nothing of it is markup, a table's border, or calls a person; names in backticks stay code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = [text.replace("`", "'")]
    return "".join(
        _code(part) if at % 2 else re.sub(r"([\\*_\[\]<>#~|&!])", r"\\\1", part).replace("@", "@\u200b")
        for at, part in enumerate(parts)
    )
