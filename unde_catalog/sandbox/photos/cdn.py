"""The brands' photo CDN: draws the photo that a URL names. Drawing belongs in `garments.py`.

A URL is `/cdn/<brand>/.../<reference><colour>-<view>.jpg?ts=<version>&w=<width>`, as at the real brands. Below
`/_any/`, an unknown reference gets any garment instead of 404 (for item files without their photos).
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import stable_int
from unde_catalog.sandbox.photos import catalogue, garments
from unde_catalog.sandbox.request_log import KIND

_NAME = re.compile(r"(?P<product>\d{8})(?P<colour>\d{3})-(?P<view>[a-z]\d?)\.jpg")
_MAX_WIDTH = 20_000


@dataclass(slots=True)
class Cdn:
    """The routes of the CDN; photos are drawn in `pool`, which keeps the event loop free."""

    faults: Faults
    pool: ThreadPoolExecutor

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes of the exact catalogue and of any reference."""
        return [
            web.get("/cdn/{brand}/{path:.*}", self._photo),
            web.get("/_any/{brand}/{path:.*}", self._photo),
        ]

    async def _photo(self, request: web.Request) -> web.StreamResponse:
        request[KIND] = "photo"
        return await self.faults.around("photo", request, self._draw)

    async def _draw(self, request: web.Request) -> web.StreamResponse:
        brand = request.match_info["brand"]
        match = _NAME.fullmatch(request.match_info["path"].rpartition("/")[2])
        if match is None:
            raise web.HTTPNotFound(text="no such photo")
        product, colour, view = match["product"], match["colour"], match["view"]
        if not catalogue.has_photo(brand, product, colour, view):
            if not request.path.startswith("/_any/"):
                raise web.HTTPNotFound(text="no such photo")
            brand, product, colour, view = catalogue.any_photo(product + colour, view)
            version = 0
        else:
            version = max(_timestamp(request) - catalogue.PHOTO_STAMP, 0)
        width = min(_width(request), garments.NATIVE_WIDTH)
        etag = f'"{stable_int(brand, product, colour, view, version, width, garments.EDITION):016x}"'
        headers = {
            "ETag": etag,
            "Last-Modified": formatdate(catalogue.PHOTO_STAMP / 1000, usegmt=True),
            "Cache-Control": "public, max-age=31536000",
        }
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        body = await asyncio.get_running_loop().run_in_executor(
            self.pool, _draw_cached, brand, product, colour, view, width, version
        )
        return web.Response(body=body, content_type="image/jpeg", headers=headers)


@lru_cache(maxsize=600)  # the whole sample catalogue, about 60 MB: a large catalogue repeats its garments
def _draw_cached(brand: str, product: str, colour: str, view: str, width: int, version: int) -> bytes:
    return garments.draw(brand, product, colour, view, width, version)


def _timestamp(request: web.Request) -> int:
    text: Any = request.query.get("ts", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else catalogue.PHOTO_STAMP


def _width(request: web.Request) -> int:
    """Returns the width in the URL; an invalid one means the native width, as at real CDNs."""
    text = request.query.get("w", "")
    width = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    return width if 0 < width <= _MAX_WIDTH else garments.NATIVE_WIDTH
