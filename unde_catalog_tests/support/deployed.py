"""A system as it was deployed before this project: its schema and roles, rows in all states, objects, Ximilar records.

The tables are those of docs/reference/schema.md without what this project added. Where the real schema and statements
lie beside the project, tests take them word for word; this module describes the same facts in its own words.
"""

import io
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import psycopg
from PIL import Image

BUCKET_URL = "https://unde-images.hel1.your-objectstorage.com"
ROLES = ("apify", "downloader", "ximilar", "collage", "scraper")
BRANDS = ("zara", "bershka", "pullandbear", "stradivarius", "massimodutti", "oysho")
PHOTOS = 4  # a product
COLLECTION = "sandbox-fashion-new"

RAW_PRODUCTS = """
CREATE TABLE raw_products (
    id BIGSERIAL PRIMARY KEY, source VARCHAR(50) NOT NULL, external_id VARCHAR(100) NOT NULL,
    brand VARCHAR(50) NOT NULL, name TEXT, description TEXT, price DECIMAL(10,2), currency VARCHAR(10) DEFAULT 'AED',
    category TEXT, colour VARCHAR(100), sizes JSONB, composition TEXT, original_image_urls JSONB, image_urls JSONB,
    collage_url TEXT, raw_data JSONB, scraped_at TIMESTAMPTZ NOT NULL, image_status VARCHAR(20) DEFAULT 'pending',
    sync_status VARCHAR(20) DEFAULT 'pending', ximilar_status VARCHAR(20) DEFAULT 'pending',
    ximilar_synced_at TIMESTAMPTZ, index_scope TEXT DEFAULT 'off', ximilar_synced_urls JSONB DEFAULT '[]',
    ximilar_target_count SMALLINT DEFAULT 2, synced_at TIMESTAMPTZ, error_message TEXT,
    created_at TIMESTAMPTZ DEFAULT NOW(), updated_at TIMESTAMPTZ DEFAULT NOW(), UNIQUE (source, external_id)
);
"""
SCHEMA = f"""{RAW_PRODUCTS}
CREATE TABLE raw_availability (
    id BIGSERIAL PRIMARY KEY, brand VARCHAR(50) NOT NULL, store_id INTEGER NOT NULL, product_id VARCHAR(100) NOT NULL,
    sizes_in_stock JSONB NOT NULL, fetched_at TIMESTAMPTZ NOT NULL, created_at TIMESTAMPTZ DEFAULT NOW()
);
CREATE FUNCTION to_date_immutable(ts TIMESTAMPTZ) RETURNS DATE AS $$ SELECT (ts AT TIME ZONE 'UTC')::date; $$
LANGUAGE SQL IMMUTABLE;
CREATE UNIQUE INDEX idx_raw_availability_unique_daily
    ON raw_availability (brand, store_id, product_id, to_date_immutable(fetched_at));
CREATE TABLE raw_stores (
    id SERIAL PRIMARY KEY, brand VARCHAR(50) NOT NULL, store_id INTEGER NOT NULL, name TEXT, address TEXT,
    city VARCHAR(100) DEFAULT 'Dubai', country VARCHAR(10) DEFAULT 'AE', mall_name TEXT, latitude DECIMAL(10,7),
    longitude DECIMAL(10,7), created_at TIMESTAMPTZ DEFAULT NOW(), UNIQUE (brand, store_id)
);
CREATE TABLE scraper_logs (
    id BIGSERIAL PRIMARY KEY, scraper_name VARCHAR(100) NOT NULL, run_id VARCHAR(100), status VARCHAR(20) NOT NULL,
    records_fetched INTEGER DEFAULT 0, records_new INTEGER DEFAULT 0, records_updated INTEGER DEFAULT 0,
    records_errors INTEGER DEFAULT 0, started_at TIMESTAMPTZ NOT NULL, completed_at TIMESTAMPTZ,
    duration_seconds INTEGER, error_message TEXT, metadata JSONB, created_at TIMESTAMPTZ DEFAULT NOW()
);
CREATE INDEX idx_raw_products_brand ON raw_products (brand);
CREATE INDEX idx_raw_products_image_status ON raw_products (image_status);
CREATE INDEX idx_raw_products_sync_status ON raw_products (sync_status);
CREATE INDEX idx_raw_products_ximilar_status ON raw_products (ximilar_status);
CREATE INDEX idx_raw_products_external_id ON raw_products (external_id);
CREATE INDEX idx_raw_products_scraped_at ON raw_products (scraped_at);
CREATE INDEX idx_raw_availability_brand_store ON raw_availability (brand, store_id);
CREATE INDEX idx_raw_availability_product ON raw_availability (product_id);
CREATE INDEX idx_raw_availability_fetched ON raw_availability (fetched_at);
CREATE INDEX idx_raw_availability_lookup ON raw_availability (brand, store_id, product_id, fetched_at DESC);
CREATE INDEX idx_raw_availability_brand_product ON raw_availability (brand, product_id);
CREATE INDEX idx_scraper_logs_name ON scraper_logs (scraper_name);
CREATE INDEX idx_scraper_logs_started ON scraper_logs (started_at DESC);
"""

# The deployed services' rights, before anybody narrowed them.
RIGHTS = f"""
GRANT SELECT, INSERT, UPDATE ON raw_products, raw_availability, raw_stores, scraper_logs TO {", ".join(ROLES)};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {", ".join(ROLES)};
"""


@dataclass(slots=True)
class DeployedProduct:
    """A product as the deployed services left it. `stored`: photo numbers whose objects are there and whole."""

    brand: str
    external_id: str
    image_status: str
    index_scope: str
    stored: list[int]
    synced: list[int]
    has_collage: bool
    ximilar_status: str = "pending"

    def key(self, n: int) -> str:
        return f"originals/{self.brand}/{self.external_id}/{n}.jpg"

    @property
    def collage(self) -> str:
        return f"collages/{self.brand}/{self.external_id}.jpg"

    @property
    def names_photos(self) -> bool:
        return self.image_status in ("uploaded", "collage_ready")


@dataclass(slots=True)
class Deployed:
    """What was deployed: the products, by what should become of them."""

    products: list[DeployedProduct] = field(default_factory=list)

    def complete(self) -> list[DeployedProduct]:
        """Products whose photos are all stored: nothing of theirs may be fetched again."""
        return [one for one in self.products if one.names_photos and len(one.stored) == PHOTOS]


def make_products(number: int, with_objects: int, seed: int = 1) -> Deployed:
    """Products in all states; the first `with_objects` have photos in the bucket, one in 40 of them damaged or lost."""
    rng, made = random.Random(seed), Deployed()
    for n in range(number):
        brand = BRANDS[n % len(BRANDS)]
        if n < with_objects:
            status = rng.choices(["collage_ready", "uploaded"], [3, 1])[0]
            stored = [i for i in range(1, PHOTOS + 1) if rng.random() > 1 / 40]
        else:
            status, stored = rng.choices(["pending", "error"], [9, 1])[0], []
        scope = rng.choices(["off", "pilot", "pgvector"], [6, 3, 1])[0]
        synced, ximilar = [], "pending"
        if scope == "pilot" and status in ("uploaded", "collage_ready"):
            ximilar = rng.choice(["synced", "synced", "partial", "pending", "error"])
            synced = {"synced": [1, 2], "partial": [1]}.get(ximilar, [])
        made.products.append(
            DeployedProduct(
                brand, str(500_000_000 + n), status, scope, stored, synced,
                status == "collage_ready" and rng.random() > 1 / 40, ximilar,
            )
        )  # fmt: skip
    return made


def fill_database(url: str, deployed: Deployed, photo_host: str, schema: str = SCHEMA) -> None:
    """Create schema, roles, rights and rows; `photo_host` serves the sources' photos."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(schema.encode())
        for role in ROLES:
            exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            if not exists:
                connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        connection.execute(RIGHTS.encode())
        columns = "source, external_id, brand, name, price, category, original_image_urls, image_urls, collage_url,"
        columns += (
            " image_status, index_scope, ximilar_status, ximilar_synced_urls, scraped_at, raw_data, error_message"
        )
        with connection.cursor().copy(f"COPY raw_products ({columns}) FROM STDIN".encode()) as copy:
            for one in deployed.products:
                copy.write_row(_row(one, photo_host))
        connection.execute("ANALYZE raw_products")


def _row(one: DeployedProduct, photo_host: str) -> tuple[object, ...]:
    numbers = range(1, PHOTOS + 1)
    sources = [f"{photo_host}/_any/{one.brand}/{one.external_id}-{n}.jpg" for n in numbers]
    urls = json.dumps([f"{BUCKET_URL}/{one.key(n)}" for n in numbers]) if one.names_photos else None
    collage = f"{BUCKET_URL}/{one.collage}" if one.image_status == "collage_ready" else None
    synced = json.dumps([f"{BUCKET_URL}/{one.key(n)}" for n in one.synced])
    error = "TimeoutError" if one.image_status == "error" else None
    return (
        f"apify_{one.brand}", one.external_id, one.brand, f"Product {one.external_id}", "99.00", "woman-shirts",
        json.dumps(sources), urls, collage, one.image_status, one.index_scope, one.ximilar_status, synced,
        "2026-11-01T00:00:00Z", "{}", error,
    )  # fmt: skip


def store_objects(bucket: Path, deployed: Deployed, seed: int = 1) -> int:
    """Write the objects below a folder; returns their number. One lost photo in three is there, cut short."""
    rng, count = random.Random(seed), 0
    pictures = [_jpeg((40 * i % 256, 90, 200), 60 + 2 * i) for i in range(64)]
    for one in deployed.products:
        if not one.names_photos:
            continue
        for n in range(1, PHOTOS + 1):
            body = pictures[rng.randrange(64)]
            if n in one.stored or rng.random() < 1 / 3:
                _write(bucket / one.key(n), body if n in one.stored else body[: len(body) // 2])
                count += 1
        if one.has_collage:
            _write(bucket / one.collage, pictures[rng.randrange(64)])
            count += 1
    return count


def insert_records(state: Path, deployed: Deployed) -> int:
    """Put the deployed service's records into the sandbox's Ximilar, before it is started; returns their number."""
    state.mkdir(parents=True, exist_ok=True)
    rows = [
        (COLLECTION, f"{one.external_id}_{n}", json.dumps({
            "_url": f"{BUCKET_URL}/{one.key(n)}", "sku_id": one.external_id, "brand": one.brand,
        }), b"")
        for one in deployed.products for n in one.synced
    ]  # fmt: skip
    with sqlite3.connect(state / "ximilar.sqlite") as db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS records (position INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL,"
            " id TEXT NOT NULL, fields TEXT NOT NULL, look BLOB NOT NULL, UNIQUE (collection, id))"
        )
        db.executemany("INSERT INTO records (collection, id, fields, look) VALUES (?, ?, ?, ?)", rows)
    return len(rows)


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def _jpeg(colour: tuple[int, int, int], width: int) -> bytes:
    body = io.BytesIO()
    image = Image.linear_gradient("L").resize((width, 90)).convert("RGB")
    Image.blend(image, Image.new("RGB", image.size, colour), 0.5).save(body, "JPEG", quality=80)
    return body.getvalue()


@dataclass(slots=True)
class OldServices:
    """The deployed services at work: what they sent, and what was refused."""

    sent: int = 0
    refused: list[str] = field(default_factory=list)


@contextmanager
def old_services(url: str, bucket: Path, photo_host: str) -> Iterator[OldServices]:
    """All deployed services work, each as its own role, on products of their own, until the context ends."""
    services, stop = OldServices(), Event()
    body = _jpeg((10, 200, 90), 80)

    def work() -> None:
        number = 0
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            while not stop.wait(0.05):
                number += 1
                for role, statement, values in _cycle(str(900_000_000 + number % 50), bucket, photo_host, body):
                    try:
                        with connection.transaction():
                            connection.execute(f"SET LOCAL ROLE {role}".encode())
                            connection.execute(statement.encode(), values)
                        services.sent += 1
                    except psycopg.Error as error:
                        services.refused.append(f"{role}: {error}")

    thread = Thread(target=work)
    thread.start()
    try:
        yield services
    finally:
        stop.set()
        thread.join(60)


def _cycle(
    external_id: str, bucket: Path, photo_host: str, body: bytes
) -> Iterator[tuple[str, str, tuple[object, ...]]]:
    """A product's way through the deployed services: (role, statement, values)."""
    photo, collage = f"originals/zara/{external_id}/1.jpg", f"collages/zara/{external_id}.jpg"
    yield (
        "apify",
        "INSERT INTO raw_products (source, external_id, brand, name, price, currency, category, colour, sizes,"
        " composition, description, original_image_urls, image_status, raw_data, scraped_at)"
        " VALUES ('apify_zara', %s, 'zara', 'A blazer', 699.00, 'AED', 'woman-outerwear', 'Black', '\"XS, S\"',"
        " '{}', 'Long', %s, 'pending', '{}', NOW())"
        " ON CONFLICT (source, external_id) DO UPDATE SET name = EXCLUDED.name, price = EXCLUDED.price,"
        " original_image_urls = EXCLUDED.original_image_urls, raw_data = EXCLUDED.raw_data,"
        " scraped_at = EXCLUDED.scraped_at, updated_at = NOW()",
        (external_id, json.dumps([f"{photo_host}/_any/zara/{external_id}-1.jpg"])),
    )
    yield (
        "downloader",
        "SELECT id, external_id, brand, original_image_urls FROM raw_products WHERE image_status = 'pending' LIMIT 200",
        (),
    )
    _write(bucket / photo, body)
    yield (
        "downloader",
        "UPDATE raw_products SET image_urls = %s, image_status = 'uploaded', updated_at = NOW() WHERE external_id = %s",
        (json.dumps([f"{BUCKET_URL}/{photo}"]), external_id),
    )
    yield (
        "ximilar",
        "SELECT id, external_id, brand, name, category, price, image_urls, ximilar_synced_urls, ximilar_target_count"
        " FROM raw_products WHERE image_status IN ('uploaded', 'collage_ready')"
        " AND ximilar_status IN ('pending', 'partial') AND index_scope = 'pilot' LIMIT 1000",
        (),
    )
    yield (
        "ximilar",
        "UPDATE raw_products SET ximilar_status = 'error', error_message = '503' WHERE external_id = %s",
        (external_id,),
    )
    yield (
        "collage",
        "SELECT id, external_id, brand, image_urls FROM raw_products WHERE external_id = %s"
        " AND image_status = 'uploaded'",
        (external_id,),
    )
    _write(bucket / collage, body)
    yield (
        "collage",
        "UPDATE raw_products SET collage_url = %s, image_status = 'collage_ready', updated_at = NOW()"
        " WHERE external_id = %s",
        (f"{BUCKET_URL}/{collage}", external_id),
    )
