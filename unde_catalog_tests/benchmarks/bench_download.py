"""Measures whether download slots are idle while work is due: 200 products x 5 photos, 200 ms each.

It takes about 25 s, with a real PostgreSQL and the real stage and loop. The host is a process that counts open
requests. The limit is 10 slots / 0.2 s = 50 photos per second. Exits with 1 if slots were idle.
"""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.photos.originals import OriginalsStage
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import add_products
from unde_catalog_tests.support.servers import wheel_server
from unde_catalog_tests.unit.drawn_photos import detailed, saved

LATENCY, SLOTS = 0.2, 10
LEAST_OPEN = 9.5


@dataclass(frozen=True, slots=True)
class Figures:
    """The mean number of open requests without the first and last 5 % of the time, and photos and CPU per second."""

    mean_open: float
    photos: int
    seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.mean_open:.2f} requests open of {SLOTS}, {self.photos / self.seconds:.1f} photos/s "
            f"(bound {SLOTS / LATENCY:.0f}), {1000 * self.cpu_seconds / self.photos:.1f} ms CPU a photo"
        )


def measure(products: int = 200, photos: int = 5) -> Figures:
    """Run the stage once for this number of new products."""
    settings = load_settings().model_copy(update={"photo_allow_private_hosts": True})
    brand = settings.brands["zara"].model_copy(
        update={"proxy_url": None, "concurrent_downloads": SLOTS, "download_delay_min": 0, "download_delay_max": 0}
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        slow_host() as url,
        wheel_server(18) as server,
        Database(server.new_database()) as db,
    ):
        add_products(db, products, original_image_urls=[f"{url}/{n}.jpg" for n in range(1, photos + 1)])
        stage = OriginalsStage("zara", brand, settings, directory_store(Path(folder) / "objects", None), db)
        began, cpu = time.perf_counter(), time.process_time()
        report = run_worker(stage, db, "zara", RunOptions(), logging.getLogger(__name__))
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
        assert (report.done, report.counts["photos_stored"]) == (products, products * photos), report.sentence()
        with urllib.request.urlopen(f"{url}/_log", timeout=10) as respond:
            log = json.load(respond)
    return Figures(mean_open(log), products * photos, seconds, cpu_seconds)


def mean_open(log: list[tuple[float, float]]) -> float:
    """The mean number of open requests, from the start and end of each request."""
    first, last = min(came for came, _ in log), max(went for _, went in log)
    begin, end = first + 0.05 * (last - first), last - 0.05 * (last - first)
    return sum(max(0.0, min(went, end) - max(came, begin)) for came, went in log) / (end - begin)


@contextmanager
def slow_host() -> Iterator[str]:
    """Run the host as a process. Yields its URL."""
    command = [sys.executable, "-m", "unde_catalog_tests.benchmarks.bench_download", "--host"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


async def serve() -> None:
    """Serve one small photo under every name after `LATENCY`. `/_log` has the start and end of each request."""
    photo, log = saved(detailed()), []

    async def respond(request: web.Request) -> web.StreamResponse:
        if request.path == "/_log":
            return web.json_response(log)
        came = time.monotonic()
        await asyncio.sleep(LATENCY)
        log.append((came, time.monotonic()))
        return web.Response(body=photo, content_type="image/jpeg")

    app = web.Application()
    app.router.add_get("/{path:.*}", respond)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


def main() -> int:
    """Print the figures. Returns 1 if slots were idle."""
    figures = measure()
    print(figures)
    return int(figures.mean_open < LEAST_OPEN)


if __name__ == "__main__":
    if sys.argv[1:] == ["--host"]:
        asyncio.run(serve())
    else:
        sys.exit(main())
