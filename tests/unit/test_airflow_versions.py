"""Which Airflow the DAG file takes."""

from __future__ import annotations

import pytest
from schema_sync_airflow.airflow_versions import refuse_unsupported


@pytest.mark.parametrize(("text", "version"), [("3.1.8", (3, 1)), ("3.2.1", (3, 2)), ("3.3.0rc1", (3, 3))])
def test_newer_ones_are_taken(text, version):
    assert refuse_unsupported(text) == version


@pytest.mark.parametrize("text", ["3.0.6", "2.11.0"])
def test_older_ones_are_refused_in_one_sentence(text):
    with pytest.raises(RuntimeError, match=rf"^Schema Sync needs Airflow 3\.1 or newer, and this is {text}: upgrade"):
        refuse_unsupported(text)
