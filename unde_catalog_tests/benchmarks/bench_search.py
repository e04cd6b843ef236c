"""Measures searches of 235,000 embeddings of 47,000 products through the API. It takes about four minutes.

The embeddings are clustered like real ones (`clustered.py`), each product has stock in 20 stores of its brand, and
PostgreSQL has the settings of production. `GET .../similar` searches by a stored embedding, so that nothing is
embedded. The clients are processes on the same cores. The expected results come from an exact comparison with numpy.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlencode

import httpx
import numpy as np
import psycopg
from PIL import Image

from unde_catalog.stages.visual_index.pgvector import PgvectorStore
from unde_catalog.stages.visual_index.vector_store import PhotoVector
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index import models
from unde_catalog.stores.staging.index.product_filters import EVERYTHING, Filters, StoreKey
from unde_catalog_tests.benchmarks import clustered, search_catalogue
from unde_catalog_tests.benchmarks.search_catalogue import BRANDS, MODEL, Catalogue, Matches
from unde_catalog_tests.benchmarks.search_client import send_requests
from unde_catalog_tests.benchmarks.search_server import production_like_server
from unde_catalog_tests.support.servers import Server

PRODUCTS, PHOTOS = 47_000, 5
TOP_K = 20
EXAMPLES = 40  # products used as queries
ROUNDS = 3
CLIENTS = (1, 8)
UPSERTED = 200  # products added after the index is built
GOALS = {1: 15.0, 8: 60.0}  # ms of p50 by number of clients
BY_IMAGE_GOAL, RECALL_GOAL = 150.0, 0.97


@dataclass(frozen=True, slots=True)
class Case:
    """Filters of a search, as in a request, and the products that match."""

    name: str
    filters: Filters
    query: str
    matching: Matches


def cases(catalogue: Catalogue) -> list[Case]:
    """No filter, and filters that some, few, and distant products match."""
    shares = np.bincount(catalogue.photos.category) / len(catalogue.price)
    some = int(np.argmin(abs(shares - 0.03)))
    many = int(np.argmax(shares))
    zara, oysho = catalogue.of("zara"), catalogue.of("oysho")
    prices = (catalogue.price >= 100) & (catalogue.price <= 490)
    expected = [
        ("none", EVERYTHING, {}, np.ones(len(catalogue.price), bool)),
        ("brand", Filters(brands=("stradivarius",)), {"brand": "stradivarius"}, catalogue.of("stradivarius")),
        (
            "brand and price", Filters(brands=("zara",), price_from=Decimal(100), price_to=Decimal(490)),
            {"brand": "zara", "price_from": 100, "price_to": 490}, zara & prices,
        ),
        ("category", Filters(categories=(f"category {some}",)), {"category": f"category {some}"},
         catalogue.category(some)),
        ("big category", Filters(categories=(f"category {many}",)), {"category": f"category {many}"},
         catalogue.category(many)),
        ("in stock at a shop", Filters(in_stock_at=StoreKey("zara", 1)), {"shop": "zara:1"},
         zara & catalogue.stock[:, 0]),
        ("in stock, small brand", Filters(in_stock_at=StoreKey("oysho", 1)), {"shop": "oysho:1"},
         oysho & catalogue.stock[:, 0]),
    ]  # fmt: skip
    return [Case(name, filters, urlencode(query), matching) for name, filters, query, matching in expected]


def upsert(store: PgvectorStore, photos: clustered.Photos, first: int) -> float:
    """Add the photos from `first` on to the existing index, one product at a time. Returns photos per second."""
    began = time.perf_counter()
    for at in range(first, len(photos.vectors), PHOTOS):
        product = at // PHOTOS
        store.upsert(MODEL, [
            PhotoVector(product + 1, "", "", "", None, None, n + 1, f"{at + n:064}", photos.vectors[at + n].tolist())
            for n in range(PHOTOS)
        ])  # fmt: skip
    return (len(photos.vectors) - first) / (time.perf_counter() - began)


@contextmanager
def serving(url: str, home: Path) -> Iterator[tuple[str, int]]:
    """Run the API as a process. Yields its URL and process id."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "UNDE_HOME": str(home), "STAGING_DB_URL": url, "EMBEDDING_MODEL": "descriptor", "SEARCH_RATE_PER_MINUTE": "0",
    }  # fmt: skip
    command = [Path(sys.executable).with_name("unde-catalog"), "search", "serve", "--port", "0"]
    process = subprocess.Popen(command, env=environment, cwd=home, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if "ready at " in line), None)
        assert line is not None, "the API did not start"
        threading.Thread(target=process.stdout.read, daemon=True).start()  # one line per request
        yield line.split("ready at ")[1].split('"')[0], process.pid
    finally:
        process.terminate()
        process.wait(60)


def megabytes(pid: int) -> float:
    """The memory of a process and its children, with shared pages counted once (PSS)."""
    total = 0.0
    for process in (pid, *_children(pid)):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000
    return total


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def recall_of(found: Sequence[int], truth: clustered.Ids) -> float:
    """The share of the expected products that were found."""
    return len(set(found) & set(truth.tolist())) / len(truth)


def measure_requests(url: str, catalogue: Catalogue, expected: Sequence[Case]) -> None:
    """Measure each case with one client and with several in turn. Prints medians of the rounds."""
    random = np.random.default_rng(3)
    examples = random.choice(PRODUCTS - UPSERTED, EXAMPLES, replace=False)
    titles = "".join(
        f"{title:>10}" for title in ("matching", "clients", "p50 ms", "p95 ms", "search ms", "a second", "recall@20")
    )
    print(f"  {'filter':22}{titles}  goals")
    for case in expected:
        truth = {}
        for example in examples:
            matching = case.matching.copy()
            matching[example] = False
            truth[f"{example:08}"] = catalogue.photos.exact(catalogue.photos.vectors[example * PHOTOS], matching, TOP_K)
        paths = [f"/api/v1/products/{name}/similar?top_k={TOP_K}&{case.query}" for name in truth]
        send_requests(url, [paths[:10]])
        for clients in CLIENTS:
            rounds = [send_requests(url, [paths[at:] + paths[:at] for at in range(clients)]) for _ in range(ROUNDS)]
            p50, p95 = (
                statistics.median(np.percentile(one.seconds, part) for one in rounds) * 1000 for part in (50, 95)
            )
            search = statistics.median(response["took_ms"]["search"] for one in rounds for _, response in one.responses)
            rate = statistics.median(len(one.seconds) / one.took for one in rounds)
            recall = statistics.mean(
                recall_of(
                    [int(found["product"]["external_id"]) for found in response["results"]], truth[path.split("/")[4]]
                )
                for path, response in rounds[0].responses
            )
            reached = f"p50 {_yes(p50 < GOALS[clients])}, recall {_yes(recall >= RECALL_GOAL)}"
            figures = (
                f"{case.matching.sum():10,}{clients:10}{p50:10.1f}{p95:10.1f}{search:10.1f}{rate:10.0f}{recall:10.3f}"
            )
            print(f"  {case.name:22}{figures}  {reached}", flush=True)


def measure_new_photos(store: PgvectorStore, catalogue: Catalogue, expected: Sequence[Case]) -> None:
    """Measure recall for query photos that are not in the index, such as a user's own."""
    print("  recall@20 by photos that are not in the index:")
    for case in expected:
        recall = statistics.mean(
            recall_of(
                [hit.product_id - 1 for hit in store.search(MODEL, query.tolist(), case.filters, TOP_K)],
                catalogue.photos.exact(query, case.matching, TOP_K),
            )
            for query in catalogue.photos.queries
        )
        print(f"    {case.name:24}{recall:9.3f}  {_yes(recall >= RECALL_GOAL)}", flush=True)


def measure_by_image(url: str) -> None:
    """Measure searches by an uploaded photo of a phone's screen size, embedded by the descriptor."""
    across, down = np.meshgrid(np.linspace(0, 255, 900), np.linspace(0, 255, 1200))
    picture = np.stack([across, down, (across + down) / 2], -1).astype(np.uint8)
    sent = BytesIO()
    Image.fromarray(picture).save(sent, "JPEG", quality=90)
    seconds = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for _ in range(EXAMPLES):
            began = time.perf_counter()
            response = client.post(
                "/api/v1/search/by-image", files={"file": ("photo.jpg", sent.getvalue(), "image/jpeg")}
            )
            seconds.append(time.perf_counter() - began)
            response.raise_for_status()
    p50, p95 = (float(np.percentile(seconds, part)) * 1000 for part in (50, 95))
    print(f"  by a photo of 900 x 1200, end to end: p50 {p50:.0f} ms, p95 {p95:.0f} ms  {_yes(p50 < BY_IMAGE_GOAL)}")


def measure_numpy(photos: clustered.Photos) -> None:
    """Measure an exact comparison without a database, on all cores."""
    everything = np.ones(PRODUCTS, bool)
    times = []
    for query in photos.queries:
        began = time.perf_counter()
        photos.exact(query, everything, TOP_K)
        times.append(time.perf_counter() - began)
    took, held = statistics.median(times) * 1000, photos.vectors.nbytes / 1e6
    print(
        f"  for comparison, numpy compares all in {took:.0f} ms, without filters or a server, and holds {held:.0f} MB"
    )


def _run_step(connection: psycopg.Connection, query: LiteralString) -> str:
    row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])


def _yes(reached: bool) -> str:
    return "yes" if reached else "NO"


def measure(server: Server, home: Path) -> None:
    """Fill a database, measure searches and print the figures."""
    photos = clustered.photos(PRODUCTS, PHOTOS, EXAMPLES, brands=len(BRANDS), categories=search_catalogue.CATEGORIES)
    url = server.new_database()
    at_first = (PRODUCTS - UPSERTED) * PHOTOS
    began = time.perf_counter()
    with Database(url) as db, psycopg.connect(url, autocommit=True) as owner:
        db.run(models.begin, MODEL)
        catalogue = search_catalogue.fill(owner, photos)
        owner.execute("DROP INDEX idx_product_embeddings_0")
        search_catalogue.copy_embeddings(owner, photos, 0, at_first)
        print(f"  {PRODUCTS:,} products and {at_first:,} embeddings loaded in {time.perf_counter() - began:.0f} s")
        store = PgvectorStore(db, server.past_poolers(url))
        began = time.perf_counter()
        store.rebuild(MODEL)
        built = time.perf_counter() - began
        print(f"  rebuilt in {built:.0f} s: {at_first / built:,.0f} photos a second", flush=True)
        print(f"  {PHOTOS * UPSERTED:,} photos upserted: {upsert(store, photos, at_first):,.0f} a second", flush=True)
        owner.execute("VACUUM ANALYZE product_embeddings")
        expected = cases(catalogue)
        postmaster = int((Path(_run_step(owner, "SHOW data_directory")) / "postmaster.pid").read_text().split()[0])
        with serving(url, home) as (api, pid):
            measure_requests(api, catalogue, expected)
            measure_by_image(api)
            shared = _run_step(owner, "SHOW shared_buffers")
            print(
                f"  memory: the API {megabytes(pid):.0f} MB, PostgreSQL {megabytes(postmaster):.0f} MB, shared {shared}"
            )
        index = _run_step(owner, "SELECT pg_relation_size('idx_product_embeddings_0') / 1000000")
        table = _run_step(owner, "SELECT pg_table_size('product_embeddings') / 1000000")
        print(f"  on disk: the index {index} MB, the embeddings {table} MB")
        measure_new_photos(store, catalogue, expected)
        measure_numpy(photos)
    server.drop(url)


def main() -> None:
    """Print the figures."""
    before = os.getloadavg()[0]
    print(f"{PRODUCTS * PHOTOS:,} photos, top {TOP_K}, {os.cpu_count()} cores, load average before: {before:.1f}")
    with tempfile.TemporaryDirectory(prefix="unde-search-") as home, production_like_server() as server:
        measure(server, Path(home))
    print(f"  load average after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
