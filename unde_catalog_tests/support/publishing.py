"""Products that may be published, and publishing them: what the tests of publishing share."""

import logging
from typing import Any

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.production_catalog.publish import Publishing
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import add_products, execute

LOG = logging.getLogger("publishing")
PHOTO = "https://store.test/originals/1.jpg"
GOOD = {
    "name": "SHIRT", "description": "Of cotton.", "price": 100, "currency": "AED", "category": "woman-shirts",
    "image_urls": [PHOTO], "image_status": "collage_ready",
}  # fmt: skip


def add_good(db: Database, count: int, brand: str = "zara", **columns: Any) -> list[int]:
    """Products that pass every rule; their ids."""
    return add_products(db, count, brand, **{**GOOD, **columns})


def publish(
    db: Database, production: Database, brand: str = "zara", limits: PublishFields | None = None, **options: Any
) -> StageReport:
    """A run of the stage."""
    return Publishing(brand, db, production, limits or PublishFields(), RunOptions(**options), LOG).publish()


def stopped(db: Database, production: Database, brand: str = "zara", **options: Any) -> str:
    """The sentence with which a run stops."""
    try:
        report = publish(db, production, brand, **options)
    except StageStopped as error:
        return str(error)
    raise AssertionError(f"it did not stop: {report.sentence()}")


def shown(production: Database, brand: str = "zara") -> dict[str, dict[str, Any]]:
    """What is published of a brand, by external id."""
    rows = execute(
        production,
        "SELECT external_id, name, price, currency, category, image_urls, collage_url, active, inactive_reason"
        " FROM catalog_products WHERE brand = %s",
        brand,
    )
    return {row.pop("external_id"): row for row in rows}


def on_sale(production: Database, brand: str = "zara") -> set[str]:
    """External ids on sale."""
    return {key for key, row in shown(production, brand).items() if row["active"]}


def statuses(db: Database, brand: str = "zara") -> dict[str, int]:
    """Products by sync_status."""
    rows = execute(db, "SELECT sync_status, count(*) AS n FROM raw_products WHERE brand = %s GROUP BY 1", brand)
    return {row["sync_status"]: row["n"] for row in rows}


def at_rest(db: Database, production: Database) -> None:
    """Nothing is in hand, on its way or claimed."""
    assert execute(db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []
    assert execute(production, "SELECT 1 FROM catalog_brands WHERE lease_token IS NOT NULL") == []
    assert execute(production, "SELECT 1 FROM catalog_publications WHERE state IN ('open', 'merged')") == []
    assert execute(production, "SELECT 1 FROM catalog_incoming_products") == []
    assert execute(production, "SELECT 1 FROM catalog_incoming_availability") == []
