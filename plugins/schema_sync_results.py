"""Airflow's plugin loader finds the results page through this file, and only through it.

Every task process loads all plugins, so nothing is imported here but the base class: the page and FastAPI come with
the first look at ``fastapi_apps``, which only the API server takes.
"""

from __future__ import annotations

from typing import Any

from schema_sync_airflow.airflow_versions import AirflowPlugin

_PREFIX = "schema-sync"  # must not begin like a path of Airflow's own (/ui…, /api…, /auth…)


class SchemaSyncResultsPlugin(AirflowPlugin):
    """The page in the navigation, and as a tab of the DAG and of each of its runs.

    Addresses are relative: Airflow's own base address may have a path.
    """

    name = "schema_sync_results"
    external_views = [  # noqa: RUF012 (Airflow reads it from the class, and takes out what it refuses)
        {"name": "Schema Sync", "href": f"{_PREFIX}/", "destination": "nav", "url_route": "schema-sync",
         "category": "browse"},
        {"name": "Schema Sync", "href": f"{_PREFIX}/dags/{{DAG_ID}}", "destination": "dag",
         "url_route": "schema-sync-latest"},
        {"name": "Schema Sync", "href": f"{_PREFIX}/dags/{{DAG_ID}}?run={{RUN_ID}}", "destination": "dag_run",
         "url_route": "schema-sync-run"},
    ]  # fmt: skip

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        from schema_sync_airflow.results_page.app import results_app

        return [{"name": "Schema Sync results", "url_prefix": f"/{_PREFIX}", "app": results_app()}]
