"""Measures searches by words among 200,000 products, in the server. It takes about two minutes.

Names are drawn from the dictionary: a garment, and more or fewer words of each other kind. Descriptions have 25 words.
"""

import random
import statistics
import time
from decimal import Decimal

from unde_catalog.services.search.word_search import WordSearch
from unde_catalog.services.search.words.dictionary import OWN
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index.product_filters import EVERYTHING, Filters
from unde_catalog_tests.benchmarks.search_server import production_like_server

PRODUCTS = 200_000
ROUNDS = 15
TOP_K = 20
GOALS = {2: 15.0, 5: 100.0}  # ms of p50, by the number of words
QUERIES = {
    2: ("red dress", "leather jacket", "black jeans", "striped shirt", "белые кроссовки", "wool coat", "blouzes red"),
    5: (
        "black long sleeve cotton shirt", "wide leg blue denim jeans", "warm wool winter coat belted",
        "floral print midi summer dress", "white leather running shoes women",
    ),
}  # fmt: skip


def english_words() -> dict[str, list[str]]:
    """The first English words of the lines in each section of the dictionary."""
    sections: dict[str, list[str]] = {}
    section = ""
    for line in OWN.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and line[0] not in "#" and ">" not in line:
            sections.setdefault(section, []).extend(
                [word.strip() for word in line.split(",")[:2] if word.strip().isascii()]
            )
    return sections


def add_products(db: Database) -> None:
    """Insert the products as one statement a thousand, without their due work."""
    drawn, words = random.Random(20), english_words()
    some = [*words["styles"], *words["materials"], *words["colours"], *words["occasions"]]
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE raw_products DISABLE TRIGGER raw_products_due_after_insert")
    for first in range(0, PRODUCTS, 1_000):
        names = [
            " ".join([*drawn.sample(some, drawn.randint(1, 3)), drawn.choice(words["garments"])]) for _ in range(1_000)
        ]
        texts = [" ".join(drawn.choices(some, k=12)) + " with long sleeves and a button closure" for _ in range(1_000)]
        with db.transaction() as cursor:
            cursor.execute(
                "INSERT INTO raw_products (source, external_id, brand, name, colour, description, price, scraped_at)"
                " SELECT 'apify_zara', %s + n, 'zara', upper(name), colour, text, n, now()"
                " FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS t (name, colour, text, n)",
                (first, names, drawn.choices(words["colours"], k=1_000), texts),
            )
    with db.transaction() as cursor:
        cursor.execute("ANALYZE raw_products, product_words")


def main() -> None:
    """Print the median of each query, and of all."""
    search = WordSearch(None)
    with production_like_server() as server, Database(server.new_database()) as db:
        started = time.perf_counter()
        add_products(db)
        print(f"{PRODUCTS:,} products added in {time.perf_counter() - started:.0f} s")
        started = time.perf_counter()
        search.search(db, "dress", EVERYTHING, TOP_K)
        print(f"first search, which reads the vocabulary: {(time.perf_counter() - started) * 1000:.0f} ms")
        for filters, label in ((EVERYTHING, "no filter"), (Filters(price_to=Decimal(200)), "price")):
            for words, queries in QUERIES.items():
                medians = []
                for query in queries:
                    times, total = [], 0
                    for _ in range(ROUNDS):
                        started = time.perf_counter()
                        total = search.search(db, query, filters, TOP_K).total
                        times.append((time.perf_counter() - started) * 1000)
                    medians.append(statistics.median(times))
                    print(f"  {medians[-1]:7.1f} ms  {query}  ({total:,} with all words)")
                print(f"{label}, {words} words: p50 {statistics.median(medians):.1f} ms (goal {GOALS[words]:.0f})")


if __name__ == "__main__":
    main()
