"""A catalogue whose objects can be made to differ from its rows, for tests of `verify`."""

import logging
import os
from pathlib import Path
from typing import Any

from unde_catalog.operations.upkeep.verify import VerifyReport, verify
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.photos.collages import CollagesStage
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import BRAND, execute
from unde_catalog_tests.support.photo_catalogue import RED, PhotoCatalogue

JPEG = "image/jpeg"

FIRST, SECOND, COLLAGE = "originals/zara/1/1.jpg", "originals/zara/1/2.jpg", "collages/zara/1.jpg"


def run_all(catalogue: PhotoCatalogue) -> None:
    catalogue.run()
    stage = CollagesStage(load_settings(), catalogue.store)
    run_worker(stage, catalogue.db, BRAND, RunOptions(), logging.getLogger("test"))


def check(catalogue: PhotoCatalogue, **options: Any) -> VerifyReport:
    report = verify(catalogue.db, catalogue.store, **options)
    for table in ("object_checks", "stored_objects", "object_findings"):
        assert execute(catalogue.db, f"SELECT 1 FROM {table}") == [], f"{table} was not cleared"
    return report


def found(report: VerifyReport) -> dict[str, list[str]]:
    """All findings by `kind stage`; there are few enough that the examples are all."""
    assert {key: len(examples) for key, examples in report.examples.items()} == report.found
    return {f"{kind} {stage}": sorted(examples) for (kind, stage), examples in report.examples.items()}


def aged(catalogue: PhotoCatalogue, key: str) -> str:
    """Make the object two hours old."""
    path = Path(catalogue.store.where) / key
    earlier = path.stat().st_mtime - 7200
    os.utime(path, (earlier, earlier))
    return key


def orphan(catalogue: PhotoCatalogue, key: str, *, old: bool = True) -> str:
    catalogue.store.put(key, RED, JPEG)
    return aged(catalogue, key) if old else key


def state(catalogue: PhotoCatalogue) -> dict[str, Any]:
    """The rows without times, and the objects."""
    products = "SELECT id, image_status, image_urls, collage_url, error_message FROM raw_products ORDER BY id"
    photos = "SELECT product_id, n, source_url, state, reason, key, sha256, bytes FROM product_photos ORDER BY 1, 2"
    collages = "SELECT product_id, key, sha256, bytes FROM product_collages ORDER BY 1"
    objects = {info.key: catalogue.store.get(info.key) for info in catalogue.store.list("")}
    return {"objects": objects, **{query: execute(catalogue.db, query) for query in (products, photos, collages)}}
