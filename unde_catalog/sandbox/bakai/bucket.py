"""BakaiMarket's bucket below `/bakai-s3/bakai-images`: ListObjectsV2 and single objects, signatures checked (spec 2).

Anyone may read an object, but only its owner may list them. Listings are computed from the shelf page by page; what
the XML looks like is `sandbox/s3/payloads.py`, what a signature is `sandbox/s3/sigv4.py`.
"""

import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from unde_catalog.sandbox.bakai.routes import MADE_AT, BakaiApi, photos
from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import BAKAI_BUCKET, BAKAI_S3_ACCESS_KEY, BAKAI_S3_SECRET_KEY
from unde_catalog.sandbox.request_log import KIND
from unde_catalog.sandbox.s3 import payloads as shapes
from unde_catalog.sandbox.s3 import sigv4

MOST_KEYS = 1000
_SECRETS = {BAKAI_S3_ACCESS_KEY: BAKAI_S3_SECRET_KEY}
_BEHIND_ALL = "\U0010ffff"  # behind every key that begins with what stands before it

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class BakaiBucket:
    """The routes of the bucket; photos come from the CDN's own."""

    cdn: BakaiApi
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        """Listing and objects; their kinds are `bakai.list` and `bakai.photo`."""
        bucket = "/bakai-s3/{bucket}"
        return [
            web.get(bucket, self._handler("bakai.list", self._list), allow_head=False),
            web.get(f"{bucket}/", self._handler("bakai.list", self._list), allow_head=False),
            web.get(f"{bucket}/{{key:.+}}", self._object),
            web.route("*", "/bakai-s3/{rest:.*}", self._handler("bakai.other", _not_allowed)),
        ]

    def _handler(self, kind: str, inner: _Handler, signed: bool = True) -> _Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[KIND] = kind
            refused = self._refusal(request, signed)
            if refused is not None:
                return _refused(request, refused)
            query = request.query
            page = f"{request.path}?{query.get('prefix', '')}&{query.get('start-after', '')}"
            key = f"{page}&{query.get('continuation-token', '')}" if kind == "bakai.list" else None
            return await self.faults.around(kind, request, inner, key)

        return handle

    async def _object(self, request: web.Request) -> web.StreamResponse:
        """A photo; an address that is signed must be signed well."""
        folder, _, rest = request.match_info["key"].partition("/")
        id_, _, name = rest.partition("/")
        found = self.cdn.find_photo(request, id_, name) if folder == "products" else None

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self.cdn.answer_photo(request, *found) if found else _refused(request, "NoSuchKey")

        return await self._handler("bakai.photo", answer, signed=False)(request)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if query.get("list-type") != "2":
            return _refused(request, "NotImplemented")
        most = query.get("max-keys", str(MOST_KEYS))
        last = _last_of(query.get("continuation-token", ""))
        if not (most.isascii() and most.isdigit() and len(most) < 10) or last is None:
            return _refused(request, "InvalidArgument")
        asked = shapes.Asked(
            bucket=BAKAI_BUCKET,
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            max_keys=min(int(most), MOST_KEYS),
            start_after=query.get("start-after", ""),
            token=query.get("continuation-token", ""),
            encoded=query.get("encoding-type") == "url",
        )
        xml = shapes.listing(asked, self._found(asked, last or asked.start_after))
        return web.Response(body=xml, content_type="application/xml")

    def _found(self, asked: shapes.Asked, after: str) -> shapes.Listing:
        """A page of what comes after a key or common prefix."""
        objects: list[tuple[str, int, str]] = []
        prefixes: list[str] = []
        terms = self.cdn.shelf.terms
        last = after
        if asked.delimiter and after.endswith(asked.delimiter):
            after += _BEHIND_ALL
        keys = (
            self.cdn.shelf.keys_after(after)
            if after >= asked.prefix
            else self.cdn.shelf.keys_after(asked.prefix, at=True)
        )
        while (found := next(keys, None)) is not None and found[0].startswith(asked.prefix):
            if len(objects) + len(prefixes) == asked.max_keys:
                return shapes.Listing(objects, prefixes, _token_of(last) if asked.max_keys else None, MADE_AT)
            key, good, n = found
            common, delimiter, _ = key[len(asked.prefix) :].partition(asked.delimiter or "\0")
            if delimiter:
                last = asked.prefix + common + delimiter
                prefixes.append(last)
                keys = self.cdn.shelf.keys_after(last + _BEHIND_ALL)  # without a look at all that lies below it
            else:
                last = key
                objects.append((key, photos.photo_bytes(good, n, terms), photos.etag(good, n, terms)))
        return shapes.Listing(objects, prefixes, None, MADE_AT)

    def _refusal(self, request: web.Request, signed: bool) -> shapes.Refusal | None:
        if request.match_info.get("bucket", BAKAI_BUCKET) != BAKAI_BUCKET:
            return "NoSuchBucket"
        path, _, query = request.raw_path.partition("?")
        headers = {name.lower(): ",".join(request.headers.getall(name)) for name in request.headers}
        sent = sigv4.Sent(request.method, path, query, headers)
        if sigv4.is_signed(sent):
            return sigv4.problem(sent, _SECRETS, time.time())
        return "AccessDenied" if signed else None


async def _not_allowed(request: web.Request) -> web.StreamResponse:
    return _refused(request, "MethodNotAllowed")


def _refused(request: web.Request, code: shapes.Refusal) -> web.Response:
    body = shapes.error(code, request.path)
    return web.Response(status=shapes.STATUS[code], body=body, content_type="application/xml")


def _token_of(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()[::-1]).decode()


def _last_of(token: str) -> str | None:
    """The key that a token goes on from (empty: from the start), None for what is no token of ours."""
    try:
        return base64.urlsafe_b64decode(token.encode())[::-1].decode()
    except ValueError:
        return None
