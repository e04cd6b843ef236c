"""The HTTP client of a brand's stock and store APIs: limited time and size, no redirects, a reason for each failure.

The formats are in `protocols.py` and `store_finder.py`, the pace of requests in `pace.py`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from yarl import URL

from unde_catalog.net import responses
from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.text import printable

_MAX_RESPONSE_BYTES = 2_000_000  # a real response has some thousand
_DISTRESS = (403, 429)  # besides 5xx: the host refuses requests because they are too many


@dataclass(frozen=True, slots=True)
class NoResponse:
    """Why there is no usable response. `distress`: the host needs fewer requests, none for `retry_after` seconds."""

    reason: str
    detail: str
    distress: bool = True
    retry_after: float = 0.0


class StockApi:
    """A client of one brand's API; an async context manager."""

    def __init__(self, url: str, user_agent: str | None, timeout: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._url = URL(url.rstrip("/") + "/")
        self.host = self._url.authority
        self._headers = {"Accept": "application/json", **({"User-Agent": user_agent} if user_agent else {})}
        self._timeout, self._clock = timeout, clock

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            headers=self._headers,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def request(
        self, path: str, query: Sequence[tuple[str, str]] = (), body: Mapping[str, Any] | None = None
    ) -> Any | NoResponse:
        """The JSON of the response, or why there is none; a body makes the request a POST."""
        url = self._url.join(URL(path, encoded=False)).with_query(list(query))
        method = "GET" if body is None else "POST"
        try:
            async with self._session.request(method, url, json=body, allow_redirects=False) as response:
                if response.status != 200:
                    return self._failed_status(response)
                content = await response.content.read(_MAX_RESPONSE_BYTES + 1)
                while len(content) <= _MAX_RESPONSE_BYTES and (
                    more := await response.content.read(_MAX_RESPONSE_BYTES)
                ):
                    content += more
        except TimeoutError:
            return NoResponse("timeout", f"no complete response within {self._timeout:g} s")
        except aiohttp.ClientError as error:
            failed = responses.interpret_error(error)
            return NoResponse(failed.reason, failed.detail)
        if len(content) > _MAX_RESPONSE_BYTES:
            return NoResponse("too_large", f"more than {_MAX_RESPONSE_BYTES} bytes")
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            # The page of a bot protection with status 200 means the same as a 403.
            return NoResponse("not_json", f"{len(content)} bytes that are not JSON")

    def _failed_status(self, response: aiohttp.ClientResponse) -> NoResponse:
        status = response.status
        retry_after = responses.parse_retry_after(response.headers.get("Retry-After"), self._clock.wall())
        detail = printable(response.reason)
        return NoResponse(f"http_{status}", detail, status in _DISTRESS or status >= 500, retry_after or 0.0)
