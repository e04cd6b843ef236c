"""The visual index in Dagster: a brand's run, its sensor and its checks."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.visual_index.descriptor import Descriptor
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.dagster.runs import failure, metadata
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.support.visual_index import VisualCatalogue

ASSET = "visual_index"


@pytest.fixture
def visual(sandbox: Sandbox, configured: Callable[..., dict[str, str]]) -> Iterator[VisualCatalogue]:
    configured(sandbox)
    with Backends(load_settings()) as backends:
        yield VisualCatalogue(backends)


def test_a_brand_is_embedded_and_the_note_names_the_model(visual: VisualCatalogue, materialize) -> None:
    visual.add("red", "green")
    visual.add("red")
    result = materialize(ASSET)
    assert result.success
    shown = metadata(result, ASSET)
    assert (shown["done"], shown["photos_embedded"], shown["photos_reused"]) == (2, 2, 1)
    assert shown["content"] == "3 embeddings of 2 products"
    assert shown["note"] == f"embedded by {Descriptor.name}"


def test_the_sensor_requests_a_run_that_does_the_due_work(
    visual: VisualCatalogue, instance: dg.DagsterInstance, db: Database
) -> None:
    visual.add("red")
    settings = load_settings()
    definitions = build_definitions(settings)
    sensor: Any = next(one for one in definitions.sensors or [] if one.name == "embed_photos_due")
    context = dg.build_sensor_context(instance=instance, resources={"backends": BackendsResource(settings)})
    result = sensor(context)
    (request,) = result.run_requests
    assert request.partition_key == "zara"
    job = definitions.resolve_job_def(sensor.job_name)
    assert job.execute_in_process(
        partition_key="zara", run_config=request.run_config, tags=request.tags, instance=instance
    ).success
    assert visual.rows(1) == [(1, Descriptor.name)]
    assert isinstance(sensor(context), dg.SkipReason)


def test_the_brand_checks_cover_the_index(visual: VisualCatalogue, instance: dg.DagsterInstance) -> None:
    visual.add("red", "green")
    visual.run()
    job = build_definitions(load_settings()).resolve_job_def("brand_checks")
    result = job.execute_in_process(tags={"dagster/partition": "zara"}, instance=instance)
    found = {one.check_name: one for one in result.get_asset_check_evaluations() if one.asset_key.path == [ASSET]}
    assert {name: one.passed for name, one in found.items()} == {
        "index_agrees": True, "coverage": True, "failures": True, "due_marks": True,
    }  # fmt: skip
    assert (
        found["index_agrees"].description == f"2 of 2 photos of zara are in the index, embedded by {Descriptor.name}."
    )
    assert found["coverage"].description == "1 of 1 products in the index's scope can be found by their photos."


def test_an_unavailable_model_fails_with_one_sentence(
    visual: VisualCatalogue, materialize, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    visual.add("red")
    monkeypatch.setenv("EMBEDDING_MODEL", "clip")
    monkeypatch.setenv("CLIP_MODEL_DIR", str(tmp_path))
    message = failure(materialize(ASSET))
    assert "visual_index of zara stopped: CLIP_MODEL_DIR: " in message or "has no vision/model.onnx" in message
    assert "Traceback" not in message
