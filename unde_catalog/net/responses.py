"""What an answer to a download means: a body, or a reason and whose fault it is.

Nothing is sent or read here; how often one asks again is `download.py`'s.
"""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

import aiohttp

from unde_catalog.net.resolver import RefusedAddress
from unde_catalog.text import printable

Fault = Literal["gone", "item", "far_side"]

_GONE = (404, 410)
_OF_THE_URL = (400, 405, 406, 414, 451)  # the host is fine, and will say the same tomorrow
_ASK_AGAIN = (429, 503)
_REDIRECTS = (301, 302, 303, 307, 308)
_PROXY_ERRORS = ("x-brd-error", "x-brd-err-code", "x-brd-err-msg", "x-luminati-error")  # spec 6, Bright Data
# The file's own fault as far as a product goes, but from a whole row of products it is the host's (a wall, a cut).
_SUSPICIOUS = ("truncated", "empty", "not_an_image", "broken_answer")
PROXY_REFUSED = "proxy_refused"


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The whole body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class DownloadFailed:
    """Why there is no body; `gone`: for good, `item`: this file's own fault, `far_side`: will pass.

    `ask_again`: whether the same try may ask again (429, 503), after `retry_after` seconds where the host says so.
    """

    reason: str
    detail: str
    fault: Fault
    ask_again: bool = False
    retry_after: float | None = None

    @property
    def against_host(self) -> bool:
        """Whether a row of these says that the host is down."""
        return self.fault == "far_side" or self.reason in _SUSPICIOUS


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the host sends us, as it wrote it: not checked yet."""

    location: str


def of_headers(
    status: int,
    reason: str | None,
    headers: Mapping[str, str],
    *,
    proxied: Literal["no", "plain", "tunnel"],
    wall: float,
) -> DownloadFailed | Redirect | None:
    """What status and headers mean; None for a body worth reading. `wall` is the time, for dates in Retry-After."""
    said = printable(next((headers[name] for name in _PROXY_ERRORS if name in headers), "")) if proxied != "no" else ""
    by_proxy = bool(said) or (proxied == "plain" and status in (402, 407)) or "Proxy-Authenticate" in headers
    if proxied != "no" and by_proxy:
        return of_proxy(status, said or printable(reason))
    if status == 200:
        encoding = headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity"):  # we ask for identity; unpacking could make gigabytes of it
            return DownloadFailed("encoded", f"sent as {printable(encoding)} though we asked for none", "item")
        return None
    if status in _REDIRECTS and headers.get("Location"):
        return Redirect(headers["Location"])
    fault: Fault = "gone" if status in _GONE else "item" if status in _OF_THE_URL or status < 400 else "far_side"
    asks = status in _ASK_AGAIN
    after = retry_after(headers.get("Retry-After"), wall) if asks else None
    return DownloadFailed(f"http_{status}", printable(reason), fault, asks, after)


def of_proxy(status: int, said: str) -> DownloadFailed:
    """What the proxy itself answers. 407 concerns all requests: `PROXY_REFUSED`."""
    if status == 407:
        return DownloadFailed(PROXY_REFUSED, "the proxy refuses our credentials (407): check PROXY_URL", "far_side")
    reason = "proxy_error" if status == 200 else f"proxy_{status}"
    return DownloadFailed(reason, f"the proxy answered {status} {printable(said)}".strip(), "far_side")


def of_body(body: bytes) -> Downloaded | DownloadFailed:
    """A body, unless it can't be a file: walls and proxies in trouble answer 200 with a page, or with nothing."""
    if not body:
        return DownloadFailed("empty", "200 without a body", "item")
    if body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return DownloadFailed("not_an_image", "a page of HTML instead of a photo", "item")
    return Downloaded(body)


def of_error(error: aiohttp.ClientError) -> DownloadFailed:
    """What went wrong underneath HTTP. Only chosen words of the error are kept: it may hold the proxy's password."""
    match error:
        case aiohttp.ClientHttpProxyError():  # at CONNECT
            headers = error.headers or {}
            said = next((headers[name] for name in _PROXY_ERRORS if name in headers), error.message)
            return of_proxy(error.status, said)
        case aiohttp.ClientProxyConnectionError():
            return DownloadFailed("proxy_unreachable", printable(error.os_error.strerror), "far_side")
        case aiohttp.ClientConnectorCertificateError():
            problem = getattr(error.certificate_error, "verify_message", "") or "not valid"
            return DownloadFailed("tls_certificate", f"certificate: {printable(problem)}", "far_side")
        case aiohttp.ClientConnectorDNSError():
            return DownloadFailed("no_such_host", "the name does not resolve", "far_side")
        case aiohttp.ClientSSLError():
            return DownloadFailed("tls", printable(error.os_error.strerror), "far_side")
        case aiohttp.ClientConnectorError():
            if isinstance(error.os_error, RefusedAddress):
                return DownloadFailed("refused_address", str(error.os_error), "item")
            return DownloadFailed("no_connection", printable(error.os_error.strerror), "far_side")
        case aiohttp.ClientPayloadError():
            return DownloadFailed("truncated", "the answer broke off before its end", "item")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return DownloadFailed("reset", "the connection was cut before an answer", "far_side")
        case aiohttp.InvalidURL():
            return DownloadFailed("bad_url", "not a URL", "item")
    return DownloadFailed("broken_answer", f"not HTTP as we know it ({type(error).__name__})", "item")


def retry_after(value: str | None, wall: float) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; None where it says nothing usable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - wall)
    except (ValueError, TypeError, OverflowError):
        return None
