"""What an organization reads when its check failed (pure). What it reads of drift is :mod:`conversation`'s matter."""

from __future__ import annotations

from ...nouns.report import OrganizationReport
from ...nouns.run import RunFacts
from ...text import counted
from .blocks import date, header, name, prose, section
from .layout import Message, compose, details
from .wording import datasets_line, unchecked_listing


def error_notice(report: OrganizationReport, run: RunFacts) -> Message:
    """Tell an organization that its check failed, as a whole or for some data sources.

    Says that it is no drift report, and calls nothing clean. Reads right in a channel and in an incident's thread. Why
    it failed is for the data team, whose summary says so.
    """
    if report.error is None:
        title = f"⚠️ Schema check incomplete: {report.organization_name}"
        happened = f"{counted(len(report.unchecked), 'data source was', 'data sources were')} not checked."
    else:
        title = f"⚠️ Schema check failed: {report.organization_name}"
        happened = "Nothing was checked this time."
    facts = [
        f"{happened} This is *not* a drift report: whether the datasets still match their warehouse is not known.",
        "There is nothing that you need to do: the data team looks into it, and the next check tries again.",
    ]
    return compose(
        text=f"{prose(title, 200)}. {happened} This is not a drift report.",
        title=f"Not checked: {name(report.organization_name)}",
        head=(header(title), section("\n".join(facts))),
        listings=(unchecked_listing(report.unchecked),),
        foot=details(
            run,
            report.organization_id,
            "See what is known",
            f"{date(run.timestamp, time=True)} · {datasets_line(report)} · what was found before stays open",
        ),
    )
