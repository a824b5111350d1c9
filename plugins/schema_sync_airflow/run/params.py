"""What a person may say when triggering a run: the form in the UI, and the JSON after ``-c``."""

from __future__ import annotations

from collections.abc import Iterable

from airflow.sdk import Param

ORGANIZATION_IDS = "organization_ids"
DRY_RUN = "dry_run"
MIN_SEVERITY = "min_severity"
KNOWN = (ORGANIZATION_IDS, DRY_RUN, MIN_SEVERITY)

_UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


def run_params() -> dict[str, Param]:
    """Each parameter with its JSON Schema; a missing one takes its default, which checks everybody."""
    return {
        ORGANIZATION_IDS: Param(
            None,
            type=["null", "array"],
            items={"type": "string", "pattern": _UUID},
            minItems=1,
            title="Organizations",
            description_md="Ids of the organizations to check, one per line. Empty: all that are active.",
        ),
        DRY_RUN: Param(
            False,
            type="boolean",
            title="Dry run",
            description_md="Check everything, but send nothing: messages are written to the task logs. "
            "Without it this run posts in Slack, and a first run to every organization that has problems.",
        ),
        MIN_SEVERITY: Param(
            "warning",
            type="string",
            enum=["critical", "warning", "info"],
            values_display={"critical": "🔴 critical only", "warning": "🟡 warnings too", "info": "🔵 everything"},
            title="Least severity shown",
            description_md="The least severity that an organization's alert shows. Counts always include all.",
        ),
    }


def unknown_keys_message(keys: Iterable[str]) -> str | None:
    """Why a run's configuration is refused, or None when every key is known.

    Airflow lets unknown keys pass, so a typo in ``organization_ids`` would check every organization.
    """
    import difflib  # every parse of the DAG file imports this module; a typo is rare

    unknown = sorted(set(keys) - set(KNOWN))
    if not unknown:
        return None
    lines = []
    for key in unknown:
        close = difflib.get_close_matches(key, KNOWN, n=1)
        lines.append(f"  {key[:80]!r}" + (f", did you mean {close[0]!r}?" if close else ""))
    return (
        "The run's configuration has unknown keys:\n"
        + "\n".join(lines)
        + f"\nKnown keys are: {', '.join(KNOWN)}. Nothing was checked; correct the configuration and trigger again."
    )
