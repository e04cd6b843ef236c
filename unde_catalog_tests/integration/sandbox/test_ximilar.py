"""The sandbox's Ximilar: its responses, its log and its billing."""

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from unde_catalog.sandbox.own import environment
from unde_catalog_tests.support.servers import running_sandbox
from unde_catalog_tests.support.ximilar_requests import (
    COLLECTION,
    PREFIX,
    TOKEN,
    Ximilar,
    encoded,
    picture,
    record,
    records_of,
)

UNREACHABLE = {"_url": "https://unde-images.invalid/originals/zara/1/1.jpg"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ximilar]:
    with running_sandbox(tmp_path_factory.mktemp("state")) as sandbox:
        yield Ximilar(sandbox)


@pytest.fixture
def ximilar(running: Ximilar) -> Ximilar:
    """Ximilar with an empty collection and an empty log."""
    running.sandbox.control(ximilar={"remove": running.ids()})
    requests.delete(f"{running.sandbox.url}/_log", timeout=10)
    return running


@pytest.fixture
def filled(ximilar: Ximilar) -> Ximilar:
    """Ximilar with one record in its collection."""
    ximilar.insert(record("there"))
    return ximilar


@pytest.fixture
def photo_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a loopback server with a photo and an HTML page."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(picture())
    (folder / "page.jpg").write_bytes(b"<!DOCTYPE html><html></html>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_inserted_records_are_returned_in_order_with_metadata(ximilar: Ximilar) -> None:
    records = [record(f"r{n}", price=f"{n}.00", brand="zara") for n in range(10)]
    status, body = ximilar.insert(*records, fields_to_return=["_id", "price"])
    assert (status, body["status"]["code"]) == (201, 210)
    assert body["status"]["text"] and body["status"]["request_id"]
    assert body["answer_records"] == [{"_id": f"r{n}", "price": f"{n}.00"} for n in range(10)]
    assert "skipped_records" not in body
    query = {**records_of("r7", "r2"), "fields_to_return": ["_id", "brand", "nothing"]}
    status, body = ximilar.post("get", query)
    assert (status, body["status"]["code"], body["answer_count"]) == (200, 200, 2)
    assert body["answer_records"] == [{"_id": "r7", "brand": "zara"}, {"_id": "r2", "brand": "zara"}]
    assert ximilar.post("get", records_of("r1"))[1]["answer_records"] == [{"_id": "r1"}]
    assert ximilar.ids() == [f"r{n}" for n in range(10)]


def test_duplicates_are_skipped_billed_and_logged(ximilar: Ximilar) -> None:
    assert ximilar.code("insert", {"records": [record("a"), record("b")]}) == 210
    status, body = ximilar.insert(record("b", name="other"), record("c"))
    assert (status, body["status"]["code"]) == (201, 211)
    assert [one["_id"] for one in body["answer_records"]] == ["c"]
    [skipped] = body["skipped_records"]
    assert skipped["_id"] == "b" and "duplicate" in skipped["reason"]
    status, body = ximilar.insert(record("a"), record("c"))
    assert (status, body["status"]["code"]) == (200, 411)
    assert [one["_id"] for one in body["skipped_records"]] == ["a", "c"]
    assert ximilar.code("insert", {"records": [record("d"), record("d")]}) == 211
    everything = {**records_of("b"), "fields_to_return": ["name"]}
    assert ximilar.post("get", everything)[1]["answer_records"] == [{}], "a duplicate changed the record"
    lines = ximilar.sandbox.log("ximilar.insert")
    assert [(line["code"], line["billed"]) for line in lines] == [(210, 2), (211, 2), (411, 2), (211, 2)]
    assert [line["ids"] for line in lines] == [["a", "b"], ["b", "c"], ["a", "c"], ["d", "d"]]
    assert [line["inserted"] for line in lines] == [["a", "b"], ["c"], [], ["d"]]
    assert [line["duplicates"] for line in lines] == [[], ["b"], ["a", "c"], ["d"]]
    assert {line["collection"] for line in lines} == {COLLECTION}
    assert "_base64" not in json.dumps(lines) and TOKEN not in json.dumps(lines)
    kinds = [line["kind"] for line in ximilar.sandbox.log("ximilar")]
    assert kinds == ["ximilar.insert"] * 4 + ["ximilar.get"]
    assert ximilar.sandbox.log("ximilar.in") == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_every_listed_image_format_is_accepted(ximilar: Ximilar, kind: str) -> None:
    assert ximilar.insert({"_id": kind, "_base64": encoded(picture(kind=kind))})[1]["status"]["code"] == 210


def test_heic_is_recognized_by_its_first_bytes(ximilar: Ximilar) -> None:
    heic = b"\x00\x00\x00\x18ftypheic" + bytes(100)
    assert ximilar.insert({"_id": "heic", "_base64": encoded(heic)})[1]["status"]["code"] == 210
    assert ximilar.code("visualKNN", {"query_record": {"_id": "heic"}}) == 400


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({}, "neither"),
        ({"_base64": "not base64!"}, "not base64"),
        ({"_base64": 7}, "not base64"),
        ({"_base64": encoded(b"<html></html>")}, "not an image"),
        ({"_base64": encoded(picture(kind="GIF"))}, "not an image"),
        ({"_base64": encoded(picture()[:-700])}, "decoded"),
        (UNREACHABLE, "can't be reached"),
        ({"_url": "file:///etc/passwd"}, "can't be reached"),
        ({"_url": "http://169.254.169.254/latest/meta-data/"}, "can't be reached"),
        ({"_url": "http://127.0.0.1:1/1.jpg"}, "could not be downloaded"),
        ({"_base64": encoded(picture()), "price": {"aed": 1}}, "not flat"),
    ],
)
def test_a_record_without_a_readable_photo_fails_alone_with_a_reason(
    ximilar: Ximilar, broken: dict[str, Any], reason: str
) -> None:
    status, body = ximilar.insert({"_id": "broken", **broken}, record("fine"))
    assert (status, body["status"]["code"]) == (200, 206)
    assert body["answer_records"] == [{"_id": "fine"}]
    [skipped] = body["skipped_records"]
    assert skipped["_id"] == "broken" and reason in skipped["reason"]
    status, body = ximilar.insert({"_id": "broken", **broken})
    assert (status, body["status"]["code"]) == (400, 400)
    assert [one["_id"] for one in body["skipped_records"]] == ["broken"]
    assert [line["failed"] for line in ximilar.sandbox.log("ximilar.insert")] == [["broken"], ["broken"]]
    assert ximilar.ids() == ["fine"]


def test_a_url_on_this_machine_is_fetched(ximilar: Ximilar, photo_url: str) -> None:
    records = [{"_id": name, "_url": f"{photo_url}/{name}.jpg"} for name in ("1", "2", "page")]
    body = ximilar.insert(*records, fields_to_return=["_id", "_url"])[1]
    assert body["status"]["code"] == 206
    assert body["answer_records"] == [{"_id": "1", "_url": f"{photo_url}/1.jpg"}]
    reasons = {one["_id"]: one["reason"] for one in body["skipped_records"]}
    assert "404" in reasons["2"] and "not an image" in reasons["page"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"records": []},
        {"records": {"_id": "a"}},
        {"records": ["a"]},
        {"records": [{"_id": 7}]},
        {"records": [{"_id": ""}]},
        {"records": [{"_id": str(n)} for n in range(11)]},
        [],
        "text",
    ],
)
@pytest.mark.parametrize("method", ["insert", "update", "delete", "get"])
def test_an_invalid_request_is_refused_as_a_whole(filled: Ximilar, method: str, body: Any) -> None:
    status, response = filled.post(method, body)
    assert (status, response["status"]["code"]) == (400, 400)
    assert filled.ids() == ["there"]


@pytest.mark.parametrize("method", ["insert", "get", "allRecords"])
def test_the_fields_to_return_must_be_a_list(filled: Ximilar, method: str) -> None:
    assert filled.code(method, {**records_of("a"), "fields_to_return": "_id"}) == 400


def test_a_record_without_an_id_gets_one(ximilar: Ximilar) -> None:
    body = ximilar.insert({"_base64": encoded(picture())})[1]
    assert ximilar.ids() == [body["answer_records"][0]["_id"]]


def test_an_update_merges_metadata_and_ignores_the_photo(ximilar: Ximilar, photo_url: str) -> None:
    ximilar.insert(record("red", price="1", name="A"), record("blue", "blue"))
    update = {"_id": "red", "price": "2", "_url": f"{photo_url}/page.jpg", "_base64": encoded(picture("blue"))}
    status, body = ximilar.post("update", {"records": [update, {"_id": "gone", "price": "2"}]})
    assert (status, body["status"]["code"]) == (200, 206)
    assert body["answer_records"] == [{"_id": "red"}]
    assert [one["_id"] for one in body["skipped_records"]] == ["gone"]
    assert ximilar.code("update", {"records": [update]}) == 200
    assert ximilar.code("update", records_of("gone")) == 404
    query = {**records_of("red"), "fields_to_return": ["price", "name"]}
    assert ximilar.post("get", query)[1]["answer_records"] == [{"price": "2", "name": "A"}]
    nearest = ximilar.post("visualKNN", {"query_record": {"_base64": encoded(picture("red"))}, "k": 1})[1]
    assert nearest["answer_records"] == [{"_id": "red"}], "the record is still that of the old photo"


def test_delete_and_get_distinguish_all_some_and_none(ximilar: Ximilar) -> None:
    ximilar.insert(record("a"), record("b"), record("c"))
    assert [ximilar.code("get", records_of(*ids)) for ids in ("abc", "ax", "xy")] == [200, 206, 404]
    assert [ximilar.code("delete", records_of(*ids)) for ids in ("ab", "bc", "abc")] == [220, 206, 404]
    assert ximilar.ids() == []
    lines = [line for line in ximilar.sandbox.log("ximilar.delete")]
    assert [(line["found"], line["missing"]) for line in lines] == [
        (["a", "b"], []),
        (["c"], ["b"]),
        ([], ["a", "b", "c"]),
    ]
    assert ximilar.code("insert", {"records": [record("a")]}) == 210, "a deleted record cannot be inserted again"


def test_ping_names_the_collection_and_its_kind(filled: Ximilar) -> None:
    status, body = filled.post("ping")
    assert (status, body["status"]["code"]) == (200, 200)
    assert body["collection"]["id"] == COLLECTION and body["collection"]["type"] == "fashion-new"
    assert body["collection"]["name"]


def test_all_records_are_listed_in_pages(ximilar: Ximilar) -> None:
    for first in range(0, 25, 10):
        ximilar.insert(*(record(f"r{n:02}") for n in range(first, min(first + 10, 25))))
    pages = [ximilar.post(f"allRecords?size=10&page={page}", {})[1] for page in (1, 2, 3, 4)]
    assert [page["answer_count"] for page in pages] == [10, 10, 5, 0]
    listed = [one["_id"] for page in pages for one in page["answer_records"]]
    assert listed == ximilar.ids() == [f"r{n:02}" for n in range(25)]
    assert ximilar.code("allRecords?size=x", {}) == 400


def test_similar_colours_are_found_nearest_first(ximilar: Ximilar) -> None:
    ximilar.insert(record("red", "#ff0000"), record("dark red", "#a00000"), record("blue", "#0000ff"))
    body = ximilar.post("visualKNN", {"query_record": {"_base64": encoded(picture("#f00000"))}, "k": 2})[1]
    assert [one["_id"] for one in body["answer_records"]] == ["red", "dark red"]
    assert body["answer_distances"] == sorted(body["answer_distances"])
    assert ximilar.post("visualKNN", {"query_record": {"_id": "blue"}})[1]["answer_distances"][0] == 0
    assert ximilar.code("visualKNN", {"query_record": {"_id": "gone"}}) == 404
    assert ximilar.code("visualKNN", {"query_record": {"_id": "blue"}, "filter": {"brand": "zara"}}) == 400


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"token": "wrong"}, 401),
        ({"token": ""}, 401),
        ({"collection": None}, 400),
        ({"collection": "another"}, 403),
        ({"prefix": "/similarity/fashion/v2/"}, 400),
        ({"prefix": "/similarity/custom/v2/"}, 400),
    ],
)
def test_token_collection_and_prefix_of_the_kind_are_required(
    filled: Ximilar, changed: dict[str, Any], status: int
) -> None:
    other_client = Ximilar(filled.sandbox, **changed)
    for method in ("ping", "get", "delete", "insert"):
        status_code, body = other_client.post(method, records_of("there"))
        assert (status_code, body["status"]["code"]) == (status, status)
        assert body["status"]["text"] and body["status"]["request_id"]
    assert filled.ids() == ["there"]


@pytest.mark.parametrize("kind", ["fashion-new", "fashion", "products-new", "photos", "custom"])
def test_each_kind_of_collection_has_its_own_prefix_and_records(filled: Ximilar, kind: str) -> None:
    other = Ximilar(filled.sandbox, f"/similarity/{kind}/v2/", f"sandbox-{kind}")
    assert other.code("ping") == 200
    assert other.ids() == (["there"] if kind == "fashion-new" else [])


def test_other_paths_and_methods_do_not_exist(filled: Ximilar) -> None:
    for path in (f"{PREFIX}nothing", "/similarity/hats/v2/ping", "/similarity/"):
        assert requests.post(f"{filled.sandbox.url}{path}", timeout=10).status_code == 404
    assert requests.get(f"{filled.sandbox.url}{PREFIX}ping", timeout=10).status_code in (404, 405)


def test_the_environment_points_a_client_at_the_default_collection(ximilar: Ximilar) -> None:
    variables = environment(ximilar.sandbox.port)
    client = Ximilar(
        ximilar.sandbox, collection=variables["XIMILAR_COLLECTION_ID"], token=variables["XIMILAR_API_TOKEN"]
    )
    assert variables["XIMILAR_API_URL"] == ximilar.sandbox.url
    assert client.code("ping") == 200
