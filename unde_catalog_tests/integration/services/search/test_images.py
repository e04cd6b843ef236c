"""Stored photos over HTTP: caching, ranges, and that no other file is served."""

import hashlib
import socket

import pytest

from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.search_api import Api, OpenApi
from unde_catalog_tests.support.visual_index import PHOTOS

RED = PHOTOS["red"]
SIZE = len(RED)


@pytest.fixture
def photo(api: Api) -> str:
    """The path of a stored photo."""
    api.visual.add("red")
    return "/images/zara_1/image_1.jpg"


def test_products_are_named_by_the_marketplace_or_by_brand(api: Api, photo: str) -> None:
    """The same number may be a product of the marketplace, of a brand, and the id of a row."""
    for external_id, source, brand, colour in (
        ("bakai_12345", "bakai", "bakai", "green"), ("12345", "apify_zara", "zara", "blue"),
        ("a/b", "apify_zara", "zara", "black"),
    ):  # fmt: skip
        product = api.visual.add(colour)
        execute(api.backends.db, "UPDATE raw_products SET external_id = %s, source = %s, brand = %s WHERE id = %s",
                external_id, source, brand, product)  # fmt: skip
    shown = {one["external_id"]: one["image_url"] for one in api.get("/api/v1/products").json()["products"]}
    assert shown == {
        "1": f"{api.base}/images/zara_1/image_1.jpg",
        "bakai_12345": f"{api.base}/images/12345/image_1.jpg",
        "12345": f"{api.base}/images/zara_12345/image_1.jpg",
        "a/b": f"{api.base}/images/row_4/image_1.jpg",
    }
    for external_id, colour in (("1", "red"), ("bakai_12345", "green"), ("12345", "blue"), ("a/b", "black")):
        assert api.get(shown[external_id]).content == PHOTOS[colour], external_id
    assert api.get("/images/bakai_12345/image_1.jpg").content == PHOTOS["green"]


def test_addresses_begin_with_the_public_url_if_one_is_set(open_api: OpenApi) -> None:
    api = open_api(SEARCH_PUBLIC_URL="https://search.example/catalogue/")
    api.visual.add("red")
    (product,) = api.get("/api/v1/products").json()["products"]
    assert product["image_url"] == "https://search.example/catalogue/images/zara_1/image_1.jpg"


def test_a_photo_has_caching_headers(api: Api, photo: str) -> None:
    response = api.get(photo)
    assert response.content == RED and response.headers["content-type"] == "image/jpeg"
    assert response.headers["etag"] == f'"{hashlib.sha256(RED).hexdigest()}"'
    assert response.headers["cache-control"] == "public, max-age=300"
    head = api.head(photo)
    assert head.content == b"" and head.status_code == 200
    for name in ("etag", "content-length", "content-type", "accept-ranges"):
        assert head.headers[name] == response.headers[name]


def test_an_unchanged_photo_is_not_sent_again(api: Api, photo: str) -> None:
    etag = api.get(photo).headers["etag"]
    for header in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = api.get(photo, headers={"If-None-Match": header})
        assert (response.status_code, response.content) == (304, b"") and response.headers["etag"] == etag
    api.visual.store(1, 1, PHOTOS["green"])
    response = api.get(photo, headers={"If-None-Match": etag})
    assert response.content == PHOTOS["green"] and response.headers["etag"] != etag


@pytest.mark.parametrize("head", [False, True])
def test_ranges_of_a_photo(api: Api, photo: str, head: bool) -> None:
    ranges = {
        "bytes=0-9": (0, 10), "bytes=5-": (5, SIZE), "bytes=-7": (SIZE - 7, SIZE),
        f"bytes=10-{SIZE * 9}": (10, SIZE), f"bytes=-{SIZE * 9}": (0, SIZE), "bytes = 0 - 0": (0, 1),
    }  # fmt: skip
    for header, (first, end) in ranges.items():
        response = api.request("HEAD" if head else "GET", photo, headers={"Range": header})
        assert response.status_code == 206 and response.headers["content-range"] == f"bytes {first}-{end - 1}/{SIZE}"
        assert response.content == (b"" if head else RED[first:end])
    for header in (f"bytes={SIZE}-", "bytes=-0", f"bytes={SIZE}-{SIZE + 5}"):
        response = api.get(photo, headers={"Range": header})
        assert response.status_code == 416 and response.headers["content-range"] == f"bytes */{SIZE}"
    for unsupported in ("bytes=9-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5", "bytes=" + "9" * 400 + "-"):
        response = api.get(photo, headers={"Range": unsupported})
        assert (response.status_code, response.content) == (200, RED), unsupported
    stale = api.get(photo, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (stale.status_code, stale.content) == (200, RED)


def test_a_photo_that_is_being_replaced_is_not_cached(api: Api, photo: str) -> None:
    api.backends.store.put(api.visual.key(1, 1), PHOTOS["blue"], "image/jpeg")  # the row is not updated yet
    response = api.get(photo)
    assert response.content == PHOTOS["blue"]
    assert "etag" not in response.headers and response.headers["cache-control"] == "no-store"


def test_anything_but_a_stored_photo_is_404(api: Api, photo: str) -> None:
    execute(api.backends.db, "INSERT INTO product_photos (product_id, n, source_url, state, fetched_at)"
                          " SELECT 1, 2, 'https://cdn.test/2.jpg', 'failed', now()")  # fmt: skip
    missing = [
        "/images/zara_1/image_2.jpg", "/images/zara_1/image_3.jpg", "/images/zara_2/image_1.jpg",
        "/images/zara_1/image_0.jpg", "/images/1/image_1.jpg", "/images/bershka_1/image_1.jpg",
        "/images/zara_1/image_99999.jpg", f"/images/row_{9**40}/image_1.jpg", f"/images/zara_1/image_{9**40}.jpg",
        f"/images/row_{2**63}/image_1.jpg", "/images/zara_%00/image_1.jpg", f"/images/{'9' * 300}/image_1.jpg",
        "/images/-1/image_1.jpg", "/images/zara_1/image_1.png", "/images/zara_1/", "/images/", "/images",
        "/images/%31%2f..%2f1/image_1.jpg", "/images/zara_1/image_1.jpg%00", "/images/zara_\u0661/image_1.jpg",
    ]  # fmt: skip
    for address in missing:
        response = api.get(address)
        assert response.status_code == 404 and response.headers["content-type"] == "application/problem+json", address
    api.backends.store.delete([api.visual.key(1, 1)])
    assert api.get(photo).json()["code"] == "unknown_photo"


def test_no_path_escapes_the_photos_or_the_page(api: Api, photo: str) -> None:
    secret = api.backends.settings.home / "secret.txt"
    secret.write_text("planted")
    for path in (
        "/images/../secret.txt", "/images/1/../../secret.txt", "/../../../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/app.py", "/..%2fapp.py", "//etc/passwd", "/page/../app.py", "/%00", "/..\\app.py",
        "/images//etc/passwd", "/docs/../app.py", "/docs/..%2fapp.py", "/app.py", "/__init__.py",
    ):  # fmt: skip
        with socket.create_connection((api.base_url.host, api.base_url.port or 0), timeout=60) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            received = b"".join(iter(lambda: connection.recv(65_536), b""))  # noqa: B023
        assert received.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 405")), (path, received[:200])
        assert b"planted" not in received and b"root:" not in received and b"import" not in received


def test_a_photo_in_a_bucket_is_a_redirect(open_api: OpenApi) -> None:
    bucket = {
        "S3_ENDPOINT": "https://objects.test", "S3_BUCKET": "photos", "S3_ACCESS_KEY": "planted-access",
        "S3_SECRET_KEY": "planted-secret", "OBJECT_BASE_URL": "https://cdn.test/photos",
    }  # fmt: skip
    api = open_api(**bucket)
    execute(api.backends.db, "INSERT INTO raw_products (source, external_id, brand, scraped_at) VALUES"
                          " ('apify_zara', '1', 'zara', now())")  # fmt: skip
    execute(api.backends.db, "INSERT INTO product_photos VALUES (1, 1, 'https://x.test/1.jpg', 'stored', NULL,"
                          " 'originals/zara/1/1.jpg', 'abc', 80, 100, 900, now())")  # fmt: skip
    response = api.get("/images/zara_1/image_1.jpg")
    assert (response.status_code, response.headers["location"]) == (
        307,
        "https://cdn.test/photos/originals/zara/1/1.jpg",
    )
    assert response.headers["cache-control"] == "public, max-age=300" and "planted" not in response.text


def test_the_placeholder_is_an_image(api: Api) -> None:
    response = api.get("/images/none.svg")
    assert response.headers["content-type"].startswith("image/svg+xml") and response.content.startswith(b"<svg")
    assert api.head("/images/none.svg").status_code == 200
