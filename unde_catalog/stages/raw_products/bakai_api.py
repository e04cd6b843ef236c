"""The API of BakaiMarket's CDN: its products in pages, one product, and whether it is well.

Its answers are documented nowhere [?]. What is assumed of them, and read tolerantly:

- `GET /health` answers 200 without keys. Everything else wants `X-Access-Key` and `X-Secret-Key`: 401, 403 without.
- `GET /v1/products?limit=500[&cursor=...]` answers `{"products": [...], "next_cursor": "..." or null, "total": 7}`.
  The list may be called items, data or results, or be the whole answer; the cursor `nextCursor` or `next`. Where no
  cursor is ever named, pages are asked for by `page`, from 1, until `pages` or `has_more` say that there are no more,
  or, where they say nothing either, until a page is empty.
- `GET /v1/products/<id>` answers `{"product": {...}}` or the bare item, 404 for none.
- 429 and 5xx pass; `Retry-After`, in seconds or as a date, is kept. Errors are `{"error": {"code", "message"}}`.

What an item says is `bakai_item.py`'s.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from requests import RequestException

from unde_catalog.net.responses import parse_retry_after
from unde_catalog.stages.raw_products.errors import CursorLost, ListingBroken, SourceUnusable
from unde_catalog.stages.raw_products.page import SourcePage

ITEMS_A_PAGE, ITEMS_LOOKED_AT = 500, 1
MOST_PAGES = 20_000  # ten million products; more is a list without an end
_EMPTY_PAGES = 20  # in a row, each naming another after it
_SECONDS = (10, 30)  # to connect, and for each piece of an answer
_ONE_ANSWER = 60.0  # seconds for all of it
_LONGEST_ANSWER = 64_000_000  # bytes; a page of 500 real items has less than two million
_PIECE = 1 << 16
_TRIES = 4
_FIRST_WAIT = 1.0  # seconds before the second try, then three times as long each time; Retry-After wins
_PATIENCE = 200.0  # seconds for all tries and waits, as the lease of a scrape must outlive them and one more answer
_LONGEST_CURSOR = 2_000
_LONGEST_NUMBER = 4_300  # digits: longer ones Python refuses to read, so they stay text

_LISTS = ("products", "items", "data", "results")
_CURSORS = ("next_cursor", "nextCursor", "next")
_TOTALS = ("total", "total_count", "totalCount", "count_total")
_PAGES = ("pages", "total_pages", "totalPages")
_MORE = ("has_more", "hasMore", "has_next")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


class BakaiApi:
    """The API with its keys. Its methods block; `sleep` is how it waits between tries."""

    def __init__(
        self, url: str, access_key: str, secret_key: str, *, tries: int = _TRIES,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:  # fmt: skip
        for name, key in (("BAKAI_CDN_ACCESS_KEY", access_key), ("BAKAI_CDN_SECRET_KEY", secret_key)):
            if not (key.isascii() and key.isprintable() and " " not in key):  # else the library would quote it
                raise SourceUnusable(f"{name} holds a space, a line break or the like: copy it again")
        self._url = url.rstrip("/")
        self._host = urlsplit(url).netloc
        self._tries, self._sleep = tries, sleep
        self._session = requests.Session()
        self._session.trust_env = False
        # Plain text only: what is packed could grow without bounds where it is unpacked.
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        self._keys = {"X-Access-Key": access_key, "X-Secret-Key": secret_key}

    def __repr__(self) -> str:
        return f"BakaiApi({self._host})"

    def health(self) -> float:
        """Seconds that it takes to say that it is well; `SourceUnusable` where it does not. Asked once."""
        began = time.monotonic()
        answer = self._once("/health", {}, "whether it is well")
        if answer.status != 200:
            raise self._unusable(answer, "whether it is well")
        return time.monotonic() - began

    def example(self) -> SourcePage:
        """A page of one item, if there is any: what shows whether the keys are taken. `SourceUnusable`."""
        return self._page(None, ITEMS_LOOKED_AT, resumed=False)

    def product(self, product_id: str) -> Any | None:
        """One item as it is, None for none."""
        asked = f"product {product_id[:100]}"
        answer, body = self._ask(f"/v1/products/{quote(product_id, safe='')}", {}, asked)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._unusable(answer, asked)
        return body["product"] if isinstance(body, dict) and isinstance(body.get("product"), dict) else body

    def pages(self, after: str | None = None) -> Iterator[SourcePage]:
        """The list page by page, from the beginning or from where a page's `after` says that the next one begins.

        `ListingBroken` for a list that repeats itself or has no end, `CursorLost` where the API does not know `after`
        any more, else `SourceUnusable`.
        """
        place, begun_at = after, after
        seen_places, seen_pages = {after}, set[bytes]()
        empty = 0
        for _ in range(MOST_PAGES):
            page = self._page(place, ITEMS_A_PAGE, resumed=place is not None and place == begun_at)
            if page.items:
                empty = 0
                digest = hashlib.sha256(repr(page.items).encode("utf-8", "surrogatepass")).digest()
                if digest in seen_pages:
                    raise ListingBroken(f"{self._host} gave the same {len(page.items)} products again on another page")
                seen_pages.add(digest)
            else:
                empty += 1
            yield page
            if page.after is None:
                return
            if page.after in seen_places:
                raise ListingBroken(f"{self._host} names a page as the next that was read already: it has no end")
            if empty >= _EMPTY_PAGES:
                raise ListingBroken(f"{self._host} gave {empty} empty pages in a row: it has no end")
            seen_places.add(page.after)
            place = page.after
        raise ListingBroken(f"{self._host} names more than {MOST_PAGES} pages: it has no end")

    def _page(self, place: str | None, limit: int, *, resumed: bool) -> SourcePage:
        kind, _, value = (place or "").partition(":")
        number = int(value) if kind == "page" and re.fullmatch(r"[0-9]{1,9}", value) else 1
        query = {"limit": str(limit)}
        if kind == "cursor":
            query["cursor"] = value
        elif kind == "page":
            query["page"] = str(number)
        asked = "its products" if place is None else "the next of its products"
        answer, body = self._ask("/v1/products", query, asked)
        if resumed and answer.status in (400, 404, 410, 422):
            raise CursorLost(f"{self._host} answered {answer.status} to the place where reading was to go on")
        if answer.status != 200:
            raise self._unusable(answer, asked)
        items = body if isinstance(body, list) else _first(body, _LISTS, list)
        if items is None:
            raise SourceUnusable(
                f"{self._host}'s answer to {asked} holds no list of products: is BAKAI_CDN_API_URL right?"
            )
        page = body if isinstance(body, dict) else {}
        return SourcePage(items, self._after(page, items, kind, number), _whole(page, _TOTALS))

    def _after(self, page: Mapping[str, Any], items: list[Any], kind: str, number: int) -> str | None:
        cursor = next((page[name] for name in _CURSORS if page.get(name) not in (None, "", False)), None)
        if isinstance(cursor, int) and not isinstance(cursor, bool):
            cursor = str(cursor)
        if isinstance(cursor, str):
            if cursor.startswith(("http://", "https://", "/", "?")):  # the next page's address: never asked as it is
                cursor = parse_qs(cursor.partition("?")[2][:_LONGEST_CURSOR]).get("cursor", [""])[0]
            if not cursor or len(cursor) > _LONGEST_CURSOR or not cursor.isprintable():
                raise ListingBroken(f"{self._host} names a next page that can't be asked for")
            return f"cursor:{cursor}"
        if kind == "cursor" or any(name in page for name in _CURSORS):
            return None
        if (pages := _whole(page, _PAGES)) is not None:
            return f"page:{number + 1}" if number < pages else None
        if (more := _first(page, _MORE, bool)) is not None:
            return f"page:{number + 1}" if more else None
        return f"page:{number + 1}" if items else None

    def _ask(self, path: str, query: Mapping[str, str], asked: str) -> tuple[_Answer, Any]:
        """An answer that is not one of those that pass, and of a good one its body; asked again while tries are left.

        A good one that can't be read was perhaps cut on its way.
        """
        wait, gives_up = _FIRST_WAIT, time.monotonic() + _PATIENCE
        for left in reversed(range(self._tries)):
            trouble: SourceUnusable
            try:
                answer = self._once(path, query, asked, self._keys)
                body = self._understood(answer, asked) if answer.status == 200 else None
            except SourceUnusable as error:
                trouble, pause = error, wait
            else:
                if answer.status != 429 and answer.status < 500:
                    return answer, body
                wanted = parse_retry_after(answer.headers.get("Retry-After"), time.time())
                trouble, pause = self._unusable(answer, asked), wait if wanted is None else wanted
                if pause > _PATIENCE:
                    raise SourceUnusable(
                        f"{self._host} answered {answer.status} to {asked} and wants to be left alone for "
                        f"{pause:,.0f} s: run it again after that"
                    )
            if not left or time.monotonic() + pause > gives_up:
                raise trouble
            self._sleep(pause)
            wait *= 3
        raise AssertionError("unreachable")

    def _once(self, path: str, query: Mapping[str, str], asked: str, keys: Mapping[str, str] | None = None) -> _Answer:
        ends = time.monotonic() + _ONE_ANSWER
        content = bytearray()
        try:
            # A redirect is not followed: the keys are for this host alone.
            with self._session.get(
                self._url + path, params=query, headers=keys, timeout=_SECONDS, allow_redirects=False, stream=True
            ) as answer:
                while piece := answer.raw.read1(_PIECE):
                    content += piece
                    if len(content) > _LONGEST_ANSWER:
                        raise SourceUnusable(f"{self._host}'s answer to {asked} is longer than {_LONGEST_ANSWER} bytes")
                    if time.monotonic() > ends:
                        raise SourceUnusable(f"{self._host}'s answer to {asked} took longer than {_ONE_ANSWER:g} s")
                return _Answer(answer.status_code, answer.headers, bytes(content))
        except (RequestException, OSError) as error:
            raise SourceUnusable(
                f"{self._host} did not answer to {asked}: {type(error).__name__}; is BAKAI_CDN_API_URL right?"
            ) from None  # as requests' own sentence repeats what was sent
        except Exception as error:  # urllib3's own errors while the body is read
            if type(error).__module__.partition(".")[0] != "urllib3":
                raise
            raise SourceUnusable(f"{self._host}'s answer to {asked} broke off: {type(error).__name__}") from None

    def _understood(self, answer: _Answer, asked: str) -> Any:
        try:
            return json.loads(answer.content, parse_float=Decimal, parse_int=_whole_number)
        except (ValueError, RecursionError):
            raise SourceUnusable(
                f"{self._host}'s answer to {asked} is no JSON that can be read: is BAKAI_CDN_API_URL right?"
            ) from None

    def _unusable(self, answer: _Answer, asked: str) -> SourceUnusable:
        advice = {
            401: "check BAKAI_CDN_ACCESS_KEY and BAKAI_CDN_SECRET_KEY",
            403: "check BAKAI_CDN_ACCESS_KEY and BAKAI_CDN_SECRET_KEY, and what they may do",
            404: "check BAKAI_CDN_API_URL",
            429: "it limits how much is asked of it: run it again later",
        }.get(answer.status, "it may pass: run it again later" if answer.status >= 500 else "check BAKAI_CDN_API_URL")
        unusable = SourceUnusable(f"{self._host} answered {answer.status}{self._code(answer)} to {asked}: {advice}")
        unusable.refused = answer.status < 500
        return unusable

    def _code(self, answer: _Answer) -> str:
        """The error's code in brackets; never its message, which may repeat a key."""
        try:
            said = json.loads(answer.content[:_PIECE])["error"]["code"]
        except (ValueError, RecursionError, LookupError, TypeError):
            return ""
        plain = isinstance(said, str) and re.fullmatch(r"[\w.-]{1,40}", said, re.ASCII)
        return f" ({said})" if plain and said not in self._keys.values() else ""


def _first(body: Any, names: tuple[str, ...], kind: type[Any]) -> Any | None:
    """The first of these fields that is of that type."""
    found = (body.get(name) for name in names) if isinstance(body, dict) else ()
    return next((value for value in found if isinstance(value, kind)), None)


def _whole(body: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    found = (body.get(name) for name in names)
    return next((one for one in found if isinstance(one, int) and not isinstance(one, bool) and one >= 0), None)


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits
