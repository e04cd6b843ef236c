"""The product list: every product once, with every filter, and pages whose cost does not grow with the catalogue."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from unde_catalog.services.search.schemas.cursors import encode_cursor
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.index import search_rows
from unde_catalog.stores.staging.products import api_products, product_pages, webhook_deliveries
from unde_catalog.stores.staging.products.product_pages import ProductFilter
from unde_catalog_tests.support.catalogue_client import PRODUCTS, CatalogueClient, problem
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.explain import ExplainingCursor, assert_no_seq_scan
from unde_catalog_tests.support.many_products import many_due_rows
from unde_catalog_tests.support.search_api import OpenApi

BRANDS = ("zara", "oysho", "bershka")


@pytest.fixture
def client(open_api: OpenApi) -> CatalogueClient:
    return CatalogueClient(open_api())


def pages(client: CatalogueClient, query: str) -> list[list[str]]:
    """The external ids of each page, following `next` to the last one."""
    found, path = [], f"{PRODUCTS}?{query}"
    while path is not None:
        page = client.get(path)
        found.append([product["external_id"] for product in page["products"]])
        path = page["next"]
    return found


def all_ids(client: CatalogueClient, query: str) -> list[int]:
    return [int(external_id) for page in pages(client, query) for external_id in page]


def test_pages_contain_every_matching_product_once(client: CatalogueClient) -> None:
    db = client.db
    add_products(db, 10, category="coats & jackets", price=100)
    add_products(db, 10, "oysho", first=11, category="dresses", price="19.99")
    execute(db, "UPDATE raw_products SET active = false WHERE external_id::int % 5 = 0")
    on_sale = [n for n in range(1, 21) if n % 5]
    assert [len(page) for page in pages(client, "limit=6")] == [6, 6, 4]
    assert [len(page) for page in pages(client, "limit=8")] == [8, 8]
    assert all_ids(client, "limit=6") == on_sale
    assert all_ids(client, "limit=3&active=any") == list(range(1, 21))
    assert all_ids(client, "limit=3&active=false") == [5, 10, 15, 20]
    assert all_ids(client, "limit=3&brand=oysho") == [n for n in on_sale if n > 10]
    assert all_ids(client, "limit=3&brand=oysho&brand=zara&brand=oysho") == on_sale
    assert all_ids(client, "limit=3&category=coats+%26+jackets") == [n for n in on_sale if n <= 10]
    assert all_ids(client, "limit=3&category=coats+%26+jackets&category=dresses&brand=oysho") == on_sale[8:]
    assert all_ids(client, "limit=3&price_from=19.99&price_to=99") == on_sale[8:]
    assert all_ids(client, "limit=3&brand=oysho&active=any&price_to=19.99") == list(range(11, 21))
    assert all_ids(client, "brand=stradivarius") == []


def test_filter_by_stock_at_a_store_uses_its_last_check(client: CatalogueClient) -> None:
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
    assert all_ids(client, "limit=1&in_stock_at=zara:7") == [1, 5]
    assert all_ids(client, "in_stock_at=zara:7&brand=oysho&brand=zara&active=any") == [1, 5]
    response = client.api.get(f"{PRODUCTS}?in_stock_at=zara:7&brand=oysho")
    assert problem(response) == (422, "invalid_request")


def test_a_page_scans_a_limited_number_of_products(client: CatalogueClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_pages, "SCANNED", 10)
    add_products(client.db, 45, price=5)
    execute(client.db, "UPDATE raw_products SET price = 500 WHERE external_id IN ('17', '18', '44')")
    assert pages(client, "limit=2&price_from=500") == [[], ["17", "18"], [], [], ["44"]]
    assert pages(client, "limit=1&price_from=500") == [[], ["17"], ["18"], [], ["44"]]
    assert pages(client, "limit=50&price_from=501&brand=zara") == [[]] * 5


def test_a_change_between_two_pages_does_not_shift_products(client: CatalogueClient) -> None:
    add_products(client.db, 6)
    first = client.get(f"{PRODUCTS}?limit=2")
    execute(client.db, "UPDATE raw_products SET active = false WHERE external_id IN ('1', '3')")
    add_products(client.db, 1, first=7)
    second = client.get(first["next"])
    assert [product["external_id"] for product in second["products"]] == ["4", "5"]


def test_an_invalid_cursor_or_filter_is_rejected(client: CatalogueClient) -> None:
    add_products(client.db, 3)
    next_page = client.get(f"{PRODUCTS}?limit=1")["next"]
    for after in (
        "x",
        "ä",
        "%00",
        "A" * 90,
        encode_cursor(5, "other filters"),
        next_page.partition("after=")[2] + "A",
    ):
        response = client.api.get(PRODUCTS, params={"after": after})
        assert problem(response) == (422, "bad_cursor"), after
    assert problem(client.api.get(f"{next_page}&brand=zara")) == (422, "bad_cursor")
    for query in (
        "limit=0", "limit=201", "limit=x", "price_from=NaN", "price_to=-1", "price_to=1e400", "price_from=Infinity",
        "active=maybe", "in_stock_at=zara", "in_stock_at=zara:9999999999", "in_stock_at=%00:1",
        "&".join(["brand=a"] * 21),
    ):  # fmt: skip
        assert problem(client.api.get(f"{PRODUCTS}?{query}")) == (422, "invalid_request"), query
    assert client.get(f"{PRODUCTS}?category=%00")["products"] == []


@pytest.fixture
def many(db: Database, direct: str) -> Database:
    """30,000 products in 60 categories. One in four is no longer on sale."""
    many_due_rows(direct, products=30_000, stages=("originals",), brands=BRANDS)
    with psycopg.connect(direct) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")  # no triggers
        connection.execute(
            "UPDATE raw_products SET active = id % 4 > 0, price = id % 400, index_scope = 'pgvector',"
            " category = CASE WHEN id % 500 = 1 THEN 'rare' ELSE 'category ' || id % 60 END"
        )
    execute(db, "ANALYZE raw_products")
    return db


FILTERS: dict[str, Any] = {
    "everything": ProductFilter(),
    "nothing": ProductFilter(brands=("nobody",)),
    "a brand": ProductFilter(brands=("zara",)),
    "two brands": ProductFilter(brands=("oysho", "zara")),
    "a rare category": ProductFilter(categories=("rare",)),
    "categories of a brand": ProductFilter(brands=("zara",), categories=("category 1", "rare")),
    "a price without products": ProductFilter(price_from=4_000),  # pyright: ignore[reportArgumentType]
    "no longer on sale": ProductFilter(on_sale="false"),
    "a brand, on sale or not": ProductFilter(brands=("zara",), on_sale="any"),
    "stock at a store": ProductFilter(brands=("zara",), in_stock_at=7),
}


@pytest.mark.slow
def test_no_query_scans_a_table_and_every_page_reads_few_rows(many: Database) -> None:
    with many.transaction() as cursor:
        explaining: Any = ExplainingCursor(cursor)
        for product_filter in FILTERS.values():
            for after in (0, 15_000, 29_900):
                page = product_pages.page(explaining, product_filter, after, 50)
                api_products.by_ids(explaining, page.ids)
        for to_change in (False, True):
            api_products.by_external_id(explaining, "77", for_update=to_change)
            api_products.by_external_id(explaining, "77", "zara", for_update=to_change)
        api_products.withdraw(explaining, 77)
        assert len(search_rows.categories(explaining, BRANDS)) == 46
        webhook_deliveries.announce(explaining, "digest", "zara", None, [str(n) for n in range(1_000)])
    assert_no_seq_scan(explaining, allowed=("product_photos", "webhook_deliveries", "raw_availability"))  # empty
    for name, product_filter in FILTERS.items():
        for after in (0, 15_000, 29_900):
            scanned = 50 if name in ("everything", "nothing", "a brand", "two brands") else product_pages.SCANNED
            assert many.run(rows_read, product_filter, after) <= 2 * scanned + 100, name


def rows_read(cursor: Cursor, product_filter: ProductFilter, after: int) -> int:
    """The rows that the scans of a page's queries read, including those that a condition removed."""
    counting: Any = _Counting(cursor)
    product_pages.page(counting, product_filter, after, 50)
    return counting.rows


class _Counting:
    """A cursor that runs each statement and counts the rows that its scans read."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor, self.rows = cursor, 0

    def execute(self, query: str, values: Any = None) -> None:
        if query.startswith("SET"):
            self._cursor.execute(query.encode())
            return
        self._cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode(), values)
        row = self._cursor.fetchone()
        assert row is not None  # EXPLAIN has one
        self.rows += _rows_read(row["QUERY PLAN"][0]["Plan"])
        self._cursor.execute(query.encode(), values)

    def fetchall(self) -> list[dict[str, Any]]:
        return self._cursor.fetchall()


def _rows_read(plan: dict[str, Any]) -> int:
    rows = 0
    if "Scan" in plan["Node Type"] and "Relation Name" in plan:
        read = (
            plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        )
        rows = round(read * plan["Actual Loops"])
    return rows + sum(_rows_read(part) for part in plan.get("Plans", ()))


def test_blank_query_values_mean_unset(client: CatalogueClient) -> None:
    add_products(client.db, 2)
    everything = client.get(PRODUCTS)
    blank = "?brand=&category=&price_from=&price_to=%20&active=&in_stock_at=+&limit=&after="
    assert client.get(PRODUCTS + blank) == everything and len(everything["products"]) == 2


def test_blank_values_of_a_form_or_of_json_mean_unset(client: CatalogueClient) -> None:
    blank = {"top_k": "", "threshold": "", "price_from": "", "price_to": "", "shop": ""}
    form = client.api.post(
        "/api/v1/search/by-image", data={**blank, "brand": "", "category": ""}, files={"file": ("a.jpg_large", b"")}
    )
    assert problem(form) == (422, "empty")  # of the picture alone
    response = client.api.post(
        "/api/v1/search/by-text", json={"query": "dress", "brands": [""], "categories": [" "], **blank}
    )
    assert response.status_code == 200, response.text
    assert problem(client.api.post("/api/v1/search/by-text", json={"query": ""})) == (422, "invalid_request")


def test_brands_may_be_joined_by_commas_and_must_be_known(client: CatalogueClient) -> None:
    add_products(client.db, 2)
    assert client.get(f"{PRODUCTS}?brand=zara,oysho") == client.get(f"{PRODUCTS}?brand=zara&brand=oysho")
    assert client.get(f"{PRODUCTS}?brand=oysho,%20bershka,")["products"] == []
    for unknown in (f"{PRODUCTS}?brand=zarra", f"{PRODUCTS}?in_stock_at=zarra:1", f"{PRODUCTS}/1?of_brand=%00"):
        response = client.api.get(unknown)
        assert response.status_code == 422 and "the brands are zara, bershka," in response.text, unknown


def test_brands_that_are_no_texts_are_refused(client: CatalogueClient) -> None:
    for brands in ([None], [1], ["zara", {}], [["zara"]], "zara"):
        response = client.api.post("/api/v1/search/by-text", json={"query": "dress", "brands": brands})
        assert problem(response) == (422, "invalid_request"), brands
