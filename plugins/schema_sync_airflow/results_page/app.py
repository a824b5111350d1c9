"""The page's addresses, and who may see them: whoever may read XComs and runs of the DAG in Airflow.

Airflow does not guard what a plugin mounts, so the application itself depends on Airflow's own permission check: every
route has it, the style sheet and the scripts too; nothing but GET is answered.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException as StarletteHTTPException

from include.schema_sync.nouns.discrepancy import Severity
from schema_sync_airflow.results_page import api, stored
from schema_sync_airflow.results_page.findings import PAGE_SIZE as HITS_A_PAGE
from schema_sync_airflow.results_page.findings import Question, find
from schema_sync_airflow.results_page.history import REMEMBERED_RUNS, table_history
from schema_sync_airflow.results_page.organization import Detail, detail, last_known
from schema_sync_airflow.results_page.overview import Choice, Line, Overview, arranged, latest, lines_of
from schema_sync_airflow.results_page.paging import page_number, page_of
from schema_sync_airflow.results_page.rendering import Addresses, render
from schema_sync_airflow.run.xcom import DAG_ID

log = logging.getLogger(__name__)

_ASSETS = {"results.css": "text/css", "results.js": "text/javascript", "theme.js": "text/javascript"}
_ASSET_FOLDER = Path(__file__).with_name("assets")
_HEADERS = {
    # The page needs nothing but its own files and Airflow's API; only Airflow's UI may frame it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

RunId = Annotated[str | None, Query(alias="run", max_length=250)]


@cache
def results_app() -> FastAPI:
    """What Airflow's API server mounts; one for the process, however often Airflow asks."""
    app = FastAPI(
        openapi_url=None,  # and so no pages of documentation
        dependencies=[
            Depends(requires_access_dag("GET", entity, param_dag_id=DAG_ID))
            for entity in (DagAccessEntity.XCOM, DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE)
        ],
    )
    app.get("/")(show_overview)
    app.get("/dags/{dag_id}")(show_dag)
    app.get("/findings")(show_findings)
    app.get("/organizations/{organization_id}")(show_organization)
    app.get("/organizations/{organization_id}/history")(show_history)
    app.get("/organizations/{organization_id}/patches")(patches)
    app.get("/api/runs")(api_runs)
    app.get("/api/organizations", response_model=None)(api_organizations)
    app.get("/api/organizations/{organization_id}", response_model=None)(api_organization)
    app.get("/api/findings", response_model=None)(api_findings)
    app.get("/assets/{name}")(asset)
    app.middleware("http")(_harden)
    app.exception_handler(StarletteHTTPException)(_refused)
    app.exception_handler(stored.UnreadableError)(_unreadable)
    app.exception_handler(SQLAlchemyError)(_database_failed)
    return app


@dataclass(frozen=True, slots=True)
class Asked:
    """What every page is asked with.

    :ivar runs: the newest. :ivar run: the one that was asked for, which may be older, else the newest.
    :ivar at: the one that was asked for; None: the latest known state.
    """

    request: Request
    session: Any
    user: Any
    runs: list[stored.Run]
    run: stored.Run | None
    at: stored.Run | None

    def lines(self) -> tuple[list[Line], str | None]:
        return latest(self.session, self.runs) if self.at is None else lines_of(self.session, self.at)

    def overview(self) -> Overview:
        return arranged(*self.lines(), Choice.from_query(self.request.query_params))

    def organization(self, organization_id: str, severity: Severity | None = None, page: int = 1) -> Detail | None:
        if self.at is None:
            return last_known(self.session, self.runs, organization_id, severity, page)
        return detail(self.session, self.at, organization_id, severity, page)

    def organization_or_404(self, organization_id: str) -> Detail:
        known = self.organization(organization_id)
        if known is None:
            raise HTTPException(404, "No run knows this organization. Look it up in the list of organizations.")
        return known

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        own = {"runs": self.runs, "run": self.run, "at": self.at, "may_trigger": partial(_may_trigger, self.user)}
        return _page(self.request, template if self.run else "no_run.html", status, **own | values)


def _asked(request: Request, session: SessionDep, user: GetUserDep, run: RunId = None) -> Asked:
    """:raises HTTPException: 404, no such run."""
    runs = stored.recent_runs(session)
    at = next((each for each in runs if each.run_id == run), None)
    if run and at is None and (at := stored.run_by_id(session, run)) is None:
        raise HTTPException(404, "Airflow has no run of this name any more. Choose another one on the first page.")
    return Asked(request, session, user, runs, at or next(iter(runs), None), at)


AskedDep = Annotated[Asked, Depends(_asked)]


def show_overview(asked: AskedDep) -> HTMLResponse:
    """The latest known state of every organization; of one run, where that is asked for."""
    return asked.page("overview.html", found=asked.overview())


def show_dag(request: Request, session: SessionDep, user: GetUserDep, dag_id: str, run: RunId = None) -> HTMLResponse:
    """The overview as a tab: Airflow shows the tab on every DAG."""
    if dag_id != DAG_ID:
        return _page(request, "other_dag.html", other=dag_id)
    return show_overview(_asked(request, session, user, run))


def show_findings(asked: AskedDep, page: str = "") -> HTMLResponse:
    """Findings over all organizations: by table and column, severity, new, not told."""
    question = Question.from_query(asked.request.query_params)
    hits = find(asked.session, asked.lines()[0], question)
    shown = page_of(len(hits), HITS_A_PAGE, page_number(page))
    return _page(asked.request, "findings.html", at=asked.at, question=question, hits=hits, page=shown)


def show_organization(asked: AskedDep, organization_id: str, severity: str = "", page: str = "") -> HTMLResponse:
    """One organization as it is known last, or as one run knows it."""
    wanted = next((each for each in Severity if each == severity), None)
    found = asked.organization(organization_id, wanted, page_number(page))
    if found is not None:
        return asked.page("organization.html", run=found.line.run, found=found)
    # A run that goes on may still list it.
    status = 200 if asked.run is None or asked.run.in_progress else 404
    return asked.page("not_in_run.html", status, organization_id=organization_id)


def show_history(request: Request, session: SessionDep, user: GetUserDep, organization_id: str) -> HTMLResponse:
    """What changed in an organization's tables, over the runs that Airflow still has."""
    runs = stored.recent_runs(session, REMEMBERED_RUNS)
    asked = Asked(request, session, user, runs[: stored.SHOWN_RUNS], runs[0] if runs else None, None)
    news = table_history(session, runs, organization_id)
    return asked.page("history.html", organization_id=organization_id, news=news)


def patches(asked: AskedDep, organization_id: str) -> Response:
    """All suggested patches, those that are only probable apart, of an organization in one file, for ``patch -p1``."""
    found = asked.organization_or_404(organization_id)
    text = "".join(patch.diff for patch in found.patches if not patch.probable)
    return _file(text, "text/x-patch", f"schema-sync-{organization_id}.patch")


def api_runs(session: SessionDep) -> list[api.Row]:
    return [api.run_row(run) for run in stored.recent_runs(session)]


def api_organizations(asked: AskedDep, format: str = "json") -> Response:  # noqa: A002
    """What the overview shows with the same parameters, all pages."""
    return _rows("organizations", [api.organization_row(line) for line in asked.overview().lines], format)


def api_organization(asked: AskedDep, organization_id: str, format: str = "json") -> Response:  # noqa: A002
    """One organization with all that was found; as CSV its findings."""
    found = asked.organization_or_404(organization_id)
    rows = [api.finding_row(finding) for finding in found.findings]
    if format == "csv":
        return _rows(organization_id, rows, format)
    own = [
        {"dataset": each.dataset_name, "diff": each.diff, "probable": each.probable, "compiled": each.compiled}
        for each in found.patches
    ]
    return JSONResponse({**api.organization_row(found.line), "findings": rows, "patches": own})


def api_findings(asked: AskedDep, format: str = "json") -> Response:  # noqa: A002
    """What the search over all organizations shows with the same parameters, all pages."""
    hits = find(asked.session, asked.lines()[0], Question.from_query(asked.request.query_params))
    return _rows("findings", [api.hit_row(hit) for hit in hits], format)


def asset(name: str) -> FileResponse:
    """The page's own style sheet and scripts: these files and no others."""
    if name not in _ASSETS:
        raise HTTPException(404)
    return FileResponse(
        _ASSET_FOLDER / name, media_type=_ASSETS[name], headers={"Cache-Control": "private, max-age=300"}
    )


def _rows(name: str, rows: list[api.Row], format_: str) -> Response:
    return JSONResponse(rows) if format_ != "csv" else _file(api.as_csv(rows), "text/csv", f"schema-sync-{name}.csv")


def _file(text: str, media_type: str, name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(text, media_type=media_type, headers={"Content-Disposition": disposition})


def _may_trigger(user: Any) -> bool:
    return get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=DAG_ID), user=user
    )


def _page(request: Request, template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    html = render(template, Addresses(request.scope.get("root_path", "")), **values)
    return HTMLResponse(html, status)


async def _harden(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.update(_HEADERS)
    return response


def _refused(request: Request, error: Exception) -> Response:
    status, reason = getattr(error, "status_code", 500), str(getattr(error, "detail", ""))
    said = {
        401: ("You are not logged in", "Log in to Airflow, then open this page again."),
        403: (
            "You may not see this page",
            f"It needs the right to read runs, task instances and XComs of {DAG_ID}: ask who administers this Airflow.",
        ),
        404: ("There is nothing here", reason),
    }
    title, text = said.get(status, ("This did not work", reason))
    if "/api/" in request.url.path:
        return JSONResponse({"detail": text}, status)
    return _page(request, "message.html", status, title=title, text=text)


def _unreadable(request: Request, error: Exception) -> Response:
    log.error("schema-sync results page: %s", error, exc_info=error)
    return _page(request, "message.html", 503, title="The results cannot be read", text=str(error))


def _database_failed(request: Request, error: Exception) -> Response:
    log.error("schema-sync results page: Airflow's database failed", exc_info=error)
    text = "Airflow's database did not answer. The log of the API server says why; the results are not lost."
    return _page(request, "message.html", 503, title="The results cannot be read", text=text)
