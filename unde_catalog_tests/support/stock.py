"""A brand's stock for tests: checked by the real stage, and compared with what the sandbox knows to be in its shops."""

import json
import logging
import urllib.request
from typing import Any

from unde_catalog.backends import Backends
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox

LOG = logging.getLogger("test")
Stock = dict[str, dict[int, list[str]]]  # sizes in stock by product and shop


def run(backends: Backends, stage: str, brand: str = "zara", **options: Any) -> StageReport:
    return run_stage(stage, StageRun(brand, backends, RunOptions(**options), LOG))


def truth(sandbox: Sandbox, backends: Backends, brand: str = "zara") -> Stock:
    """What lies in the configured shops, as the sandbox knows it."""
    with urllib.request.urlopen(f"{sandbox.url}/_stock?brand={brand}", timeout=20) as answer:
        told = json.load(answer)
    shops = backends.settings.brands[brand].stores
    return {product: {shop: there.get(str(shop), []) for shop in shops} for product, there in told.items()}


def rows(backends: Backends, brand: str = "zara", columns: str = "sizes_in_stock") -> Stock:
    """What raw_availability says."""
    found: dict[str, dict[int, Any]] = {}
    query = (
        f"SELECT product_id, store_id, {columns} AS value FROM raw_availability WHERE brand = %s ORDER BY fetched_at"
    )
    for row in execute(backends.db, query, brand):
        found.setdefault(row["product_id"], {})[row["store_id"]] = row["value"]
    return found
