"""Downloads files from remote hosts within a rate limit, and gives each failure a reason.

What a response means is decided in `responses.py`, which URLs are allowed in `url_policy.py`. Retries over hours
belong to due work.
"""

import asyncio
import base64
import itertools
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from unde_catalog.net import responses
from unde_catalog.net.breaker import Breaker
from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.net.connections import CleanConnector
from unde_catalog.net.host_limiter import HostLimiter
from unde_catalog.net.resolver import public_socket, sandbox_socket
from unde_catalog.net.responses import Downloaded, DownloadFailed, Redirect
from unde_catalog.net.tls import tls_context
from unde_catalog.net.url_policy import RefusedUrl, UrlPolicy
from unde_catalog.net.user_agents import USER_AGENTS
from unde_catalog.text import duration

RETRY_DELAYS = (5.0, 15.0, 45.0)  # seconds before each retry of a 429 or 503 without Retry-After
MAX_HOST_PAUSE = 86_400.0  # seconds that one response can pause the whole host
_LONG_PAUSE = 60.0  # seconds: a longer pause is told to `on_pause`, because it may outlast this process
MAX_REDIRECTS = 5
_MAX_HEADERS, _MAX_HEADER_BYTES = 300, 32_000  # CDNs set cookies by the dozen, and long security policies


class UpstreamUnavailable(RuntimeError):
    """No request to this host can succeed for now. The message names the host and the cause."""


@dataclass(frozen=True, slots=True)
class DownloadPolicy:
    """Rate limits and time-outs towards one host; times in seconds, sizes in bytes."""

    slots: int
    delay_min: float
    delay_max: float
    timeout: float
    max_retries: int
    max_bytes: int


@dataclass(slots=True)
class _Host:
    """A host's name, for messages, with its port, its limiter, its breaker and until when it asked for no requests."""

    name: str
    port: int | None
    limiter: HostLimiter
    breaker: Breaker
    asked_until: float = float("-inf")

    @property
    def key(self) -> str:
        return f"{self.name}:{self.port}"

    def pause(self, until: float) -> None:
        self.asked_until = max(self.asked_until, until)
        self.limiter.pause(until)


class Downloader:
    """Downloads with one limiter and one breaker per host; an async context manager.

    `url_policy` must list hosts when there is a proxy, since the proxy resolves the names. `proxy_ca_bundle` holds
    certificate authorities in addition to the system's. `on_pause` is called with a host ("name:port") and the seconds
    for which it asked for no requests, if that is more than a minute. `clock` and `resolver` are for tests.
    """

    def __init__(
        self,
        policy: DownloadPolicy,
        url_policy: UrlPolicy,
        *,
        proxy_url: str | None = None,
        proxy_ca_bundle: Path | None = None,
        on_pause: Callable[[str, float], Awaitable[None]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        resolver: AbstractResolver | None = None,
    ) -> None:
        if proxy_url and url_policy.hosts is None and not url_policy.any_host:
            raise ValueError("downloads through a proxy need a list of allowed hosts")
        self._policy, self._url_policy, self._clock, self._resolver = policy, url_policy, clock, resolver
        # The password stays out of the URL: aiohttp shows the URL in errors and warnings.
        proxy = URL(proxy_url) if proxy_url else None
        self._proxy = proxy.with_user(None) if proxy else None
        self._proxy_headers = _proxy_authorization(proxy)
        self._tls = tls_context(proxy_ca_bundle if proxy else None)
        self._hosts: dict[str, _Host] = {}
        self._on_pause = on_pause
        self._agents = itertools.cycle(USER_AGENTS)

    async def __aenter__(self) -> Self:
        # With a proxy the only address connected to is the proxy's own, so it is not checked.
        direct_socket = sandbox_socket if self._url_policy.any_host else public_socket
        socket_factory: Callable[..., object] | None = None if self._proxy else direct_socket
        connector = CleanConnector(
            limit=0,
            ssl=self._tls,
            socket_factory=socket_factory,  # type: ignore[arg-type]
            resolver=self._resolver,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # `_request` has its own, around the whole exchange
            auto_decompress=False,
            max_headers=_MAX_HEADERS,
            max_field_size=_MAX_HEADER_BYTES,
            max_line_size=_MAX_HEADER_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def now(self) -> float:
        """The time on the clock that deadlines refer to."""
        return self._clock.now()

    def pause(self, host: str, seconds: float) -> None:
        """Send no request to this host ("name:port") for this time: it asked for that before."""
        name, _, port = host.rpartition(":")
        self._host_at(name, int(port) if port.isdigit() else None).pause(self.now() + seconds)

    def has_answered(self, url: str) -> bool:
        """Whether the host of a URL has answered any request of this downloader with what was asked for."""
        try:
            return self._host(self._url_policy.parse(url)).breaker.has_answered
        except RefusedUrl:
            return False

    async def download(self, url: str, deadline: float, owner: Hashable = None) -> Downloaded | DownloadFailed:
        """Fetch a URL for `owner` (a product), with polite retries until `deadline`.

        A failure of this file is returned as `DownloadFailed`; only `UpstreamUnavailable` is raised.
        """
        try:
            target = self._url_policy.parse(url)
        except RefusedUrl as refused:
            return DownloadFailed(refused.reason, refused.detail, "item")
        for attempt in itertools.count():
            result, host = await self._follow_redirects(target, deadline, owner)
            if isinstance(result, DownloadFailed) and result.reason in responses.REFUSALS and host.breaker.has_answered:
                return replace(result, fault="item")
            if isinstance(result, Downloaded) or not result.retryable:
                return result
            delay = RETRY_DELAYS[min(attempt, len(RETRY_DELAYS) - 1)]
            if result.retry_after is not None:
                delay = result.retry_after
            if result.retry_after is not None or result.reason == "http_429":
                seconds = min(delay, MAX_HOST_PAUSE)
                host.pause(self.now() + seconds)
                if seconds > _LONG_PAUSE and self._on_pause is not None:
                    await self._on_pause(host.key, seconds)
            if attempt == self._policy.max_retries or self.now() + delay >= deadline:
                return result  # due work retries it later
            await self._clock.sleep(delay)
        raise AssertionError("unreachable")

    async def _follow_redirects(
        self, url: URL, deadline: float, owner: Hashable
    ) -> tuple[Downloaded | DownloadFailed, _Host]:
        """One attempt: a request and its redirects, each checked against the URL policy. Returns the last host, too."""
        seconds = self._policy.timeout
        host = self._host(url)
        for _ in range(MAX_REDIRECTS + 1):
            host = self._host(url)
            async with host.limiter.slot(deadline) as in_time:
                if host.breaker.down_cause:
                    raise UpstreamUnavailable(_unavailable(host))
                if not in_time:
                    asked = host.asked_until >= deadline
                    return _paused(host, host.asked_until - self.now()) if asked else _out_of_time(), host
                started_at = self.now()
                remaining = deadline - started_at
                result = await self._request(url, min(seconds, remaining), full_timeout=remaining >= seconds)
                self._record(host, result, owner, started_at)  # inside the slot: the slot's next delay depends on it
            if not isinstance(result, Redirect):
                return result, host
            try:
                url = self._url_policy.parse(result.location, base=url)
            except RefusedUrl as refused:
                return DownloadFailed(refused.reason, f"redirected: {refused.detail}", "item"), host
            seconds -= self.now() - started_at
        return DownloadFailed("too_many_redirects", f"more than {MAX_REDIRECTS} redirects", "item"), host

    def _host(self, url: URL) -> _Host:
        return self._host_at(url.host or "", url.port)

    def _host_at(self, name: str, port: int | None) -> _Host:
        key = f"{name}:{port}"
        if key not in self._hosts:
            policy = self._policy
            limiter = HostLimiter(policy.slots, policy.delay_min, policy.delay_max, clock=self._clock)
            self._hosts[key] = _Host(name, port, limiter, Breaker(self._clock.now))
        return self._hosts[key]

    def _record(
        self, host: _Host, result: Downloaded | DownloadFailed | Redirect, owner: Hashable, started_at: float
    ) -> None:
        """Pass the result to the host's limiter and breaker; raises `UpstreamUnavailable` if the breaker opens."""
        if not isinstance(result, DownloadFailed) or not result.counts_against_host:
            if not (isinstance(result, DownloadFailed) and result.reason in ("refused_address", "bad_url")):
                host.breaker.succeeded()
                host.limiter.succeeded()
            return
        if result.reason == responses.PROXY_REFUSED:
            host.breaker.down_cause = f"{result.detail} ({result.reason})"
            raise UpstreamUnavailable(_unavailable(host))
        if result.reason == "out_of_time":
            return
        if result.retryable:
            host.limiter.throttled(started_at)
        elif result.reason == "timeout":
            host.limiter.timed_out(started_at)
        cause = f"{result.detail} ({result.reason})"
        may_be_the_files = result.reason in (*responses.REFUSALS, responses.SERVER_ERROR)
        cooldown_ends = host.breaker.failed(owner, cause, started_at, may_be_the_files=may_be_the_files)
        if cooldown_ends is not None:
            host.limiter.pause(cooldown_ends)
        if host.breaker.down_cause:
            raise UpstreamUnavailable(_unavailable(host))

    async def _request(self, url: URL, seconds: float, *, full_timeout: bool) -> Downloaded | DownloadFailed | Redirect:
        """One request without following redirects. `full_timeout`: `seconds` is not cut short by the deadline."""
        headers = {"User-Agent": next(self._agents), "Accept": "image/*,*/*;q=0.8", "Accept-Encoding": "identity"}
        if url.scheme == "http":  # only then does the proxy read them; inside a tunnel they would reach the host
            headers |= self._proxy_headers
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.get(
                    url, headers=headers, allow_redirects=False, proxy=self._proxy, proxy_headers=self._proxy_headers
                ) as response,
            ):
                return await self._read(response, url.scheme)
        except TimeoutError:
            if not full_timeout:
                return _out_of_time()
            return DownloadFailed("timeout", f"no complete response within {self._policy.timeout:g} s", "upstream")
        except aiohttp.ClientError as error:
            return responses.interpret_error(error)

    async def _read(self, response: aiohttp.ClientResponse, scheme: str) -> Downloaded | DownloadFailed | Redirect:
        proxied = "no" if self._proxy is None else "plain" if scheme == "http" else "tunnel"
        result = responses.interpret_headers(
            response.status, response.reason, response.headers, proxied=proxied, wall=self._clock.wall()
        )
        if result is not None:
            return result
        max_bytes = self._policy.max_bytes
        body = bytearray()
        if (response.content_length or 0) <= max_bytes:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > max_bytes:
                    break
            else:
                return await self._unpacked(bytes(body), response.headers.get("Content-Encoding", ""))
        response.close()  # not drained: the rest may never end
        return DownloadFailed("too_large", f"more than {max_bytes} bytes", "item")

    async def _unpacked(self, body: bytes, encoding: str) -> Downloaded | DownloadFailed:
        if responses.encodings(encoding):
            try:
                plain = await asyncio.to_thread(responses.decompress, body, self._policy.max_bytes)
            except ValueError as error:
                return DownloadFailed("truncated", str(error), "item")
            if plain is None:
                return DownloadFailed("too_large", f"more than {self._policy.max_bytes} bytes uncompressed", "item")
            body = plain
        return responses.interpret_body(body)


def _out_of_time() -> DownloadFailed:
    return DownloadFailed("out_of_time", "the product's time ran out", "upstream")


def _paused(host: _Host, seconds: float) -> DownloadFailed:
    detail = f"{host.name} asked for no requests for another {duration(seconds)}"
    return DownloadFailed("host_paused", detail, "upstream", retry_after=seconds)


def _unavailable(host: _Host) -> str:
    return f"photos cannot be downloaded from {host.name}: {host.breaker.down_cause}"


def _proxy_authorization(proxy: URL | None) -> dict[str, str]:
    if proxy is None or proxy.user is None:
        return {}
    basic = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode())
    return {"Proxy-Authorization": f"Basic {basic.decode()}"}
