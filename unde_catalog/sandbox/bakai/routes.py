"""BakaiMarket's CDN: its API below `/bakai-api` and its photos below `/bakai-cdn` (spec 2).

What the JSON looks like is `payloads.py`, what a photo shows `photos.py`; its bucket is `bucket.py`.
Lines of photos in the request log also hold `product` and `n`, whether or not a fault struck.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import islice

from aiohttp import web

from unde_catalog.sandbox.bakai import payloads as shapes
from unde_catalog.sandbox.bakai import photos
from unde_catalog.sandbox.bakai.catalogue import BakaiShelf, Good
from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import BAKAI_ACCESS_KEY, BAKAI_SECRET_KEY
from unde_catalog.sandbox.request_log import KIND, NOTED

MOST_A_PAGE = 1000
MADE_AT = 1_763_600_000  # seconds since the epoch: when all photos were put there
_A_PAGE = 100
# A cursor is a product's number times this, modulo 2**64: nothing can be read off it, and it can be turned back.
_CURSOR = 0x9E37_79B9_7F4A_7C15
_CURSOR_BACK = pow(_CURSOR, -1, 2**64)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class BakaiApi:
    """The routes of API and CDN; `pool` is where photos are drawn."""

    shelf: BakaiShelf
    faults: Faults
    pool: ThreadPoolExecutor
    _drawn: set[tuple[int, int, bool]] = field(default_factory=set, init=False)

    def routes(self) -> list[web.RouteDef]:
        """Every route; the kind is how the request log and the faults call it."""
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
            if kind != "bakai.health" and not _authorized(request):
                return _problem(401, "unauthorized", "X-Access-Key or X-Secret-Key is missing or wrong")
            return await self.faults.around(kind, request, inner, _struck(request))

        return handle

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _products(self, request: web.Request) -> web.Response:
        terms = self.shelf.terms
        limit, page = _number(request, "limit", _A_PAGE), _number(request, "page", 1)
        cursor = request.query.get("cursor", "")
        first = _place(cursor)
        if not 0 < limit <= MOST_A_PAGE or page < 1 or first is None:
            what = "cursor is not one of ours" if first is None else f"limit must be from 1 to {MOST_A_PAGE}"
            return _problem(400, "invalid-parameter", what)
        by_page = terms.shape in ("page-numbers", "bare")
        if by_page:
            goods = list(islice(self.shelf.goods(), (page - 1) * limit, page * limit))
        else:
            goods = list(islice(self.shelf.goods(first), limit + 1))
        following = goods[limit].number if len(goods) > limit else None
        if terms.repeat_cursor:
            following = limit
        listed = shapes.Listed(
            goods=goods[:limit],
            total=self.shelf.total,
            cursor=None if following is None else _cursor(following),
            page=page,
            pages=-(-self.shelf.total // limit),
        )
        return _json(shapes.page(terms.shape, listed, _cdn_url(request)))

    async def _product(self, request: web.Request) -> web.Response:
        good = self.shelf.find(request.match_info["id"])
        if good is None:
            return _problem(404, "not-found", "There is no such product")
        return _json(shapes.product(self.shelf.terms.shape, good, _cdn_url(request)))

    async def _unknown(self, request: web.Request) -> web.Response:
        return _problem(404, "not-found", f"There is no {request.path}")

    async def _photo(self, request: web.Request) -> web.StreamResponse:
        request[KIND] = "bakai.photo"
        id_, _, name = request.match_info["path"].removeprefix("products/").partition("/")
        found = self.find_photo(request, id_, name)

        async def answer(request: web.Request) -> web.StreamResponse:
            if found is None:
                raise web.HTTPNotFound(text="no such photo")
            return await self.answer_photo(request, *found)

        return await self.faults.around("bakai.photo", request, answer)

    def find_photo(self, request: web.Request, id_: str, name: str) -> tuple[Good, int] | None:
        """The product and number of a photo, if there is one, noted for the request's line in the log."""
        good, number = self.shelf.find(id_), name.removesuffix(".jpg")
        if good is None or not (number.isascii() and number.isdigit() and name == f"{int(number)}.jpg"):
            return None
        request[NOTED] = {"product": str(good.id), "n": int(number)}
        return (good, int(number)) if 1 <= int(number) <= good.photos else None

    async def answer_photo(self, request: web.Request, good: Good, n: int) -> web.Response:
        """A photo, drawn in a thread if its picture is not there yet."""
        terms = self.shelf.terms
        headers = {"ETag": photos.etag(good, n, terms), "Last-Modified": formatdate(MADE_AT, usegmt=True)}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        wanted = photos.picture_of(good, n, terms.large)
        if wanted not in self._drawn:
            await asyncio.get_running_loop().run_in_executor(self.pool, photos.picture, good, n, terms.large)
            self._drawn.add(wanted)
        return web.Response(body=photos.photo(good, n, terms), content_type="image/jpeg", headers=headers)


def _authorized(request: web.Request) -> bool:
    given = (request.headers.get("X-Access-Key", ""), request.headers.get("X-Secret-Key", ""))
    known = (BAKAI_ACCESS_KEY, BAKAI_SECRET_KEY)
    return all(hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, known, strict=True))


def _struck(request: web.Request) -> str:
    """What a fault strikes: of a listing each page by itself."""
    return f"{request.path}?{request.query.get('cursor', '')}&{request.query.get('page', '')}"


def _cursor(number: int) -> str:
    return f"{number * _CURSOR % 2**64:016x}"


def _place(cursor: str) -> int | None:
    """The product's number in a cursor (none: 0), None for what is no cursor of ours."""
    if not cursor:
        return 0
    try:
        number = int(cursor, 16) * _CURSOR_BACK % 2**64
    except ValueError:
        return None
    return number if number < 2**32 and cursor == _cursor(number) else None


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _cdn_url(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}/bakai-cdn"


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


def _problem(status: int, code: str, message: str) -> web.Response:
    return web.json_response(shapes.error(code, message), status=status)
