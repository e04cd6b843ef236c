"""A client for the API of BakaiMarket's CDN: its products in pages, one product, and its health check.

BakaiMarket does not document the API. The client assumes, and reads tolerantly:

- `GET /health` responds 200 without keys. Everything else needs `X-Access-Key` and `X-Secret-Key`, else 401 or 403.
- `GET /v1/products?limit=500[&cursor=...]` returns `{"products": [...], "next_cursor": "..." or null, "total": 7}`.
  The list may be named items, data or results, or be the whole body; the cursor `nextCursor` or `next`. If no response
  contains a cursor, pages are requested by `page`, from 1, until `pages` or `has_more` say that there are no more, or,
  without those fields, until a page is empty.
- `GET /v1/products/<id>` returns `{"product": {...}}` or the bare item, 404 for an unknown ID.
- 429 and 5xx are temporary; `Retry-After` is in seconds or a date. Errors are `{"error": {"code", "message"}}`.

Items are read in `bakai_item.py`.
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
from unde_catalog.stages.raw_products.source import SourcePage

PAGE_SIZE, EXAMPLE_PAGE_SIZE = 500, 1  # items
MAX_PAGES = 20_000  # ten million products; a longer listing has no end
_MAX_EMPTY_PAGES = 20  # in a row, each with a next page
_CONNECT_READ_TIMEOUT = (10, 30)  # seconds
_RESPONSE_TIMEOUT = 60.0  # seconds for a complete response
_MAX_RESPONSE_BYTES = 64_000_000  # a page of 500 real items has less than two million
_CHUNK_BYTES = 1 << 16
_TRIES = 4
_FIRST_DELAY = 1.0  # seconds before the first retry; triples each time; Retry-After overrides it
_MAX_SECONDS = 200.0  # for all tries and delays; the lease of a scrape outlives them and one more response
_MAX_CURSOR_LENGTH = 2_000
_MAX_DIGITS = 4_300  # Python refuses to parse longer numbers, so they stay text

_LIST_FIELDS = ("products", "items", "data", "results")
_CURSOR_FIELDS = ("next_cursor", "nextCursor", "next")
_TOTAL_FIELDS = ("total", "total_count", "totalCount", "count_total")
_PAGES_FIELDS = ("pages", "total_pages", "totalPages")
_MORE_FIELDS = ("has_more", "hasMore", "has_next")


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    headers: Mapping[str, str]
    content: bytes


class BakaiApi:
    """The API with its keys. Its methods block; `sleep` waits between tries."""

    def __init__(
        self, url: str, access_key: str, secret_key: str, *, tries: int = _TRIES,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:  # fmt: skip
        for name, key in (("BAKAI_CDN_ACCESS_KEY", access_key), ("BAKAI_CDN_SECRET_KEY", secret_key)):
            if not (key.isascii() and key.isprintable() and " " not in key):  # else an error of requests would quote it
                raise SourceUnusable(f"{name} contains a space, a line break or a similar character: copy it again")
        self._url = url.rstrip("/")
        self._host = urlsplit(url).netloc
        self._tries, self._sleep = tries, sleep
        self._session = requests.Session()
        self._session.trust_env = False
        # Uncompressed only: a compressed body could expand without bounds.
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        self._keys = {"X-Access-Key": access_key, "X-Secret-Key": secret_key}

    def __repr__(self) -> str:
        return f"BakaiApi({self._host})"

    def health(self) -> float:
        """Seconds that the health check takes; `SourceUnusable` if it fails. One request without retries."""
        started = time.monotonic()
        response = self._send("/health", {}, "the health check")
        if response.status != 200:
            raise self._unusable(response, "the health check")
        return time.monotonic() - started

    def example(self) -> SourcePage:
        """A page of at most one item, which shows whether the keys are accepted. `SourceUnusable`."""
        return self._page(None, EXAMPLE_PAGE_SIZE, resumed=False)

    def product(self, product_id: str) -> Any | None:
        """One unchanged item; None if the API does not know it."""
        subject = f"product {product_id[:100]}"
        response, body = self._get(f"/v1/products/{quote(product_id, safe='')}", {}, subject)
        if response.status == 404:
            return None
        if response.status != 200:
            raise self._unusable(response, subject)
        return body["product"] if isinstance(body, dict) and isinstance(body.get("product"), dict) else body

    def pages(self, after: str | None = None) -> Iterator[SourcePage]:
        """The listing page by page, from the beginning or from a page's `after`.

        Raises `ListingBroken` if the listing repeats itself or has no end, `CursorLost` if the API no longer knows
        `after`, else `SourceUnusable`.
        """
        token, first_token = after, after
        seen_tokens, seen_pages = {after}, set[bytes]()
        empty = 0
        for _ in range(MAX_PAGES):
            page = self._page(token, PAGE_SIZE, resumed=token is not None and token == first_token)
            if page.items:
                empty = 0
                digest = hashlib.sha256(repr(page.items).encode("utf-8", "surrogatepass")).digest()
                if digest in seen_pages:
                    raise ListingBroken(
                        f"{self._host} returned the same {len(page.items)} products again on another page"
                    )
                seen_pages.add(digest)
            else:
                empty += 1
            yield page
            if page.after is None:
                return
            if page.after in seen_tokens:
                raise ListingBroken(f"{self._host} links to a page that was read already: the listing does not end")
            if empty >= _MAX_EMPTY_PAGES:
                raise ListingBroken(f"{self._host} returned {empty} empty pages in a row: the listing does not end")
            seen_tokens.add(page.after)
            token = page.after
        raise ListingBroken(f"{self._host} lists more than {MAX_PAGES} pages: the listing does not end")

    def _page(self, token: str | None, limit: int, *, resumed: bool) -> SourcePage:
        kind, _, value = (token or "").partition(":")
        number = int(value) if kind == "page" and re.fullmatch(r"[0-9]{1,9}", value) else 1
        query = {"limit": str(limit)}
        if kind == "cursor":
            query["cursor"] = value
        elif kind == "page":
            query["page"] = str(number)
        subject = "its products" if token is None else "its next products"
        response, body = self._get("/v1/products", query, subject)
        if resumed and response.status in (400, 404, 410, 422):
            raise CursorLost(f"{self._host} responded {response.status} to the cursor of the last page")
        if response.status != 200:
            raise self._unusable(response, subject)
        items = body if isinstance(body, list) else _first(body, _LIST_FIELDS, list)
        if items is None:
            raise SourceUnusable(
                f"{self._host}'s response to the request for {subject} has no list of products: check BAKAI_CDN_API_URL"
            )
        page = body if isinstance(body, dict) else {}
        return SourcePage(items, self._next_token(page, items, kind, number), _whole_number(page, _TOTAL_FIELDS))

    def _next_token(self, page: Mapping[str, Any], items: list[Any], kind: str, number: int) -> str | None:
        cursor = next((page[name] for name in _CURSOR_FIELDS if page.get(name) not in (None, "", False)), None)
        if isinstance(cursor, int) and not isinstance(cursor, bool):
            cursor = str(cursor)
        if isinstance(cursor, str):
            if cursor.startswith(("http://", "https://", "/", "?")):  # a URL; only its cursor is used
                cursor = parse_qs(cursor.partition("?")[2][:_MAX_CURSOR_LENGTH]).get("cursor", [""])[0]
            if not cursor or len(cursor) > _MAX_CURSOR_LENGTH or not cursor.isprintable():
                raise ListingBroken(f"{self._host} links to a next page that cannot be requested")
            return f"cursor:{cursor}"
        if kind == "cursor" or any(name in page for name in _CURSOR_FIELDS):
            return None
        if (pages := _whole_number(page, _PAGES_FIELDS)) is not None:
            return f"page:{number + 1}" if number < pages else None
        if (more := _first(page, _MORE_FIELDS, bool)) is not None:
            return f"page:{number + 1}" if more else None
        return f"page:{number + 1}" if items else None

    def _get(self, path: str, query: Mapping[str, str], subject: str) -> tuple[_Response, Any]:
        """A response other than 429 and 5xx, with its parsed body if it is 200. Retried while tries are left.

        A 200 whose body cannot be parsed is retried, too: it may have been cut on its way.
        """
        delay, deadline = _FIRST_DELAY, time.monotonic() + _MAX_SECONDS
        for tries_left in reversed(range(self._tries)):
            failure: SourceUnusable
            try:
                response = self._send(path, query, subject, self._keys)
                body = self._parse(response, subject) if response.status == 200 else None
            except SourceUnusable as error:
                failure, pause = error, delay
            else:
                if response.status != 429 and response.status < 500:
                    return response, body
                retry_after = parse_retry_after(response.headers.get("Retry-After"), time.time())
                failure, pause = self._unusable(response, subject), delay if retry_after is None else retry_after
                if pause > _MAX_SECONDS:
                    raise SourceUnusable(
                        f"{self._host} responded {response.status} to the request for {subject} and asks for a pause "
                        f"of {pause:,.0f} s: run it again after that"
                    )
            if not tries_left or time.monotonic() + pause > deadline:
                raise failure
            self._sleep(pause)
            delay *= 3
        raise AssertionError("unreachable")

    def _send(
        self, path: str, query: Mapping[str, str], subject: str, keys: Mapping[str, str] | None = None
    ) -> _Response:
        deadline = time.monotonic() + _RESPONSE_TIMEOUT
        its_response = f"{self._host}'s response to the request for {subject}"
        content = bytearray()
        try:
            # Redirects are not followed: the keys are for this host only.
            with self._session.get(
                self._url + path,
                params=query,
                headers=keys,
                timeout=_CONNECT_READ_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                while chunk := response.raw.read1(_CHUNK_BYTES):
                    content += chunk
                    if len(content) > _MAX_RESPONSE_BYTES:
                        raise SourceUnusable(f"{its_response} is longer than {_MAX_RESPONSE_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise SourceUnusable(f"{its_response} took longer than {_RESPONSE_TIMEOUT:g} s")
                return _Response(response.status_code, response.headers, bytes(content))
        except (RequestException, OSError) as error:
            raise SourceUnusable(
                f"{self._host} did not respond to the request for {subject}: {type(error).__name__}; "
                "check BAKAI_CDN_API_URL"
            ) from None  # requests' own message repeats what was sent
        except Exception as error:  # urllib3's own errors while the body is read
            if type(error).__module__.partition(".")[0] != "urllib3":
                raise
            raise SourceUnusable(f"{its_response} ended early: {type(error).__name__}") from None

    def _parse(self, response: _Response, subject: str) -> Any:
        try:
            return json.loads(response.content, parse_float=Decimal, parse_int=_parse_int)
        except (ValueError, RecursionError):
            raise SourceUnusable(
                f"{self._host}'s response to the request for {subject} is not readable JSON: check BAKAI_CDN_API_URL"
            ) from None

    def _unusable(self, response: _Response, subject: str) -> SourceUnusable:
        advice = {
            401: "check BAKAI_CDN_ACCESS_KEY and BAKAI_CDN_SECRET_KEY",
            403: "check BAKAI_CDN_ACCESS_KEY and BAKAI_CDN_SECRET_KEY and their permissions",
            404: "check BAKAI_CDN_API_URL",
            429: "it limits the request rate: run it again later",
        }.get(
            response.status, "it may pass: run it again later" if response.status >= 500 else "check BAKAI_CDN_API_URL"
        )
        responded = f"{self._host} responded {response.status}{self._error_code(response)}"
        unusable = SourceUnusable(f"{responded} to the request for {subject}: {advice}")
        unusable.refused = response.status < 500
        return unusable

    def _error_code(self, response: _Response) -> str:
        """The error code in parentheses; never the error's message, which may contain a key."""
        try:
            code = json.loads(response.content[:_CHUNK_BYTES])["error"]["code"]
        except (ValueError, RecursionError, LookupError, TypeError):
            return ""
        plain = isinstance(code, str) and re.fullmatch(r"[\w.-]{1,40}", code, re.ASCII)
        return f" ({code})" if plain and code not in self._keys.values() else ""


def _first(body: Any, names: tuple[str, ...], kind: type[Any]) -> Any | None:
    """The value of the first of these fields that has this type."""
    values = (body.get(name) for name in names) if isinstance(body, dict) else ()
    return next((value for value in values if isinstance(value, kind)), None)


def _whole_number(body: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    values = (body.get(name) for name in names)
    return next((n for n in values if isinstance(n, int) and not isinstance(n, bool) and n >= 0), None)


def _parse_int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits
