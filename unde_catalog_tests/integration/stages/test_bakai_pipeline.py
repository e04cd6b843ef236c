"""BakaiMarket from its listing to production, through the same stages as every other brand."""

import logging
from collections.abc import Callable

from unde_catalog.backends import Backends
from unde_catalog.cli.status import status, status_view
from unde_catalog.operations.report.gather import gather
from unde_catalog.operations.report.sections import stores
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import STAGES
from unde_catalog.stages.availability import recurring as due_state
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import published_rows
from unde_catalog_tests.support.servers import Sandbox

NO_STORES = "BakaiMarket has no stores"


def run(backends: Backends, stage: str) -> StageReport:
    return run_stage(stage, StageRun("bakai", backends, RunOptions(), logging.getLogger("test")))


def test_bakaimarket_passes_all_stages_up_to_production(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], db: Database, production: Database, production_url: str
) -> None:
    configured(sandbox, PRODUCTION_DB_URL=production_url)
    sandbox.control(bakai={"size": 12, "categories": ["electronics", None]})
    with Backends(load_settings()) as backends:
        reports = {stage: run(backends, stage) for stage in STAGES}
    assert {stage: one.failed for stage, one in reports.items()} == dict.fromkeys(STAGES, 0)
    assert [reports[stage].done for stage in ("raw_products", "originals", "collages", "production_catalog")] == [
        12
    ] * 4
    assert reports["ximilar_index"].handled == 0, "its photos are only for the visual index"
    published = published_rows(production, "bakai")
    assert {(row["currency"], row["category"]) for row in published.values()} == {
        ("KGS", "electronics"), ("KGS", "uncategorized"),
    }  # fmt: skip
    assert all(row["active"] and row["price"] > 0 for row in published.values())
    (row,) = execute(db, "SELECT count(*) AS n FROM raw_products WHERE image_status = 'collage_ready'")
    assert row["n"] == 12


def test_bakaimarket_is_shown_to_have_no_stores_everywhere(backends: Backends) -> None:
    settings, db = backends.settings, backends.db
    for stage in ("raw_stores", "availability"):
        report = run(backends, stage)
        assert (report.note, report.handled) == (NO_STORES, 0)
        assert why_not_configured(stage, "bakai", settings) == NO_STORES
    recurring = due_state.recurring_intervals(settings)
    assert ("bakai", "availability") not in recurring and ("zara", "availability") in recurring
    text = status_view(status(db, recurring)).plain
    assert NO_STORES in text.partition("BakaiMarket")[2]
    report = gather(db, settings)
    assert report.freshness["availability", "bakai"].state == "no stores"
    (cells,) = [row for row in stores(report).rows if row[0].text == "BakaiMarket"]
    assert cells[1].text == "no stores"
