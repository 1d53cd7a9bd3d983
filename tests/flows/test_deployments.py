"""prefect.yaml, its served twin, and docker-compose.yml: they name only what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = ["build-naflora/build-naflora", "reharvest/reharvest", "release/release"]


@pytest.fixture(scope="module")
def deployments() -> list[dict[str, Any]]:
    return list(yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"])


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])


def test_every_deployment_names_a_flow_that_takes_its_parameters(
    deployments: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.flows import Flow, load_flow_from_entrypoint

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names = []
    for entry in deployments:
        flow: Flow[..., Any] = load_flow_from_entrypoint(entry["entrypoint"], use_placeholder_flow=False)
        names.append(f"{flow.name}/{entry['name']}")
        assert set(entry["parameters"]) <= set(flow.parameters.properties)
        assert (ROOT / entry["parameters"]["recipe"]).is_file()
        assert entry["work_pool"] == {"name": "local"}
    assert names == DEPLOYMENTS


def test_a_served_deployment_is_the_deployed_one(deployments: list[dict[str, Any]]) -> None:
    from flows.__main__ import make_deployments

    for entry, served in zip(deployments, make_deployments(), strict=True):
        assert (served.name, served.entrypoint) == (entry["name"], entry["entrypoint"])
        limit, options = entry["concurrency_limit"], served.concurrency_options
        assert served.concurrency_limit == limit["limit"]
        assert options is not None and options.collision_strategy.value == limit["collision_strategy"]
        dumped = [s.schedule.model_dump() | {"active": s.active} for s in served.schedules or [] if s.schedule]
        schedules = [{name: values[name] for name in ("cron", "timezone", "active")} for values in dumped]
        assert schedules == entry.get("schedules", [])


def test_a_reharvest_waits_until_somebody_switches_it_on(deployments: list[dict[str, Any]]) -> None:
    assert [s["active"] for entry in deployments for s in entry.get("schedules", [])] == [False]


def test_the_page_of_the_docs_names_every_deployment_and_parameter() -> None:
    from flows.build_naflora import build_naflora
    from flows.reharvest import reharvest
    from flows.release import release

    page = (ROOT / "docs" / "prefect.md").read_text()
    for name in DEPLOYMENTS:
        assert f"`{name}`" in page
    for flow in (build_naflora, reharvest, release):
        for parameter in flow.parameters.properties:
            assert f"`{parameter}`" in page, f"{flow.name} takes {parameter}"


def test_the_compose_file_keeps_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_image_is_pinned_or_built_here(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?", tag), f"{name}: {service['image']}"
        assert service.get("build") == "." or name == "postgres"


def test_every_service_tells_whether_it_is_well_and_waits_for_what_is(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        for other in service.get("depends_on", {}):
            assert other in services, f"{name} waits for {other}"
    assert services["sandbox"]["profiles"] == ["sandbox"]
    assert services["prefect-server"]["ports"] == ["127.0.0.1:4200:4200"]


def test_the_image_holds_the_package_of_this_version_and_installs_the_lock(services: dict[str, dict[str, Any]]) -> None:
    from naflora_etl import __version__

    assert services["worker"]["image"] == f"naflora-etl:{__version__}"
    text = (ROOT / "Dockerfile").read_text()
    for file in re.findall(r"requirements[\w-]*\.lock", text):
        assert (ROOT / file).is_file()
    assert "requirements.lock" in text
