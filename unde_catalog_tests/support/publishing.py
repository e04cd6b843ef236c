"""Publishable products and runs of the production_catalog stage, shared by the tests of publishing."""

import logging
from typing import Any

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.production_catalog.publish import BrandPublisher
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
    """Add products that pass every rule; their IDs."""
    return add_products(db, count, brand, **{**GOOD, **columns})


def publish(
    db: Database, production: Database, brand: str = "zara", limits: PublishFields | None = None, **options: Any
) -> StageReport:
    """Run the stage."""
    return BrandPublisher(brand, db, production, limits or PublishFields(), RunOptions(**options), LOG).publish()


def stop_message(db: Database, production: Database, brand: str = "zara", **options: Any) -> str:
    """Run the stage, which must stop; the message that it stops with."""
    try:
        report = publish(db, production, brand, **options)
    except StageStopped as error:
        return str(error)
    raise AssertionError(f"it did not stop: {report.sentence()}")


def published_rows(production: Database, brand: str = "zara") -> dict[str, dict[str, Any]]:
    """The brand's published rows by external ID."""
    rows = execute(
        production,
        "SELECT external_id, name, price, currency, category, image_urls, collage_url, active, inactive_reason"
        " FROM catalog_products WHERE brand = %s",
        brand,
    )
    return {row.pop("external_id"): row for row in rows}


def on_sale(production: Database, brand: str = "zara") -> set[str]:
    """External IDs of the brand's products on sale."""
    return {key for key, row in published_rows(production, brand).items() if row["active"]}


def statuses(db: Database, brand: str = "zara") -> dict[str, int]:
    """Products by sync_status."""
    rows = execute(db, "SELECT sync_status, count(*) AS n FROM raw_products WHERE brand = %s GROUP BY 1", brand)
    return {row["sync_status"]: row["n"] for row in rows}


def assert_idle(db: Database, production: Database) -> None:
    """Assert that nothing is leased, incoming or claimed."""
    assert execute(db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []
    assert execute(production, "SELECT 1 FROM catalog_brands WHERE lease_token IS NOT NULL") == []
    assert execute(production, "SELECT 1 FROM catalog_publications WHERE state IN ('open', 'merged')") == []
    assert execute(production, "SELECT 1 FROM catalog_incoming_products") == []
    assert execute(production, "SELECT 1 FROM catalog_incoming_availability") == []
