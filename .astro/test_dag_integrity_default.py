"""What ``astro dev parse`` and ``astro deploy`` run inside the image: the DAG is there and imports cleanly."""

from __future__ import annotations

import pytest
from airflow.dag_processing.dagbag import DagBag


def test_image_imports_exactly_the_schema_sync_dag() -> None:
    bag = DagBag()
    if bag.import_errors or set(bag.dags) != {"schema_sync"}:
        pytest.fail(f"DAGs: {sorted(bag.dags)}, import errors: {bag.import_errors}")
