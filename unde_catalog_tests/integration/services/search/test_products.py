"""Products over the API: what is written is the catalogue's own row, and what follows is the tables' rule."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.apify_brand import Shop, item
from unde_catalog_tests.support.catalogue_client import COAT, EDIT, PRODUCTS, CatalogueClient, problem
from unde_catalog_tests.support.due import add_products, execute, is_due
from unde_catalog_tests.support.served_api import OpenApi


@pytest.fixture
def client(open_api: OpenApi) -> CatalogueClient:
    return CatalogueClient(open_api(ZARA_INDEX_SCOPE="pgvector", SEARCH_KEY_RATE_PER_MINUTE=0))


def stored(db: Database, external_id: str) -> dict[str, Any]:
    (row,) = execute(db, "SELECT * FROM raw_products WHERE external_id = %s", external_id)
    return row


def finish_photos(db: Database, product: int) -> None:
    """As when its photos and their collage are made, and nothing is due."""
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


def test_a_posted_product_is_a_row_of_the_catalogue_and_due_for_its_photos(client: CatalogueClient) -> None:
    answer = client.add()
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    row = stored(client.db, "coat-1")
    assert (row["id"], row["source"], row["brand"], row["name"], str(row["price"]), row["currency"]) == (
        shown["id"], "api", "zara", "Coat", "129.00", "AED",
    )  # fmt: skip
    assert (row["active"], row["image_status"], row["index_scope"]) == (True, "pending", "pgvector")
    assert row["original_image_urls"] == COAT["image_urls"]
    assert row["raw_data"] == COAT
    assert is_due(client.db, row["id"])
    assert answer.headers["Location"] == f"{PRODUCTS}/coat-1"
    again = client.api.get(answer.headers["Location"])
    assert again.json() == shown
    assert again.headers["ETag"] == answer.headers["ETag"]
    (price,) = execute(client.db, "SELECT price, currency FROM price_history")
    assert (str(price["price"]), price["currency"]) == ("129.00", "AED")


def test_a_product_has_a_title_and_a_picture_whatever_its_row_lacks(client: CatalogueClient) -> None:
    bare, odd = add_products(client.db, 2, original_image_urls=["javascript:alert(1)", 7, None])
    execute(client.db, "UPDATE raw_products SET original_image_urls = NULL, price = 'NaN' WHERE id = %s", bare)
    execute(
        client.db, "UPDATE raw_products SET collage_url = 'file:///srv/objects/1.jpg', name = ' ' WHERE id = %s", odd
    )
    for external_id in ("1", "2"):
        shown = client.get(f"{PRODUCTS}/{external_id}")
        assert (shown["title"], shown["image_url"]) == (f"Zara {external_id}", "/images/none.svg")
        assert shown["price"] is None
        assert shown["product_metadata"]["original_image_urls"] == []
        assert shown["product_metadata"]["collage_url"] is None
    finish_photos(client.db, odd)
    shown = client.get(f"{PRODUCTS}/2")
    assert shown["image_url"] == f"/images/{odd}/image_1.jpg"
    assert shown["product_metadata"]["image_urls"] == [shown["image_url"]]


def test_an_external_id_in_use_is_refused_and_one_of_two_posts_at_once(client: CatalogueClient) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.add(), range(4)))
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    assert {one.json().get("code") for one in answers} == {None, "product_exists"}
    assert len(execute(client.db, "SELECT 1 FROM raw_products")) == 1
    assert problem(client.add(brand="oysho")) == (409, "product_exists")
    add_products(client.db, 1)
    assert problem(client.add(external_id="1")) == (409, "product_exists")


def test_new_photo_addresses_make_a_product_due_for_them_and_the_same_ones_nothing(client: CatalogueClient) -> None:
    (product,) = add_products(client.db, 1, price=129, original_image_urls=EDIT["image_urls"])
    finish_photos(client.db, product)
    changed = client.write("PUT", f"{PRODUCTS}/1", {**EDIT, "image_urls": ["https://static.zara.net/3.jpg"]})
    assert changed.status_code == 200, changed.text
    assert due_stages(client.db, product) == {"originals", "production_catalog"}
    finish_again = "UPDATE due_work SET due_at = NULL, taken = wanted"
    execute(client.db, finish_again)
    same = client.write("PUT", f"{PRODUCTS}/1", {**EDIT, "image_urls": ["https://static.zara.net/3.jpg"]})
    assert (same.status_code, due_stages(client.db, product)) == (200, set())
    assert same.json() == changed.json()
    assert same.headers["ETag"] == changed.headers["ETag"]


def test_a_new_price_is_due_for_production_and_the_indexes_and_kept_as_a_scrape_keeps_it(
    client: CatalogueClient,
) -> None:
    (product,) = add_products(client.db, 1, index_scope="pgvector", price=129, original_image_urls=EDIT["image_urls"])
    finish_photos(client.db, product)
    answer = client.write("PUT", f"{PRODUCTS}/1", {**EDIT, "price": "99.5"})
    assert answer.json()["price"] == "99.50"
    assert due_stages(client.db, product) == {"production_catalog", "visual_index"}
    assert stored(client.db, "1")["sync_status"] == "pending"
    prices = execute(client.db, "SELECT price::text FROM price_history ORDER BY seen_at")
    assert [row["price"] for row in prices] == ["129.00", "99.50"]


def test_put_replaces_every_field_and_keeps_the_scraped_item(client: CatalogueClient) -> None:
    add_products(client.db, 1, raw_data={"id": 1})
    shown = client.write("PUT", f"{PRODUCTS}/1", EDIT).json()
    assert (shown["title"], shown["description"], shown["currency"]) == ("Long coat", "Of wool", "AED")
    meta = shown["product_metadata"]
    assert (meta["colour"], meta["sizes"], meta["composition"], meta["source"]) == (
        "grey", ["S", "M"], "wool", "apify_zara",
    )  # fmt: skip
    nothing = {**EDIT, "title": None, "price": None, "sizes": None, "colour": None, "image_urls": []}
    emptied = client.write("PUT", f"{PRODUCTS}/1", nothing).json()
    assert (emptied["title"], emptied["price"], emptied["product_metadata"]["sizes"]) == ("Zara 1", None, None)
    assert stored(client.db, "1")["raw_data"] == {"id": 1}
    forgotten = {name: value for name, value in EDIT.items() if name != "image_urls"}
    answer = client.write("PUT", f"{PRODUCTS}/1", forgotten)
    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"] == [{"field": "image_urls", "reason": "Field required"}]


def test_a_deleted_product_leaves_the_index_and_post_or_put_bring_it_back(client: CatalogueClient) -> None:
    (product,) = add_products(client.db, 1, index_scope="pgvector", original_image_urls=EDIT["image_urls"])
    finish_photos(client.db, product)
    marks = []
    for _ in range(2):
        answer = client.write("DELETE", f"{PRODUCTS}/1")
        assert (answer.status_code, answer.content) == (204, b"")
        assert due_stages(client.db, product) == {"visual_index", "production_catalog"}
        marks.append(execute(client.db, "SELECT * FROM due_work ORDER BY stage"))
    assert marks[0] == marks[1]
    assert client.get(f"{PRODUCTS}/1")["product_metadata"]["active"] is False
    assert client.get(PRODUCTS)["products"] == []
    assert client.write("PUT", f"{PRODUCTS}/1", EDIT).json()["product_metadata"]["active"] is True
    assert client.write("DELETE", f"{PRODUCTS}/1").status_code == 204
    with ThreadPoolExecutor(2) as pool:
        posts = list(pool.map(lambda _: client.add(external_id="1"), range(2)))
    assert sorted(one.status_code for one in posts) == [201, 409]
    assert [one["id"] for one in client.get(PRODUCTS)["products"]] == [product]
    assert problem(client.write("DELETE", f"{PRODUCTS}/nobody")) == (404, "unknown_product")


def test_a_product_that_changed_meanwhile_is_not_overwritten(client: CatalogueClient) -> None:
    add_products(client.db, 1)
    known = client.api.get(f"{PRODUCTS}/1").headers["ETag"]
    assert client.api.get(f"{PRODUCTS}/1", headers={"If-None-Match": f'"x", W/{known}'}).status_code == 304
    with ThreadPoolExecutor(2) as pool:
        puts = pool.map(
            lambda title: client.write("PUT", f"{PRODUCTS}/1", {**EDIT, "title": title}, If_Match=known),
            ("One", "Other"),
        )
        codes = sorted(one.status_code for one in puts)
    assert codes == [200, 412]
    assert problem(client.write("DELETE", f"{PRODUCTS}/1", If_Match=known)) == (412, "product_changed")
    assert client.api.get(f"{PRODUCTS}/1", headers={"If-None-Match": known}).status_code == 200
    now = client.api.get(f"{PRODUCTS}/1").headers["ETag"]
    assert client.write("DELETE", f"{PRODUCTS}/1", If_Match=now).status_code == 204


def test_an_id_of_two_brands_is_asked_for_by_brand(client: CatalogueClient) -> None:
    add_products(client.db, 1)
    add_products(client.db, 1, brand="oysho")
    for method, body in (("GET", None), ("PUT", EDIT), ("DELETE", None)):
        answer = client.write(method, f"{PRODUCTS}/1", body)
        assert problem(answer) == (409, "ambiguous_product")
        assert answer.json()["brands"] == ["zara", "oysho"]
    assert client.write("DELETE", f"{PRODUCTS}/1?of_brand=oysho").status_code == 204
    assert client.get(f"{PRODUCTS}/1?of_brand=zara")["product_metadata"]["active"] is True
    assert problem(client.api.get(f"{PRODUCTS}/1?of_brand=bershka")) == (404, "unknown_product")


def test_writing_needs_a_key_that_may_write(client: CatalogueClient) -> None:
    add_products(client.db, 1)
    reader = client.api.key("read", "reader")
    for method, path, body in (
        ("POST", PRODUCTS, COAT), ("PUT", f"{PRODUCTS}/1", EDIT), ("DELETE", f"{PRODUCTS}/1", None),
    ):  # fmt: skip
        assert problem(client.api.request(method, path, json=body)) == (401, "key_needed")
        assert problem(client.write(method, path, body, **reader)) == (403, "write_key_needed")
    assert client.get(f"{PRODUCTS}/1")["product_metadata"]["active"] is True
    assert len(execute(client.db, "SELECT 1 FROM raw_products")) == 1


WRONG: list[dict[str, Any]] = [
    {"price": "0"}, {"price": -1}, {"price": "1.999"}, {"price": "NaN"}, {"price": 1e300}, {"price": True},
    {"price": "100000000"}, {"currency": "dirham"}, {"currency": None}, {"title": 7}, {"title": "x" * 2_001},
    {"category": "x" * 1_001}, {"colour": "x" * 101}, {"image_urls": None}, {"image_urls": ["ftp://x/1.jpg"]},
    {"image_urls": ["https://user:secret@x/1.jpg"]}, {"image_urls": ["/etc/passwd"]}, {"image_urls": [None]},
    {"image_urls": ["file:///etc/passwd"]}, {"image_urls": ["https://x/1.jpg"] * 101}, {"external_id": " "},
    {"image_urls": ["https://x/" + "1" * 2_000]}, {"external_id": "x" * 101}, {"external_id": None}, {"extra": 1},
    {"brand": "nobody"}, {"sizes": "x" * 10_001}, {"sizes": json.loads("[" * 200 + "]" * 200)},
]  # fmt: skip


def test_what_cannot_be_kept_is_refused_and_the_field_named(client: CatalogueClient) -> None:
    for wrong in WRONG:
        answer = client.add(**wrong)
        assert problem(answer) == (422, "invalid_request"), wrong
        (field,) = wrong
        assert {one["field"].partition(".")[0] for one in answer.json()["errors"]} == {field}
    for broken in (b"", b"{", b"[]", b"null", b'{"price": 1e99999}', b"\xff", b'{"external_id": NaN}'):
        answer = client.post(broken)
        assert problem(answer) in ((400, "invalid_request"), (422, "invalid_request")), broken
    assert problem(client.post(b" " * 2_000_000)) == (413, "too_large")
    assert execute(client.db, "SELECT 1 FROM raw_products") == []


def test_what_can_be_mended_is(client: CatalogueClient) -> None:
    for body, kept in (
        (b'"price": 129.9', {"price": "129.90"}),
        (b'"title": "\\u0000 x\\ud800 ", "sizes": "\\u0000"', {"title": "x?"}),
        (b'"price": 7, "currency": "KGS"', {"price": "7.00", "currency": "KGS"}),
    ):
        answer = client.post(b'{"external_id": " a/b c\\u00e9 ", "brand": "zara", ' + body + b"}")
        assert answer.status_code == 201, answer.text
        found = client.get(answer.headers["Location"])
        assert found["external_id"] == "a/b cé"
        assert {name: found[name] for name in kept} == kept
        assert client.write("DELETE", answer.headers["Location"]).status_code == 204


def test_the_next_scrape_speaks_again_for_what_the_shop_sells(shop: Shop, client: CatalogueClient) -> None:
    shop.sells([item(1)])
    shop.collect("first")
    assert client.write("PUT", f"{PRODUCTS}/1", EDIT).json()["title"] == "Long coat"
    assert [client.add(external_id=external_id).status_code for external_id in ("2", "3")] == [201, 201]
    shop.sells([item(1), item(2)])
    found = shop.collect("second", force=True).counts
    assert (found["new"], found["changed"], found["vanished"]) == (1, 1, 0)
    assert client.get(f"{PRODUCTS}/1")["title"] == "SHIRT 1"
    # Two rows of one brand and id would share the places of their photos: the shop's own stays.
    assert client.get(f"{PRODUCTS}/2")["product_metadata"]["source"] == "apify_zara"
    rows = execute(client.db, "SELECT source, external_id, active FROM raw_products ORDER BY external_id, source")
    assert [tuple(row.values()) for row in rows] == [
        ("apify_zara", "1", True), ("api", "2", False), ("apify_zara", "2", True), ("api", "3", True),
    ]  # fmt: skip


def test_an_id_that_nobody_can_have_is_not_found(client: CatalogueClient) -> None:
    for path in ("%00", "a%00b", "%ff", "x" * 3_000, "%F0%9F%98%80", "1%27%20OR%201=1", "1?of_brand=%00"):
        assert problem(client.api.get(f"{PRODUCTS}/{path}")) == (404, "unknown_product")
