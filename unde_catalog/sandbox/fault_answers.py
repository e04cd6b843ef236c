"""The answers that go wrong: one function and one row of `RESPONSES` each.

Which request gets which is decided in `faults.py`.
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

from unde_catalog.sandbox.apify import payloads as apify_shapes
from unde_catalog.sandbox.bakai import payloads as bakai_shapes
from unde_catalog.sandbox.s3 import payloads as s3_shapes
from unde_catalog.sandbox.telegram import payloads as telegram_shapes
from unde_catalog.sandbox.ximilar import payloads as ximilar_shapes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

FILE = "sandbox_file"  # the file that a request is answered with, if it is one
HANG_SECONDS = 600.0
_TOO_LARGE = 32_000_000  # bytes, over any limit that a client of photos may have
_DRIP_SECONDS = 0.1  # between two bytes
_HTML = (
    "<!DOCTYPE html><html><head><title>Access Denied</title></head>"
    "<body><h1>Access Denied</h1><p>You don't have permission to access this resource.</p></body></html>"
)


async def timeout(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Never answers; ends when the client has gone."""
    for _ in range(int(HANG_SECONDS * 10)):
        if _left(request):
            break
        await asyncio.sleep(0.1)
    return web.Response(status=504)


async def html(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page with status 200 where something else was asked for."""
    return web.Response(body=_HTML.encode(), content_type="text/html")


async def html_as_jpeg(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The same page, called a JPEG."""
    return web.Response(body=_HTML.encode(), content_type="image/jpeg")


async def truncated(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The first 60 % of the body behind the whole body's Content-Length, then the connection is cut."""
    whole, body = await _whole(request, handler)
    return await _send_and_cut(request, whole, body[: int(len(body) * 0.6)], len(body))


async def reset(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Headers, no body, and the connection is cut."""
    whole, body = await _whole(request, handler)
    return await _send_and_cut(request, whole, b"", len(body))


async def length_long(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The whole body behind a Content-Length of a tenth more, then the connection is cut."""
    whole, body = await _whole(request, handler)
    return await _send_and_cut(request, whole, body, len(body) + len(body) // 10 + 1)


async def length_short(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The whole body behind a Content-Length of half of it: the rest comes where no one expects it."""
    whole, body = await _whole(request, handler)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {whole.content_type}\r\nContent-Length: {len(body) // 2}\r\n\r\n"
    if request.transport is not None:
        request.transport.write(head.encode() + body)
        request.transport.close()
    return web.Response()  # aiohttp wants one; its connection is closed


async def half(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The first half of the body, in HTTP a whole answer: only who decodes it notices."""
    whole, body = await _whole(request, handler)
    return web.Response(body=body[: len(body) // 2], content_type=whole.content_type)


async def empty(request: web.Request, handler: Handler) -> web.StreamResponse:
    """200 with an empty body, as a proxy in trouble answers."""
    return web.Response(body=b"", content_type="application/octet-stream")


async def brd_error(request: web.Request, handler: Handler) -> web.StreamResponse:
    """200 with an empty body and a residential proxy's error header."""
    headers = {"x-brd-err-code": "peer_10003", "x-brd-error": "Could not find a peer for the target"}
    return web.Response(body=b"", content_type="image/jpeg", headers=headers)


async def drip(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The body byte by byte, ten a second."""
    whole, body = await _whole(request, handler)
    slow = web.StreamResponse(headers={"Content-Type": whole.content_type})
    slow.content_length = len(body)
    await slow.prepare(request)
    for at in range(len(body)):
        if _left(request):
            break
        await slow.write(body[at : at + 1])
        await asyncio.sleep(_DRIP_SECONDS)
    return slow


async def endless(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A body without an announced length that never ends."""
    flood = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    flood.enable_chunked_encoding()
    await flood.prepare(request)
    with suppress(ConnectionError):  # how a client leaves in the middle: its request has a line in the log all the same
        while not _left(request):
            await flood.write(b"\xff\xd8\xff" + bytes(65_533))
            await asyncio.sleep(0)  # also where nothing holds the writing up
    return flood


async def too_large(request: web.Request, handler: Handler) -> web.StreamResponse:
    """32 MB, and a Content-Length that says so."""
    return web.Response(body=b"\xff\xd8\xff" + bytes(_TOO_LARGE - 3), content_type="image/jpeg")


async def bomb(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A few hundred bytes of PNG whose header claims 20,000 x 20,000 pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return web.Response(body=b"\x89PNG\r\n\x1a\n" + body, content_type="image/jpeg")


async def to_private(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A redirect to the address at which clouds keep their machines' secrets."""
    return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})


async def redirect_loop(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A redirect to itself."""
    return web.Response(status=302, headers={"Location": str(request.rel_url)})


async def timeout_after(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Carries the request out and never answers."""
    await handler(request)
    return await timeout(request, handler)


async def lost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Carries the request out and cuts the connection without a byte of an answer."""
    done = await handler(request)
    if request.transport is not None:
        request.transport.abort()
    return done


async def not_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Carries the request out and answers with half a JSON, in HTTP a whole answer."""
    whole = await handler(request)
    return web.Response(status=whole.status, text='{"status": {"code": 2', content_type="application/json")


async def wrong_types(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Carries the request out and answers with its JSON, in which no value is of the right type."""
    whole, body = await _whole(request, handler)
    try:
        answer = json.loads(body)
    except ValueError:  # not a request that is answered with JSON
        answer = {}
    return web.json_response(_mistyped(answer), status=whole.status)


def late(seconds: int) -> Fault:
    """Carries the request out and answers so many seconds later."""

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        done = await handler(request)
        await asyncio.sleep(seconds)
        return done

    return answer


def status(code: int, retry_after: str | None = None, *, in_body: bool = False, after: bool = False) -> Fault:
    """An error status, after the request was carried out or instead; 429 says Retry-After 1 second unless another is
    given. `in_body`: only the JSON says so, and HTTP 200."""

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if after:
            await handler(request)
        said = retry_after or ("1" if code == 429 else None)
        if said and said.startswith("at"):
            said = formatdate(time.time() + int(said[2:]), usegmt=True)
        headers = {"Retry-After": said} if said else {}
        http_status = 200 if in_body else code
        if request.path.startswith("/v2/"):
            error = apify_shapes.error("rate-limit-exceeded" if code == 429 else "internal-error", "Fault")
            return web.json_response(error, status=http_status, headers=headers)
        if request.path.startswith("/similarity/"):
            return web.json_response(ximilar_shapes.answer(code), status=http_status, headers=headers)
        if request.path.startswith("/bakai-api/"):
            error = bakai_shapes.error("rate-limited" if code == 429 else "internal", "Fault")
            return web.json_response(error, status=http_status, headers=headers)
        if request.path.startswith("/bakai-s3/"):
            refused = s3_shapes.refusal_of(code)
            xml = s3_shapes.error(refused, request.path)
            return web.Response(status=http_status, body=xml, content_type="application/xml", headers=headers)
        if request.path.startswith(("/bot", "/file/bot")):
            error = telegram_shapes.error(
                code, retry_after=int(said) if code == 429 and said and said.isdigit() else None
            )
            return web.json_response(error, status=http_status)  # Telegram says it in the JSON alone
        return web.Response(status=http_status, text=f"{code}", headers=headers)

    return answer


def _mistyped(value: Any) -> Any:
    """Text for a number, a number for text, an object for a list, nothing for nothing; below as above."""
    match value:
        case dict():
            return {name: _mistyped(inner) for name, inner in value.items()}
        case list():
            return {str(place): _mistyped(inner) for place, inner in enumerate(value)}
        case str():
            return len(value)
    return str(value)


def _left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _whole(request: web.Request, handler: Handler) -> tuple[web.StreamResponse, bytes]:
    """What the handler answers, and its body."""
    whole = await handler(request)
    if FILE in request:
        return whole, request[FILE].read_bytes()
    return whole, whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""


async def _send_and_cut(
    request: web.Request, whole: web.StreamResponse, body: bytes, announced: int
) -> web.StreamResponse:
    cut = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
    cut.content_length = announced
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
