"""Templates and what they may use: addresses, words, dates. Everything is escaped unless it is markup of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from include.schema_sync.nouns.discrepancy import DiscrepancyType, Severity
from include.schema_sync.text import visible
from schema_sync_airflow.results_page import stored
from schema_sync_airflow.results_page.history import days
from schema_sync_airflow.results_page.overview import FILTERS, STATES
from schema_sync_airflow.run.params import DRY_RUN, MIN_SEVERITY, ORGANIZATION_IDS, run_params
from schema_sync_airflow.run.xcom import DAG_ID

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

_LONGEST_TEXT = 4_000

SEVERITY_WORDS = {
    Severity.CRITICAL: ("Critical", "◆"),
    Severity.WARNING: ("Warning", "▲"),
    Severity.INFO: ("Info", "●"),
}
RUN_WORDS = {
    "queued": ("Queued", "…"),
    "running": ("In progress", "…"),
    "failed": ("Failed", "✕"),
    "critical": ("Critical drift", "◆"),
    "warning": ("Drift", "▲"),
    "partial": ("Partly checked", "◐"),
    "clean": ("Clean", "✓"),
    "unknown": ("Ended", "–"),
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Under the path where Airflow is served. :ivar root: of this application, without a slash at its end."""

    root: str

    @property
    def airflow(self) -> str:
        return self.root.rpartition("/")[0]

    def page(self, path: str = "", run: stored.Run | None = None, **query: str) -> str:
        """:param path: quoted."""
        parameters = {} if run is None else {"run": run.run_id}
        return f"{self.root}/{path}" + (f"?{urlencode(parameters | query)}" if parameters | query else "")

    def organization(self, organization_id: str, run: stored.Run | None = None, part: str = "", **query: str) -> str:
        return self.page(f"organizations/{quote(organization_id, safe='')}{part}", run, **query)

    def slack(self, thread: str) -> str:
        """Slack's own redirect, which knows the reader's workspace: https://docs.slack.dev/interactivity/deep-linking."""
        channel, _, ts = thread.partition("/")
        return f"https://slack.com/app_redirect?{urlencode({'channel': channel, 'message_ts': ts})}"

    def dag(self) -> str:
        return f"{self.airflow}/dags/{DAG_ID}"

    def run(self, run: stored.Run) -> str:
        return f"{self.dag()}/runs/{quote(run.run_id, safe='')}"

    def task(self, run: stored.Run, task: str, map_index: int = -1) -> str:
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        return f"{self.run(run)}/tasks/{quote(task, safe='')}{mapped}"

    def trigger(self) -> str:
        return f"{self.airflow}/api/v2/dags/{DAG_ID}/dagRuns"


def render(template: str, to: Addresses, **values: Any) -> str:
    return _environment().get_template(template).render(to=to, **values)


def run_outcome(run: stored.Run) -> str:
    """A key of :data:`RUN_WORDS`. A run that ended well says what it found; Airflow only says that it ended well."""
    if run.in_progress or run.state == "failed":
        return run.state
    if run.counts is None:
        return "unknown"
    if run.counts.critical:
        return "critical"
    if run.counts.warnings:
        return "warning"
    return "partial" if run.counts.datasets_unchecked else "clean"


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("schema_sync_airflow.results_page", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters = (kind, shown, marked, impact, day, moment, iso, counted, thousands)
    environment.filters.update({each.__name__: each for each in filters})
    environment.globals.update(
        dag_id=DAG_ID,
        filters={key: label for key, (label, _) in FILTERS.items()},
        state_words=STATES,
        severities=list(Severity),
        severity_words=SEVERITY_WORDS,
        run_words=RUN_WORDS,
        run_outcome=run_outcome,
        days=days,
        organization_ids=ORGANIZATION_IDS,
        dry_run=DRY_RUN,
        min_severity=MIN_SEVERITY,
        params=run_params(),
    )
    return environment


def kind(type_: str) -> str:
    """A discrepancy's type in words: ``Missing column``; a type of another release as it is."""
    return DiscrepancyType(type_).heading if type_ in set(DiscrepancyType) else visible(type_)


def marked(text: str) -> Markup:
    """A text of ours whose names stand in backticks: they become code."""
    from markupsafe import Markup

    parts = shown(text).split("`")
    if len(parts) % 2 == 0:
        return Markup.escape(shown(text))
    code = Markup("<code><bdi>{}</bdi></code>")
    return Markup("").join(code.format(part) if at % 2 else Markup.escape(part) for at, part in enumerate(parts))


def impact(of: Mapping[str, Any]) -> str:
    """``3 charts, 1 dashboard``."""
    numbers = [(of.get(f"{noun}s"), noun) for noun in ("chart", "dashboard", "report")]
    return ", ".join(counted(number, noun) for number, noun in numbers if isinstance(number, int) and number)


def shown(text: str, limit: int = _LONGEST_TEXT) -> str:
    """A foreign text line by line, with what cannot be seen made visible; Jinja escapes it after."""
    return "\n".join(visible(line, limit) for line in text[: limit + 1].split("\n"))


def day(value: datetime | str) -> str:
    """``15 Jan 2026``."""
    return moment(value, "%b %Y")


def moment(value: datetime | str, form: str = "%b %Y, %H:%M UTC") -> str:
    """``15 Jan 2026, 07:00 UTC``; a text that is no timestamp stays as it is."""
    found = _datetime(value)
    return str(value)[:40] if found is None else f"{found.day} {found:{form}}"


def iso(value: datetime | str) -> str:
    found = _datetime(value)
    return "" if found is None else found.strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(number: int, one: str, many: str | None = None) -> str:
    return f"{thousands(number)} {one if number == 1 else many or one + 's'}"


def thousands(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _datetime(value: datetime | str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return found.astimezone(UTC)
