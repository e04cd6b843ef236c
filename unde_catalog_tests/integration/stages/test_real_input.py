"""The real input, if it exists beside the project: the result is the same for every kind of store."""

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

_IGNORED_COLUMNS = ("id", "scraped_at", "created_at", "updated_at", "last_scrape_id")


def _run_all(stages: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """Run these stages. Returns products without ids and times by brand and external id, and hashes of objects."""
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
        columns = {name: value for name, value in row.items() if name not in _IGNORED_COLUMNS}
        urls = [*(columns["image_urls"] or ()), *filter(None, [columns["collage_url"]])]
        assert all(url.startswith(base) for url in urls)
        columns |= {"image_urls": None, "collage_url": None, "urls": [url.removeprefix(base) for url in urls]}
        found[f"{row['brand']}/{row['external_id']}"] = columns
    return found


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_bucket_and_a_pooler_lead_to_the_same_result_as_a_folder(
    real_data: Path,
    start_sandbox: Callable[..., Sandbox],
    configured: Callable[..., dict[str, str]],
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = ("raw_products", "originals", "collages")
    sandbox = start_sandbox("--data", str(real_data))
    direct = server.new_database()
    configured(sandbox, STAGING_DB_URL=server.direct_url(direct))
    in_folder = _run_all(stages)
    assert len(in_folder[0]) > 100 and len(in_folder[1]) > 200
    pooled = server.new_database()
    with running_rclone(tmp_path / "rclone") as rclone:
        configured(sandbox, STAGING_DB_URL=pooled, **s3_environment(rclone.url))
        in_bucket = _run_all(stages)
        assert in_bucket == in_folder
        for name in s3_environment(rclone.url):
            monkeypatch.delenv(name)
    for url in (direct, pooled):
        server.drop(url)
