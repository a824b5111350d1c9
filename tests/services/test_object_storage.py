"""Large installations keep XComs in object storage; the DAG's own hand-overs survive it.

The values that tasks give each other are read in every way that Airflow has: mapped arguments, lists over all
instances, keys pushed before a failure. Here the store is a folder and everything goes there, whatever its size.
"""

from __future__ import annotations

import json

import pytest

from tests.services.running_airflow import AIRFLOW, CLEAN, DRIFTED, ORDERS

pytestmark = [pytest.mark.services, pytest.mark.airflow, pytest.mark.postgres]


def test_a_run_gives_the_same_result_when_its_xcoms_are_files(
    installation, programs, create_metadata_database, plain_environment, project_root, tmp_path
):
    pytest.importorskip("airflow.providers.common.io.xcom.backend")
    installation.customer("Acme", ORDERS, CLEAN, vault=False)
    installation.customer("Bluebird", ORDERS, DRIFTED)
    dune = installation.customer("Dune", ORDERS, CLEAN, reachable=False)
    store = tmp_path / "xcoms"
    store.mkdir()
    environment = {
        **plain_environment,
        **installation.environment,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"file://{store}",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "0",
        "AIRFLOW__CORE__DAGS_FOLDER": str(project_root / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project_root / "plugins"),
        "AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": create_metadata_database().replace(
            "postgresql://", "postgresql+psycopg2://"
        ),
        "PYTHONPATH": str(project_root),
    }
    code, output = programs.run("dags-test", [*AIRFLOW, "dags", "test", "schema_sync"], environment)
    assert code == 0, output[-4_000:]
    (line,) = [line for line in output.splitlines() if "schema-sync result {" in line]
    result, _ = json.JSONDecoder().raw_decode(line.split("schema-sync result ", 1)[1])
    totals = result["result"]
    assert (totals["organizationsProcessed"], totals["datasetsChecked"], totals["criticalIssues"]) == (3, 2, 1)
    # What introspection pushed before it failed was found, too.
    assert {error["organizationId"] for error in totals["errors"]} == {dune}
    assert any(error["dataSourceId"] for error in totals["errors"])
    stored = [path for path in store.rglob("*") if path.is_file()]
    assert len(stored) >= 8
    assert all(installation.leaks(path.read_text()) == set() for path in stored)
