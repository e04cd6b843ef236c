"""BakaiMarket's bucket below `/bakai-s3/bakai-images`: ListObjectsV2 and single objects, with signature checks.

Anyone may read an object, but only the owner may list them. Listings are computed from the catalogue page by page.
XML belongs in `sandbox/s3/payloads.py`, signatures in `sandbox/s3/sigv4.py`.
"""

import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from unde_catalog.sandbox.bakai import photos
from unde_catalog.sandbox.bakai.routes import PHOTOS_MODIFIED_AT, BakaiApi
from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import BAKAI_BUCKET
from unde_catalog.sandbox.request_log import KIND
from unde_catalog.sandbox.s3 import payloads, sigv4

MAX_KEYS = 1000
_AFTER_PREFIX = "\U0010ffff"  # appended to a prefix, it sorts after all keys with that prefix

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class BakaiBucket:
    """The routes of the bucket; it serves the CDN's photos."""

    cdn: BakaiApi
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes of listings (kind `bakai.list`) and objects (`bakai.photo`)."""
        bucket = "/bakai-s3/{bucket}"
        return [
            web.get(bucket, self._handler("bakai.list", self._list), allow_head=False),
            web.get(f"{bucket}/", self._handler("bakai.list", self._list), allow_head=False),
            web.get(f"{bucket}/{{key:.+}}", self._object),
            web.route("*", "/bakai-s3/{rest:.*}", self._handler("bakai.other", _method_not_allowed)),
        ]

    def _handler(self, kind: str, inner: _Handler, signed: bool = True) -> _Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[KIND] = kind
            code = self._access_error(request, signed)
            if code is not None:
                return _error(request, code)
            query = request.query
            page = f"{request.path}?{query.get('prefix', '')}&{query.get('start-after', '')}"
            key = f"{page}&{query.get('continuation-token', '')}" if kind == "bakai.list" else None
            return await self.faults.around(kind, request, inner, key)

        return handle

    async def _object(self, request: web.Request) -> web.StreamResponse:
        """Serves a photo; a signature is optional, but a wrong one is refused."""
        folder, _, rest = request.match_info["key"].partition("/")
        id_, _, name = rest.partition("/")
        photo = self.cdn.find_photo(request, id_, name) if folder == "products" else None

        async def respond(request: web.Request) -> web.StreamResponse:
            return await self.cdn.photo_response(request, *photo) if photo else _error(request, "NoSuchKey")

        return await self._handler("bakai.photo", respond, signed=False)(request)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if query.get("list-type") != "2":
            return _error(request, "NotImplemented")
        max_keys = query.get("max-keys", str(MAX_KEYS))
        last_key = _decode_token(query.get("continuation-token", ""))
        if not (max_keys.isascii() and max_keys.isdigit() and len(max_keys) < 10) or last_key is None:
            return _error(request, "InvalidArgument")
        listing = payloads.ListingRequest(
            bucket=BAKAI_BUCKET,
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            max_keys=min(int(max_keys), MAX_KEYS),
            start_after=query.get("start-after", ""),
            token=query.get("continuation-token", ""),
            encoded=query.get("encoding-type") == "url",
        )
        xml = payloads.listing(listing, self._list_page(listing, last_key or listing.start_after))
        return web.Response(body=xml, content_type="application/xml")

    def _list_page(self, listing: payloads.ListingRequest, after: str) -> payloads.ListingPage:
        """Returns the objects and common prefixes that follow a key or common prefix."""
        objects: list[tuple[str, int, str]] = []
        prefixes: list[str] = []
        catalogue, overrides = self.cdn.catalogue, self.cdn.catalogue.overrides
        last = after
        if listing.delimiter and after.endswith(listing.delimiter):
            after += _AFTER_PREFIX
        keys = (
            catalogue.keys_after(after)
            if after >= listing.prefix
            else catalogue.keys_after(listing.prefix, inclusive=True)
        )
        while (entry := next(keys, None)) is not None and entry[0].startswith(listing.prefix):
            if len(objects) + len(prefixes) == listing.max_keys:
                token = _encode_token(last) if listing.max_keys else None
                return payloads.ListingPage(objects, prefixes, token, PHOTOS_MODIFIED_AT)
            key, product, n = entry
            common, delimiter, _ = key[len(listing.prefix) :].partition(listing.delimiter or "\0")
            if delimiter:
                last = listing.prefix + common + delimiter
                prefixes.append(last)
                keys = catalogue.keys_after(last + _AFTER_PREFIX)  # skips all keys with this common prefix
            else:
                last = key
                objects.append((key, photos.photo_bytes(product, n, overrides), photos.etag(product, n, overrides)))
        return payloads.ListingPage(objects, prefixes, None, PHOTOS_MODIFIED_AT)

    def _access_error(self, request: web.Request, signed: bool) -> payloads.ErrorCode | None:
        """Returns why the request is refused; `signed` means that it must have a signature."""
        if request.match_info.get("bucket", BAKAI_BUCKET) != BAKAI_BUCKET:
            return "NoSuchBucket"
        path, _, query = request.raw_path.partition("?")
        headers = {name.lower(): ",".join(request.headers.getall(name)) for name in request.headers}
        received = sigv4.ReceivedRequest(request.method, path, query, headers)
        if sigv4.is_signed(received):
            keys = self.cdn.credentials
            return sigv4.find_problem(received, {keys.bakai_s3_access: keys.bakai_s3_secret}, time.time())
        return "AccessDenied" if signed else None


async def _method_not_allowed(request: web.Request) -> web.StreamResponse:
    return _error(request, "MethodNotAllowed")


def _error(request: web.Request, code: payloads.ErrorCode) -> web.Response:
    body = payloads.error_body(code, request.path)
    return web.Response(status=payloads.STATUS[code], body=body, content_type="application/xml")


def _encode_token(last_key: str) -> str:
    return base64.urlsafe_b64encode(last_key.encode()[::-1]).decode()


def _decode_token(token: str) -> str | None:
    """Returns the key after which a token continues (an empty token: from the start), or None for a foreign token."""
    try:
        return base64.urlsafe_b64decode(token.encode())[::-1].decode()
    except ValueError:
        return None
