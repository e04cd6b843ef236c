"""Products of a brand, the host of their photos, and the originals stage, for tests."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.photos.originals import OriginalsStage
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.fake_time import FakeTime
from unde_catalog_tests.support.upstream import RemoteHost, remote_host, reply
from unde_catalog_tests.unit.drawn_photos import plain, saved

RED, GREEN, BLUE, WHITE, BLACK = (saved(plain(colour)) for colour in ("red", "green", "blue", "white", "black"))
COLOURS = (RED, GREEN, BLUE, WHITE, BLACK)
BUSY, GONE = reply(b"", "503 Busy"), reply(b"", "404 Not Found")


class PhotoCatalogue:
    """Products of a brand, the host of their photos, and the originals stage."""

    def __init__(self, db: Database, host: RemoteHost, folder: Path) -> None:
        self.db, self.host, self.runs = db, host, 0
        self.store, self.time = directory_store(folder), FakeTime()
        self.puts, self.full = 0, False
        self._original_put = self.store.put
        self.store.put = self._put

    def _put(self, key: str, data: bytes, content_type: str) -> None:
        if self.full and self.puts >= 3:
            raise StorageUnavailable("the disk is full")
        self.puts += 1
        self._original_put(key, data, content_type)

    def photos(self, *names: str) -> list[str]:
        return [self.host.url(f"/{name}") for name in names]

    def add(self, *names: str, count: int = 1) -> int:
        """Add products with these photos. Returns the id of the first."""
        return add_products(self.db, count, original_image_urls=self.photos(*names))[0]

    def set_photos(self, product: int, *names: str) -> None:
        """Replace the product's photo URLs, as a scrape does."""
        urls = Jsonb(self.photos(*names))
        execute(self.db, "UPDATE raw_products SET original_image_urls = %s WHERE id = %s", urls, product)

    def run(self, *, lease: timedelta | None = None, **options: Any) -> StageReport:
        self.runs += 1
        settings = load_settings().model_copy(update={"photo_allow_private_hosts": True})
        download_settings = {"max_retries": 0, "download_delay_min": 0, "download_delay_max": 0, "proxy_url": None}
        brand = settings.brands["zara"].model_copy(update=download_settings)
        stage = OriginalsStage("zara", brand, settings, self.store, self.db, self.time.clock)
        stage.lease = lease or stage.lease
        options = {"root_run": str(self.runs), **options}
        return run_worker(stage, self.db, "zara", RunOptions(**options), logging.getLogger("test"))

    def retry(self) -> StageReport:
        """Make every open retry due and run the stage."""
        execute(self.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
        return self.run()

    def product(self, product: int) -> dict[str, Any]:
        return execute(self.db, "SELECT * FROM raw_products WHERE id = %s", product)[0]

    def status(self, product: int) -> tuple[str, str | None]:
        row = self.product(product)
        return row["image_status"], row["error_message"]

    def rows(self, product: int) -> list[tuple[int, str, str | None]]:
        query = "SELECT n, state, reason FROM product_photos WHERE product_id = %s ORDER BY n"
        return [(row["n"], row["state"], row["reason"]) for row in execute(self.db, query, product)]

    def objects(self) -> dict[str, bytes]:
        """The stored photos by `<product number>/<photo number>`."""
        keys = sorted(info.key for info in self.store.list("originals/zara"))
        return {key.removeprefix("originals/zara/").removesuffix(".jpg"): self.store.get(key) for key in keys}

    def requested(self) -> list[str]:
        """The names of the photos requested since the last call, sorted."""
        requested = [path[1:] for path in self.host.paths()]
        self.host.requests.clear()
        return sorted(requested)


def stored(*numbers: int) -> list[tuple[int, str, None]]:
    return [(n, "stored", None) for n in numbers]


@contextmanager
def photo_catalogue(db: Database, folder: Path) -> Iterator[PhotoCatalogue]:
    """An empty catalogue, whose host serves five photos, `a` (red) to `e` (black)."""
    with remote_host() as host:
        for name, colour in zip("abcde", COLOURS, strict=True):
            host.respond(f"/{name}", reply(colour))
        yield PhotoCatalogue(db, host, folder / "objects")
