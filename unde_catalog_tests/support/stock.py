"""The stock of a brand, as checked by the real stage and as known to the sandbox, for tests."""

import json
import logging
import urllib.request
from datetime import UTC, datetime
from typing import Any

from unde_catalog.backends import Backends
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOG = logging.getLogger("test")
Stock = dict[str, dict[int, list[str]]]  # sizes in stock by product and store


def run(backends: Backends, stage: str, brand: str = "zara", **options: Any) -> StageReport:
    return run_stage(stage, StageRun(brand, backends, RunOptions(**options), LOG))


def truth(sandbox: Sandbox, backends: Backends, brand: str = "zara") -> Stock:
    """The stock of the configured stores in the sandbox."""
    with urllib.request.urlopen(f"{sandbox.url}/_stock?brand={brand}", timeout=20) as response:
        stock = json.load(response)
    stores = backends.settings.brands[brand].stores
    return {product: {store: sizes.get(str(store), []) for store in stores} for product, sizes in stock.items()}


def rows(backends: Backends, brand: str = "zara", columns: str = "sizes_in_stock") -> Stock:
    """The stock in raw_availability."""
    found: dict[str, dict[int, Any]] = {}
    query = (
        f"SELECT product_id, store_id, {columns} AS value FROM raw_availability WHERE brand = %s ORDER BY fetched_at"
    )
    for row in execute(backends.db, query, brand):
        found.setdefault(row["product_id"], {})[row["store_id"]] = row["value"]
    return found
