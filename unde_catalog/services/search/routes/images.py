"""Stored photos over HTTP: `/images/<product id>/image_<n>.jpg`.

The object key comes from the database and never from the URL, so that no request can read another object.
"""

import hashlib
import re

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from unde_catalog.services.search import links
from unde_catalog.services.search.context import Context, ContextDep
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.stores.objects.objects import ObjectMissing
from unde_catalog.stores.staging.index import search_rows
from unde_catalog.stores.staging.index.search_rows import PhotoObject

# A photo can change while its key stays the same (`docs/reference/object-keys.md`): caches keep it for 5 minutes.
_CACHE_CONTROL = "public, max-age=300"
_MAX_ID, _MAX_N, _MAX_NAME = 2**63 - 1, 2**15 - 1, 200
_UNKNOWN_PHOTO = Problem(404, "unknown_photo", "There is no such photo.")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_PLACEHOLDER = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 60" role="img" aria-label="no photo">
<path fill="#e4e2de" d="M0 0h40v60H0z"/>
<path fill="none" stroke="#a5a19a" stroke-width="1.2" stroke-linejoin="round"
 d="M20 23v-2a3 3 0 1 0-3-3M20 23 7 32.5a1.3 1.3 0 0 0 .8 2.4h24.4a1.3 1.3 0 0 0 .8-2.4z"/>
</svg>
"""

router = APIRouter(prefix="/images", tags=["photos"])


@router.head("/none.svg", include_in_schema=False)
@router.get("/none.svg", include_in_schema=False)
async def placeholder() -> Response:
    """The placeholder of a product without a photo."""
    return Response(_PLACEHOLDER, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})


@router.head("/{product}/image_{n:int}.jpg", include_in_schema=False)
@router.get(
    "/{product}/image_{n:int}.jpg",
    summary="A stored photo",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 206: {}, 304: {}, 307: {}, 416: {}},
)
async def image(request: Request, context: ContextDep, product: str, n: int) -> Response:
    """Photo `n` (from 1) of a product. If photos are stored in S3, a redirect to the object.

    `product` is the marketplace's own id, such as 12345, or a brand and an external id, such as zara_512913640.
    """
    row_id, names = links.names(product)
    if not 1 <= n <= _MAX_N or len(product) > _MAX_NAME or "\0" in product or (row_id or 0) > _MAX_ID:
        raise _UNKNOWN_PHOTO
    photo = await run_in_threadpool(lambda: context.db.read(search_rows.photo, row_id, names, n))
    if photo is None:
        raise _UNKNOWN_PHOTO
    if context.settings.s3 is not None:
        headers = {"Cache-Control": _CACHE_CONTROL}
        return RedirectResponse(context.store.public_url(photo.key), 307, headers=headers)
    etag = f'"{photo.sha256}"'
    headers = {"ETag": etag, "Cache-Control": _CACHE_CONTROL, "Accept-Ranges": "bytes"}
    if _etag_matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return await run_in_threadpool(_read, context, photo, request, headers)


def _read(context: Context, photo: PhotoObject, request: Request, headers: dict[str, str]) -> Response:
    try:
        data = context.store.get(photo.key)
    except ObjectMissing:
        raise _UNKNOWN_PHOTO from None
    if hashlib.sha256(data).hexdigest() != photo.sha256:  # a new photo is stored, and its row is not updated yet
        headers = {"Cache-Control": "no-store"}
        return Response(data, headers=headers, media_type="image/jpeg")
    header = request.headers.get("range")
    if header is None or request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return Response(data, headers=headers, media_type="image/jpeg")
    byte_range = _parse_range(header, len(data))
    if byte_range is None:
        return Response(data, headers=headers, media_type="image/jpeg")
    first, last = byte_range
    if first > last:
        headers |= {"Content-Range": f"bytes */{len(data)}"}
        raise Problem(416, "no_such_range", f"The photo has {len(data)} bytes.", headers)
    headers |= {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
    return Response(data[first : last + 1], 206, headers, media_type="image/jpeg")


def _parse_range(header: str, size: int) -> tuple[int, int] | None:
    """The first and last byte of a range, (1, 0) for one beyond the end.

    None for a range that is not supported: the response is then the whole photo (RFC 9110).
    """
    match = _RANGE.fullmatch(header.strip().replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        suffix_length = int(match[2])
        return (max(0, size - suffix_length), size - 1) if suffix_length else (1, 0)
    first, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if last < first and match[2]:
        return None
    return (first, min(last, size - 1)) if first < size else (1, 0)


def _etag_matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in header.split(",")]
