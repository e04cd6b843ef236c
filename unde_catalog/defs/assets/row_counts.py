"""How many rows a brand has in an asset's table, where an index tells it: milliseconds for a hundred thousand.

Of the others a run's own numbers tell enough; counting their rows would read all of a brand.
"""

import logging

from unde_catalog.backends import Backends
from unde_catalog.defs.assets.tables import ROWS
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.production import catalog
from unde_catalog.stores.staging.stock import availability, brand_stores


def rows_of(asset: str, brand: str, backends: Backends, log: logging.Logger) -> dict[str, int]:
    """The count as metadata of a materialization, empty where it costs too much: active products, those on sale."""
    try:
        match asset:
            case "raw_products":
                return {ROWS: backends.db.run(availability.active_products, brand)}
            case "raw_stores":
                return {ROWS: backends.db.run(brand_stores.count, brand)}
            case "production_catalog" if backends.production is not None:
                return {ROWS: backends.production.run(catalog.on_sale, brand)}
    except DatabaseUnavailable as error:  # what was done is done, whether it can be counted or not
        log.warning("the rows of %s in %s could not be counted: %s", brand, asset, error)
    return {}
