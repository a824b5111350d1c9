"""What the data team hears when a run itself goes wrong: failed at its start, late, or without a summary (pure)."""

from __future__ import annotations

from ...nouns.run import RunFacts
from .blocks import header, prose, section
from .layout import Message, compose, run_context


def fetch_failed_message(error: str, *, run: RunFacts) -> Message:
    """The list of organizations could not be made: nothing was checked."""
    happened = f"No organization was checked. Reason: {prose(error, 2_000)}"
    return _alert("🔴 Schema Sync: the run failed at its start", happened, run=run)


def late_message(*, late_after_min: int, run_timeout_min: int, run: RunFacts) -> Message:
    """A run has not finished in time; nothing is lost yet."""
    return _alert(
        f"⏰ Schema Sync: the run has not finished after {late_after_min} minutes",
        f"It goes on, and is stopped {run_timeout_min} minutes after its start. Organizations that it has not reached "
        "are told nothing until then.",
        "Look in the grid for tasks that stay queued (workers, the pool's slots, another run) or that run long (a slow "
        "warehouse: the task's log names it).",
        run=run,
    )


def ended_without_summary_message(*, timed_out: bool, run_timeout_min: int, run: RunFacts) -> Message:
    """A run is over and nobody was told what it found: Airflow stopped it, or its last task did not get that far."""
    if timed_out:
        title = f"🔴 Schema Sync: the run was stopped after {run_timeout_min} minutes"
        happened = "Airflow skipped what had not finished: those organizations were not checked or not told."
        next_step = (
            "Look in the grid for what took so long, then clear the skipped tasks: organizations that were told are "
            "not told twice. If the run is merely large, raise SCHEMA_SYNC_RUN_TIMEOUT_MINUTES or give it more workers."
        )
    else:
        title = "🔴 Schema Sync: the run failed and has no summary"
        happened = "Its last task ended before it could tell what was found; organizations may have been told."
        next_step = "The log of the task `summarize` says why. Clear that task to have the summary sent."
    return _alert(title, happened, next_step, run=run)


def _alert(title: str, *sentences: str, run: RunFacts) -> Message:
    return compose(
        text=f"{title}. {' '.join(sentences)}",
        title="Schema Sync alert",
        head=(header(title), section("\n".join(sentences))),
        listings=(),
        foot=(run_context(run),),
    )
