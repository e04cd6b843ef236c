"""The real input, where it lies beside the project: two brands indexed, published and changed, record by record."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stages.ximilar_index.client import LocalPace, Ximilar
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import on_sale, published_rows
from unde_catalog_tests.support.servers import Sandbox

BRANDS = ("zara", "bershka")
STAGES = ("raw_products", "originals", "collages", "ximilar_index", "production_catalog")
FIELDS = ["_id", "product_id", "sku_id", "brand", "name", "category", "price"]


class OutwardPipeline:
    """The complete pipeline for two brands and the records it has sent to other systems."""

    def __init__(self, sandbox: Sandbox, backends: Backends, production: Database, data: Path) -> None:
        self.sandbox, self.backends, self.production, self.db = sandbox, backends, production, backends.db
        self._data, self._runs = data, 0

    def run(self, *stages: str, **options: Any) -> None:
        self._runs += 1
        for stage in stages:
            for brand in BRANDS:
                run_options = RunOptions(root_run=str(self._runs), **options)
                report = run_stage(stage, StageRun(brand, self.backends, run_options, logging.getLogger("test")))
                assert report.still_due == 0 and not report.note.startswith("not configured"), report.sentence()

    def items(self, brand: str) -> dict[str, dict[str, Any]]:
        """The raw items of the file by external id."""
        items = json.loads((self._data / "apify_items" / f"{brand}.json").read_text())
        return {str(item["id"]): item for item in items if isinstance(item, dict) and item.get("id")}

    def rows(self, brand: str) -> dict[str, dict[str, Any]]:
        rows = execute(self.db, "SELECT * FROM raw_products WHERE brand = %s", brand)
        return {row["external_id"]: row for row in rows}

    def photos(self, brand: str) -> dict[str, list[dict[str, Any]]]:
        """The stored photos by external id, in order."""
        rows = execute(
            self.db,
            "SELECT p.external_id, f.n, f.sha256, f.source_url FROM product_photos f JOIN raw_products p"
            " ON p.id = f.product_id WHERE p.brand = %s AND f.state = 'stored' ORDER BY p.external_id, f.n",
            brand,
        )
        found: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault(row["external_id"], []).append(row)
        return found

    def collection(self) -> dict[str, dict[str, Any]]:
        settings = self.backends.settings
        token = settings.ximilar_api_token.get_secret_value() if settings.ximilar_api_token else ""
        api = Ximilar(
            self.sandbox.url, settings.ximilar_prefix, token, settings.ximilar_collection_id or "", LocalPace(100)
        )
        body = api._request("allRecords?size=10000&page=1", {"fields_to_return": FIELDS})
        return {record["_id"]: record for record in body["answer_records"]}

    def sent_records(self) -> list[str]:
        return [id for record in self.sandbox.log("ximilar.insert") for id in record.get("ids", ())]

    def expected_collection(self) -> dict[str, dict[str, Any]]:
        """The records that follow from the stored photos and the current columns of each active product."""
        expected = {}
        for brand in BRANDS:
            rows, photos = self.rows(brand), self.photos(brand)
            for external_id, row in rows.items():
                if not row["active"]:
                    continue
                for photo in _indexed_photos(photos.get(external_id, [])):
                    id = f"apify_{brand}-{external_id}-{photo['n']}-{photo['sha256'][:16]}"
                    expected[id] = {
                        "_id": id, "product_id": external_id, "sku_id": external_id, "brand": brand,
                        "name": row["name"] or "", "category": row["category"] or "",
                        "price": "" if row["price"] is None else str(row["price"]),
                    }  # fmt: skip
        return expected

    def check(self) -> None:
        """Assert that the collection and production match staging."""
        assert self.collection() == self.expected_collection()
        for brand in BRANDS:
            rows, photos, published = self.rows(brand), self.photos(brand), published_rows(self.production, brand)
            publishable = {
                id
                for id, row in rows.items()
                if row["active"] and row["name"] and row["category"] and row["price"] and photos.get(id)
            }
            assert on_sale(self.production, brand) == publishable
            for id in publishable:
                columns = {name: rows[id][name] for name in ("name", "price", "currency", "category", "collage_url")}
                assert columns.items() <= published[id].items()
                assert published[id]["image_urls"] == rows[id]["image_urls"] and len(photos[id]) <= 5
            status = {id: row["sync_status"] for id, row in rows.items()}
            assert {id for id, value in status.items() if value == "synced" and rows[id]["active"]} == publishable
            assert {value for id, value in status.items() if id not in publishable and rows[id]["active"]} <= {
                "skipped"
            }


def _indexed_photos(photos: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The worn view and the front view if the names contain both, else the first two photos."""
    by_view = {}
    for photo in photos:
        name = photo["source_url"].split("?")[0].rsplit(".", 1)[0]
        if re.search(r"[-_](p|a\d*|worn|model)$", name, re.IGNORECASE):
            by_view.setdefault("worn", photo)
        elif re.search(r"[-_](e|e1|main|front|garment)$", name, re.IGNORECASE):
            by_view.setdefault("front", photo)
    return [by_view["worn"], by_view["front"]] if len(by_view) == 2 else photos[:2]


@pytest.fixture
def pipeline(
    real_data: Path,
    start_sandbox: Callable[..., Sandbox],
    configured: Callable[..., dict[str, str]],
    production_url: str,
) -> Iterator[OutwardPipeline]:
    sandbox = start_sandbox("--data", str(real_data))
    configured(sandbox, PRODUCTION_DB_URL=production_url)
    with Backends(load_settings()) as backends, Database(production_url) as production:
        yield OutwardPipeline(sandbox, backends, production, real_data)


@pytest.mark.slow
def test_pilot_brands_are_indexed_and_published_after_each_scrape(pipeline: OutwardPipeline) -> None:
    pipeline.run("raw_products", "originals", "collages")
    execute(pipeline.db, "UPDATE raw_products SET index_scope = 'pilot' WHERE brand IN ('zara', 'bershka')")
    pipeline.run("ximilar_index", "production_catalog")
    pipeline.check()
    for brand in BRANDS:
        for external_id, item in pipeline.items(brand).items():
            row = pipeline.rows(brand).get(external_id)
            price = item.get("price")
            if row is not None and isinstance(price, int) and price > 0:
                assert row["price"] == Decimal(price) / 100
    first = pipeline.collection()
    assert len(first) > 80
    ids = {brand: sorted(on_sale(pipeline.production, brand)) for brand in BRANDS}
    rows = pipeline.rows("zara")
    fils = {id: int(rows[id]["price"] * 80) for id in ids["zara"][:2]}  # a fifth less
    pipeline.sandbox.control(
        brand="zara",
        price=fils,
        drop=ids["zara"][2:5],
        photos={ids["zara"][5]: "v2"},
    )
    pipeline.sandbox.control(brand="bershka", price={ids["bershka"][0]: 0}, drop=[ids["bershka"][1]])
    pipeline.run("raw_products", force=True)
    pipeline.run(*STAGES[1:])
    pipeline.check()
    second = pipeline.collection()
    prices = {record["product_id"]: record["price"] for record in second.values()}
    for id, price in fils.items():
        assert prices[id] == f"{Decimal(price) / 100:.2f}"
    gone = {*ids["zara"][2:5], ids["bershka"][1]}
    assert gone.isdisjoint(prices)
    hidden = {
        id: row
        for brand in BRANDS
        for id, row in published_rows(pipeline.production, brand).items()
        if not row["active"]
    }
    assert {id for id, row in hidden.items() if row["inactive_reason"] == "left_the_shop"} == gone
    assert hidden[ids["bershka"][0]]["inactive_reason"] == "price_missing"
    sent = pipeline.sent_records()
    assert len(sent) == len(set(sent)), "a record was sent twice"
    pipeline.sandbox.control(brand="zara", restore=ids["zara"][2:5])
    pipeline.run("raw_products", force=True)
    pipeline.run(*STAGES[1:])
    pipeline.check()
    before = len(pipeline.sent_records())
    pipeline.run(*STAGES[1:])
    assert len(pipeline.sent_records()) == before
