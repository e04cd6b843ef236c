"""Asks a brand's API one question at a time: bounded in time and size, no redirects, and a reason where it fails.

What questions and answers mean is `protocols.py`'s and `shop_finder.py`'s; how fast one may ask is `pace.py`'s.
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

_LONGEST_ANSWER = 2_000_000  # bytes; a real one has some thousand
_DISTRESS = (403, 429)  # beside 5xx: the host wants fewer requests, or none


@dataclass(frozen=True, slots=True)
class NoResponse:
    """Why there is no answer. `distress`: the host wants to be asked more slowly, and not for `rest` seconds."""

    reason: str
    detail: str
    distress: bool = True
    rest: float = 0.0


class StockApi:
    """One brand's API; an async context manager."""

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

    async def ask(
        self, path: str, query: Sequence[tuple[str, str]] = (), body: Mapping[str, Any] | None = None
    ) -> Any | NoResponse:
        """The JSON that it answers, or why there is none; a body makes it a POST."""
        url = self._url.join(URL(path, encoded=False)).with_query(list(query))
        method = "GET" if body is None else "POST"
        try:
            async with self._session.request(method, url, json=body, allow_redirects=False) as response:
                if response.status != 200:
                    return self._of_status(response)
                content = await response.content.read(_LONGEST_ANSWER + 1)
                while len(content) <= _LONGEST_ANSWER and (more := await response.content.read(_LONGEST_ANSWER)):
                    content += more
        except TimeoutError:
            return NoResponse("timeout", f"no whole answer within {self._timeout:g} s")
        except aiohttp.ClientError as error:
            failed = responses.interpret_error(error)
            return NoResponse(failed.reason, failed.detail)
        if len(content) > _LONGEST_ANSWER:
            return NoResponse("too_large", f"over {_LONGEST_ANSWER} bytes")
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            # A wall's page with status 200 is as good as a 403.
            return NoResponse("not_json", f"{len(content)} bytes that are not JSON")

    def _of_status(self, response: aiohttp.ClientResponse) -> NoResponse:
        status = response.status
        after = responses.parse_retry_after(response.headers.get("Retry-After"), self._clock.wall())
        detail = printable(response.reason)
        return NoResponse(f"http_{status}", detail, status in _DISTRESS or status >= 500, after or 0.0)
