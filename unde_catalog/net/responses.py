"""What the response to a download means: a body, or a reason with its fault.

Nothing is sent or read here; `download.py` decides about retries.
"""

import email.utils
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

import aiohttp
from multidict import MultiMapping

from unde_catalog.net.resolver import RefusedAddress
from unde_catalog.text import printable

Fault = Literal["gone", "item", "upstream"]

_GONE = (404, 410)
_URL_FAULTS = (400, 405, 406, 414, 451)  # the host is fine, and will answer the same tomorrow
_RETRYABLE = (429, 503)
_REDIRECTS = (301, 302, 303, 307, 308)
_PROXY_ERROR_HEADERS = ("x-brd-error", "x-brd-err-code", "x-brd-err-msg", "x-luminati-error")  # Bright Data's
# A fault of one file, as far as its product is concerned. A run of them over several products points to the host:
# it blocks the client, or something cuts its connections.
_SUSPICIOUS = ("truncated", "empty", "not_an_image", "broken_answer")
_GZIP = ("gzip", "x-gzip")
_COMPRESSIONS = (*_GZIP, "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz")
PROXY_REFUSED = "proxy_refused"
# The host refuses the client, or only this file: some hosts send these for photos that are gone. What else the host
# sends decides.
REFUSALS = frozenset(
    f"http_{status}" for status in range(400, 500) if status not in (*_GONE, *_URL_FAULTS, 407, 408, 421, 425, 429)
)
SERVER_ERROR = "http_500"  # of the host, or of a resizer that cannot read this file


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The complete body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class DownloadFailed:
    """Why there is no body. Fault `gone` is permanent, `item` lies in this file, `upstream` is likely to pass.

    `retryable`: the same attempt may retry (429, 503), after `retry_after` seconds if the host names them.
    """

    reason: str
    detail: str
    fault: Fault
    retryable: bool = False
    retry_after: float | None = None

    @property
    def counts_against_host(self) -> bool:
        """Whether a run of such failures means that the host is down."""
        return self.fault == "upstream" or self.reason in _SUSPICIOUS


@dataclass(frozen=True, slots=True)
class Redirect:
    """The Location header as the host sent it, not checked yet."""

    location: str


def interpret_headers(
    status: int,
    reason: str | None,
    headers: Mapping[str, str],
    *,
    proxied: Literal["no", "plain", "tunnel"],
    wall: float,
) -> DownloadFailed | Redirect | None:
    """What status and headers mean; None if the body should be read. `wall` is the time that Retry-After dates need."""
    proxy_error = ""
    if proxied != "no":
        proxy_error = printable(next((headers[name] for name in _PROXY_ERROR_HEADERS if name in headers), ""))
        refused = proxied == "plain" and status in (402, 407)
        if proxy_error or refused or "Proxy-Authenticate" in headers:
            return proxy_failure(status, proxy_error or printable(reason))
    # 203 is a proxy's copy; a part that is the whole is the whole.
    if status in (200, 203) or status == 206 and _is_whole(headers.get("Content-Range", "")):
        packed = encodings(headers.get("Content-Encoding", ""))
        if len(packed) > 1 or not set(packed) <= set(_GZIP):
            names = printable(", ".join(packed))
            return DownloadFailed("encoded", f"sent as {names}, which was not asked for", "item")
        return None
    if status in _REDIRECTS and headers.get("Location"):
        return Redirect(headers["Location"])
    fault: Fault = "gone" if status in _GONE else "item" if status in _URL_FAULTS or status < 400 else "upstream"
    retryable = status in _RETRYABLE
    delay = _longest_retry_after(headers, wall) if retryable else None
    return DownloadFailed(f"http_{status}", printable(reason), fault, retryable, delay)


def proxy_failure(status: int, message: str) -> DownloadFailed:
    """A response of the proxy itself. 407 affects every request: `PROXY_REFUSED`."""
    if status == 407:
        return DownloadFailed(PROXY_REFUSED, "the proxy rejects the credentials (407): check PROXY_URL", "upstream")
    reason = "proxy_error" if status == 200 else f"proxy_{status}"
    return DownloadFailed(reason, f"the proxy responded {status} {printable(message)}".strip(), "upstream")


def encodings(header: str) -> list[str]:
    """The content encodings that change the body.

    Stores keep whatever an upload named: `aws-chunked`, and `base64`, `utf-8` or `binary` over a plain photo. If the
    body is no photo after all, its content says so.
    """
    named = (one.strip().lower() for one in header.split(","))
    return [one for one in named if one in _COMPRESSIONS]


def decompress(body: bytes, max_bytes: int) -> bytes | None:
    """What a gzip body holds, None for more than `max_bytes`; a body that only claims to be gzip is returned as it is.

    ValueError for a damaged one. A small body may expand to gigabytes, so no more than the limit is made of it.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body
    expander = zlib.decompressobj(wbits=31)
    try:
        plain = expander.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise ValueError("the gzip body is damaged") from error
    if len(plain) > max_bytes:
        return None
    if not expander.eof:
        raise ValueError("the gzip body ends early")
    return plain


def _is_whole(content_range: str) -> bool:
    """Whether a Content-Range is all of the file: `bytes 0-99/100`."""
    match = re.fullmatch(r"bytes 0-(\d{1,12})/(\d{1,12})", content_range.strip())
    return match is not None and int(match[1]) + 1 == int(match[2])


def interpret_body(body: bytes) -> Downloaded | DownloadFailed:
    """A body, unless it cannot be a file: blocking pages and failing proxies send 200 with HTML or with nothing."""
    if not body:
        return DownloadFailed("empty", "status 200 with an empty body", "item")
    if body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return DownloadFailed("not_an_image", "an HTML page instead of a photo", "item")
    return Downloaded(body)


def interpret_error(error: aiohttp.ClientError) -> DownloadFailed:
    """What failed below HTTP. Only selected parts of the error are kept: it may contain the proxy's password."""
    match error:
        case aiohttp.ClientHttpProxyError():  # at CONNECT
            headers = error.headers or {}
            message = next((headers[name] for name in _PROXY_ERROR_HEADERS if name in headers), error.message)
            return proxy_failure(error.status, message)
        case aiohttp.ClientProxyConnectionError():
            return DownloadFailed("proxy_unreachable", printable(error.os_error.strerror), "upstream")
        case aiohttp.ClientConnectorCertificateError():
            problem = getattr(error.certificate_error, "verify_message", "") or "not valid"
            return DownloadFailed("tls_certificate", f"certificate: {printable(problem)}", "upstream")
        case aiohttp.ClientConnectorDNSError():
            return DownloadFailed("no_such_host", "the host name does not resolve", "upstream")
        case aiohttp.ClientSSLError():
            return DownloadFailed("tls", printable(error.os_error.strerror), "upstream")
        case aiohttp.ClientConnectorError():
            if isinstance(error.os_error, RefusedAddress):
                return DownloadFailed("refused_address", str(error.os_error), "item")
            return DownloadFailed("no_connection", printable(error.os_error.strerror), "upstream")
        case aiohttp.ClientPayloadError():
            return DownloadFailed("truncated", "the response ended early", "item")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return DownloadFailed("reset", "the connection closed before a response", "upstream")
        case aiohttp.ClientResponseError() if "more than" in error.message:
            return DownloadFailed("headers_too_long", printable(error.message), "item")
        case aiohttp.InvalidURL():
            return DownloadFailed("bad_url", "not a URL", "item")
    return DownloadFailed("broken_answer", f"not a valid HTTP response ({type(error).__name__})", "item")


def _longest_retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Of several Retry-After headers, as a host and the proxy before it send them, the longest counts."""
    values = headers.getall("Retry-After", []) if isinstance(headers, MultiMapping) else [headers.get("Retry-After")]
    delays = [delay for value in values if (delay := parse_retry_after(value, wall)) is not None]
    return max(delays, default=None)


def parse_retry_after(value: str | None, wall: float) -> float | None:
    """The delay in seconds that a Retry-After header asks for, as a number or a date; None if it is unusable.

    A date that has passed asks for nothing: the clocks differ, or the response was cached. It never means "at once".
    Of several numbers, as a proxy joins headers, the longest counts.
    """
    text = (value or "").strip()
    numbers = [one.strip() for one in text.split(",")]
    if text.isascii() and all(one.isdigit() for one in numbers):
        return max(float(one) for one in numbers) or None
    try:
        moment = email.utils.parsedate_to_datetime(text)
        delay = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - wall
    except (ValueError, TypeError, OverflowError):
        return None
    return delay if delay > 0 else None
