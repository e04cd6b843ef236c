"""The catalogue in pages over the API: all of it once, by every filter, at a cost that does not grow with it."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from unde_catalog.services.search.schemas.cursors import cursor
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.index import search as search_rows
from unde_catalog.stores.staging.products import edit as catalogue_api
from unde_catalog.stores.staging.products import pages as catalogue_pages
from unde_catalog.stores.staging.products import webhook_deliveries
from unde_catalog.stores.staging.products.pages import ProductFilter
from unde_catalog_tests.integration.stages.test_publish_plans import Explaining, no_table_is_read_whole
from unde_catalog_tests.support.catalogue_client import PRODUCTS, CatalogueClient, problem
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.many_products import many_due_rows
from unde_catalog_tests.support.served_api import OpenApi

BRANDS = ("zara", "oysho", "bershka")


@pytest.fixture
def client(open_api: OpenApi) -> CatalogueClient:
    return CatalogueClient(open_api())


def pages(client: CatalogueClient, query: str) -> list[list[str]]:
    """The external ids of each page, following `next` to the end."""
    found, following = [], f"{PRODUCTS}?{query}"
    while following is not None:
        answer = client.get(following)
        found.append([one["external_id"] for one in answer["products"]])
        following = answer["next"]
    return found


def all_of(client: CatalogueClient, query: str) -> list[int]:
    return [int(one) for page in pages(client, query) for one in page]


def test_pages_hold_every_product_once_whatever_is_asked_of_them(client: CatalogueClient) -> None:
    db = client.db
    add_products(db, 10, category="coats & jackets", price=100)
    add_products(db, 10, "oysho", first=11, category="dresses", price="19.99")
    execute(db, "UPDATE raw_products SET active = false WHERE external_id::int % 5 = 0")
    on_sale = [n for n in range(1, 21) if n % 5]
    assert [len(page) for page in pages(client, "limit=6")] == [6, 6, 4]
    assert [len(page) for page in pages(client, "limit=8")] == [8, 8]
    assert all_of(client, "limit=6") == on_sale
    assert all_of(client, "limit=3&active=any") == list(range(1, 21))
    assert all_of(client, "limit=3&active=false") == [5, 10, 15, 20]
    assert all_of(client, "limit=3&brand=oysho") == [n for n in on_sale if n > 10]
    assert all_of(client, "limit=3&brand=oysho&brand=zara&brand=oysho") == on_sale
    assert all_of(client, "limit=3&category=coats+%26+jackets") == [n for n in on_sale if n <= 10]
    assert all_of(client, "limit=3&category=coats+%26+jackets&category=dresses&brand=oysho") == on_sale[8:]
    assert all_of(client, "limit=3&price_from=19.99&price_to=99") == on_sale[8:]
    assert all_of(client, "limit=3&brand=oysho&active=any&price_to=19.99") == list(range(11, 21))
    assert all_of(client, "brand=nobody") == []


def test_what_a_shop_had_at_its_last_look_is_found(client: CatalogueClient) -> None:
    add_products(client.db, 6)
    add_products(client.db, 6, "oysho", first=1)
    for external_id, store, sizes, days in (
        (1, 7, ["S"], 0), (2, 7, [], 0), (3, 8, ["S"], 0), (4, 7, ["S"], 1), (4, 7, [], 0), (5, 7, [], 1),
        (5, 7, ["M"], 0),
    ):  # fmt: skip
        execute(
            client.db,
            "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
            " VALUES ('zara', %s, %s, %s, now() - %s * interval '1 day')",
            store, str(external_id), Jsonb(sizes), days,
        )  # fmt: skip
    assert all_of(client, "limit=1&in_stock_at=zara:7") == [1, 5]
    assert all_of(client, "in_stock_at=zara:7&brand=oysho&brand=zara&active=any") == [1, 5]
    answer = client.api.get(f"{PRODUCTS}?in_stock_at=zara:7&brand=oysho")
    assert problem(answer) == (422, "invalid_request")


def test_a_page_looks_at_so_many_products_at_the_most_and_the_next_goes_on(
    client: CatalogueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_pages, "LOOKED_AT", 10)
    add_products(client.db, 45, price=5)
    execute(client.db, "UPDATE raw_products SET price = 500 WHERE external_id IN ('17', '18', '44')")
    assert pages(client, "limit=2&price_from=500") == [[], ["17", "18"], [], [], ["44"]]
    assert pages(client, "limit=1&price_from=500") == [[], ["17"], ["18"], [], ["44"]]
    assert pages(client, "limit=50&price_from=501&brand=zara") == [[]] * 5


def test_a_product_that_comes_or_goes_between_two_pages_moves_no_other(client: CatalogueClient) -> None:
    add_products(client.db, 6)
    first = client.get(f"{PRODUCTS}?limit=2")
    execute(client.db, "UPDATE raw_products SET active = false WHERE external_id IN ('1', '3')")
    add_products(client.db, 1, first=7)
    second = client.get(first["next"])
    assert [one["external_id"] for one in second["products"]] == ["4", "5"]


def test_a_wrong_cursor_or_filter_is_told(client: CatalogueClient) -> None:
    add_products(client.db, 3)
    following = client.get(f"{PRODUCTS}?limit=1")["next"]
    for after in ("x", "", "ä", "%00", "A" * 90, cursor(5, "other filters"), following.partition("after=")[2] + "A"):
        answer = client.api.get(PRODUCTS, params={"after": after})
        assert problem(answer) == (422, "bad_cursor"), after
    assert problem(client.api.get(f"{following}&brand=zara")) == (422, "bad_cursor")
    for query in (
        "limit=0", "limit=201", "limit=x", "price_from=NaN", "price_to=-1", "price_to=1e400", "price_from=Infinity",
        "active=maybe", "in_stock_at=zara", "in_stock_at=zara:9999999999", "in_stock_at=%00:1",
        "&".join(["brand=a"] * 21),
    ):  # fmt: skip
        assert problem(client.api.get(f"{PRODUCTS}?{query}")) == (422, "invalid_request"), query
    assert client.get(f"{PRODUCTS}?brand=%00&category=%00")["products"] == []


@pytest.fixture
def many(db: Database, direct: str) -> Database:
    """30,000 products, one in four of them no longer on sale, in 60 categories."""
    many_due_rows(direct, products=30_000, stages=("originals",), brands=BRANDS)
    with psycopg.connect(direct) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")  # no triggers
        connection.execute(
            "UPDATE raw_products SET active = id % 4 > 0, price = id % 400, index_scope = 'pgvector',"
            " category = CASE WHEN id % 500 = 1 THEN 'rare' ELSE 'category ' || id % 60 END"
        )
    execute(db, "ANALYZE raw_products")
    return db


WANTED: dict[str, Any] = {
    "everything": ProductFilter(),
    "nothing": ProductFilter(brands=("nobody",)),
    "a brand": ProductFilter(brands=("zara",)),
    "two brands": ProductFilter(brands=("oysho", "zara")),
    "a rare category": ProductFilter(categories=("rare",)),
    "categories of a brand": ProductFilter(brands=("zara",), categories=("category 1", "rare")),
    "a price that nothing has": ProductFilter(price_from=4_000),  # pyright: ignore[reportArgumentType]
    "what is not on sale": ProductFilter(on_sale="false"),
    "a brand, on sale or not": ProductFilter(brands=("zara",), on_sale="any"),
    "a shop's": ProductFilter(brands=("zara",), in_stock_at=7),
}


def test_no_query_reads_a_table_whole_and_the_last_page_looks_at_no_more_rows_than_the_first(many: Database) -> None:
    with many.transaction() as cursor:
        explaining: Any = Explaining(cursor)
        for wanted in WANTED.values():
            for after in (0, 15_000, 29_900):
                page = catalogue_pages.page(explaining, wanted, after, 50)
                catalogue_api.by_ids(explaining, page.ids)
        for to_change in (False, True):
            catalogue_api.named(explaining, "77", to_change=to_change)
            catalogue_api.named(explaining, "77", "zara", to_change=to_change)
        catalogue_api.withdraw(explaining, 77)
        assert len(search_rows.categories(explaining, BRANDS)) == 46
        webhook_deliveries.announce(explaining, "digest", "zara", None, [str(n) for n in range(1_000)])
    no_table_is_read_whole(explaining, but=("product_photos", "webhook_deliveries", "raw_availability"))  # empty
    for name, wanted in WANTED.items():
        for after in (0, 15_000, 29_900):
            looked_at = 50 if name in ("everything", "nothing", "a brand", "two brands") else catalogue_pages.LOOKED_AT
            assert many.run(rows_read, wanted, after) <= 2 * looked_at + 100, name


def rows_read(cursor: Cursor, wanted: ProductFilter, after: int) -> int:
    """Rows that any scan of a page's queries met, also those that a condition left out."""
    counting: Any = _Counting(cursor)
    catalogue_pages.page(counting, wanted, after, 50)
    return counting.rows


class _Counting:
    """A cursor that runs each statement, and counts what its scans met."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor, self.rows = cursor, 0

    def execute(self, query: str, values: Any = None) -> None:
        if query.startswith("SET"):
            self._cursor.execute(query.encode())
            return
        self._cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode(), values)
        row = self._cursor.fetchone()
        assert row is not None  # EXPLAIN has one
        self.rows += _met(row["QUERY PLAN"][0]["Plan"])
        self._cursor.execute(query.encode(), values)

    def fetchall(self) -> list[dict[str, Any]]:
        return self._cursor.fetchall()


def _met(plan: dict[str, Any]) -> int:
    here = 0
    if "Scan" in plan["Node Type"] and "Relation Name" in plan:
        met = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        here = round(met * plan["Actual Loops"])
    return here + sum(_met(part) for part in plan.get("Plans", ()))
