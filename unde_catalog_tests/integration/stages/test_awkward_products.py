"""The odd images of other projects as photos of products, processed by the real stages."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import STAGES
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.integration.stages.test_awkward_images import CONVERTED, KEPT, REFUSED
from unde_catalog_tests.support.servers import Sandbox

LOG = logging.getLogger("test")


def item(number: int, file: str) -> dict[str, object]:
    photo = {"xmedia": [f"{{cdn}}/awkward/{file}?w={{width}}"], "id": "800", "name": "Black", "sizes": []}
    return {"id": number, "name": file, "price": 100, "colorsSizesImagesJSON": [photo]}


def test_each_odd_image_ends_as_a_collage_or_with_its_reason(
    real_data: Path, tmp_path: Path, start_sandbox: Callable[..., Sandbox], configured: Callable[..., dict[str, str]]
) -> None:
    files = sorted([*KEPT, *CONVERTED, *REFUSED])
    assert len(files) == 49
    data = tmp_path / "served"
    shutil.copytree(real_data / "awkward", data / "awkward")
    (data / "apify_items").mkdir()
    items = [item(number, file) for number, file in enumerate(files, start=1)]
    (data / "apify_items" / "zara.json").write_text(json.dumps(items))
    configured(start_sandbox("--data", str(data)))
    with Backends(load_settings()) as backends:
        for stage in STAGES:
            run_stage(stage, StageRun("zara", backends, RunOptions(), LOG))
        with backends.db.transaction() as cursor:
            cursor.execute(
                "SELECT p.name, p.image_status, p.error_message, f.state, f.reason FROM raw_products p"
                " JOIN product_photos f ON f.product_id = p.id"
            )
            found = {row.pop("name"): row for row in cursor.fetchall()}
        assert set(found) == set(files)
        for file in (*KEPT, *CONVERTED):
            assert (found[file]["state"], found[file]["image_status"]) == ("stored", "collage_ready"), file
        for file, reason in REFUSED.items():
            row = found[file]
            assert (row["state"], row["reason"], row["image_status"]) == ("refused", reason, "pending"), file
            assert row["error_message"].startswith(f"{reason}: "), file
        assert (
            len(list(backends.store.list("originals")))
            == len(list(backends.store.list("collages")))
            == len(KEPT) + len(CONVERTED)
        )
