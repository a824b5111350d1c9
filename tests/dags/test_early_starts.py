"""Instances that a cleared run adds start before what they depend on has ended: their argument came as None."""

from __future__ import annotations

import pytest
from schema_sync_airflow.tasks.diff import DatasetYmlDiffOperator
from schema_sync_airflow.tasks.notify import notify_organizations

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

YML = "name: orders\nmeasures:\n  - name: gone\n"


@pytest.fixture
def acme(world):
    world.customer("Acme", "CREATE TABLE orders (id int)", YML)
    return world


def test_notify_tells_what_diff_found_after_it_had_started(acme):
    def early(batch, _reports, context):
        notify_organizations(batch, None, context)

    function = acme.dag.get_task("check_organization.notify").python_callable
    acme.environment.setitem(function.__globals__, "notify_organizations", early)
    run = acme.run()
    assert run.result["result"]["errors"] == []
    assert run.result["result"]["criticalIssues"] == 1
    assert run.result["result"]["notificationsSent"] == 1


def test_diff_compares_what_introspect_read_after_it_had_started(acme):
    execute = DatasetYmlDiffOperator.execute

    def early(self, context, **safeguard):
        self.snapshots = None
        return execute(self, context, **safeguard)

    acme.environment.setattr(DatasetYmlDiffOperator, "execute", early)
    run = acme.run()
    assert run.result["result"]["errors"] == []
    assert run.differences("Acme") == [("missing_column", "gone")]
