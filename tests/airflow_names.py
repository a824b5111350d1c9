"""Names that another Airflow has elsewhere: the tests run on 3.1 to 3.3 (scripts/test-airflow)."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any

# (major, minor). Airflow is not imported for it: that sets up logging, which must not happen before pytest captures.
VERSION = tuple(int(part) for part in metadata.version("apache-airflow-core").split(".")[:2])


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
