"""What Schema Sync says to an organization: report → message (pure). How it is sent is the outbox's matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...nouns.discrepancy import Severity
from ...nouns.report import OrganizationReport, UncheckedSource
from ...nouns.run import RunFacts
from .blocks import (
    Listing,
    header,
    name,
    prose,
    section,
)
from .layout import Message, compose, run_context
from .wording import (
    CONSEQUENCE,
    EMOJI,
    PROBLEMS,
    called_by_name,
    datasets_line,
    discrepancy_item,
    first_of,
    in_order,
    report_counts,
    unchecked_listing,
)

_AFTER_A_FAILURE = (
    "Problems found earlier stay open until a check sees them gone. Schema Sync tries again on its next run."
)


def drift_alert(
    report: OrganizationReport,
    *,
    min_severity: Severity,
    run: RunFacts,
    first_seen: Mapping[str, str] | None = None,
    mention: str = "",
) -> Message | None:
    """What an organization has to act on: counts of everything, then each problem, then what was not checked.

    :param min_severity: the least severity that is listed; counts include all.
    :param first_seen: {fingerprint: timestamp}, to list the newest first; None: all are as old.
    :param mention: who is called by name, in Slack's own markup.
    :return: None when no discrepancy is at or above ``min_severity``. Unchecked data sources alone make no
        drift alert: they are an :func:`error_notice`.
    """
    shown = in_order([found for found in report.discrepancies if found.severity.at_least(min_severity)], first_seen)
    if not shown:
        return None
    facts = [f"*{report_counts(report)}*", datasets_line(report)]
    if shown[0].severity is Severity.CRITICAL:
        facts.append(CONSEQUENCE)
    if len(shown) < len(report.discrepancies):
        least = {Severity.CRITICAL: "critical problems only", Severity.WARNING: "warnings and worse"}[min_severity]
        facts.append(f"Listed here: {least}. The rest is only counted.")
    facts += called_by_name(mention)
    title = f"{EMOJI[shown[0].severity]} Schema drift: {report.organization_name}"
    return compose(
        text=f"{prose(title, 200)}: {report_counts(report)}. {datasets_line(report)} {first_of(shown)}",
        title=f"Schema drift: {name(report.organization_name)}",
        head=(header(title), section("\n".join(facts))),
        listings=(
            Listing(len(shown), lambda index: discrepancy_item(shown[index]), PROBLEMS),
            unchecked_listing(report.unchecked),
        ),
        foot=(run_context(run),),
    )


def error_notice(
    organization_name: str, *, error: str | None, unchecked: Sequence[UncheckedSource], run: RunFacts
) -> Message:
    """Tell an organization that its check failed, as a whole (``error``) or for some data sources.

    Says that it is no drift report, and calls nothing clean. Reads right in a channel and in an incident's thread.
    """
    if error is None:
        title = f"⚠️ Schema check incomplete: {organization_name}"
        happened = "Some data sources were not checked."
    else:
        title = f"⚠️ Schema check failed: {organization_name}"
        happened = f"No dataset was checked in this run. Reason: {prose(error, 1_500)}"
    meaning = "This is *not* a drift report: whether the datasets concerned still match their warehouse is not known."
    return compose(
        text=prose(title, 200) + ". This is not a drift report. " + happened,
        title=f"Not checked: {name(organization_name)}",
        head=(header(title), section(f"{meaning}\n{happened}\n{_AFTER_A_FAILURE}")),
        listings=(unchecked_listing(unchecked),),
        foot=(run_context(run),),
    )
