"""Fills the staging database with products, stock and the given embeddings.

It uses COPY without the trigger that makes new products due, since searching does not need it. The measurements are
in `bench_search.py`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import psycopg

from unde_catalog.stores.staging.index.embeddings import SIZE
from unde_catalog_tests.benchmarks.clustered import Photos

MODEL = "descriptor@1"  # the name given to the synthetic embeddings
BRANDS = ("zara", "bershka", "pullandbear", "stradivarius", "massimodutti", "oysho", "bakai")
CATEGORIES = 30
STORES = 20  # of a brand
MAX_PRICE = 1000
_SIZES = {True: '["S", "M"]', False: "[]"}
_IN_STOCK = 0.35  # share of a brand's products, per store
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of PostgreSQL's timestamps
_COPY_ROWS = 5_000  # rows per block of COPY

Matches = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The written products, one array element each. Ids are numbers + 1."""

    photos: Photos
    price: npt.NDArray[np.intp]
    stock: npt.NDArray[np.bool_]  # (products, SHOPS)

    def of(self, *brands: str) -> Matches:
        """The products of these brands."""
        return np.isin(self.photos.brand, [BRANDS.index(brand) for brand in brands])

    def category(self, number: int) -> Matches:
        """The products of this category."""
        return self.photos.category == number


def fill(connection: psycopg.Connection, photos: Photos) -> Catalogue:
    """Write everything except the embeddings. Needs a role that may disable triggers."""
    random = np.random.default_rng(2)
    products = len(photos.brand)
    price = random.integers(20, MAX_PRICE, products)
    stock = random.random((products, STORES)) < _IN_STOCK
    now = datetime.now(UTC)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        with cursor.copy(
            "COPY raw_products (id, source, external_id, brand, name, description, price, category,"
            " original_image_urls, image_urls, raw_data, scraped_at, image_status, index_scope) FROM STDIN"
        ) as copy:
            for number in range(products):
                brand = BRANDS[photos.brand[number]]
                urls = f'["https://cdn.test/{brand}/{number}.jpg"]'
                copy.write_row((
                    number + 1, f"apify_{brand}", f"{number:08}", brand, f"Garment {number}", "x" * 300, price[number],
                    f"category {photos.category[number]}", urls, urls, '{"description": "' + "x" * 300 + '"}', now,
                    "collage_ready", "pgvector",
                ))  # fmt: skip
        cursor.execute("SELECT setval('raw_products_id_seq', %s)", (products,))
    _fill_stock(connection, photos, stock, now)
    connection.execute("VACUUM ANALYZE raw_products, raw_availability")
    return Catalogue(photos, price, stock)


def _fill_stock(connection: psycopg.Connection, photos: Photos, stock: Matches, now: datetime) -> None:
    """Write a row per product and store of its brand, as a day of stock checks does."""
    indexes = connection.execute(
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'raw_availability' AND indexdef NOT LIKE '%(id)'"
    ).fetchall()
    names = connection.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'raw_availability' AND indexdef NOT LIKE '%(id)'"
    ).fetchall()
    with connection.transaction(), connection.cursor() as cursor:
        for (name,) in names:
            cursor.execute(f"DROP INDEX {name}".encode())
        with cursor.copy(
            "COPY raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at) FROM STDIN"
        ) as copy:
            for store in range(STORES):
                copy.write("".join(
                    f"{BRANDS[brand]}\t{store + 1}\t{number:08}\t{_SIZES[bool(has)]}\t{now.isoformat()}\n"
                    for number, (brand, has) in enumerate(zip(photos.brand, stock[:, store], strict=True))
                ))  # fmt: skip
        for (definition,) in indexes:
            cursor.execute(definition.encode())


def copy_embeddings(connection: psycopg.Connection, photos: Photos, first: int, last: int) -> None:
    """Write the embeddings of photos `first` up to but not including `last` in COPY's binary format."""
    row = np.dtype([
        ("columns", ">i2"),
        ("product_id_bytes", ">i4"), ("product_id", ">i8"),
        ("n_bytes", ">i4"), ("n", ">i2"),
        ("model_bytes", ">i4"), ("model", f"S{len(MODEL)}"),
        ("slot_bytes", ">i4"), ("slot", ">i2"),
        ("sha256_bytes", ">i4"), ("sha256", "S64"),
        ("at_bytes", ">i4"), ("at", ">i8"),
        ("embedding_bytes", ">i4"), ("size", ">i2"), ("unused", ">i2"), ("embedding", ">f2", (SIZE,)),
    ])  # fmt: skip
    now = int((datetime.now(UTC) - _EPOCH).total_seconds() * 1e6)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        with cursor.copy("COPY product_embeddings FROM STDIN (FORMAT binary)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            for at in range(first, last, _COPY_ROWS):
                numbers = np.arange(at, min(at + _COPY_ROWS, last))
                rows = np.zeros(len(numbers), row)
                rows["columns"] = 7
                for name, size in (("product_id", 8), ("n", 2), ("model", len(MODEL)), ("slot", 2), ("sha256", 64),
                                   ("at", 8), ("embedding", 4 + 2 * SIZE)):  # fmt: skip
                    rows[f"{name}_bytes"] = size
                rows["product_id"] = numbers // photos.per_product + 1
                rows["n"] = numbers % photos.per_product + 1
                rows["model"] = MODEL.encode()
                rows["sha256"] = [b"%064d" % number for number in numbers]
                rows["at"] = now
                rows["size"] = SIZE
                rows["embedding"] = photos.vectors[numbers]
                copy.write(rows.tobytes())
            copy.write(b"\xff\xff")
