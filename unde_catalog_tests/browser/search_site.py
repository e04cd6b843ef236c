"""A small catalogue of drawn garments, embedded and served by `unde-catalog search serve`, for tests of its page."""

import hashlib
import io
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from unde_catalog.backends import Backends
from unde_catalog.sandbox.photos import garments
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.servers import Server

HOSTILE_NAME = "<img src=x onerror=alert(1)>"
CUTS = {"dress": "slip dress", "coat": "coat", "jeans": "jeans"}
COLOURS = ("Red", "Emerald", "Blue", "Black")
BRANDS = ("zara", "oysho")
ARTICLE = "01023542-V2026"  # of the first dress
BRAND_PAGE = "https://www.zara.com/ae/en/slip-dress-p01023542.html"  # of the first dress
STORES = 7  # of the first brand, each with the first dress in stock
_PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


@cache
def draw(cut: str, colour: str, width: int = 200) -> Image.Image:
    """A single garment on a plain background, 2:3."""
    return garments.picture(cut, colour, "Black", "plain", "p", 1).resize((width, width * 3 // 2))


def jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


class SearchSite:
    """A served catalogue. `names`: the products' names in catalogue order."""

    def __init__(self, url: str, db: Database, names: list[str]) -> None:
        self.url, self.db, self.names = url, db, names


@contextmanager
def open_search_site(server: Server, home: Path, *, few: bool = False, **environment: str) -> Iterator[SearchSite]:
    """Serves until the context ends. `few`: only one dress of each colour."""
    database_url = server.new_database()
    settings = {
        "UNDE_HOME": str(home), "STAGING_DB_URL": database_url, "SEARCH_RATE_PER_MINUTE": "0", **environment,
    }  # fmt: skip
    with ExitStack() as stack:
        stack.callback(server.drop, database_url)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home)  # no .env of the developer
            for name, value in settings.items():
                patch.setenv(name, value)
            backends = stack.enter_context(Backends(load_settings()))
        names = _fill(backends, few)
        url = stack.enter_context(_serve(home, settings))
        yield SearchSite(url, backends.db, names)


def _fill(backends: Backends, few: bool) -> list[str]:
    names = []
    for cut_index, (category, cut) in enumerate(list(CUTS.items())[: 1 if few else None]):
        for colour_index, colour in enumerate(COLOURS):
            number = len(names) + 1
            name = HOSTILE_NAME if (category, colour) == ("coat", "Black") else f"{colour} {cut}"
            columns: dict[str, Any] = {
                "name": name, "category": category, "colour": colour, "currency": "AED",
                "price": 100 * (cut_index + 1) + 10 * colour_index, "index_scope": "pgvector",
            }  # fmt: skip
            (product,) = add_products(backends.db, 1, BRANDS[colour_index % 2], first=number, **columns)
            _store(backends, product, jpeg(draw(cut, colour)))
            names.append(name)
    item = f'{{"reference": "{ARTICLE}", "url": "{BRAND_PAGE}"}}'
    execute(backends.db, "UPDATE raw_products SET raw_data = %s::jsonb WHERE external_id = '1'", item)
    with ThreadPoolExecutor(1) as thread:  # Playwright may run an event loop in this one
        for brand in BRANDS:
            options, log = RunOptions(root_run="1"), logging.getLogger("test")
            thread.submit(run_stage, "visual_index", StageRun(brand, backends, options, log)).result()
    execute(
        backends.db,
        "INSERT INTO raw_stores (brand, store_id, name) SELECT 'zara', n, 'Mall ' || n FROM generate_series(1, %s) n",
        STORES,
    )
    execute(
        backends.db,
        "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
        " SELECT 'zara', n, '1', '[\"S\", \"M\"]', now() FROM generate_series(1, %s) n",
        STORES,
    )
    return names


def _store(backends: Backends, product: int, photo: bytes) -> None:
    key = f"originals/site/{product}/1.jpg"
    backends.store.put(key, photo, "image/jpeg")
    execute(
        backends.db,
        "INSERT INTO product_photos VALUES (%s, 1, 'https://cdn.test/1.jpg', 'stored', NULL, %s, %s, 200, 300, %s,"
        " now())",
        product, key, hashlib.sha256(photo).hexdigest(), len(photo),
    )  # fmt: skip
    urls = f'["{backends.store.public_url(key)}"]'
    execute(
        backends.db, "UPDATE raw_products SET image_status = 'uploaded', image_urls = %s WHERE id = %s", urls, product
    )


@contextmanager
def _serve(home: Path, settings: dict[str, str]) -> Iterator[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [_PROGRAM, "search", "serve", "--port", "0"],
            cwd=home, env={**inherited, **settings}, stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "ready at http://" in line:
                    url = "http://" + line.split("ready at http://")[1].split('"')[0]
                    break
            else:
                stderr.seek(0)
                raise AssertionError(f"the server exited: {stderr.read().decode()[-2000:]}")
            threading.Thread(target=process.stdout.read, daemon=True).start()  # drains one log line per request
            yield url
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(300)
