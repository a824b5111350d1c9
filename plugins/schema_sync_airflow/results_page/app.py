"""The page's addresses, and who may see them: whoever may read XComs and runs of the DAG in Airflow.

Airflow does not guard what a plugin mounts. Here the application itself depends on Airflow's own permission check,
so every route has it, the style sheet and the scripts too; nothing but GET is answered.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import cache
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
from schema_sync_airflow.results_page.overview import Choice, Line, arranged, latest, lines_of
from schema_sync_airflow.results_page.rendering import Addresses, render
from schema_sync_airflow.run.xcom import DAG_ID

log = logging.getLogger(__name__)

_ASSETS = {
    "results.css": "text/css",
    "results.js": "text/javascript",
    "theme.js": "text/javascript",
}
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
    """The application that Airflow's API server mounts; one for the process, however often Airflow asks."""
    app = FastAPI(
        title="Schema Sync results",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
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


def show_overview(request: Request, session: SessionDep, user: GetUserDep, run: RunId = None) -> HTMLResponse:
    """The latest known state of every organization; of one run, where that is asked for."""
    runs, chosen = _runs(session, run)
    if chosen is None:
        return _page(request, "no_run.html", may_trigger=_may_trigger(user))
    at = chosen if run else None
    found = arranged(*_known(session, runs, at), Choice.from_query(request.query_params))
    return _page(request, "overview.html", runs=runs, run=chosen, at=at, found=found)


def show_dag(request: Request, session: SessionDep, user: GetUserDep, dag_id: str, run: RunId = None) -> HTMLResponse:
    """The overview as a tab: Airflow shows the tab on every DAG."""
    if dag_id != DAG_ID:
        return _page(request, "other_dag.html", other=dag_id)
    return show_overview(request, session, user, run)


def show_findings(request: Request, session: SessionDep, run: RunId = None, page: str = "") -> HTMLResponse:
    """Findings over all organizations: by table and column, severity, new, not told."""
    runs, chosen = _runs(session, run)
    question = Question.from_query(request.query_params)
    at = chosen if run else None
    hits = find(session, _known(session, runs, at)[0], question)
    pages = max(1, -(-len(hits) // HITS_A_PAGE))
    number = min(_number(page), pages)
    shown = hits[(number - 1) * HITS_A_PAGE : number * HITS_A_PAGE]
    return _page(
        request, "findings.html", hits=shown, total=len(hits), at=at, question=question, number=number, pages=pages
    )


def show_organization(
    request: Request,
    session: SessionDep,
    user: GetUserDep,
    organization_id: str,
    run: RunId = None,
    severity: str = "",
    page: str = "",
) -> HTMLResponse:
    """One organization as it is known last, or as one run knows it."""
    runs, chosen = _runs(session, run)
    if chosen is None:
        return _page(request, "no_run.html", may_trigger=_may_trigger(user))
    asked = {"severity": next((each for each in Severity if each == severity), None), "page": _number(page)}
    known = _organization(session, runs, chosen if run else None, organization_id, **asked)
    if known is None:
        # A run that goes on may still list it.
        status = 200 if chosen.in_progress else 404
        return _page(request, "not_in_run.html", status, runs=runs, run=chosen, organization_id=organization_id)
    return _page(
        request, "organization.html", runs=runs, run=known[0], at=chosen if run else None, found=known[1],
        may_trigger=_may_trigger(user),
    )  # fmt: skip


def show_history(request: Request, session: SessionDep, user: GetUserDep, organization_id: str) -> HTMLResponse:
    """What changed in an organization's tables, over the runs that Airflow still has."""
    runs = stored.recent_runs(session, REMEMBERED_RUNS)
    if not runs:
        return _page(request, "no_run.html", may_trigger=_may_trigger(user))
    news = table_history(session, runs, organization_id)
    shown, named = runs[: stored.SHOWN_RUNS], {"organization_id": organization_id, "news": news}
    return _page(request, "history.html", 200, runs=shown, run=runs[0], at=None, **named)


def patches(session: SessionDep, organization_id: str, run: RunId = None) -> Response:
    """All suggested patches, those that are only probable apart, of an organization in one file, for ``patch -p1``."""
    found = _detail_or_404(session, organization_id, run)
    text = "".join(patch.diff for patch in found.patches if not patch.probable)
    return _file(text, "text/x-patch", f"schema-sync-{organization_id}.patch")


def api_runs(session: SessionDep) -> list[api.Row]:
    """The newest runs, newest first."""
    return [api.run_row(run) for run in stored.recent_runs(session)]


def api_organizations(request: Request, session: SessionDep, run: RunId = None, format: str = "json") -> Response:  # noqa: A002
    """What the overview shows with the same parameters, all pages."""
    runs, chosen = _runs(session, run)
    found = arranged(*_known(session, runs, chosen if run else None), Choice.from_query(request.query_params))
    return _rows("organizations", [api.organization_row(line) for line in found.every], format)


def api_organization(session: SessionDep, organization_id: str, run: RunId = None, format: str = "json") -> Response:  # noqa: A002
    """One organization with all that was found; as CSV its findings."""
    found = _detail_or_404(session, organization_id, run)
    rows = [api.finding_row(finding) for finding in found.findings]
    if format == "csv":
        return _rows(organization_id, rows, format)
    own = [
        {"dataset": each.dataset_name, "diff": each.diff, "probable": each.probable, "compiled": each.compiled}
        for each in found.patches
    ]
    return JSONResponse({**api.organization_row(found.line), "findings": rows, "patches": own})


def api_findings(request: Request, session: SessionDep, run: RunId = None, format: str = "json") -> Response:  # noqa: A002
    """What the search over all organizations shows with the same parameters, all pages."""
    runs, chosen = _runs(session, run)
    hits = find(session, _known(session, runs, chosen if run else None)[0], Question.from_query(request.query_params))
    return _rows("findings", [api.hit_row(hit) for hit in hits], format)


def asset(name: str) -> FileResponse:
    """The page's own style sheet and scripts: these files and no others."""
    if name not in _ASSETS:
        raise HTTPException(404)
    return FileResponse(
        _ASSET_FOLDER / name, media_type=_ASSETS[name], headers={"Cache-Control": "private, max-age=300"}
    )


def _runs(session: Any, run_id: str | None) -> tuple[list[stored.Run], stored.Run | None]:
    """The newest runs and the chosen one, which may be older; None only where there is no run at all.

    :raises HTTPException: 404, no such run.
    """
    runs = stored.recent_runs(session)
    if not run_id:
        return runs, runs[0] if runs else None
    chosen = next((each for each in runs if each.run_id == run_id), None) or stored.run_by_id(session, run_id)
    if chosen is None:
        raise HTTPException(404, "Airflow has no run of this name any more. Choose another one on the first page.")
    return runs, chosen


def _known(session: Any, runs: list[stored.Run], at: stored.Run | None) -> tuple[list[Line], str | None]:
    """What is known last of every organization, or what the chosen run knows."""
    return latest(session, runs) if at is None else lines_of(session, at)


def _organization(
    session: Any, runs: list[stored.Run], run: stored.Run | None, organization_id: str, **asked: Any
) -> tuple[stored.Run, Detail] | None:
    if run is None:
        return last_known(session, runs, organization_id, **asked)
    found = detail(session, run, organization_id, **asked)
    return None if found is None else (run, found)


def _detail_or_404(session: Any, organization_id: str, run_id: str | None) -> Detail:
    runs, chosen = _runs(session, run_id)
    known = _organization(session, runs, chosen if run_id else None, organization_id, severity=None, page=1)
    if known is None:
        raise HTTPException(404, "No run knows this organization. Look it up in the list of organizations.")
    return known[1]


def _number(page: str) -> int:
    return max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1


def _rows(name: str, rows: list[api.Row], format_: str) -> Response:
    return JSONResponse(rows) if format_ != "csv" else _file(api.as_csv(rows), "text/csv", f"schema-sync-{name}.csv")


def _file(text: str, media_type: str, name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(text, media_type=media_type, headers={"Content-Disposition": disposition})


def _may_trigger(user: Any) -> bool:
    return get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=DAG_ID), user=user
    )


def _page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    html = render(template, Addresses(request.scope.get("root_path", "")), **values)
    return HTMLResponse(html, status)


async def _harden(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.setdefault("Cache-Control", "no-store")
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


def _refused(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    said = {
        401: ("You are not logged in", "Log in to Airflow, then open this page again."),
        403: (
            "You may not see this page",
            f"It needs the right to read runs, task instances and XComs of {DAG_ID}: ask who administers this Airflow.",
        ),
        404: ("There is nothing here", str(getattr(error, "detail", ""))),
    }
    if "/api/" in request.url.path:
        return JSONResponse({"detail": said.get(status, ("", str(getattr(error, "detail", ""))))[1]}, status)
    title, text = said.get(status, ("This did not work", str(getattr(error, "detail", ""))))
    return _page(request, "message.html", status, title=title, text=text)


def _unreadable(request: Request, error: Exception) -> Response:
    log.error("schema-sync results page: %s", error, exc_info=error)
    return _page(request, "message.html", 503, title="The results cannot be read", text=str(error))


def _database_failed(request: Request, error: Exception) -> Response:
    log.error("schema-sync results page: Airflow's database failed", exc_info=error)
    text = "Airflow's database did not answer. The log of the API server says why; the results are not lost."
    return _page(request, "message.html", 503, title="The results cannot be read", text=text)
