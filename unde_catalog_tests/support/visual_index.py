"""Products with stored photos, and the visual_index stage, for tests."""

import logging
from typing import Any

from PIL import Image, ImageDraw
from psycopg.types.json import Jsonb

from unde_catalog.backends import Backends
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.unit.drawn_photos import saved


def _drawn(colour: str) -> bytes:
    image = Image.new("RGB", (80, 100), "white")
    ImageDraw.Draw(image).rectangle((20, 20, 60, 90), fill=colour)
    return saved(image)


PHOTOS = {name: _drawn(name) for name in ("red", "green", "blue", "black", "orange")}


class VisualCatalogue:
    """Products in the scope of the index."""

    def __init__(self, backends: Backends) -> None:
        self.backends, self.db, self.runs = backends, backends.db, 0

    def add(self, *colours: str, scope: str = "pgvector", **columns: Any) -> int:
        """Add a product with stored photos of these colours. Returns its id."""
        number = len(execute(self.db, "SELECT 1 FROM raw_products")) + 1
        values = {"index_scope": scope, "category": "dress", "price": 100, **columns}
        product = add_products(self.db, 1, first=number, **values)[0]
        self.set_photos(product, *colours)
        return product

    def set_photos(self, product: int, *colours: str) -> None:
        """Replace the stored photos of a product, as the originals stage does."""
        execute(self.db, "UPDATE raw_products SET image_status = 'pending' WHERE id = %s", product)
        execute(self.db, "DELETE FROM product_photos WHERE product_id = %s", product)
        for n, colour in enumerate(colours, 1):
            self.store(product, n, PHOTOS[colour])
        urls = Jsonb([self.backends.store.public_url(self.key(product, n)) for n in range(1, len(colours) + 1)])
        status = "uploaded" if colours else "error"
        execute(
            self.db, "UPDATE raw_products SET image_status = %s, image_urls = %s WHERE id = %s", status, urls, product
        )

    def store(self, product: int, n: int, data: bytes) -> None:
        key = self.key(product, n)
        self.backends.store.put(key, data, "image/jpeg")
        execute(
            self.db,
            "INSERT INTO product_photos VALUES (%s, %s, 'https://cdn.test/1.jpg', 'stored', NULL, %s,"
            " encode(sha256(%s), 'hex'), 80, 100, 900, now()) ON CONFLICT (product_id, n) DO UPDATE SET"
            " sha256 = excluded.sha256, fetched_at = excluded.fetched_at",
            product, n, key, data,
        )  # fmt: skip

    def key(self, product: int, n: int) -> str:
        return f"originals/zara/{product}/{n}.jpg"

    def set(self, product: int, **columns: Any) -> None:
        for name, value in columns.items():
            execute(self.db, f"UPDATE raw_products SET {name} = %s WHERE id = %s", value, product)

    def run(self, brand: str = "zara", **options: Any) -> StageReport:
        self.runs += 1
        run_options = RunOptions(**{"root_run": str(self.runs), **options})
        return run_stage("visual_index", StageRun(brand, self.backends, run_options, logging.getLogger("test")))

    def retry(self) -> StageReport:
        """Make every open retry due and run the stage."""
        execute(self.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
        return self.run()

    def rows(self, product: int) -> list[tuple[int, str]]:
        """Position and model of the product's embeddings."""
        query = "SELECT n, model FROM product_embeddings WHERE product_id = %s ORDER BY model, n"
        return [(row["n"], row["model"]) for row in execute(self.db, query, product)]
