"""Downloads a file from somebody else's server: gently, within limits, and with a reason when it fails.

What an answer means is `responses.py`'s, what may be asked `url_policy.py`'s; retries over hours are due work's.
"""

import asyncio
import base64
import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from unde_catalog.net import responses
from unde_catalog.net.breaker import Breaker
from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.net.connections import CleanConnections
from unde_catalog.net.host_limiter import HostLimiter
from unde_catalog.net.resolver import near_socket, public_socket
from unde_catalog.net.responses import Downloaded, DownloadFailed, Redirect
from unde_catalog.net.tls import tls_context
from unde_catalog.net.url_policy import RefusedUrl, UrlPolicy
from unde_catalog.net.user_agents import USER_AGENTS

WAITS = (5.0, 15.0, 45.0)  # seconds before a repeat on 429 and 503, unless the host says Retry-After (spec 1)
LONGEST_PAUSE = 60.0  # seconds for which one answer can hold up the whole host: half of a product's time
MOST_REDIRECTS = 5
_MOST_HEADERS, _LONGEST_HEADER = 100, 8_000


class UpstreamUnavailable(RuntimeError):
    """Nothing will get through for now, whatever is asked: one sentence that names the host and the cause."""


@dataclass(frozen=True, slots=True)
class DownloadPolicy:
    """How we behave towards one host; times in seconds, sizes in bytes."""

    slots: int
    delay_min: float
    delay_max: float
    timeout: float
    max_retries: int
    max_bytes: int


@dataclass(slots=True)
class _Host:
    """A host as we know it: its name for people, its gate and its breaker."""

    name: str
    gate: HostLimiter
    breaker: Breaker


class Downloader:
    """Downloads with one gate and one breaker per host; an async context manager.

    `targets` says which URLs are asked for. With a proxy it has to list hosts, as it is the proxy that resolves
    names. `proxy_ca_bundle`: certificate authorities beside the system's. A test brings `clock` and `resolver`.
    """

    def __init__(
        self,
        manners: DownloadPolicy,
        targets: UrlPolicy,
        *,
        proxy_url: str | None = None,
        proxy_ca_bundle: Path | None = None,
        clock: Clock = SYSTEM_CLOCK,
        resolver: AbstractResolver | None = None,
    ) -> None:
        if proxy_url and targets.hosts is None and not targets.anywhere:
            raise ValueError("behind a proxy the hosts have to be listed")
        self._manners, self._targets, self._clock, self._resolver = manners, targets, clock, resolver
        # The password stays out of the URL: aiohttp names the URL in errors and warnings.
        proxy = URL(proxy_url) if proxy_url else None
        self._proxy = proxy.with_user(None) if proxy else None
        self._credentials = _credentials(proxy)
        self._tls = tls_context(proxy_ca_bundle if proxy else None)
        self._hosts: dict[str, _Host] = {}
        self._agents = itertools.cycle(USER_AGENTS)

    async def __aenter__(self) -> Self:
        # Behind a proxy the address we see is the proxy's own.
        near = near_socket if self._targets.anywhere else public_socket
        check: Callable[..., object] | None = None if self._proxy else near
        connector = CleanConnections(
            limit=0,
            ssl=self._tls,
            socket_factory=check,  # type: ignore[arg-type]
            resolver=self._resolver,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # ours is around the whole of it
            auto_decompress=False,
            max_headers=_MOST_HEADERS,
            max_field_size=_LONGEST_HEADER,
            max_line_size=_LONGEST_HEADER,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def now(self) -> float:
        """The clock that deadlines are told in."""
        return self._clock.now()

    async def download(self, url: str, deadline: float, owner: Hashable = None) -> Downloaded | DownloadFailed:
        """Fetch a URL, repeated in good manners until `deadline`, on behalf of `owner` (a product).

        What fails is a `DownloadFailed`; only `UpstreamUnavailable` is raised.
        """
        try:
            target = self._targets.parse(url)
        except RefusedUrl as refused:
            return DownloadFailed(refused.reason, refused.detail, "item")
        for attempt in itertools.count():
            answer, host = await self._follow(target, deadline, owner)
            if isinstance(answer, Downloaded) or not answer.ask_again:
                return answer
            asked = answer.retry_after
            pause = WAITS[min(attempt, len(WAITS) - 1)] if asked is None else asked
            if asked is not None or answer.reason == "http_429":
                host.gate.pause(self.now() + min(pause, LONGEST_PAUSE))
            if attempt == self._manners.max_retries or self.now() + pause >= deadline:
                return answer  # what does not fit is tried later
            await self._clock.sleep(pause)
        raise AssertionError("unreachable")

    async def _follow(self, url: URL, deadline: float, owner: Hashable) -> tuple[Downloaded | DownloadFailed, _Host]:
        """One try: a request, and those that redirects lead to, each checked as the first was. Also: who answered."""
        seconds = self._manners.timeout
        host = self._host(url)
        for _ in range(MOST_REDIRECTS + 1):
            host = self._host(url)
            async with host.gate.slot(deadline) as in_time:
                if host.breaker.down:
                    raise UpstreamUnavailable(_sentence(host))
                if not in_time:
                    return DownloadFailed("out_of_time", "the product's time was over", "far_side"), host
                began = self.now()
                answer = await self._once(url, min(seconds, deadline - began), whole=deadline - began >= seconds)
                self._judge(host, answer, owner, began)  # before the slot's rest, which depends on it
            if not isinstance(answer, Redirect):
                return answer, host
            try:
                url = self._targets.parse(answer.location, base=url)
            except RefusedUrl as refused:
                return DownloadFailed(refused.reason, f"redirected: {refused.detail}", "item"), host
            seconds -= self.now() - began
        return DownloadFailed("too_many_redirects", f"over {MOST_REDIRECTS}", "item"), host

    def _host(self, url: URL) -> _Host:
        name = f"{url.host}:{url.port}"
        if name not in self._hosts:
            manners = self._manners
            gate = HostLimiter(manners.slots, manners.delay_min, manners.delay_max, clock=self._clock)
            self._hosts[name] = _Host(url.host or "", gate, Breaker(self._clock.now))
        return self._hosts[name]

    def _judge(
        self, host: _Host, answer: Downloaded | DownloadFailed | Redirect, owner: Hashable, began: float
    ) -> None:
        """Tell the host's gate and breaker how it went; `UpstreamUnavailable` when that was enough."""
        if not isinstance(answer, DownloadFailed) or not answer.against_host:
            if not (isinstance(answer, DownloadFailed) and answer.reason in ("refused_address", "bad_url")):
                host.breaker.succeeded()
                host.gate.answered()
            return
        if answer.reason == responses.PROXY_REFUSED:
            host.breaker.down = f"{answer.detail} ({answer.reason})"
            raise UpstreamUnavailable(_sentence(host))
        if answer.reason == "out_of_time":
            return
        if answer.ask_again:
            host.gate.refused(began)
        elif answer.reason == "timeout":
            host.gate.timed_out(began)
        rests_until = host.breaker.failed(owner, f"{answer.detail} ({answer.reason})", began)
        if rests_until is not None:
            host.gate.pause(rests_until)
        if host.breaker.down:
            raise UpstreamUnavailable(_sentence(host))

    async def _once(self, url: URL, seconds: float, *, whole: bool) -> Downloaded | DownloadFailed | Redirect:
        """One request, of which a redirect is not followed; `whole`: it has all the time a photo may take."""
        headers = {"User-Agent": next(self._agents), "Accept": "image/*,*/*;q=0.8", "Accept-Encoding": "identity"}
        if url.scheme == "http":  # through a tunnel they would reach the host
            headers |= self._credentials
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.get(
                    url, headers=headers, allow_redirects=False, proxy=self._proxy, proxy_headers=self._credentials
                ) as response,
            ):
                return await self._read(response, url.scheme)
        except TimeoutError:
            if not whole:
                return DownloadFailed("out_of_time", "the product's time was over", "far_side")
            return DownloadFailed("timeout", f"no whole answer within {self._manners.timeout:g} s", "far_side")
        except aiohttp.ClientError as error:
            return responses.of_error(error)

    async def _read(self, response: aiohttp.ClientResponse, scheme: str) -> Downloaded | DownloadFailed | Redirect:
        proxied = "no" if self._proxy is None else "plain" if scheme == "http" else "tunnel"
        meant = responses.of_headers(
            response.status, response.reason, response.headers, proxied=proxied, wall=self._clock.wall()
        )
        if meant is not None:
            return meant
        most = self._manners.max_bytes
        body = bytearray()
        if (response.content_length or 0) <= most:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > most:
                    break
            else:
                return responses.of_body(bytes(body))
        response.close()  # not drained: the rest may be endless
        return DownloadFailed("too_large", f"over {most} bytes", "item")


def _sentence(host: _Host) -> str:
    return f"photos of {host.name} don't get through: {host.breaker.down}"


def _credentials(proxy: URL | None) -> dict[str, str]:
    if proxy is None or proxy.user is None:
        return {}
    basic = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode())
    return {"Proxy-Authorization": f"Basic {basic.decode()}"}
