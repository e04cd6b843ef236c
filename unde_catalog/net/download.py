"""Downloads a file from somebody else's server: gently, within limits, and with a reason when it fails.

What the bytes are is not looked at here; retries over hours are due work's, only those of one try are here.
"""

import asyncio
import email.utils
import itertools
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

import aiohttp

from unde_catalog.net.addresses import RefusedAddress, public_socket
from unde_catalog.net.gate import Gate
from unde_catalog.net.user_agents import USER_AGENTS

WAITS = (5.0, 15.0, 45.0)  # seconds before a repeat on 429 and 503, unless the far side says Retry-After (spec 1)
_MOST_REDIRECTS = 5

Fault = Literal["gone", "item", "far_side"]


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The whole body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class DownloadFailed:
    """Why there is no body; `gone`: for good, `item`: this file's own fault, `far_side`: will pass."""

    reason: str
    detail: str
    fault: Fault


class ProxyRefused(RuntimeError):
    """The proxy turns all of our requests away: configuration, not any file's fault."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How we behave towards one host; times in seconds, sizes in bytes."""

    slots: int
    delay_min: float
    delay_max: float
    timeout: float
    max_retries: int
    max_bytes: int


class Downloader:
    """Downloads with one gate per host; an async context manager."""

    def __init__(self, manners: Manners, *, proxy_url: str | None = None, allow_private_hosts: bool = False) -> None:
        self._manners, self._proxy = manners, proxy_url
        self._allow_private = allow_private_hosts
        self._gates: dict[str, Gate] = {}
        self._agents = itertools.cycle(USER_AGENTS)

    async def __aenter__(self) -> Self:
        # Behind a proxy it is the proxy that resolves names and connects: the address we see is its own.
        check: Callable[..., object] | None = None if self._proxy or self._allow_private else public_socket
        connector = aiohttp.TCPConnector(limit=0, socket_factory=check, ssl=ssl.create_default_context())  # type: ignore[arg-type]
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def download(self, url: str, deadline: float) -> Downloaded | DownloadFailed:
        """Fetch a URL, repeated in good manners until `deadline` (in the running loop's time).

        What fails is a `DownloadFailed`; only `ProxyRefused` is raised.
        """
        host = urlsplit(url).netloc
        gate = self._gates.setdefault(host, self._new_gate())
        clock = asyncio.get_running_loop().time
        for attempt in range(self._manners.max_retries + 1):
            async with gate.slot():
                if clock() >= deadline:
                    return DownloadFailed("out_of_time", "the product's time was over", "far_side")
                answer, wait = await self._once(url, min(self._manners.timeout, deadline - clock()))
            if wait is None or attempt == self._manners.max_retries:
                return answer
            pause = wait if wait >= 0 else WAITS[min(attempt, len(WAITS) - 1)]
            if clock() + pause >= deadline:
                return answer  # what does not fit is tried later
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    def _new_gate(self) -> Gate:
        return Gate(self._manners.slots, self._manners.delay_min, self._manners.delay_max)

    async def _once(self, url: str, seconds: float) -> tuple[Downloaded | DownloadFailed, float | None]:
        """One request. Also: None, or the seconds to wait before a repeat (negative: our own choice)."""
        headers = {"User-Agent": next(self._agents), "Accept": "image/*,*/*;q=0.8"}
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.get(url, headers=headers, proxy=self._proxy, max_redirects=_MOST_REDIRECTS) as response,
            ):
                if response.status == 200:
                    return await self._body(response), None
                return self._refusal(response), _wait_for(response)
        except TimeoutError:
            return DownloadFailed("timeout", f"no whole answer within {seconds:.0f} s", "far_side"), None
        except aiohttp.ClientHttpProxyError as error:
            return self._proxy_failure(error.status), None
        except aiohttp.TooManyRedirects:
            return DownloadFailed("too_many_redirects", f"over {_MOST_REDIRECTS}", "item"), None
        except (aiohttp.InvalidURL, ValueError) as error:
            return DownloadFailed("bad_url", f"{type(error).__name__}", "item"), None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, RefusedAddress):
                return DownloadFailed("refused_address", str(error.os_error), "item"), None
            return DownloadFailed("no_connection", str(error.os_error), "far_side"), None
        except aiohttp.ClientPayloadError:
            return DownloadFailed("incomplete", "the answer ended before its announced length", "far_side"), None
        except aiohttp.ClientError as error:
            return DownloadFailed("broken_answer", type(error).__name__, "far_side"), None

    async def _body(self, response: aiohttp.ClientResponse) -> Downloaded | DownloadFailed:
        most = self._manners.max_bytes
        body = bytearray()
        if (response.content_length or 0) <= most:
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > most:
                    break
            else:
                return Downloaded(bytes(body))
        response.close()  # not drained: the rest may be endless
        return DownloadFailed("too_large", f"over {most} bytes", "item")

    def _refusal(self, response: aiohttp.ClientResponse) -> DownloadFailed:
        status = response.status
        if status == 407:
            return self._proxy_failure(status)
        if status in (404, 410):
            return DownloadFailed(f"http_{status}", response.reason or "gone", "gone")
        return DownloadFailed(f"http_{status}", response.reason or "", "far_side")

    def _proxy_failure(self, status: int) -> DownloadFailed:
        if status == 407:
            raise ProxyRefused("the proxy refuses our credentials (407): check user and password in PROXY_URL")
        return DownloadFailed("proxy", f"the proxy answered {status}", "far_side")


def _wait_for(response: aiohttp.ClientResponse) -> float | None:
    if response.status not in (429, 503):
        return None
    return _retry_after(response.headers.get("Retry-After"))


def _retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for (a number or a date); -1 where it says nothing usable."""
    if not value:
        return -1
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return -1
