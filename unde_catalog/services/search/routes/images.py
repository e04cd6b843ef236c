"""Stored photos over HTTP: `/images/<product id>/image_<n>.jpg`.

Keys of objects come from rows and never from an address, so that none leads out of the store.
"""

import hashlib
import re

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from unde_catalog.services.search.context import Context, InContext
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.stores.objects.objects import ObjectMissing
from unde_catalog.stores.staging.index import search as search_rows
from unde_catalog.stores.staging.index.search import PhotoObject

_CACHED = "public, max-age=300"  # photos change under their URL (spec 1): nobody sees an old one for longer
_MOST_ID, _MOST_N = 2**63 - 1, 2**15 - 1
_NO_PHOTO = Problem(404, "unknown_photo", "there is no such photo")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_NONE = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 60" role="img" aria-label="no photo">
<path fill="#e4e2de" d="M0 0h40v60H0z"/>
<path fill="none" stroke="#a5a19a" stroke-width="1.2" stroke-linejoin="round"
 d="M20 23v-2a3 3 0 1 0-3-3M20 23 7 32.5a1.3 1.3 0 0 0 .8 2.4h24.4a1.3 1.3 0 0 0 .8-2.4z"/>
</svg>
"""

router = APIRouter(prefix="/images", tags=["photos"])


@router.head("/none.svg", include_in_schema=False)
@router.get("/none.svg", include_in_schema=False)
async def none() -> Response:
    """What is shown where there is no photo."""
    return Response(_NONE, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})


@router.head("/{product_id:int}/image_{n:int}.jpg", include_in_schema=False)
@router.get(
    "/{product_id:int}/image_{n:int}.jpg",
    summary="A stored photo",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 206: {}, 304: {}, 307: {}, 416: {}},
)
async def image(request: Request, context: InContext, product_id: int, n: int) -> Response:
    """A product's photo, counted from 1; where photos lie in a bucket, the way to it there."""
    if product_id > _MOST_ID or not 1 <= n <= _MOST_N:
        raise _NO_PHOTO
    photo = await run_in_threadpool(lambda: context.db.read(search_rows.photo, product_id, n))
    if photo is None:
        raise _NO_PHOTO
    if context.settings.s3 is not None:
        return RedirectResponse(context.store.public_url(photo.key), 307, headers={"Cache-Control": _CACHED})
    etag = f'"{photo.sha256}"'
    headers = {"ETag": etag, "Cache-Control": _CACHED, "Accept-Ranges": "bytes"}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return await run_in_threadpool(_answer, context, photo, request, headers)


def _answer(context: Context, photo: PhotoObject, request: Request, headers: dict[str, str]) -> Response:
    try:
        data = context.store.get(photo.key)
    except ObjectMissing:
        raise _NO_PHOTO from None
    if hashlib.sha256(data).hexdigest() != photo.sha256:  # another one is being stored just now: its row comes next
        headers = {"Cache-Control": "no-store"}
        return Response(data, headers=headers, media_type="image/jpeg")
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return Response(data, headers=headers, media_type="image/jpeg")
    part = _part(asked, len(data))
    if part is None:
        return Response(data, headers=headers, media_type="image/jpeg")
    first, last = part
    if first > last:
        headers |= {"Content-Range": f"bytes */{len(data)}"}
        raise Problem(416, "no_such_range", f"the photo has {len(data)} bytes", headers)
    headers |= {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
    return Response(data[first : last + 1], 206, headers, media_type="image/jpeg")


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a range; None for what is no range of ours, which is to be answered whole (RFC 9110)."""
    found = _RANGE.fullmatch(asked.strip().replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        last_bytes = int(found[2])
        return (max(0, size - last_bytes), size - 1) if last_bytes else (1, 0)
    first, last = int(found[1]), int(found[2]) if found[2] else size - 1
    if last < first and found[2]:
        return None
    return (first, min(last, size - 1)) if first < size else (1, 0)


def _matches(given: str | None, etag: str) -> bool:
    if given is None:
        return False
    return given.strip() == "*" or etag in [one.strip().removeprefix("W/") for one in given.split(",")]
