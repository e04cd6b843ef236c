"""How many rows a brand has in an asset's table, where an index tells it: milliseconds for a hundred thousand.

Of the others a run's own numbers tell enough; counting their rows would read all of a brand.
"""

import logging

from unde_catalog.backends import Workplace
from unde_catalog.defs.assets.tables import ROWS
from unde_catalog.stores.db.database import StagingDown
from unde_catalog.stores.production import catalog
from unde_catalog.stores.staging.stock import availability
from unde_catalog.stores.staging.stock import stores as shops


def rows_of(asset: str, brand: str, place: Workplace, log: logging.Logger) -> dict[str, int]:
    """The count as metadata of a materialization, empty where it costs too much: active products, those on sale."""
    try:
        match asset:
            case "raw_products":
                return {ROWS: place.db.run(availability.active_products, brand)}
            case "raw_stores":
                return {ROWS: place.db.run(shops.count, brand)}
            case "production_catalog" if place.production is not None:
                return {ROWS: place.production.run(catalog.on_sale, brand)}
    except StagingDown as error:  # what was done is done, whether it can be counted or not
        log.warning("the rows of %s in %s could not be counted: %s", brand, asset, error)
    return {}
