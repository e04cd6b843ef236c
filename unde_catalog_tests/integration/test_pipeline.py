import logging

from unde_catalog.backends import Workplace
from unde_catalog.stages import run as pipeline
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.servers import Sandbox

LOG = logging.getLogger("test")


def run(workplace: Workplace, stage: str, brand: str = "zara", **options):
    return pipeline.run(stage, brand, workplace, RunOptions(run_id="run", root_run="run", **options), LOG)


def test_a_product_goes_from_the_scrape_to_its_collage(workplace: Workplace, sandbox: Sandbox) -> None:
    assert run(workplace, "raw_products").counts["new"] == 20
    assert run(workplace, "originals").done == 20
    assert run(workplace, "collages").done == 20
    with workplace.db.transaction() as cursor:
        cursor.execute("SELECT DISTINCT image_status FROM raw_products")
        assert cursor.fetchall() == [{"image_status": "collage_ready"}]
    paths = [request["path"] for request in sandbox.log("photo")]
    assert len(paths) == len(set(paths))
