"""Each stage, logged in as its role, with all run options."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pydantic import SecretStr

from unde_catalog.backends import Backends
from unde_catalog.cli import status as reading
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import DUE_STAGES, STAGES
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import requeue
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.apify_brand import ApifyBrand, counts, item
from unde_catalog_tests.support.due import ToyStage, add_products, execute
from unde_catalog_tests.support.due import run as run_toy
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.servers import Sandbox, Server

pytestmark = pytest.mark.slow

ROLE_OF = {"raw_products": "apify", "originals": "downloader", "collages": "collage", "ximilar_index": "ximilar"}
Run = Callable[..., StageReport]
BackendsOf = Callable[[str], Backends]


@pytest.fixture
def backends_of(
    server: Server,
    database_url: str,
    production_url: str,
    sandbox: Sandbox,
    configured: Callable[..., dict[str, str]],
) -> Iterator[BackendsOf]:
    """The backends of a role, with the sandbox as the outside world."""
    configured(sandbox, PRODUCTION_DB_URL=production_url, ZARA_INDEX_SCOPE="pilot")
    with ExitStack() as stack:
        opened: dict[str, Backends] = {}

        def open_as(role: str) -> Backends:
            if role not in opened:
                changes = {"staging_db_url": SecretStr(url_as(server, database_url, role))}
                opened[role] = stack.enter_context(Backends(load_settings().model_copy(update=changes)))
            return opened[role]

        yield open_as


@pytest.fixture
def run(backends_of: BackendsOf) -> Run:
    """Runs a stage as its role or another one."""

    def run(stage: str, role: str | None = None, **options: Any) -> StageReport:
        backends = backends_of(role or ROLE_OF[stage])
        return run_stage(stage, StageRun("zara", backends, RunOptions(**options), logging.getLogger("test")))

    return run


def statuses(db: Database) -> dict[str, int]:
    rows = execute(db, "SELECT image_status, count(*) AS n FROM raw_products WHERE active GROUP BY 1")
    return {row["image_status"]: row["n"] for row in rows}


def test_every_stage_runs_as_its_own_role(run: Run, sandbox: Sandbox, db: Database) -> None:
    assert run("raw_products").counts["new"] == 20
    assert run("originals").done == 20
    assert run("collages").done == 20
    assert run("ximilar_index").counts["records_inserted"] > 20
    assert statuses(db) == {"collage_ready": 20}
    first, second, third, *_ = [row["external_id"] for row in execute(db, "SELECT external_id FROM raw_products")]
    sandbox.control(brand="zara", price={first: 100}, photos={second: "v2"}, drop=[third])
    report = run("raw_products", force=True)
    assert (report.counts["changed"], report.counts["vanished"]) == (2, 1)
    assert (run("originals").done, run("collages").done) == (1, 1)
    sandbox.control(brand="zara", restore=[third])
    assert run("raw_products", force=True).counts["returned"] == 1
    assert statuses(db) == {"collage_ready": 20}
    query = "SELECT h.price FROM price_history h JOIN raw_products p ON p.id = h.product_id WHERE p.external_id = %s"
    assert len(execute(db, query, first)) == 2
    logged = execute(db, "SELECT DISTINCT status FROM scraper_logs")
    assert [row["status"] for row in logged] == ["success"]


@pytest.mark.slow
def test_every_stage_accepts_all_run_options_as_its_own_role(run: Run, db: Database, backends_of: BackendsOf) -> None:
    run("raw_products")
    execute(db, "DELETE FROM raw_products WHERE id > (SELECT min(id) + 7 FROM raw_products)")
    for stage in ("originals", "collages"):
        assert run(stage, limit=2).done == 2
        due = execute(
            db,
            "SELECT p.external_id FROM raw_products p JOIN due_work w ON w.product_id = p.id"
            " WHERE w.stage = %s AND w.due_at <= now()",
            stage,
        )
        assert run(stage, product_ids=(due[-1]["external_id"],)).done == 1
        assert run(stage).done == 5
        give_up = (
            "UPDATE due_work SET given_up = true, reason = 'odd', due_at = NULL"
            " WHERE stage = %s AND product_id %% 2 = 0"
        )
        execute(db, give_up, stage)
        assert run(stage, retry_failed=True).done == 4
        execute(db, give_up, stage)
        if stage == "originals":
            # A product given up without a photo gets its status reset. A product inserted with a status has no due row
            # until it is forced.
            execute(db, "UPDATE raw_products SET image_status = 'error' WHERE id % 2 = 0")
            execute(db, "DELETE FROM due_work WHERE stage = 'originals' AND product_id % 2 = 1")
        assert backends_of(ROLE_OF[stage]).db.run(requeue.given_up, stage, "zara", "odd") == 4
        assert run(stage).done == 4
        assert run(stage, force=True).done == 8
    assert statuses(db) == {"collage_ready": 8}


def test_partial_collection_and_rejected_items_work_as_apify(apify_brand: ApifyBrand, server: Server) -> None:
    apify_brand.database_url = url_as(server, apify_brand.database_url, "apify")
    apify_brand.set_items([{"id": None}, *(item(n) for n in range(1, 20))])
    assert counts(apify_brand.collect(limit=5)) == {"items": 5, "new": 4, "rejected": 1}
    assert apify_brand.collect("second").counts["new"] == 15
    apify_brand.query("UPDATE rejected_items SET raw = %s", '{"id": 50, "name": "SHIRT"}')
    assert apify_brand.collect("again", retry_failed=True).counts["new"] == 1
    assert apify_brand.collect("forced", force=True).counts["unchanged"] == 19


@pytest.mark.slow
def test_scraper_runs_all_stages_and_reads_all_reports(run: Run, backends_of: BackendsOf) -> None:
    for stage in STAGES:
        report = run(stage, "scraper")
        if stage == "raw_stores":
            assert report.counts["new"] == report.handled > 0
        elif stage == "availability":  # checks are spread over the hour
            assert report.handled < 20
        else:
            assert report.handled == 20
    for stage in DUE_STAGES:
        assert run(stage, "scraper", force=True).done == (
            19 if stage == "production_catalog" else 20
        )  # one product has no price
    backends = backends_of("scraper")
    assert reading.status(backends.db)["brands"]["zara"]["image_status"] == {"collage_ready": 20}
    with backends.db.transaction() as cursor:
        cursor.execute("SELECT external_id FROM raw_products LIMIT 1")
        (product,) = cursor.fetchall()
    assert "collage_ready" in str(reading.product_view(backends.db, backends.store, "zara", product["external_id"]))


def test_ximilar_runs_its_stage_and_writes_its_columns(server: Server, database_url: str, db: Database) -> None:
    class Indexing(ToyStage):
        stage = "ximilar_index"

        def record(self, cursor: Cursor, outcomes: Any) -> None:
            ids = [outcome.lease_outcome.lease.product_id for outcome, _ in outcomes]
            cursor.execute(
                "UPDATE raw_products SET ximilar_status = 'synced', ximilar_synced_urls = '[\"u\"]',"
                " ximilar_synced_at = now(), updated_at = now() WHERE id = ANY(%s)",
                (ids,),
            )

    add_products(db, 5)
    execute(db, "INSERT INTO due_work (product_id, stage, brand, due_at)"
                " SELECT id, 'ximilar_index', brand, now() FROM raw_products")  # fmt: skip
    with Database(url_as(server, database_url, "ximilar")) as database:
        assert run_toy(database, Indexing()).done == 5
        assert run_toy(database, Indexing(), force=True).done == 5
    rows = execute(db, "SELECT DISTINCT ximilar_status FROM raw_products")
    assert [row["ximilar_status"] for row in rows] == ["synced"]


@pytest.mark.parametrize(
    ("stage", "role", "table"),
    [
        ("originals", "collage", "host_holds"),
        ("collages", "downloader", "due_work"),
        ("raw_products", "downloader", "scrapes"),
    ],
)
def test_a_stage_run_as_the_wrong_role_stops_with_one_sentence(
    run: Run, db: Database, stage: str, role: str, table: str
) -> None:
    run("raw_products")
    run("originals", limit=5)
    before = execute(db, "SELECT * FROM due_work ORDER BY product_id, stage")
    with pytest.raises(StageStopped, match=rf"(?s)table \"?{table}\"?.*\(connected as {role}\)"):
        run(stage, role)
    assert execute(db, "SELECT * FROM due_work ORDER BY product_id, stage") == before
