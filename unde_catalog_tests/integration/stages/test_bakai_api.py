"""BakaiMarket's API over real HTTP: pages in every form, trouble that passes and trouble that does not."""

import logging
from email.utils import formatdate
from time import time as wall
from typing import Any

import pytest

from unde_catalog.stages.raw_products import bakai_api
from unde_catalog.stages.raw_products.bakai_api import BakaiApi
from unde_catalog.stages.raw_products.bakai_item import read_item
from unde_catalog.stages.raw_products.errors import CursorLost, ListingBroken, SourceUnusable
from unde_catalog.stages.raw_products.page import SourcePage
from unde_catalog.stores.staging.products.product import CollectedProduct
from unde_catalog_tests.support.bakai_answers import ERROR, HEALTH, ITEM, PRODUCT, answer, item, page
from unde_catalog_tests.support.upstream import FarSide, cut_after, for_ever, reply

FIRST = "/v1/products?limit=500"


class Api(BakaiApi):
    """With the waits written down instead of waited."""

    def __init__(self, host: FarSide, **more: Any) -> None:
        self.waits: list[float] = []
        super().__init__(host.url(""), "access-key", "very-secret-key", sleep=self.waits.append, **more)


def read(api: BakaiApi, after: str | None = None) -> list[SourcePage]:
    return list(api.pages(after))


def ids(pages: list[SourcePage]) -> list[Any]:
    return [one["id"] for page in pages for one in page.items]


def test_the_recorded_answers_are_read(host: FarSide) -> None:
    host.answer("/health", answer(HEALTH))
    host.answer("/v1/products/12345", answer(PRODUCT))
    host.answer("/v1/products/7", answer(ERROR, "404 Not Found"))
    host.answer("/v1/products/a%2F..%2Fb", answer(ITEM))
    host.answer(FIRST, page([ITEM], total=1))
    api = Api(host)
    assert api.health() > 0
    assert (api.product("12345"), api.product("7"), api.product("a/../b")) == (ITEM, None, ITEM)
    assert read(api) == [SourcePage([ITEM], None, 1)]
    keys = [(one.headers.get("x-access-key"), one.headers.get("x-secret-key")) for one in host.asked]
    assert keys == [(None, None)] + 4 * [("access-key", "very-secret-key")]


def test_the_list_is_followed_by_its_cursors_and_gone_on_with_from_any_page(host: FarSide) -> None:
    host.answer(FIRST, page([item(1), item(2)], "a b", total=5))
    host.answer(f"{FIRST}&cursor=a+b", page([item(3), item(4)], "c", total=5))
    host.answer(f"{FIRST}&cursor=c", page([item(5)], total=5))
    whole = read(Api(host))
    assert (ids(whole), [one.total for one in whole]) == ([1, 2, 3, 4, 5], [5, 5, 5])
    assert whole[0].after and ids(read(Api(host), whole[0].after)) == [3, 4, 5]


@pytest.mark.parametrize(
    ("body", "found", "after"),
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
def test_a_page_is_read_in_every_form(host: FarSide, body: Any, found: list[int], after: str | None) -> None:
    host.answer(FIRST, answer(body))
    first = next(Api(host).pages())
    assert (ids([first]), first.after) == (found, after)


def test_a_bare_list_ends_with_an_empty_page(host: FarSide) -> None:
    host.answer(FIRST, answer([item(1)]))
    host.answer(f"{FIRST}&page=2", answer([item(2)]))
    host.answer(f"{FIRST}&page=3", answer([]))
    assert ids(read(Api(host))) == [1, 2]


def test_a_price_is_never_a_float(host: FarSide) -> None:
    host.answer(FIRST, reply(b'{"products": [{"id": 1, "price": 0.1, "currency": "KGS"}], "next_cursor": null}'))
    (found,) = read(Api(host))
    product = read_item(found.items[0])
    assert isinstance(product, CollectedProduct)
    assert (type(found.items[0]["price"]).__name__, str(product.price)) == ("Decimal", "0.10")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({FIRST: page([item(1)], "a"), f"{FIRST}&cursor=a": page([item(2)], "a")}, "has no end"),
        (
            {
                FIRST: page([item(1)], "a"), f"{FIRST}&cursor=a": page([item(2)], "b"),
                f"{FIRST}&cursor=b": page([item(3)], "a"),
            },
            "has no end",
        ),
        ({FIRST: page([item(1)], "a"), f"{FIRST}&cursor=a": page([item(1)], "b")}, "gave the same 1 products again"),
        ({FIRST: answer([item(1)]), f"{FIRST}&page=2": answer([item(1)])}, "gave the same 1 products again"),
        ({FIRST: page([item(1)], "x" * 5000)}, "can't be asked for"),
        ({FIRST: page([item(1)], "a\nb")}, "can't be asked for"),
    ],
    ids=["its own cursor", "a circle", "a page again", "no pages at all", "a long cursor", "a broken cursor"],
)  # fmt: skip
def test_a_list_without_an_end_is_told_and_not_followed_for_ever(
    host: FarSide, answers: dict[str, bytes], said: str
) -> None:
    for path, one in answers.items():
        host.answer(path, one)
    with pytest.raises(ListingBroken, match=said):
        read(Api(host))


def test_neither_pages_nor_empty_pages_go_on_and_on(host: FarSide, monkeypatch: pytest.MonkeyPatch) -> None:
    host.answer(FIRST, page([], "0"))
    for n in range(50):
        host.answer(f"{FIRST}&cursor={n}", page([], str(n + 1)))
    with pytest.raises(ListingBroken, match="20 empty pages in a row"):
        read(Api(host))
    for n in range(50):
        host.answer(f"{FIRST}&cursor={n}", page([item(n)], str(n + 1)))
    monkeypatch.setattr(bakai_api, "MOST_PAGES", 10)
    with pytest.raises(ListingBroken, match="more than 10 pages"):
        read(Api(host))


def test_a_place_that_is_not_known_any_more_is_told_apart(host: FarSide) -> None:
    host.answer(f"{FIRST}&cursor=old", answer(ERROR, "410 Gone"))
    with pytest.raises(CursorLost):
        read(Api(host), "cursor:old")
    host.answer(FIRST, page([item(1)], "old"))
    with pytest.raises(SourceUnusable, match="answered 410") as found:
        read(Api(host))
    assert not isinstance(found.value, CursorLost)


LATER = {"Retry_After": "7"}


@pytest.mark.parametrize(
    ("trouble", "waits"),
    [
        ([answer(ERROR, "429 Too Many Requests", **LATER)], [7.0]),
        ([answer(ERROR, "503 Service Unavailable", **LATER), answer(ERROR, "500 Oops")], [7.0, 3.0]),
        ([answer(ERROR, "429 Too Many Requests"), cut_after(b"HTTP/1.1 200 OK\r\nContent-Le")], [1.0, 3.0]),
        ([cut_after(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"), cut_after(b"")], [1.0, 3.0]),
        ([answer(ERROR, "429 Too Many Requests", Retry_After="0")], [0.0]),
        ([answer(ERROR, "429 Too Many Requests", Retry_After="soon")], [1.0]),
    ],
    ids=["429", "5xx", "no header", "broken off", "at once", "no number"],
)
def test_trouble_that_passes_is_waited_for_as_long_as_the_far_side_says(
    host: FarSide, trouble: list[Any], waits: list[float]
) -> None:
    host.answer(FIRST, *trouble, page([item(1)]))
    api = Api(host)
    assert (ids(read(api)), api.waits) == ([1], waits)


def test_a_date_in_retry_after_is_waited_for(host: FarSide) -> None:
    host.answer(FIRST, answer(ERROR, "429 Slow", Retry_After=formatdate(wall() + 120, usegmt=True)), page([item(1)]))
    api = Api(host)
    assert ids(read(api)) == [1]
    assert len(api.waits) == 1 and 0 < api.waits[0] <= 120


def test_a_far_side_that_wants_hours_of_rest_is_left_alone(host: FarSide) -> None:
    host.answer(FIRST, answer(ERROR, "429 Too Many Requests", Retry_After="7200"))
    api = Api(host)
    with pytest.raises(SourceUnusable, match="wants to be left alone for 7,200 s"):
        read(api)
    assert (api.waits, len(host.asked)) == ([], 1)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (answer(ERROR, "401 Unauthorized"), "answered 401 (unauthorized) to its products: check BAKAI_CDN_ACCESS_KEY"),
        (answer(ERROR, "403 Forbidden"), "answered 403 (unauthorized) to its products: check BAKAI_CDN_ACCESS_KEY"),
        (answer({"error": {"code": "very-secret-key"}}, "403 Forbidden"), "answered 403 to its products"),
        (answer(ERROR, "404 Not Found"), "check BAKAI_CDN_API_URL"),
        (answer(ERROR, "500 Oops"), "it may pass: run it again later"),
        (reply(b"<html>very-secret-key</html>"), "is no JSON that can be read: is BAKAI_CDN_API_URL right?"),
        (reply(b"[" * 100_000), "is no JSON that can be read"),
        (answer({"hello": "very-secret-key"}), "holds no list of products"),
        (reply(b"", "302 Found", Location="http://127.0.0.1:9/very-secret-key"), "answered 302"),
    ],
)
def test_what_does_not_pass_is_one_sentence_that_quotes_no_key(
    host: FarSide, said: bytes, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host.answer(FIRST, said)
    api = Api(host)
    with pytest.raises(SourceUnusable) as found:
        read(api)
    assert sentence in str(found.value)
    assert "\n" not in str(found.value)
    for text in (str(found.value), repr(found.value), repr(api), caplog.text, repr(found.value.__cause__)):
        assert "very-secret-key" not in text and "access-key" not in text


def test_an_answer_without_an_end_is_not_read_for_ever(host: FarSide, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bakai_api, "_LONGEST_ANSWER", 1_000_000)
    host.answer(FIRST, for_ever(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" " * 65_536))
    with pytest.raises(SourceUnusable, match="is longer than 1000000 bytes"):
        read(Api(host, tries=1))
    monkeypatch.setattr(bakai_api, "_ONE_ANSWER", -1.0)
    with pytest.raises(SourceUnusable, match="took longer than"):
        read(Api(host, tries=1))


def test_nobody_there_is_one_sentence(unused_port: int) -> None:
    api = BakaiApi(f"http://127.0.0.1:{unused_port}", "access-key", "very-secret-key", sleep=lambda _: None)
    with pytest.raises(SourceUnusable, match="did not answer to its products: ConnectionError"):
        read(api)


@pytest.mark.parametrize("key", ["with space", "two\nlines", "\u043a\u043b\u044e\u0447"])
def test_a_key_that_can_not_be_sent_is_told_and_not_quoted(host: FarSide, key: str) -> None:
    with pytest.raises(SourceUnusable, match="^BAKAI_CDN_SECRET_KEY holds a space, a line break or the like") as found:
        BakaiApi(host.url(""), "access", key)
    assert key not in str(found.value)


@pytest.fixture
def unused_port(host: FarSide) -> int:
    return 9  # "discard", which no machine of ours has open
