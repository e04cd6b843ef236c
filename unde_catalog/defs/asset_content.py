"""What is stored of a brand in all, as metadata: it shows what an asset has, also after a run with nothing to do."""

import logging
from datetime import UTC
from typing import Any

from unde_catalog.backends import Backends
from unde_catalog.defs.table_schemas.table import ROW_COUNT
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.production import catalog
from unde_catalog.stores.staging.reports import contents
from unde_catalog.stores.staging.reports.contents import Content
from unde_catalog.stores.staging.stock import availability, brand_stores
from unde_catalog.text import quantity


def content_of(asset: str, brand: str, backends: Backends, log: logging.Logger) -> dict[str, Any]:
    """`content`, a sentence for people, and the number of rows, which the UI plots. Empty where nothing can be read."""
    try:
        sentence, rows = _content(asset, brand, backends)
    except DatabaseUnavailable as error:  # the stage itself has succeeded, with or without a count
        log.warning("what is stored of %s in %s could not be counted: %s", brand, asset, error)
        return {}
    return {"content": sentence, ROW_COUNT: rows} if sentence else {}


def _content(asset: str, brand: str, backends: Backends) -> tuple[str, int]:
    db = backends.db
    match asset:
        case "raw_products":
            rows = db.run(availability.active_products, brand)
            return quantity(rows, "active product"), rows
        case "raw_stores":
            rows = db.run(brand_stores.count, brand)
            return quantity(rows, "store"), rows
        case "originals":
            found = db.run(contents.objects, asset, brand)
            return f"{_of_products(found, 'photo')}, {found.bytes / 1e6:,.1f} MB", found.rows
        case "collages":
            found = db.run(contents.objects, asset, brand)
            return f"{quantity(found.rows, 'collage')}, {found.bytes / 1e6:,.1f} MB", found.rows
        case "ximilar_index":
            found = db.run(contents.ximilar_records, brand)
            return _of_products(found, "record"), found.rows
        case "visual_index":
            found = db.run(contents.embeddings, brand)
            return _of_products(found, "embedding"), found.rows
        case "availability":
            found, checked_at = db.run(contents.stock, brand)
            at = f", last checked at {checked_at.astimezone(UTC):%H:%M} UTC" if checked_at else ""
            return f"today's stock of {quantity(found.products, 'product')} in {found.rows:,} rows{at}", found.rows
        case "production_catalog" if backends.production is not None:
            rows = backends.production.run(catalog.on_sale, brand)
            return f"{quantity(rows, 'product')} on sale", rows
    return "", 0


def _of_products(found: Content, noun: str) -> str:
    return f"{quantity(found.rows, noun)} of {quantity(found.products, 'product')}"
