"""The real input, where it lies beside the project: what comes of it is the same wherever it is kept."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.s3_servers import running_rclone, s3_environment
from unde_catalog_tests.support.servers import Sandbox, Server

_OURS = ("id", "scraped_at", "created_at", "updated_at", "last_scrape_id")


def _run_all(stages: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """Products by brand and external id without ids and times, and the objects' hashes, after these stages."""
    with Backends(load_settings()) as backends:
        for stage in stages:
            for brand in BRANDS:
                report = run_stage(stage, StageRun(brand, backends, RunOptions(), logging.getLogger("test")))
                assert report.still_due == 0, report.sentence()
        keys = [info.key for folder in ("originals", "collages") for info in backends.store.list(folder)]
        objects = {key: hashlib.sha256(backends.store.get(key)).hexdigest() for key in keys}
        base = backends.store.public_url("originals").removesuffix("originals")
        return _products(backends.db, base), objects


def _products(db: Database, base: str) -> dict[str, Any]:
    found = {}
    for row in execute(db, "SELECT * FROM raw_products"):
        facts = {name: value for name, value in row.items() if name not in _OURS}
        urls = [*(facts["image_urls"] or ()), *filter(None, [facts["collage_url"]])]
        assert all(url.startswith(base) for url in urls)
        facts |= {"image_urls": None, "collage_url": None, "urls": [url.removeprefix(base) for url in urls]}
        found[f"{row['brand']}/{row['external_id']}"] = facts
    return found


@pytest.mark.timeout(400)
def test_a_bucket_behind_the_pooler_ends_as_a_folder_does(
    real_data: Path,
    start_sandbox: Callable[..., Sandbox],
    configured: Callable[..., dict[str, str]],
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = ("raw_products", "originals", "collages")
    sandbox = start_sandbox("--data", str(real_data))
    straight = server.new_database()
    configured(sandbox, STAGING_DB_URL=server.direct_url(straight))
    in_folder = _run_all(stages)
    assert len(in_folder[0]) > 100 and len(in_folder[1]) > 200
    pooled = server.new_database()
    with running_rclone(tmp_path / "rclone") as rclone:
        configured(sandbox, STAGING_DB_URL=pooled, **s3_environment(rclone.url))
        in_bucket = _run_all(stages)
        assert in_bucket == in_folder
        for name in s3_environment(rclone.url):
            monkeypatch.delenv(name)
    for url in (straight, pooled):
        server.drop(url)
