"""Pilot products with stored photos, the ximilar_index stage, and the sandbox's collection, for tests."""

import logging
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from unde_catalog.stages.ximilar_index.client import LocalPace, Ximilar
from unde_catalog.stages.ximilar_index.stage import XimilarStage
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.unit.drawn_photos import plain, saved

COLLECTION = "sandbox-fashion-new"


COLOURS = ("red", "green", "blue", "white", "black")


PHOTOS = {name: saved(plain(name)) for name in COLOURS}


FIELDS = ["_id", "product_id", "sku_id", "brand", "name", "category", "price"]


class XimilarIndex:
    """Pilot products with stored photos, the ximilar_index stage, and the sandbox's collection."""

    def __init__(self, db: Database, sandbox: Sandbox, folder: Path) -> None:
        self.db, self.sandbox, self.budget, self.runs = db, sandbox, 1_000, 0
        self.store = directory_store(folder)
        self.api = Ximilar(
            sandbox.url, "/similarity/fashion-new/v2/", "sandbox-ximilar-token", COLLECTION, LocalPace(1_000)
        )

    def add(self, *colours: str, scope: str = "pilot", **columns: Any) -> int:
        """Add a product with stored photos of these colours. Returns its id."""
        values = {"name": "SHIRT", "price": "99.00", "category": "woman-shirts", "index_scope": scope, **columns}
        number = len(execute(self.db, "SELECT 1 FROM raw_products")) + 1
        product = add_products(self.db, 1, first=number, **values)[0]
        self.set_photos(product, *colours)
        return product

    def set_photos(self, product: int, *colours: str) -> None:
        """Replace the stored photos of a product, as the originals stage does."""
        execute(self.db, "UPDATE raw_products SET image_status = 'pending' WHERE id = %s", product)
        execute(self.db, "DELETE FROM product_photos WHERE product_id = %s", product)
        for n, colour in enumerate(colours, 1):
            key = f"originals/zara/{product}/{n}.jpg"
            self.store.put(key, PHOTOS[colour], "image/jpeg")
            execute(
                self.db,
                "INSERT INTO product_photos VALUES (%s, %s, %s, 'stored', NULL, %s, encode(sha256(%s), 'hex'), 60, 60,"
                " 900, now())",
                product, n, f"https://cdn.test/{colour}-{n}.jpg", key, PHOTOS[colour],
            )  # fmt: skip
        urls = Jsonb([self.store.public_url(f"originals/zara/{product}/{n}.jpg") for n in range(1, len(colours) + 1)])
        status = "uploaded" if colours else "error"
        execute(
            self.db, "UPDATE raw_products SET image_status = %s, image_urls = %s WHERE id = %s", status, urls, product
        )

    def set(self, product: int, **columns: Any) -> None:
        for name, value in columns.items():
            execute(self.db, f"UPDATE raw_products SET {name} = %s WHERE id = %s", value, product)

    def run(self, **options: Any) -> StageReport:
        self.runs += 1
        stage = XimilarStage(self.api, self.store, self.db, take_limit=1_000, budget=self.budget)
        run_options = RunOptions(**{"root_run": str(self.runs), **options})
        return run_worker(stage, self.db, "zara", run_options, logging.getLogger("test"))

    def retry(self) -> StageReport:
        """Make every open retry due and run the stage."""
        execute(self.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
        return self.run()

    def collection(self) -> dict[str, dict[str, Any]]:
        """The records in the collection by `_id`."""
        body = self.api._request("allRecords?size=1000&page=1", {"fields_to_return": FIELDS})
        return {record["_id"]: record for record in body["answer_records"]}

    def status(self, product: int) -> tuple[str, int]:
        """ximilar_status and the number of synced URLs."""
        row = execute(self.db, "SELECT * FROM raw_products WHERE id = %s", product)[0]
        return row["ximilar_status"], len(row["ximilar_synced_urls"])

    def billed(self) -> int:
        return sum(one["billed"] for one in self.sandbox.log("ximilar.insert") if "billed" in one)

    def sent_records(self) -> list[str]:
        """The ids of all records in executed inserts."""
        return [id for one in self.sandbox.log("ximilar.insert") for id in one.get("ids", ())]
