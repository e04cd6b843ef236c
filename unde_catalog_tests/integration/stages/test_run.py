import logging

from unde_catalog.backends import Backends
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.servers import Sandbox

LOG = logging.getLogger("test")


def run(backends: Backends, stage: str, brand: str = "zara", **options):
    return run_stage(stage, StageRun(brand, backends, RunOptions(run_id="run", root_run="run", **options), LOG))


def test_a_product_goes_from_the_scrape_to_its_collage(backends: Backends, sandbox: Sandbox) -> None:
    assert run(backends, "raw_products").counts["new"] == 20
    assert run(backends, "originals").done == 20
    assert run(backends, "collages").done == 20
    with backends.db.transaction() as cursor:
        cursor.execute("SELECT DISTINCT image_status FROM raw_products")
        assert cursor.fetchall() == [{"image_status": "collage_ready"}]
    paths = [request["path"] for request in sandbox.log("photo")]
    assert len(paths) == len(set(paths))
