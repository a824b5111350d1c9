"""What one run found over all organizations: its result, and the data team's message (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...nouns.discrepancy import Severity
from ...nouns.report import OrganizationState, OrganizationTotals, SourceTiming, UncheckedSource
from ...nouns.run import RunError, RunFacts, RunResult
from ...text import counted
from .blocks import Listing, header, name, prose, section
from .layout import Message, compose, run_context
from .wording import severity_counts

FAILED = "SCHEMA_SYNC_FAILED"  # what monitors of failed runs look for
# How many of the slowest sources are named.
_SLOWEST, _SLOW_MS = 5, 1_000

_STATE_WORDS = {
    OrganizationState.FAILED: "failed",
    OrganizationState.PARTIAL: "checked only in part",
    OrganizationState.DRIFTED: "with drift",
    OrganizationState.CLEAN: "clean",
    OrganizationState.EMPTY: "without a dataset to check",
}


def run_result(
    totals: Sequence[OrganizationTotals],
    *,
    timestamp: str,
    execution_time_ms: int,
    run_error: str | None = None,
) -> RunResult:
    """Sum up a run.

    :param timestamp: the run's logical date or start, ISO 8601, UTC.
    :param run_error: what went wrong with the run itself, beyond any organization.
    :return: ``success`` is False exactly when every organization failed outright (and there is one), or when there is a
        ``run_error``.
    """
    errors = [RunError("", "", None, run_error)] if run_error is not None else []
    for of in totals:
        reasons: list[tuple[str | None, str]] = [(None, of.error)] if of.error is not None else []
        reasons += [(source.data_source_id, source.error) for source in of.unchecked]
        errors += [RunError(of.organization_id, of.organization_name, *reason) for reason in reasons]
    all_failed = bool(totals) and all(of.state is OrganizationState.FAILED for of in totals)
    return RunResult(
        success=run_error is None and not all_failed,
        timestamp=timestamp,
        execution_time_ms=execution_time_ms,
        organizations=tuple(totals),
        errors=tuple(errors),
    )


def result_json(result: RunResult, *, failure: str = "") -> dict[str, Any]:
    """The run result in the contract's words and key order (section 2); an error of the run itself has null for ids."""
    counts = result.counts
    value: dict[str, Any] = {
        "success": result.success,
        "timestamp": result.timestamp,
        "result": {
            "success": result.success,
            "executionTimeMs": result.execution_time_ms,
            "organizationsProcessed": counts.organizations,
            "totalDiscrepancies": counts.critical + counts.warnings,
            "criticalIssues": counts.critical,
            "warnings": counts.warnings,
            "infos": counts.infos,
            "datasetsChecked": counts.datasets_checked,
            "datasetsUnchecked": counts.datasets_unchecked,
            "notificationsSent": counts.notified,
            "errors": [
                {
                    "organizationId": error.organization_id or None,
                    "organizationName": error.organization_name or None,
                    "dataSourceId": error.data_source_id,
                    "error": error.error,
                }
                for error in result.errors
            ],
        },
    }
    if not result.success:
        value["error"] = {"code": FAILED, "message": failure}
    return value


def summary_message(result: RunResult, *, run: RunFacts, quiet: bool = False) -> Message:
    """The data team's message; ``quiet``: the installation was just switched on, so that no organization was told."""
    failed = [of for of in result.organizations if of.error is not None]
    gaps = [(of, source) for of in result.organizations for source in of.unchecked]
    by_name = sorted(result.organizations, key=lambda of: (of.organization_name, of.organization_id))
    drifted = sorted(
        (of for of in by_name if of.critical or of.warnings),
        key=lambda of: (-(of.new_critical or 0), -of.critical, -of.warnings),
    )
    slowest = sorted(
        ((of, source) for of in by_name if (source := of.slowest_source) and source.elapsed_ms >= _SLOW_MS),
        key=lambda row: -row[1].elapsed_ms,
    )[:_SLOWEST]
    untold = sorted(
        (of for of in by_name if of.untold is not None or of.notification_error is not None),
        key=lambda of: (-of.critical, -of.warnings),
    )
    title = _headline(result)
    facts = [*([_quiet(result)] if quiet else []), *_facts(result)]
    return compose(
        text=f"{title}. " + " ".join(facts),
        title="Schema Sync summary",
        head=(header(title), section("\n".join(facts))),
        listings=(
            Listing(untold, _untold_line, _nouns("organization{} not told"), "*Not told*: nobody there knows of this"),
            Listing(failed, _failed_line, _nouns("failed organization{}"), "*Failed*"),
            Listing(gaps, _unchecked_line, _nouns("unchecked data source{}"), "*Not checked*"),
            Listing(drifted, _drift_line, _nouns("organization{} with drift"), "*Drift*"),
            Listing(slowest, _slowest_line, _nouns("slow source{}"), "*Slowest sources*"),
        ),
        foot=(run_context(run),),
    )


def _headline(result: RunResult) -> str:
    counts = result.counts
    failed, partial, clean = (
        counts.by_state[state]
        for state in (OrganizationState.FAILED, OrganizationState.PARTIAL, OrganizationState.CLEAN)
    )
    of_all = f"of {counted(counts.organizations, 'organization', 'organizations')}"
    worst = Severity.CRITICAL if counts.critical else Severity.WARNING
    sayings = (
        (not counts.organizations, "⚪ Schema Sync: no active organization exists, nothing was checked"),
        (failed, f"🔴 Schema Sync: {failed} {of_all} failed"),
        (partial, f"⚠️ Schema Sync: {partial} {of_all} checked only in part"),
        (counts.drifted, f"{worst.sign} Schema Sync: drift in {counts.drifted} {of_all}"),
        (clean, f"✅ Schema Sync: no drift in {counted(clean, 'organization', 'organizations')}"),
        (True, f"⚪ Schema Sync: none {of_all} has a dataset to check"),
    )
    return next(saying for applies, saying in sayings if applies)


def _facts(result: RunResult) -> list[str]:
    of_run = [error for error in result.errors if not error.organization_id][:1]  # a run has one error of its own
    facts = [f"*This run failed:* {prose(error.error, 1_000)}" for error in of_run]
    if not result.organizations:
        facts.append("No active organization exists: none has a data source whose onboarding is completed.")
        return facts
    counts = result.counts
    by_state = [f"{number} {words}" for state, words in _STATE_WORDS.items() if (number := counts.by_state[state])]
    checked = counted(counts.datasets_checked, "dataset", "datasets")
    sources = counted(counts.sources_checked, "data source", "data sources")
    notified = counted(counts.notified, "organization", "organizations")
    more = f"; {counts.ignored} more ignored by the datasets' authors" if counts.ignored else ""
    return [
        *facts,
        f"{counted(counts.organizations, 'organization', 'organizations')}: {', '.join(by_state)}.",
        f"Found: {severity_counts(counts.critical, counts.warnings, counts.infos)}{more}.",
        *_changes(result),
        f"{checked} in {sources} checked, {counts.datasets_unchecked} not checked.",
        f"{notified} got a message. The run took {result.execution_time_ms / 1000:.0f} s.",
    ]


def _quiet(result: RunResult) -> str:
    would_be = counted(result.counts.withheld, "organization would", "organizations would")
    return (
        "*Schema Sync was just switched on, so no organization was told.* This first scheduled run began long after "
        f"its time; {would_be} have got a message. To send now, trigger the DAG by hand; the next scheduled run sends "
        "by itself. SCHEMA_SYNC_DRY_RUN=true keeps every run quiet."
    )


def _changes(result: RunResult) -> list[str]:
    """What is not as the run before left it, where somebody keeps that account."""
    followed = [of for of in result.organizations if of.new is not None]
    if not followed:
        return []
    new, critical, ongoing, resolved = (
        sum(getattr(of, number) or 0 for of in followed) for number in ("new", "new_critical", "ongoing", "resolved")
    )
    line = f"Problems: {new} new, {critical} of them critical; {ongoing} ongoing, {resolved} resolved"
    if len(followed) < len(result.organizations):
        line += f" (known for {len(followed)} of {len(result.organizations)} organizations)"
    return [f"{line}."]


def _untold_line(of: OrganizationTotals) -> str:
    sign = Severity.CRITICAL.sign if of.critical else "⚠️"
    found = f" ({severity_counts(of.critical, of.warnings, of.infos)})" if of.critical or of.warnings else ""
    return f"{sign} {name(of.organization_name)}{found}: {prose(of.untold or of.notification_error)}"


def _failed_line(of: OrganizationTotals) -> str:
    return f"🔴 {name(of.organization_name)}: {prose(of.error)}"


def _unchecked_line(gap: tuple[OrganizationTotals, UncheckedSource]) -> str:
    of, source = gap
    datasets = counted(source.datasets, "dataset", "datasets")
    return f"⚪ {name(of.organization_name)}, {name(source.data_source_name)} ({datasets}): {prose(source.error)}"


def _drift_line(of: OrganizationTotals) -> str:
    worst = Severity.CRITICAL if of.critical else Severity.WARNING
    line = f"{worst.sign} {name(of.organization_name)}: {severity_counts(of.critical, of.warnings, of.infos)}"
    if of.new:
        line += f" · *{of.new} new{f', {of.new_critical} of them critical' if of.new_critical else ''}*"
    return f"{line} (checked only in part)" if of.unchecked else line


def _slowest_line(row: tuple[OrganizationTotals, SourceTiming]) -> str:
    of, source = row
    return f"⏱️ {name(of.organization_name)}, {name(source.data_source_name)}: {source.elapsed_ms / 1000:.1f} s"


def _nouns(pattern: str) -> tuple[str, str]:
    return pattern.format(""), pattern.format("s")
