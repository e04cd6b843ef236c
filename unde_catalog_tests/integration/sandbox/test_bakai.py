"""The sandbox's BakaiMarket over plain HTTP: its API in every format, its photos, and configured faults."""

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from unde_catalog.sandbox.bakai import photos
from unde_catalog.sandbox.bakai.catalogue import BakaiCatalogue, BakaiOverrides
from unde_catalog.sandbox.own import environment
from unde_catalog_tests.support.servers import Sandbox, running_sandbox

CATALOGUE = BakaiCatalogue()
DEFAULTS: dict[str, Any] = {
    "size": 40,
    "photos": 4,
    "large": False,
    "shape": "",
    "categories": [],
    "drop": [],
    "price": {},
    "repeat_cursor": False,
    "odd": 0,
}


class Cdn:
    """A client of the API with valid keys."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.environment["BAKAI_CDN_API_URL"]
        self.keys = {
            "X-Access-Key": sandbox.environment["BAKAI_CDN_ACCESS_KEY"],
            "X-Secret-Key": sandbox.environment["BAKAI_CDN_SECRET_KEY"],
        }

    def get(self, path: str = "/v1/products", timeout: float = 10, **query: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", params=query, headers=self.keys, timeout=timeout)

    def pages(self, limit: int = 15) -> Iterator[dict[str, Any]]:
        cursor: str | None = ""
        while cursor is not None:
            query: dict[str, Any] = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            page = self.get(**query).json()
            cursor = page["next_cursor"]
            yield page

    def control(self, **changes: Any) -> None:
        self.sandbox.control(bakai=changes)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("bakai")) as sandbox:
        yield sandbox


@pytest.fixture
def cdn(running: Sandbox) -> Cdn:
    """The default catalogue with an empty log."""
    running.control(bakai=DEFAULTS, faults="")
    requests.delete(f"{running.url}/_log", timeout=10)
    return Cdn(running)


def test_the_environment_contains_api_bucket_and_keys() -> None:
    variables = {name: value for name, value in environment(8790).items() if name.startswith("BAKAI_")}
    assert variables == {
        "BAKAI_CDN_API_URL": "http://127.0.0.1:8790/bakai-api",
        "BAKAI_CDN_ACCESS_KEY": "sandbox-bakai-access",
        "BAKAI_CDN_SECRET_KEY": "sandbox-bakai-secret",
        "BAKAI_S3_ENDPOINT": "http://127.0.0.1:8790/bakai-s3",
        "BAKAI_S3_BUCKET": "bakai-images",
        "BAKAI_S3_ACCESS_KEY": "sandbox-bakai-s3-access",
        "BAKAI_S3_SECRET_KEY": "sandbox-bakai-s3-secret",
    }


def test_only_health_needs_no_keys(cdn: Cdn) -> None:
    health = requests.get(f"{cdn.url}/health", timeout=10)
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    for keys in ({}, {**cdn.keys, "X-Secret-Key": "wrong"}, {"X-Access-Key": "wrong", "X-Secret-Key": "é"}):
        for path in ("/v1/products", "/v1/products/10000015", "/anything"):
            sent = {name: value.encode() for name, value in keys.items()}
            response = requests.get(f"{cdn.url}{path}", headers=sent, timeout=10)
            assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
    text = json.dumps(cdn.sandbox.log())
    assert not any(secret in text for secret in cdn.keys.values())


def test_pages_contain_every_product_once_and_cursors_are_opaque(cdn: Cdn) -> None:
    pages = list(cdn.pages())
    assert [len(page["products"]) for page in pages] == [15, 15, 10]
    assert {page["total"] for page in pages} == {40}
    assert [item["id"] for page in pages for item in page["products"]] == [
        product.id for product in CATALOGUE.products()
    ]
    assert len(pages[0]["next_cursor"]) == 16 and pages[0]["next_cursor"] != pages[1]["next_cursor"]
    for cursor in ("15", "0", "x", "ffffffffffffffff", pages[0]["next_cursor"][:-1]):
        assert cdn.get(cursor=cursor).status_code == 400
    for limit in ("0", "1001", "-1", "many"):
        assert cdn.get(limit=limit).status_code == 400


def test_an_item_has_the_agreed_fields_and_deterministic_photos(cdn: Cdn) -> None:
    items = cdn.get(limit=100).json()["products"]
    first = items[0]
    assert set(first) == {"id", "name", "description", "category", "price", "currency", "images"}
    assert (first["id"], first["price"], first["currency"]) == (10000015, "18990.00", "KGS")
    assert sum("category" not in item for item in items) == 3
    assert cdn.get(f"/v1/products/{first['id']}").json() == {"product": first}
    for product, item in zip(list(CATALOGUE.products())[:2], items, strict=False):
        assert len(item["images"]) == product.photos
        for n, url in enumerate(item["images"], start=1):
            response = requests.get(url, timeout=10)
            assert response.headers["Content-Type"] == "image/jpeg"
            assert response.content == photos.photo(product, n)
            cached = requests.get(url, headers={"If-None-Match": response.headers["ETag"]}, timeout=10)
            assert (cached.status_code, cached.content) == (304, b"")
    log = cdn.sandbox.log("bakai.photo")
    assert {(line["product"], line["n"]) for line in log} >= {("10000015", n) for n in (1, 2, 3, 4)}


@pytest.mark.parametrize("path", ["10000016/1.jpg", "10000015/5.jpg", "10000015/01.jpg", "10000015/1.png", "10000015"])
def test_other_photos_and_products_are_not_found(cdn: Cdn, path: str) -> None:
    assert requests.get(f"{cdn.sandbox.url}/bakai-cdn/{path}", timeout=10).status_code == 404
    assert cdn.get("/v1/products/10000016").status_code == 404
    assert cdn.get("/v1/things").json()["error"]["code"] == "not-found"


def test_other_formats_contain_the_same_products(cdn: Cdn) -> None:
    cdn.control(shape="nested")
    page = cdn.get(limit=2).json()
    assert page["data"][0]["category"]["name"] == "electronics"
    assert page["data"][0]["images"][1]["url"].endswith("/bakai-cdn/10000015/2.jpg")
    assert '"price": 18990.00,' in cdn.get(limit=2).text
    assert cdn.get(limit=2, cursor=page["nextCursor"]).json()["data"][0]["id"] == 10000113
    cdn.control(shape="strings")
    page = cdn.get(limit=2).json()
    assert (page["total"], page["items"][0]["id"], len(page["items"][0]["photos"])) == ("40", "10000015", 4)
    assert page["items"][1]["image_url"].endswith("/10000045/1.jpg")
    assert cdn.get("/v1/products/10000045").json() == page["items"][1]


@pytest.mark.parametrize("shape", ["page-numbers", "bare"])
def test_some_formats_use_page_numbers(cdn: Cdn, shape: str) -> None:
    cdn.control(shape=shape)
    pages = [cdn.get(limit=15, page=page).json() for page in (1, 2, 3, 4)]
    if shape == "page-numbers":
        assert [(page["page"], page["pages"], page["has_more"], page["total"]) for page in pages[:3]] == [
            (1, 3, True, 40), (2, 3, True, 40), (3, 3, False, 40),
        ]  # fmt: skip
        pages = [page["results"] for page in pages]
    assert [item["id"] for page in pages for item in page] == [product.id for product in CATALOGUE.products()]
    assert pages[3] == []


def test_control_requests_change_the_catalogue(cdn: Cdn) -> None:
    cdn.control(size=200_000, drop=["10000045"], price={"10000113": "1.50"}, categories=["../x", None, ""], odd=5)
    overrides = BakaiOverrides(
        size=200_000, drop=frozenset({"10000045"}), price={"10000113": "1.50"}, categories=("../x", None, ""), odd=5
    )
    page = cdn.get(limit=3).json()
    assert page["total"] == 199_999
    products = [product for _, product in zip(range(3), BakaiCatalogue(overrides).products(), strict=False)]
    assert [item["id"] for item in page["products"]] == [product.id for product in products]
    assert [item.get("category") for item in page["products"]] == ["../x", "", "../x"]
    assert page["products"][1]["price"] == "1.50"
    assert cdn.get("/v1/products/10000045").status_code == 404
    odd = requests.get(page["products"][0]["images"][0], timeout=10).content
    assert odd == photos.photo(products[0], 1, overrides) and odd.startswith(b"\x89PNG")


def test_a_repeated_cursor_returns_the_same_page_again(cdn: Cdn) -> None:
    cdn.control(repeat_cursor=True)
    cursors = [page["next_cursor"] for page, _ in zip(cdn.pages(), range(6), strict=False)]
    assert len(cursors) == 6 and len(set(cursors)) == 1


@pytest.mark.parametrize(
    "control",
    [{}, {"size": -1}, {"size": 1, "colour": "red"}, {"shape": "round"}, {"photos": 0}, {"drop": [None]}],
)
def test_an_invalid_control_request_changes_nothing(cdn: Cdn, control: dict[str, Any]) -> None:
    assert requests.post(f"{cdn.sandbox.url}/_control", json={"bakai": control}, timeout=10).status_code == 400
    assert cdn.get().json()["total"] == 40


def test_refusals_have_the_format_of_the_api(cdn: Cdn) -> None:
    cdn.sandbox.control(next_faults={"bakai.products": ["429", "429-in-30", "503"], "bakai.health": ["500"]})
    responses = [cdn.get() for _ in range(3)]
    assert [response.status_code for response in responses] == [429, 429, 503]
    assert [response.headers.get("Retry-After") for response in responses] == ["1", "30", None]
    assert [response.json()["error"]["code"] for response in responses] == ["rate-limited", "rate-limited", "internal"]
    assert cdn.get("/health").status_code == 500
    assert cdn.get().status_code == 200


@pytest.mark.parametrize("shape", ["", "bare"])
def test_unreadable_responses(cdn: Cdn, shape: str) -> None:
    cdn.control(shape=shape)
    cdn.sandbox.control(next_faults={"bakai.products": ["truncated", "not-json", "html", "wrong-types", "timeout"]})
    with pytest.raises(requests.RequestException):
        _ = cdn.get().content
    with pytest.raises(ValueError):
        cdn.get().json()
    assert cdn.get().text.startswith("<!DOCTYPE")
    malformed = cdn.get().json()
    item = malformed["0"] if shape == "bare" else malformed["products"]["0"]
    assert item["id"] == "10000015" and isinstance(item["images"], dict)
    with pytest.raises(requests.Timeout):
        cdn.get(timeout=0.5)
    assert len(cdn.sandbox.log("bakai.products")) >= 4


def test_an_endless_response_does_not_end(cdn: Cdn) -> None:
    cdn.sandbox.control(next_faults={"bakai.product": ["endless"]})
    received = 0
    with requests.get(f"{cdn.url}/v1/products/10000015", headers=cdn.keys, stream=True, timeout=10) as response:
        for chunk in response.iter_content(1 << 20):
            received += len(chunk)
            if received > 5_000_000:
                break
    assert received > 5_000_000


def test_a_client_that_is_cut_off_in_an_endless_response_is_logged(cdn: Cdn) -> None:
    cdn.sandbox.control(next_faults={"bakai.photo": ["endless"]})
    with socket.create_connection(("127.0.0.1", cdn.sandbox.port), timeout=10) as client:
        client.sendall(b"GET /bakai-cdn/10000015/1.jpg HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(100)
        client.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # like the connection of a killed process
    while not (log := cdn.sandbox.log("bakai.photo")):
        pass
    assert log[0]["fault"] == "endless"
    while cdn.sandbox.log("sandbox")[-1]["open"]:  # its handler ends a moment after its line is written
        pass


def test_faults_apply_to_each_page_separately(cdn: Cdn) -> None:
    cdn.control(size=1000)
    cdn.sandbox.control(faults="bakai.products:503x1=0.5,bakai.photo:404=0.5")
    cursor, failed = "", 0
    for _ in range(20):
        query: dict[str, Any] = {"limit": 50} | ({"cursor": cursor} if cursor else {})
        response = cdn.get(**query)
        if response.status_code == 503:
            failed += 1
            response = cdn.get(**query)
        cursor = response.json()["next_cursor"]
    assert 3 <= failed <= 17
    urls = [f"{cdn.sandbox.url}/bakai-cdn/{product.id}/1.jpg" for product in list(CATALOGUE.products())[:12]]
    codes = [requests.get(url, timeout=10).status_code for url in urls]
    assert set(codes) == {200, 404}
    assert [requests.get(url, timeout=10).status_code for url in urls] == codes


def test_photos_are_drawn_even_if_a_data_folder_is_served(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with running_sandbox(tmp_path / "state", "--data", str(tmp_path / "data")) as sandbox:
        response = requests.get(f"{sandbox.url}/bakai-cdn/products/10000015/1.jpg", timeout=10)
        assert response.content == photos.photo(next(CATALOGUE.products()), 1)
