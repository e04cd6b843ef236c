"""The files of docker/ against each other and against pyproject.toml. Containers are run in `integration/docker/`."""

import re
import tomllib
from pathlib import Path

import yaml
from dagster_k8s.job import get_user_defined_k8s_config

from unde_catalog.defs.automation.pod_resources import pod_tags
from unde_catalog.sandbox.own import environment
from unde_catalog.services.search.middleware.metrics import SearchMetrics
from unde_catalog.services.user_media.metrics import UserMediaMetrics

PROJECT = Path(__file__).parents[2]
DOCKER = PROJECT / "docker"
_PIN = re.compile(r"^([\w.-]+)(?:\[[\w, -]+\])?==(\S+)", re.MULTILINE)
_EXTRAS = ("search", "user-media", "celery", "aws", "kubernetes")


def _pins(lock: Path) -> dict[str, str]:
    return dict(_PIN.findall(lock.read_text()))


def test_the_image_has_the_versions_that_the_tests_run_with() -> None:
    image, tested = _pins(DOCKER / "requirements.lock"), _pins(PROJECT / "requirements.lock")
    assert len(image) > 80
    assert {name: version for name, version in image.items() if tested.get(name) != version} == {}, "run make lock"


def test_the_image_has_every_dependency_of_the_wheel() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for name in _EXTRAS for one in project["optional-dependencies"][name])]
    names = {re.split(r"[\[<>=~!]", one)[0] for one in wanted}
    assert names - _pins(DOCKER / "requirements.lock").keys() == set(), "run make lock"


def test_the_build_context_has_what_the_dockerfile_copies_and_no_more() -> None:
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
        for word in line.split()
        if not word.startswith("--")
    }
    everything, *admitted = [
        line for line in (PROJECT / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert everything == "*"
    assert {line.removeprefix("!") for line in admitted} == copied


def test_every_process_of_the_entry_point_has_a_health_check() -> None:
    processes = set(re.findall(r"^([a-z-]+)\)$", (DOCKER / "entrypoint.sh").read_text(), re.MULTILINE))
    checked = set(re.findall(r'"([a-z-]+)"(?=:)|process == "([a-z-]+)"', (DOCKER / "healthcheck.py").read_text()))
    processes.remove("demo")  # ends by itself
    assert processes and processes == {name for pair in checked for name in pair if name}


def test_compose_names_a_file_for_each_secret_and_makes_it() -> None:
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    made = set(re.findall(r"^secret (\w+) ", (DOCKER / "make-secrets.sh").read_text(), re.MULTILINE))
    assert made | {"telegram_bot_token"} == set(compose["secrets"])
    for service in compose["services"].values():
        files = [value for name, value in service.get("environment", {}).items() if name.endswith("_FILE")]
        assert {f"/run/secrets/{name}" for name in service.get("secrets", [])} >= set(files)


def test_the_processes_of_compose_are_those_of_the_entry_point() -> None:
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    own = {name: one for name, one in compose["services"].items() if "unde-catalog" in one["image"]}
    processes = set(re.findall(r"^([a-z-]+)\)$", (DOCKER / "entrypoint.sh").read_text(), re.MULTILINE))
    assert {one["command"][0] for one in own.values()} == processes | {"migrate"}
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in own.values())
    assert "docker.sock" not in (DOCKER / "compose.yaml").read_text()


def test_the_demo_reads_the_addresses_of_the_sandbox_alone() -> None:
    lines = [line for line in (DOCKER / "demo.env").read_text().splitlines() if not line.startswith("#")]
    expected = {**environment(8790, "sandbox"), "ZARA_INDEX_SCOPE": "pilot", "AUTOMATION": "on"}
    assert dict(line.split("=", 1) for line in lines) == expected


def test_compose_without_networks_names_every_service() -> None:
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    host = yaml.safe_load((DOCKER / "compose.host.yaml").read_text())["services"]
    assert compose.keys() == host.keys()
    assert all(one["network_mode"] == "host" for one in host.values())
    assert set(host["code"]["extra_hosts"]) == {f"{name}:127.0.0.1" for name in compose}


def test_alert_rules_and_dashboard_use_metrics_that_exist() -> None:
    exposed = {
        sample.name
        for registry in (SearchMetrics().registry, UserMediaMetrics().registry)
        for family in registry.collect()
        for sample in family.samples or [family]
    }
    families = {re.sub(r"_(total|bucket|count|sum|created)$", "", name) for name in exposed}
    for name in ("prometheus/alerts.yml", "prometheus/alerts.test.yml", "grafana/services.json"):
        used = set(re.findall(r"\b(?:unde_search|user_media)_[a-z_]+", (DOCKER / name).read_text()))
        assert used and {re.sub(r"_(total|bucket)$", "", one) for one in used} - families == set(), name


def test_the_instance_on_kubernetes_has_the_limits_of_dagster_yaml() -> None:
    values = yaml.safe_load((DOCKER / "kubernetes" / "values.yaml").read_text())
    instance = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    assert values["additionalInstanceConfig"]["concurrency"] == instance["concurrency"]
    for name in ("run_coordinator", "compute_logs"):
        configured = {
            "run_coordinator": values["dagsterDaemon"]["runCoordinator"],
            "compute_logs": values["computeLogManager"],
        }
        (custom,) = configured[name]["config"].values()
        assert (custom["module"], custom["class"]) == (instance[name]["module"], instance[name]["class"])
    dagster = _pins(PROJECT / "requirements.lock")["dagster"]
    assert f"--version {dagster} " in (DOCKER / "kubernetes" / "values.yaml").read_text()


def test_a_run_on_kubernetes_gets_what_its_largest_stage_needs() -> None:
    def resources(stages: frozenset[str] | None) -> dict[str, dict[str, str]]:
        config = get_user_defined_k8s_config(pod_tags(stages))  # raises for a tag that dagster-k8s does not understand
        return config.container_config["resources"]

    collages = {"requests": {"cpu": "2", "memory": "4864Mi"}, "limits": {"memory": "4864Mi"}}
    assert resources(frozenset({"originals", "collages"})) == resources(None) == collages
    assert resources(frozenset({"raw_stores"}))["limits"] == {"memory": "1792Mi"}
    assert resources(frozenset({"catalog_report"}))["limits"] == {"memory": "768Mi"}
