"""Names that another Airflow has elsewhere: the tests run on 3.1 to 3.3 (scripts/test-airflow)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import airflow
from schema_sync_airflow.airflow_versions import refuse_unsupported

VERSION = refuse_unsupported(airflow.__version__)  # (major, minor)


def airflow_name(name: str, *modules: str) -> Any:
    """The name from the first of these modules that has it.

    :raises ImportError: none has.
    """
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"no {name} in {', '.join(modules)}")


def dag_bag() -> Any:
    """The DAG bag of the folder that Airflow is configured for."""
    return airflow_name("DagBag", "airflow.dag_processing.dagbag", "airflow.models.dagbag")()
