import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import STAGE_SPECS, STAGES
from unde_catalog_tests.support.servers import PROJECT


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))


DUE_SENSORS = {f"{spec.job}_due": 900 for spec in STAGE_SPECS.values() if spec.trigger == "sensor"}
INTERVALS = {**DUE_SENSORS, "send_alerts": 60, "watch_queues": 30}
OPTIONS = {"limit", "max_minutes", "product_ids", "retry_failed", "force"}


def test_every_stage_is_partitioned_by_brand_with_the_same_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVAILABILITY_FIRST_DAY", "2026-11-30")
    definitions = build_definitions()
    graph = definitions.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.executable_asset_keys} == {
        *STAGES, "catalog_report", "user_media_days",
    }  # fmt: skip
    config = definitions.resolve_implicit_global_asset_job_def().run_config_schema.config_type
    unpartitioned = {dg.AssetKey("catalog_report"), dg.AssetKey("user_media_days")}  # they belong to no brand
    for key in graph.executable_asset_keys - unpartitioned:
        name, node = key.to_user_string(), graph.get(key)
        brands = node.partitions_def
        more = set()
        if name == "availability":  # a brand on a day, from the first day until today
            assert isinstance(brands, dg.MultiPartitionsDefinition)
            days = brands.get_partitions_def_for_dimension("date").get_partition_keys()
            assert (days[0], days[-1]) == ("2026-11-30", f"{datetime.now(UTC):%Y-%m-%d}")
            brands, more = brands.get_partitions_def_for_dimension("brand"), {"poll_minutes"}
        assert brands is not None
        expected = [key for key, brand in BRANDS.items() if brand.has_stores or not STAGE_SPECS[name].needs_stores]
        assert list(brands.get_partition_keys()) == expected
        assert "On failure" in (node.description or "")
        fields = config.fields["ops"].config_type.fields[name].config_type.fields["config"]  # type: ignore[attr-defined]
        assert set(fields.config_type.fields) == OPTIONS | more  # type: ignore[attr-defined]


def test_lineage_connects_the_stages() -> None:
    graph = build_definitions().resolve_asset_graph()

    def parents(asset: str) -> set[str]:
        return {key.to_user_string() for key in graph.get(dg.AssetKey(asset)).parent_keys}

    assert parents("raw_products") == {"apify_task", "bakai_list"}
    assert parents("originals") == {"raw_products", "brand_cdn"}
    assert parents("collages") == {"originals"}
    assert parents("ximilar_index") == {"raw_products", "originals"}
    assert parents("visual_index") == {"raw_products", "originals"}
    assert parents("raw_stores") == {"shops_api"}
    assert parents("availability") == {"raw_products", "raw_stores", "shops_api"}
    assert parents("production_catalog") == {"raw_products", "originals", "collages", "availability", "raw_stores"}


@pytest.mark.parametrize(
    ("automation", "status"), [("off", dg.DefaultSensorStatus.STOPPED), ("on", dg.DefaultSensorStatus.RUNNING)]
)
def test_sensors_run_only_with_automation_on(
    monkeypatch: pytest.MonkeyPatch, automation: str, status: dg.DefaultSensorStatus
) -> None:
    monkeypatch.setenv("AUTOMATION", automation)
    sensors = list(build_definitions(load_settings()).sensors or [])
    assert {sensor.name for sensor in sensors} == set(INTERVALS)
    assert all(sensor.default_status == status for sensor in sensors)
    every = {sensor.name: sensor.minimum_interval_seconds for sensor in sensors}
    assert every == INTERVALS


def test_importing_the_definitions_does_no_io(tmp_path: Path) -> None:
    home = tmp_path / "home"
    trace = (
        "import sys\n"
        "def hook(event, args):\n"
        "    writes = event == 'open' and isinstance(args[1], str) and args[1][:1] in 'wax'\n"
        "    if writes or event in ('socket.connect', 'os.mkdir', 'sqlite3.connect'): print(event, args); sys.exit(9)\n"
        "sys.addaudithook(hook)\n"
        "import unde_catalog.definitions\n"
    )
    environment = {**os.environ, "UNDE_HOME": str(home), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", trace], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert not home.exists()


def test_loading_the_definitions_imports_no_heavy_library(tmp_path: Path) -> None:
    heavy = {
        "aiohttp", "alembic", "apify_client", "fastembed", "impit", "numpy", "pandas", "PIL", "pyarrow",
        "qdrant_client", "unde_catalog.sandbox",
    }  # fmt: skip
    code = "import sys, unde_catalog.definitions; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert heavy & set(done.stdout.split()) == set(), (
        "every run and every sensor would pay for these: import them inside functions"
    )


def test_the_workspace_and_the_instance_file_are_valid(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "dagster"), "definitions", "validate", "-w", "workspace.yaml"]
    environment = {**os.environ, "UNDE_HOME": str(tmp_path / "home")}
    environment.pop("DAGSTER_HOME", None)
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stdout + done.stderr


def test_dg_and_the_workspace_load_the_same_code_location() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    (location,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    assert location["python_module"] == {
        "module_name": project["code_location_target_module"], "location_name": project["code_location_name"],
    }  # fmt: skip


def test_a_wrong_setting_fails_the_code_location_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOWNLOAD_TIMEOUT", "soon")
    done = subprocess.run(
        [sys.executable, "-c", "import unde_catalog.definitions"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "DOWNLOAD_TIMEOUT: expected seconds for one photo" in done.stderr


def test_a_removed_brand_keeps_its_partition_and_its_runs_say_so(tmp_path: Path) -> None:
    code = """
import dagster as dg
from unde_catalog import brands
del brands.BRANDS["oysho"]
brands.RETIRED_BRANDS = ("oysho",)
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.partitions import BRAND_PARTITIONS
assert BRAND_PARTITIONS.get_partition_keys()[-1] == "oysho"
definitions = build_definitions()
for asset, key in (("originals", "oysho"), ("raw_products", "oysho"),
                   ("availability", dg.MultiPartitionKey({"brand": "oysho", "date": "2026-11-30"}))):
    with dg.instance_for_test() as instance:
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey(asset)], partition_key=key, instance=instance, raise_on_error=False)
        failure = result.failure_data_for_node(asset).user_failure_data
        assert failure.description == "the brand oysho was removed, so nothing is done for it", failure
"""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
