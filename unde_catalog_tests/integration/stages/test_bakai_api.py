"""BakaiMarket's API over real HTTP: pages in every format, temporary and permanent failures."""

import logging
from email.utils import formatdate
from time import time as wall
from typing import Any

import pytest

from unde_catalog.stages.raw_products import bakai_api
from unde_catalog.stages.raw_products.bakai_api import BakaiApi
from unde_catalog.stages.raw_products.bakai_item import read_item
from unde_catalog.stages.raw_products.errors import CursorLost, ListingBroken, SourceUnusable
from unde_catalog.stages.raw_products.source import SourcePage
from unde_catalog.stores.staging.products.product import CollectedProduct
from unde_catalog_tests.support.bakai_responses import ERROR, HEALTH, ITEM, PRODUCT, item, json_response, page
from unde_catalog_tests.support.upstream import RemoteHost, cut_after, repeat, reply

FIRST = "/v1/products?limit=500"


class RecordingApi(BakaiApi):
    """Records the delays between tries instead of waiting."""

    def __init__(self, host: RemoteHost, **more: Any) -> None:
        self.delays: list[float] = []
        super().__init__(host.url(""), "access-key", "very-secret-key", sleep=self.delays.append, **more)


def read(api: BakaiApi, after: str | None = None) -> list[SourcePage]:
    return list(api.pages(after))


def ids(pages: list[SourcePage]) -> list[Any]:
    return [one["id"] for page in pages for one in page.items]


def test_the_recorded_responses_are_read(host: RemoteHost) -> None:
    host.respond("/health", json_response(HEALTH))
    host.respond("/v1/products/12345", json_response(PRODUCT))
    host.respond("/v1/products/7", json_response(ERROR, "404 Not Found"))
    host.respond("/v1/products/a%2F..%2Fb", json_response(ITEM))
    host.respond(FIRST, page([ITEM], total=1))
    api = RecordingApi(host)
    assert api.health() > 0
    assert (api.product("12345"), api.product("7"), api.product("a/../b")) == (ITEM, None, ITEM)
    assert read(api) == [SourcePage([ITEM], None, 1)]
    keys = [(one.headers.get("x-access-key"), one.headers.get("x-secret-key")) for one in host.requests]
    assert keys == [(None, None)] + 4 * [("access-key", "very-secret-key")]


def test_pages_follow_cursors_and_resume_from_any_page(host: RemoteHost) -> None:
    host.respond(FIRST, page([item(1), item(2)], "a b", total=5))
    host.respond(f"{FIRST}&cursor=a+b", page([item(3), item(4)], "c", total=5))
    host.respond(f"{FIRST}&cursor=c", page([item(5)], total=5))
    pages = read(RecordingApi(host))
    assert (ids(pages), [one.total for one in pages]) == ([1, 2, 3, 4, 5], [5, 5, 5])
    assert pages[0].after and ids(read(RecordingApi(host), pages[0].after)) == [3, 4, 5]


@pytest.mark.parametrize(
    ("body", "expected", "after"),
    [
        ({"items": [item(1)], "nextCursor": "x"}, [1], "cursor:x"),
        ({"data": [item(1)], "next": 7}, [1], "cursor:7"),
        ({"results": [item(1)], "next": "https://elsewhere.test/v1/products?limit=9&cursor=x%3D"}, [1], "cursor:x="),
        ({"products": [item(1)], "next_cursor": ""}, [1], None),
        ({"products": [item(1)], "page": 1, "pages": 2}, [1], "page:2"),
        ({"products": [item(1)], "pages": 1}, [1], None),
        ({"products": [item(1)], "has_more": True}, [1], "page:2"),
        ({"products": [item(1)], "has_more": False}, [1], None),
        ([item(1)], [1], "page:2"),
        ([], [], None),
        ({"products": []}, [], None),
    ],
)
def test_a_page_is_read_in_every_format(host: RemoteHost, body: Any, expected: list[int], after: str | None) -> None:
    host.respond(FIRST, json_response(body))
    first = next(RecordingApi(host).pages())
    assert (ids([first]), first.after) == (expected, after)


def test_a_bare_list_ends_with_an_empty_page(host: RemoteHost) -> None:
    host.respond(FIRST, json_response([item(1)]))
    host.respond(f"{FIRST}&page=2", json_response([item(2)]))
    host.respond(f"{FIRST}&page=3", json_response([]))
    assert ids(read(RecordingApi(host))) == [1, 2]


def test_a_price_is_never_a_float(host: RemoteHost) -> None:
    host.respond(FIRST, reply(b'{"products": [{"id": 1, "price": 0.1, "currency": "KGS"}], "next_cursor": null}'))
    (only_page,) = read(RecordingApi(host))
    product = read_item(only_page.items[0])
    assert isinstance(product, CollectedProduct)
    assert (type(only_page.items[0]["price"]).__name__, str(product.price)) == ("Decimal", "0.10")


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ({FIRST: page([item(1)], "a"), f"{FIRST}&cursor=a": page([item(2)], "a")}, "does not end"),
        (
            {
                FIRST: page([item(1)], "a"), f"{FIRST}&cursor=a": page([item(2)], "b"),
                f"{FIRST}&cursor=b": page([item(3)], "a"),
            },
            "does not end",
        ),
        ({FIRST: page([item(1)], "a"), f"{FIRST}&cursor=a": page([item(1)], "b")}, "the same 1 products again"),
        ({FIRST: json_response([item(1)]), f"{FIRST}&page=2": json_response([item(1)])}, "the same 1 products again"),
        ({FIRST: page([item(1)], "x" * 5000)}, "cannot be requested"),
        ({FIRST: page([item(1)], "a\nb")}, "cannot be requested"),
    ],
    ids=["its own cursor", "a circle", "a page again", "no pages at all", "a long cursor", "a broken cursor"],
)  # fmt: skip
def test_an_endless_list_is_reported_and_not_followed_for_ever(
    host: RemoteHost, responses: dict[str, bytes], message: str
) -> None:
    for path, one in responses.items():
        host.respond(path, one)
    with pytest.raises(ListingBroken, match=message):
        read(RecordingApi(host))


def test_the_number_of_pages_and_of_empty_pages_is_limited(host: RemoteHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.respond(FIRST, page([], "0"))
    for n in range(50):
        host.respond(f"{FIRST}&cursor={n}", page([], str(n + 1)))
    with pytest.raises(ListingBroken, match="20 empty pages in a row"):
        read(RecordingApi(host))
    for n in range(50):
        host.respond(f"{FIRST}&cursor={n}", page([item(n)], str(n + 1)))
    monkeypatch.setattr(bakai_api, "MAX_PAGES", 10)
    with pytest.raises(ListingBroken, match="more than 10 pages"):
        read(RecordingApi(host))


def test_a_lost_cursor_has_its_own_error(host: RemoteHost) -> None:
    host.respond(f"{FIRST}&cursor=old", json_response(ERROR, "410 Gone"))
    with pytest.raises(CursorLost):
        read(RecordingApi(host), "cursor:old")
    host.respond(FIRST, page([item(1)], "old"))
    with pytest.raises(SourceUnusable, match="responded 410") as raised:
        read(RecordingApi(host))
    assert not isinstance(raised.value, CursorLost)


LATER = {"Retry_After": "7"}


@pytest.mark.parametrize(
    ("failures", "delays"),
    [
        ([json_response(ERROR, "429 Too Many Requests", **LATER)], [7.0]),
        ([json_response(ERROR, "503 Service Unavailable", **LATER), json_response(ERROR, "500 Oops")], [7.0, 3.0]),
        ([json_response(ERROR, "429 Too Many Requests"), cut_after(b"HTTP/1.1 200 OK\r\nContent-Le")], [1.0, 3.0]),
        ([cut_after(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"), cut_after(b"")], [1.0, 3.0]),
        ([json_response(ERROR, "429 Too Many Requests", Retry_After="0")], [1.0]),
        ([json_response(ERROR, "429 Too Many Requests", Retry_After="soon")], [1.0]),
    ],
    ids=["429", "5xx", "no header", "ended early", "zero", "not a number"],
)
def test_temporary_failures_are_retried_after_the_requested_delay(
    host: RemoteHost, failures: list[Any], delays: list[float]
) -> None:
    host.respond(FIRST, *failures, page([item(1)]))
    api = RecordingApi(host)
    assert (ids(read(api)), api.delays) == ([1], delays)


def test_a_date_in_retry_after_is_waited_for(host: RemoteHost) -> None:
    host.respond(
        FIRST, json_response(ERROR, "429 Slow", Retry_After=formatdate(wall() + 120, usegmt=True)), page([item(1)])
    )
    api = RecordingApi(host)
    assert ids(read(api)) == [1]
    assert len(api.delays) == 1 and 0 < api.delays[0] <= 120


def test_a_pause_of_hours_is_not_waited_for(host: RemoteHost) -> None:
    host.respond(FIRST, json_response(ERROR, "429 Too Many Requests", Retry_After="7200"))
    api = RecordingApi(host)
    with pytest.raises(SourceUnusable, match="asks for a pause of 7,200 s"):
        read(api)
    assert (api.delays, len(host.requests)) == ([], 1)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (
            json_response(ERROR, "401 Unauthorized"),
            "responded 401 (unauthorized) to the request for its products: check BAKAI_CDN_ACCESS_KEY",
        ),
        (
            json_response(ERROR, "403 Forbidden"),
            "responded 403 (unauthorized) to the request for its products: check BAKAI_CDN_ACCESS_KEY",
        ),
        (
            json_response({"error": {"code": "very-secret-key"}}, "403 Forbidden"),
            "responded 403 to the request for its products",
        ),
        (json_response(ERROR, "404 Not Found"), "check BAKAI_CDN_API_URL"),
        (json_response(ERROR, "500 Oops"), "it may pass: run it again later"),
        (reply(b"<html>very-secret-key</html>"), "is not readable JSON: check BAKAI_CDN_API_URL"),
        (reply(b"[" * 100_000), "is not readable JSON"),
        (json_response({"hello": "very-secret-key"}), "has no list of products"),
        (reply(b"", "302 Found", Location="http://127.0.0.1:9/very-secret-key"), "responded 302"),
    ],
)
def test_a_permanent_failure_is_one_message_without_the_keys(
    host: RemoteHost, response: bytes, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host.respond(FIRST, response)
    api = RecordingApi(host)
    with pytest.raises(SourceUnusable) as raised:
        read(api)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    for text in (str(raised.value), repr(raised.value), repr(api), caplog.text, repr(raised.value.__cause__)):
        assert "very-secret-key" not in text and "access-key" not in text


def test_an_endless_response_is_not_read_for_ever(host: RemoteHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bakai_api, "_MAX_RESPONSE_BYTES", 1_000_000)
    host.respond(FIRST, repeat(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" " * 65_536))
    with pytest.raises(SourceUnusable, match="is longer than 1000000 bytes"):
        read(RecordingApi(host, tries=1))
    monkeypatch.setattr(bakai_api, "_RESPONSE_TIMEOUT", -1.0)
    with pytest.raises(SourceUnusable, match="took longer than"):
        read(RecordingApi(host, tries=1))


def test_an_unreachable_api_is_one_message(unused_port: int) -> None:
    api = BakaiApi(f"http://127.0.0.1:{unused_port}", "access-key", "very-secret-key", sleep=lambda _: None)
    with pytest.raises(SourceUnusable, match="did not respond to the request for its products: ConnectionError"):
        read(api)


@pytest.mark.parametrize("key", ["with space", "two\nlines", "\u043a\u043b\u044e\u0447"])
def test_a_key_that_cannot_be_sent_is_reported_and_not_quoted(host: RemoteHost, key: str) -> None:
    with pytest.raises(
        SourceUnusable, match="^BAKAI_CDN_SECRET_KEY contains a space, a line break or a similar character"
    ) as raised:
        BakaiApi(host.url(""), "access", key)
    assert key not in str(raised.value)


@pytest.fixture
def unused_port(host: RemoteHost) -> int:
    return 9  # the "discard" service, which is closed everywhere
