"""`unde-catalog objects relink`: after a move the rows have URLs of the new store, and are published again."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unde_catalog.backends import Backends
from unde_catalog.cli.app import app
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.photos import object_urls
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.s3_servers import running_rclone, s3_environment
from unde_catalog_tests.support.servers import Sandbox

URLS = "SELECT image_urls, collage_url FROM raw_products WHERE active ORDER BY id"


def _relink() -> str:
    done = CliRunner().invoke(app, ["objects", "relink"])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.slow
def test_after_a_move_to_a_bucket_the_rows_have_its_urls(
    db: Database,
    sandbox: Sandbox,
    configured: Callable[..., dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configured(sandbox)
    with Backends(load_settings()) as backends:
        for stage in ("raw_products", "originals", "collages"):
            run_stage(stage, StageRun("zara", backends, RunOptions(), logging.getLogger("test")))
    before = execute(db, URLS)
    assert before and all(row["collage_url"].startswith("file://") for row in before)
    execute(db, "UPDATE due_work SET due_at = NULL")
    assert _relink().startswith("0 products")
    with running_rclone(tmp_path / "s3") as rclone:
        configured(sandbox, **s3_environment(rclone.url))
        with Backends(load_settings()) as backends:
            base = backends.store.public_url("x").removesuffix("x")
        assert _relink().startswith("20 products") and base.startswith("http://")
        for old, new in zip(before, execute(db, URLS), strict=True):
            keys = [url.partition("/objects/")[2] for url in (*old["image_urls"], old["collage_url"])]
            assert [*new["image_urls"], new["collage_url"]] == [base + key for key in keys]
        assert _relink().startswith("0 products")
    due = execute(db, "SELECT stage, count(*) AS n FROM due_work WHERE due_at IS NOT NULL GROUP BY 1")
    assert due == [{"stage": "production_catalog", "n": 20}], "only the stage that publishes the URLs is due again"
    for name in s3_environment(""):
        monkeypatch.delenv(name, raising=False)


def test_products_without_objects_keep_their_urls(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_urls, "CHUNK", 2)
    add_products(db, 5)
    add_products(db, 1, "oysho", collage_url="https://elsewhere/1.jpg", image_urls=["https://elsewhere/2.jpg"])
    after, results = 0, []
    while (done := db.run(object_urls.relink, "https://new/", after)) is not None:
        after = done[1]
        results.append(done)
    assert results == [(0, 2), (0, 4), (0, 6)]
    assert execute(db, URLS)[-1] == {
        "collage_url": "https://elsewhere/1.jpg", "image_urls": ["https://elsewhere/2.jpg"],
    }  # fmt: skip
