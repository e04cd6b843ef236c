"""Editing products through the API: it changes the row in raw_products, and triggers make the stages due."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.apify_brand import ApifyBrand, item
from unde_catalog_tests.support.catalogue_client import COAT, EDIT, PRODUCTS, CatalogueClient, problem
from unde_catalog_tests.support.due import add_products, execute, is_due
from unde_catalog_tests.support.search_api import OpenApi


@pytest.fixture
def client(open_api: OpenApi) -> CatalogueClient:
    return CatalogueClient(open_api(ZARA_INDEX_SCOPE="pgvector", SEARCH_KEY_RATE_PER_MINUTE=0))


def stored(db: Database, external_id: str) -> dict[str, Any]:
    (row,) = execute(db, "SELECT * FROM raw_products WHERE external_id = %s", external_id)
    return row


def finish_photos(db: Database, product: int) -> None:
    """Put the product into the state with photo and collage and nothing due."""
    execute(
        db,
        "INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, fetched_at)"
        " VALUES (%s, 1, 'https://static.zara.net/1.jpg', 'stored', 'k', 'a', now())",
        product,
    )
    execute(db, "UPDATE raw_products SET image_status = 'collage_ready', synced_at = now() WHERE id = %s", product)
    execute(db, "UPDATE due_work SET due_at = NULL, taken = wanted WHERE product_id = %s", product)


def due_stages(db: Database, product: int) -> set[str]:
    rows = execute(db, "SELECT stage FROM due_work WHERE product_id = %s AND due_at <= unde_now()", product)
    return {row["stage"] for row in rows}


def test_a_new_product_is_a_row_and_due_for_originals(client: CatalogueClient) -> None:
    response = client.add()
    assert response.status_code == 201, response.text
    product = response.json()
    row = stored(client.db, "coat-1")
    assert (row["id"], row["source"], row["brand"], row["name"], str(row["price"]), row["currency"]) == (
        product["id"], "api", "zara", "Coat", "129.00", "AED",
    )  # fmt: skip
    assert (row["active"], row["image_status"], row["index_scope"]) == (True, "pending", "pgvector")
    assert row["original_image_urls"] == COAT["image_urls"]
    assert row["raw_data"] == COAT
    assert is_due(client.db, row["id"])
    assert response.headers["Location"] == f"{PRODUCTS}/coat-1"
    again = client.api.get(response.headers["Location"])
    assert again.json() == product
    assert again.headers["ETag"] == response.headers["ETag"]
    (price,) = execute(client.db, "SELECT price, currency FROM price_history")
    assert (str(price["price"]), price["currency"]) == ("129.00", "AED")


def test_a_product_without_name_or_photo_has_a_title_and_placeholder(client: CatalogueClient) -> None:
    bare, odd = add_products(client.db, 2, original_image_urls=["javascript:alert(1)", 7, None])
    execute(client.db, "UPDATE raw_products SET original_image_urls = NULL, price = 'NaN' WHERE id = %s", bare)
    execute(
        client.db, "UPDATE raw_products SET collage_url = 'file:///srv/objects/1.jpg', name = ' ' WHERE id = %s", odd
    )
    for external_id in ("1", "2"):
        shown = client.get(f"{PRODUCTS}/{external_id}")
        assert (shown["title"], shown["image_url"]) == (f"Zara {external_id}", f"{client.api.base}/images/none.svg")
        assert shown["price"] is None
        assert shown["product_metadata"]["original_image_urls"] == []
        assert shown["product_metadata"]["collage_url"] is None
    finish_photos(client.db, odd)
    shown = client.get(f"{PRODUCTS}/2")
    assert shown["image_url"] == f"{client.api.base}/images/zara_2/image_1.jpg"
    assert shown["product_metadata"]["image_urls"] == [shown["image_url"]]


def test_the_article_number_and_the_brands_page_are_those_of_the_item(client: CatalogueClient) -> None:
    page = "https://www.zara.com/ae/en/coat-p01023542.html"
    items = [
        ({"reference": " 01023542-V2026 ", "url": page}, "01023542-V2026", page),
        ({"reference": "", "url": "javascript:alert(1)"}, None, None),
        ({"reference": {"a": 1}, "url": [page]}, None, None),
        ({"productUrl": page, "url": "https://other.test"}, None, page),
        ([], None, None),
    ]
    products = add_products(client.db, len(items))
    for product, (raw, _, _) in zip(products, items, strict=True):
        execute(client.db, "UPDATE raw_products SET raw_data = %s::jsonb WHERE id = %s", json.dumps(raw), product)
    for number, (_, reference, url) in enumerate(items, 1):
        metadata = client.get(f"{PRODUCTS}/{number}")["product_metadata"]
        assert (metadata["reference"], metadata["product_url"]) == (reference, url), number


def test_an_external_id_can_be_added_once_even_concurrently(client: CatalogueClient) -> None:
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: client.add(), range(4)))
    assert sorted(response.status_code for response in responses) == [201, 409, 409, 409]
    assert {response.json().get("code") for response in responses} == {None, "product_exists"}
    assert len(execute(client.db, "SELECT 1 FROM raw_products")) == 1
    assert problem(client.add(brand="oysho")) == (409, "product_exists")
    add_products(client.db, 1)
    assert problem(client.add(external_id="1")) == (409, "product_exists")


def test_new_photo_urls_make_originals_due_and_unchanged_ones_do_not(client: CatalogueClient) -> None:
    (product,) = add_products(client.db, 1, price=129, original_image_urls=EDIT["image_urls"])
    finish_photos(client.db, product)
    changed = client.write("PUT", f"{PRODUCTS}/1", {**EDIT, "image_urls": ["https://static.zara.net/3.jpg"]})
    assert changed.status_code == 200, changed.text
    assert due_stages(client.db, product) == {"originals", "production_catalog"}
    execute(client.db, "UPDATE due_work SET due_at = NULL, taken = wanted")
    same = client.write("PUT", f"{PRODUCTS}/1", {**EDIT, "image_urls": ["https://static.zara.net/3.jpg"]})
    assert (same.status_code, due_stages(client.db, product)) == (200, set())
    assert same.json() == changed.json()
    assert same.headers["ETag"] == changed.headers["ETag"]


def test_a_new_price_makes_production_and_index_due_and_is_recorded(client: CatalogueClient) -> None:
    (product,) = add_products(client.db, 1, index_scope="pgvector", price=129, original_image_urls=EDIT["image_urls"])
    finish_photos(client.db, product)
    response = client.write("PUT", f"{PRODUCTS}/1", {**EDIT, "price": "99.5"})
    assert response.json()["price"] == "99.50"
    assert due_stages(client.db, product) == {"production_catalog", "visual_index"}
    assert stored(client.db, "1")["sync_status"] == "pending"
    prices = execute(client.db, "SELECT price::text FROM price_history ORDER BY seen_at")
    assert [row["price"] for row in prices] == ["129.00", "99.50"]


def test_put_replaces_every_field_and_keeps_the_collected_item(client: CatalogueClient) -> None:
    add_products(client.db, 1, raw_data={"id": 1})
    edited = client.write("PUT", f"{PRODUCTS}/1", EDIT).json()
    assert (edited["title"], edited["description"], edited["currency"]) == ("Long coat", "Of wool", "AED")
    metadata = edited["product_metadata"]
    assert (metadata["colour"], metadata["sizes"], metadata["composition"], metadata["source"]) == (
        "grey", ["S", "M"], "wool", "apify_zara",
    )  # fmt: skip
    empty = {**EDIT, "title": None, "price": None, "sizes": None, "colour": None, "image_urls": []}
    emptied = client.write("PUT", f"{PRODUCTS}/1", empty).json()
    assert (emptied["title"], emptied["price"], emptied["product_metadata"]["sizes"]) == ("Zara 1", None, None)
    assert stored(client.db, "1")["raw_data"] == {"id": 1}
    incomplete = {name: value for name, value in EDIT.items() if name != "image_urls"}
    response = client.write("PUT", f"{PRODUCTS}/1", incomplete)
    assert problem(response) == (422, "invalid_request")
    assert response.json()["errors"] == [{"field": "image_urls", "reason": "Field required"}]


def test_a_withdrawn_product_leaves_the_index_and_can_return(client: CatalogueClient) -> None:
    (product,) = add_products(client.db, 1, index_scope="pgvector", original_image_urls=EDIT["image_urls"])
    finish_photos(client.db, product)
    due_rows = []
    for _ in range(2):
        response = client.write("DELETE", f"{PRODUCTS}/1")
        assert (response.status_code, response.content) == (204, b"")
        assert due_stages(client.db, product) == {"visual_index", "production_catalog"}
        due_rows.append(execute(client.db, "SELECT * FROM due_work ORDER BY stage"))
    assert due_rows[0] == due_rows[1]
    assert client.get(f"{PRODUCTS}/1")["product_metadata"]["active"] is False
    assert client.get(PRODUCTS)["products"] == []
    assert client.write("PUT", f"{PRODUCTS}/1", EDIT).json()["product_metadata"]["active"] is True
    assert client.write("DELETE", f"{PRODUCTS}/1").status_code == 204
    with ThreadPoolExecutor(2) as pool:
        posts = list(pool.map(lambda _: client.add(external_id="1"), range(2)))
    assert sorted(post.status_code for post in posts) == [201, 409]
    assert [found["id"] for found in client.get(PRODUCTS)["products"]] == [product]
    assert problem(client.write("DELETE", f"{PRODUCTS}/nobody")) == (404, "unknown_product")


def test_a_product_changed_since_it_was_read_is_not_overwritten(client: CatalogueClient) -> None:
    add_products(client.db, 1)
    etag = client.api.get(f"{PRODUCTS}/1").headers["ETag"]
    assert client.api.get(f"{PRODUCTS}/1", headers={"If-None-Match": f'"x", W/{etag}'}).status_code == 304
    with ThreadPoolExecutor(2) as pool:
        puts = pool.map(
            lambda title: client.write("PUT", f"{PRODUCTS}/1", {**EDIT, "title": title}, If_Match=etag),
            ("One", "Other"),
        )
        codes = sorted(put.status_code for put in puts)
    assert codes == [200, 412]
    assert problem(client.write("DELETE", f"{PRODUCTS}/1", If_Match=etag)) == (412, "product_changed")
    assert client.api.get(f"{PRODUCTS}/1", headers={"If-None-Match": etag}).status_code == 200
    new_etag = client.api.get(f"{PRODUCTS}/1").headers["ETag"]
    assert client.write("DELETE", f"{PRODUCTS}/1", If_Match=new_etag).status_code == 204


def test_an_external_id_of_two_brands_needs_of_brand(client: CatalogueClient) -> None:
    add_products(client.db, 1)
    add_products(client.db, 1, brand="oysho")
    for method, body in (("GET", None), ("PUT", EDIT), ("DELETE", None)):
        response = client.write(method, f"{PRODUCTS}/1", body)
        assert problem(response) == (409, "ambiguous_product")
        assert response.json()["brands"] == ["zara", "oysho"]
    assert client.write("DELETE", f"{PRODUCTS}/1?of_brand=oysho").status_code == 204
    assert client.get(f"{PRODUCTS}/1?of_brand=zara")["product_metadata"]["active"] is True
    assert problem(client.api.get(f"{PRODUCTS}/1?of_brand=bershka")) == (404, "unknown_product")


def test_writing_needs_a_write_key(client: CatalogueClient) -> None:
    add_products(client.db, 1)
    reader = client.api.key("read", "reader")
    for method, path, body in (
        ("POST", PRODUCTS, COAT), ("PUT", f"{PRODUCTS}/1", EDIT), ("DELETE", f"{PRODUCTS}/1", None),
    ):  # fmt: skip
        assert problem(client.api.request(method, path, json=body)) == (401, "key_needed")
        assert problem(client.write(method, path, body, **reader)) == (403, "write_key_needed")
    assert client.get(f"{PRODUCTS}/1")["product_metadata"]["active"] is True
    assert len(execute(client.db, "SELECT 1 FROM raw_products")) == 1


INVALID: list[dict[str, Any]] = [
    {"price": "0"}, {"price": -1}, {"price": "1.999"}, {"price": "NaN"}, {"price": 1e300}, {"price": True},
    {"price": "100000000"}, {"currency": "dirham"}, {"currency": None}, {"title": 7}, {"title": "x" * 2_001},
    {"category": "x" * 1_001}, {"colour": "x" * 101}, {"image_urls": None}, {"image_urls": ["ftp://x/1.jpg"]},
    {"image_urls": ["https://user:secret@x/1.jpg"]}, {"image_urls": ["/etc/passwd"]}, {"image_urls": [None]},
    {"image_urls": ["file:///etc/passwd"]}, {"image_urls": ["https://x/1.jpg"] * 101}, {"external_id": " "},
    {"image_urls": ["https://x/" + "1" * 2_000]}, {"external_id": "x" * 101}, {"external_id": None}, {"extra": 1},
    {"brand": "nobody"}, {"sizes": "x" * 10_001}, {"sizes": json.loads("[" * 200 + "]" * 200)},
]  # fmt: skip


def test_an_invalid_field_is_rejected_and_named(client: CatalogueClient) -> None:
    for invalid in INVALID:
        response = client.add(**invalid)
        assert problem(response) == (422, "invalid_request"), invalid
        (field,) = invalid
        assert {error["field"].partition(".")[0] for error in response.json()["errors"]} == {field}
    for broken in (b"", b"{", b"[]", b"null", b'{"price": 1e99999}', b"\xff", b'{"external_id": NaN}'):
        response = client.post(broken)
        assert problem(response) in ((400, "invalid_request"), (422, "invalid_request")), broken
    assert problem(client.post(b" " * 2_000_000)) == (413, "too_large")
    assert execute(client.db, "SELECT 1 FROM raw_products") == []


def test_repairable_values_are_repaired(client: CatalogueClient) -> None:
    for body, expected in (
        (b'"price": 129.9', {"price": "129.90"}),
        (b'"title": "\\u0000 x\\ud800 ", "sizes": "\\u0000"', {"title": "x?"}),
        (b'"price": 7, "currency": "KGS"', {"price": "7.00", "currency": "KGS"}),
    ):
        response = client.post(b'{"external_id": " a/b c\\u00e9 ", "brand": "zara", ' + body + b"}")
        assert response.status_code == 201, response.text
        product = client.get(response.headers["Location"])
        assert product["external_id"] == "a/b cé"
        assert {name: product[name] for name in expected} == expected
        assert client.write("DELETE", response.headers["Location"]).status_code == 204


def test_the_next_collection_overwrites_edits_of_the_brands_products(
    apify_brand: ApifyBrand, client: CatalogueClient
) -> None:
    apify_brand.set_items([item(1)])
    apify_brand.collect("first")
    assert client.write("PUT", f"{PRODUCTS}/1", EDIT).json()["title"] == "Long coat"
    assert [client.add(external_id=external_id).status_code for external_id in ("2", "3")] == [201, 201]
    apify_brand.set_items([item(1), item(2)])
    counts = apify_brand.collect("second", force=True).counts
    assert (counts["new"], counts["changed"], counts["vanished"]) == (1, 1, 0)
    assert client.get(f"{PRODUCTS}/1")["title"] == "SHIRT 1"
    # Two rows of one brand and external id would share their object keys: the collected row stays on sale.
    assert client.get(f"{PRODUCTS}/2")["product_metadata"]["source"] == "apify_zara"
    rows = execute(client.db, "SELECT source, external_id, active FROM raw_products ORDER BY external_id, source")
    assert [tuple(row.values()) for row in rows] == [
        ("apify_zara", "1", True), ("api", "2", False), ("apify_zara", "2", True), ("api", "3", True),
    ]  # fmt: skip


def test_an_impossible_external_id_is_not_found(client: CatalogueClient) -> None:
    for path in ("%00", "a%00b", "%ff", "x" * 3_000, "%F0%9F%98%80", "1%27%20OR%201=1"):
        assert problem(client.api.get(f"{PRODUCTS}/{path}")) == (404, "unknown_product")
