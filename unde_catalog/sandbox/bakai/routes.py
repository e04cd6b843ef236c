"""BakaiMarket's CDN: its API below `/bakai-api` and its photos below `/bakai-cdn`.

JSON bodies belong in `payloads.py`, photos in `photos.py`, the bucket in `bucket.py`. Photo requests also have
`product` and `n` in the request log, with or without a fault.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import islice

from aiohttp import web

from unde_catalog.sandbox.bakai import payloads, photos
from unde_catalog.sandbox.bakai.catalogue import BakaiCatalogue, BakaiProduct
from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import DEFAULT_CREDENTIALS, Credentials
from unde_catalog.sandbox.request_log import DETAILS, KIND

MAX_PAGE_SIZE = 1000
PHOTOS_MODIFIED_AT = 1_763_600_000  # seconds since the epoch, for all photos
_PAGE_SIZE = 100
# A cursor is a product's number times this, modulo 2**64: opaque, and invertible.
_CURSOR_FACTOR = 0x9E37_79B9_7F4A_7C15
_CURSOR_INVERSE = pow(_CURSOR_FACTOR, -1, 2**64)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class BakaiApi:
    """The routes of API and CDN; photos are drawn in `pool`."""

    catalogue: BakaiCatalogue
    faults: Faults
    pool: ThreadPoolExecutor
    credentials: Credentials = DEFAULT_CREDENTIALS
    _drawn: set[tuple[int, int, bool]] = field(default_factory=set, init=False)

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes; a route's kind is its name in the request log and in fault rules."""
        api = "/bakai-api/v1/products"
        return [
            web.get("/bakai-api/health", self._handler("bakai.health", self._health)),
            web.get(api, self._handler("bakai.products", self._products)),
            web.get(f"{api}/{{id}}", self._handler("bakai.product", self._product)),
            web.route("*", "/bakai-api/{rest:.*}", self._handler("bakai.other", self._unknown)),
            web.get("/bakai-cdn/{path:.*}", self._photo),
        ]

    def _handler(self, kind: str, inner: _Handler) -> _Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[KIND] = kind
            if kind != "bakai.health" and not self._authorized(request):
                return _error(401, "unauthorized", "X-Access-Key or X-Secret-Key is missing or wrong")
            return await self.faults.around(kind, request, inner, _fault_key(request))

        return handle

    def _authorized(self, request: web.Request) -> bool:
        keys = (("X-Access-Key", self.credentials.bakai_access), ("X-Secret-Key", self.credentials.bakai_secret))
        return all(hmac.compare_digest(request.headers.get(name, "").encode(), key.encode()) for name, key in keys)

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _products(self, request: web.Request) -> web.Response:
        overrides = self.catalogue.overrides
        limit, page = _number(request, "limit", _PAGE_SIZE), _number(request, "page", 1)
        first = _decode_cursor(request.query.get("cursor", ""))
        if not 0 < limit <= MAX_PAGE_SIZE or page < 1 or first is None:
            message = "cursor is invalid" if first is None else f"limit must be from 1 to {MAX_PAGE_SIZE}"
            return _error(400, "invalid-parameter", message)
        by_page = overrides.shape in ("page-numbers", "bare")
        if by_page:
            products = list(islice(self.catalogue.products(), (page - 1) * limit, page * limit))
        else:
            products = list(islice(self.catalogue.products(first), limit + 1))
        next_number = products[limit].number if len(products) > limit else None
        if overrides.repeat_cursor:
            next_number = limit
        listing = payloads.ProductPage(
            products=products[:limit],
            total=self.catalogue.total,
            cursor=None if next_number is None else _encode_cursor(next_number),
            number=page,
            pages=-(-self.catalogue.total // limit),
        )
        return _json_response(payloads.page_body(overrides.shape, listing, _cdn_url(request)))

    async def _product(self, request: web.Request) -> web.Response:
        product = self.catalogue.find(request.match_info["id"])
        if product is None:
            return _error(404, "not-found", "There is no such product")
        return _json_response(payloads.product_body(self.catalogue.overrides.shape, product, _cdn_url(request)))

    async def _unknown(self, request: web.Request) -> web.Response:
        return _error(404, "not-found", f"There is no {request.path}")

    async def _photo(self, request: web.Request) -> web.StreamResponse:
        request[KIND] = "bakai.photo"
        id_, _, name = request.match_info["path"].removeprefix("products/").partition("/")
        photo = self.find_photo(request, id_, name)

        async def respond(request: web.Request) -> web.StreamResponse:
            if photo is None:
                raise web.HTTPNotFound(text="no such photo")
            return await self.photo_response(request, *photo)

        return await self.faults.around("bakai.photo", request, respond)

    def find_photo(self, request: web.Request, id_: str, name: str) -> tuple[BakaiProduct, int] | None:
        """Returns product and number of an existing photo, and adds them to the request's log entry."""
        product, number = self.catalogue.find(id_), name.removesuffix(".jpg")
        if product is None or not (number.isascii() and number.isdigit() and name == f"{int(number)}.jpg"):
            return None
        request[DETAILS] = {"product": str(product.id), "n": int(number)}
        return (product, int(number)) if 1 <= int(number) <= product.photos else None

    async def photo_response(self, request: web.Request, product: BakaiProduct, n: int) -> web.Response:
        """Responds with a photo; its picture is drawn in a thread the first time."""
        overrides = self.catalogue.overrides
        headers = {
            "ETag": photos.etag(product, n, overrides),
            "Last-Modified": formatdate(PHOTOS_MODIFIED_AT, usegmt=True),
        }
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        key = photos.picture_key(product, n, overrides.large)
        if key not in self._drawn:
            await asyncio.get_running_loop().run_in_executor(self.pool, photos.picture, product, n, overrides.large)
            self._drawn.add(key)
        return web.Response(body=photos.photo(product, n, overrides), content_type="image/jpeg", headers=headers)


def _fault_key(request: web.Request) -> str:
    """Returns what fault rules count as one path: each page of a listing."""
    return f"{request.path}?{request.query.get('cursor', '')}&{request.query.get('page', '')}"


def _encode_cursor(number: int) -> str:
    return f"{number * _CURSOR_FACTOR % 2**64:016x}"


def _decode_cursor(cursor: str) -> int | None:
    """Returns the product number in a cursor (an empty one: 0), or None if it is invalid."""
    if not cursor:
        return 0
    try:
        number = int(cursor, 16) * _CURSOR_INVERSE % 2**64
    except ValueError:
        return None
    return number if number < 2**32 and cursor == _encode_cursor(number) else None


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _cdn_url(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}/bakai-cdn"


def _json_response(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response(payloads.error(code, message), status=status)
