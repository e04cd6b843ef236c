"""The responses of faults: one function and one row of `RESPONSES` each.

`faults.py` decides which request gets which.
"""

import asyncio
import json
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.apify.payloads import error as apify_error
from unde_catalog.sandbox.bakai.payloads import error as bakai_error
from unde_catalog.sandbox.s3.payloads import error_body as s3_error
from unde_catalog.sandbox.s3.payloads import error_code_for
from unde_catalog.sandbox.telegram.payloads import error_body as telegram_error
from unde_catalog.sandbox.ximilar.payloads import status_body as ximilar_status

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

FILE = "sandbox_file"  # the path of the file that the response serves, if any
HANG_SECONDS = 600.0
_TOO_LARGE = 32_000_000  # bytes, above any client's limit for photos
_DRIP_INTERVAL = 0.1  # seconds between two bytes
_HTML = (
    "<!DOCTYPE html><html><head><title>Access Denied</title></head>"
    "<body><h1>Access Denied</h1><p>You don't have permission to access this resource.</p></body></html>"
)


async def timeout(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Never responds; ends when the client leaves."""
    for _ in range(int(HANG_SECONDS * 10)):
        if _client_left(request):
            break
        await asyncio.sleep(0.1)
    return web.Response(status=504)


async def html(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An HTML page with status 200 instead of the resource."""
    return web.Response(body=_HTML.encode(), content_type="text/html")


async def html_as_jpeg(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The same page with the content type of a JPEG."""
    return web.Response(body=_HTML.encode(), content_type="image/jpeg")


async def truncated(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The first 60 % of the body with the whole body's Content-Length; then the connection closes."""
    response, body = await _response_and_body(request, handler)
    return await _send_and_close(request, response, body[: int(len(body) * 0.6)], len(body))


async def reset(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Headers without a body; then the connection closes."""
    response, body = await _response_and_body(request, handler)
    return await _send_and_close(request, response, b"", len(body))


async def length_long(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The whole body with a Content-Length that is a tenth too large; then the connection closes."""
    response, body = await _response_and_body(request, handler)
    return await _send_and_close(request, response, body, len(body) + len(body) // 10 + 1)


async def length_short(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The whole body with half of its Content-Length: the rest arrives unexpectedly."""
    response, body = await _response_and_body(request, handler)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {response.content_type}\r\nContent-Length: {len(body) // 2}\r\n\r\n"
    if request.transport is not None:
        request.transport.write(head.encode() + body)
        request.transport.close()
    return web.Response()  # aiohttp needs one; the connection is already closed


async def half(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The first half of the body as a complete HTTP response, so only decoding notices."""
    response, body = await _response_and_body(request, handler)
    return web.Response(body=body[: len(body) // 2], content_type=response.content_type)


async def empty(request: web.Request, handler: Handler) -> web.StreamResponse:
    """200 with an empty body, as a faulty proxy responds."""
    return web.Response(body=b"", content_type="application/octet-stream")


async def brd_error(request: web.Request, handler: Handler) -> web.StreamResponse:
    """200 with an empty body and a residential proxy's error header."""
    headers = {"x-brd-err-code": "peer_10003", "x-brd-error": "Could not find a peer for the target"}
    return web.Response(body=b"", content_type="image/jpeg", headers=headers)


async def drip(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The body byte by byte, ten a second."""
    response, body = await _response_and_body(request, handler)
    slow = web.StreamResponse(headers={"Content-Type": response.content_type})
    slow.content_length = len(body)
    await slow.prepare(request)
    for position in range(len(body)):
        if _client_left(request):
            break
        await slow.write(body[position : position + 1])
        await asyncio.sleep(_DRIP_INTERVAL)
    return slow


async def endless(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An endless body without Content-Length."""
    stream = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    stream.enable_chunked_encoding()
    await stream.prepare(request)
    with suppress(ConnectionError):  # the client closes the connection; the request is logged all the same
        while not _client_left(request):
            await stream.write(b"\xff\xd8\xff" + bytes(65_533))
            await asyncio.sleep(0)  # lets other requests run even if the write does not wait
    return stream


async def too_large(request: web.Request, handler: Handler) -> web.StreamResponse:
    """32 MB with the correct Content-Length."""
    return web.Response(body=b"\xff\xd8\xff" + bytes(_TOO_LARGE - 3), content_type="image/jpeg")


async def bomb(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A PNG of a few hundred bytes whose header says 20,000 x 20,000 pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return web.Response(body=b"\x89PNG\r\n\x1a\n" + body, content_type="image/jpeg")


async def to_private(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A redirect to the metadata address of cloud machines."""
    return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})


async def redirect_loop(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A redirect to itself."""
    return web.Response(status=302, headers={"Location": str(request.rel_url)})


async def timeout_after(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Does the work and never responds."""
    await handler(request)
    return await timeout(request, handler)


async def lost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Does the work and closes the connection without a response."""
    response = await handler(request)
    if request.transport is not None:
        request.transport.abort()
    return response


async def not_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Does the work and responds with half a JSON document as a complete HTTP response."""
    response = await handler(request)
    return web.Response(status=response.status, text='{"status": {"code": 2', content_type="application/json")


async def wrong_types(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Does the work and responds with its JSON, in which every value has another type."""
    response, body = await _response_and_body(request, handler)
    try:
        parsed = json.loads(body)
    except ValueError:  # the response is not JSON
        parsed = {}
    return web.json_response(_change_types(parsed), status=response.status)


def late(seconds: int) -> Fault:
    """Does the work and responds `seconds` later."""

    async def respond(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        await asyncio.sleep(seconds)
        return response

    return respond


def status(code: int, retry_after: str | None = None, *, in_body: bool = False, after: bool = False) -> Fault:
    """An error status in the service's own format.

    `retry_after`: seconds, or "at" and seconds for a date; 429 has 1 second by default. `in_body`: only the JSON has
    the code, and HTTP's status is 200. `after`: the work is done first.
    """

    async def respond(request: web.Request, handler: Handler) -> web.StreamResponse:
        if after:
            await handler(request)
        wait = retry_after or ("1" if code == 429 else None)
        if wait and wait.startswith("at"):
            wait = formatdate(time.time() + int(wait[2:]), usegmt=True)
        headers = {"Retry-After": wait} if wait else {}
        http_status = 200 if in_body else code
        if request.path.startswith("/v2/"):
            error = apify_error("rate-limit-exceeded" if code == 429 else "internal-error", "Fault")
            return web.json_response(error, status=http_status, headers=headers)
        if request.path.startswith("/similarity/"):
            return web.json_response(ximilar_status(code), status=http_status, headers=headers)
        if request.path.startswith("/bakai-api/"):
            error = bakai_error("rate-limited" if code == 429 else "internal", "Fault")
            return web.json_response(error, status=http_status, headers=headers)
        if request.path.startswith("/bakai-s3/"):
            xml = s3_error(error_code_for(code), request.path)
            return web.Response(status=http_status, body=xml, content_type="application/xml", headers=headers)
        if request.path.startswith(("/bot", "/file/bot")):
            seconds = int(wait) if code == 429 and wait and wait.isdigit() else None
            return web.json_response(telegram_error(code, retry_after=seconds), status=http_status)  # no header
        return web.Response(status=http_status, text=f"{code}", headers=headers)

    return respond


def _change_types(value: Any) -> Any:
    """Replaces strings by numbers, lists by objects and anything else by strings, recursively."""
    match value:
        case dict():
            return {name: _change_types(inner) for name, inner in value.items()}
        case list():
            return {str(index): _change_types(inner) for index, inner in enumerate(value)}
        case str():
            return len(value)
    return str(value)


def _client_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _response_and_body(request: web.Request, handler: Handler) -> tuple[web.StreamResponse, bytes]:
    """Returns the handler's response and its body."""
    response = await handler(request)
    if FILE in request:
        return response, request[FILE].read_bytes()
    return response, response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""


async def _send_and_close(
    request: web.Request, response: web.StreamResponse, body: bytes, content_length: int
) -> web.StreamResponse:
    cut = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
    cut.content_length = content_length
    await cut.prepare(request)
    await cut.write(body)
    if request.transport is not None:
        request.transport.close()
    return cut


RESPONSES: dict[str, Fault] = {
    "timeout": timeout,
    "timeout-after": timeout_after,
    "lost": lost,
    "not-json": not_json,
    "wrong-types": wrong_types,
    "html": html,
    "html-as-jpeg": html_as_jpeg,
    "truncated": truncated,
    "reset": reset,
    "length-long": length_long,
    "length-short": length_short,
    "half": half,
    "empty": empty,
    "brd-error": brd_error,
    "drip": drip,
    "endless": endless,
    "too-large": too_large,
    "bomb": bomb,
    "to-private": to_private,
    "redirect-loop": redirect_loop,
}
