"""Uploads to the API: photo formats, invalid forms and values, and body limits."""

import json
import socket
import struct
import threading
import zlib

import httpx
import pytest

from unde_catalog.services.search.middleware import access
from unde_catalog.stages.photos import decode
from unde_catalog_tests.support.drawn_cmyk import without_marker
from unde_catalog_tests.support.search_api import Api, OpenApi
from unde_catalog_tests.support.servers import REAL_DATA
from unde_catalog_tests.support.visual_index import PHOTOS
from unde_catalog_tests.unit.drawn_photos import detailed, plain, saved


@pytest.fixture
def ready(api: Api) -> Api:
    """An API with one product in its index."""
    api.visual.add("red")
    api.visual.run()
    return api


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    )


def test_unusable_photos_are_rejected_with_a_reason_and_counted(ready: Api) -> None:
    whole = saved(detailed((640, 480)))
    rejected = {
        "empty": (422, b""),
        "not_an_image": (415, b"<!doctype html><h1>Access Denied</h1>"),
        "unsupported_format": (415, b"\0\0\0\x0cJXL \r\n\x87\n"),
        "too_many_pixels": (413, png_bomb(30_000, 30_000)),
        "truncated": (422, whole[: len(whole) // 2]),
        "corrupt": (422, b"\x89PNG\r\n\x1a\n" + b"\0" * 90 + b"IEND\xaeB`\x82"),
        "too_small": (422, saved(plain("red", (400, 9)))),
        "too_long": (422, saved(plain("red", (20, 20_000)), "PNG")),
        "ambiguous_inks": (422, without_marker(saved(plain((190, 180, 180, 110), mode="CMYK")))),
    }
    for code, (status, data) in rejected.items():
        response = ready.by_image(data)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["content-type"] == "application/problem+json"
        assert f'unde_search_photos_refused_total{{reason="{code}"}} 1.0' in ready.get("/metrics").text


def test_every_supported_format_can_be_searched(ready: Api) -> None:
    for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"):
        assert ready.by_image(saved(detailed(), format)).json()["count"] == 1, format


def test_without_its_extra_heic_is_refused_with_a_sentence_that_names_it(
    ready: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = saved(detailed(), "HEIF")
    monkeypatch.setattr(decode, "has_heif", lambda: False)
    response = ready.by_image(photo)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_format")
    assert "need the extra heif: pip install 'unde-catalog[heif]'. Send a JPEG" in response.json()["detail"]


def test_the_pixel_limit_is_exact(open_api: OpenApi) -> None:
    api = open_api(SEARCH_PHOTO_MAX_PIXELS=1_000_000)
    api.visual.add("red")
    api.visual.run()
    assert api.by_image(saved(plain("red", (1_000, 1_000)))).json()["count"] == 1
    response = api.by_image(saved(plain("red", (1_001, 1_000))))
    assert (response.status_code, response.json()["code"]) == (413, "too_many_pixels")
    assert "1 megapixels" in response.json()["detail"]


@pytest.mark.skipif(not (REAL_DATA / "awkward").is_dir(), reason="the folder of awkward images is missing")
def test_no_awkward_image_causes_a_bug(ready: Api) -> None:
    statuses = {}
    for file in sorted((REAL_DATA / "awkward").iterdir()):
        response = ready.by_image(file.read_bytes())
        statuses[file.name] = response.status_code
        assert response.status_code in (200, 413, 415, 422), (file.name, response.text)
    assert 200 in statuses.values()


def test_malformed_forms_are_rejected(ready: Api) -> None:
    address, form = "/api/v1/search/by-image", {"Content-Type": "multipart/form-data; boundary=x"}
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + PHOTOS["red"]
    assert ready.post(address, content=part + b"\r\n--x--\r\n", headers=form).status_code == 200
    broken = [
        (form, part),  # without its end
        (form, b"no boundary anywhere"),
        (form, b"--x\r\nContent-Disposition: nonsense\r\n\r\nabc\r\n--x--\r\n"),
        (form, b""),
        ({"Content-Type": "multipart/form-data"}, part),
        ({"Content-Type": "application/json"}, b'{"file": "x"}'),
        ({}, PHOTOS["red"]),
        (form, part.replace(b'; filename="a.jpg"', b"") + b"\r\n--x--\r\n"),  # a field instead of a file
    ]
    for headers, body in broken:
        response = ready.post(address, content=body, headers=headers)
        assert response.status_code in (400, 422), (headers, body[:80], response.text)
        assert response.json()["code"] == "invalid_request"


INVALID_VALUES = (
    ("top_k", "0"), ("top_k", "101"), ("top_k", "many"), ("top_k", "9" * 5_000), ("top_k", "1e400"),
    ("threshold", "nan"), ("threshold", "inf"), ("threshold", "1.01"), ("price_from", "-1"), ("price_to", "NaN"),
    ("price_to", "Infinity"), ("price_to", "1e999999"), ("brand", "gucci"), ("brand", "zara'--"),
    ("category", "a\0b"), ("shop", "zara"), ("shop", "zara:1e9"), ("shop", "zara:99999999999"),
    ("brand", ["zara"] * 51),
)  # fmt: skip


def test_invalid_values_are_rejected_by_every_search(api: Api) -> None:
    plurals = {"brand": "brands", "category": "categories"}
    for field, value in INVALID_VALUES:
        json_value = value if isinstance(value, list) or field not in plurals else [value]
        responses = [
            api.by_image(PHOTOS["red"], **{field: value}),
            api.similar(1, **{field: value}),
            api.post("/api/v1/search/by-text", json={"query": "red", plurals.get(field, field): json_value}),
        ]
        for response in responses:
            assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), response.request.url
            assert response.json()["errors"][0]["field"].split(".")[0] in (field, plurals.get(field))


INVALID_SEARCHES = (
    b"", b"null", b"[]", b'"red"', b"{", b'{"query": ""}', b'{"query": "  "}', b'{"query": 7}', b'{"query": null}',
    b'{"query": "\\ud800"}', b'{"query": "a\\u0000"}', b'{"query": "red", "threshold": NaN}',
    b'{"query": "red", "threshold": Infinity}', b'{"query": "red", "top_k": 1.5}', b"[" * 100_000,
    b'{"query": "red", "top_k": ' + b"9" * 10_000 + b"}", b'{"query": "red", "topk": 3}', b"\xff\xfe",
    b'{"query": "' + b"x" * 501 + b'"}', b'{"query": "red", "brands": {"zara": 1}}',
)  # fmt: skip


def test_invalid_search_bodies_are_rejected(api: Api) -> None:
    for body in INVALID_SEARCHES:
        response = api.post("/api/v1/search/by-text", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code in (400, 422) and response.json()["code"] == "invalid_request", (
            body,
            response.text,
        )
    assert not [line for line in api.lines if "trace" in json.loads(line)]


def connect(api: Api) -> socket.socket:
    return socket.create_connection((api.base_url.host, api.base_url.port or 0), timeout=60)


def head(length: str) -> bytes:
    return (
        b"POST /api/v1/search/by-image HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        + length.encode() + b"\r\n\r\n"
    )  # fmt: skip


def test_a_too_large_content_length_is_rejected_before_the_body(api: Api) -> None:
    for length in ("5000000000", "9" * 40):
        with connect(api) as connection:
            connection.sendall(head(f"Content-Length: {length}"))
            response = connection.recv(65_536)
            assert response.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


def statuses(api: Api) -> list[int]:
    """Those of the requests in the log, which also has lines of the start."""
    return [line["status"] for line in map(json.loads, list(api.lines)) if "status" in line]


def test_a_chunked_body_is_cut_off_at_the_limit(open_api: OpenApi) -> None:
    api = open_api(SEARCH_PHOTO_MAX_BYTES=100_000)
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    with connect(api) as connection:
        connection.sendall(head("Transfer-Encoding: chunked") + f"{len(part):x}\r\n".encode() + part + b"\r\n")
        sent = 0
        try:
            for _ in range(80_000):  # 5 GB
                connection.sendall(chunk)
                sent += 1
        except OSError:  # the server has closed the connection
            pass
        assert sent < 2_000
    with api.written:
        assert api.written.wait_for(lambda: statuses(api), 60)
    assert statuses(api) == [413]
    assert api.by_image(b"\xff\xd8\xff" + b"a" * 100_000).json()["code"] == "too_large"
    assert api.by_image(PHOTOS["red"]).json()["code"] == "nothing_embedded"  # the server still works


def test_a_body_that_does_not_arrive_times_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_BODY_TIMEOUT", 0.2)
    with connect(api) as connection:
        connection.sendall(head("Content-Length: 1000") + b"--x")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


def test_other_bodies_have_their_own_limit(api: Api) -> None:
    response = api.post("/api/v1/search/by-text", content=b"x" * 1_000_001)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_photos_beyond_the_memory_budget_wait_for_each_other(open_api: OpenApi) -> None:
    api = open_api(SEARCH_MEMORY_MB=64)  # less than two of these photos need; one alone may exceed it
    api.visual.add("red")
    api.visual.run()
    big = saved(plain("red", (4_000, 3_000)), "PNG")
    responses: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: responses.append(api.by_image(big))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [response.json().get("count") for response in responses] == [1] * 4
