"""The JSON of BakaiMarket's CDN, which is documented nowhere: an ordinary one, and four others a client may meet.

No HTTP and no paging here; what the products are is `catalogue.py`.

    ""            {"products": [item], "next_cursor": "..." or null, "total": 40}
    nested        {"data": [item], "nextCursor": ...}; images are objects, a category has a name, a price is a number
    strings       {"items": [item], "next": ...}; every number is a text, photos are called so, one photo `image_url`
    page-numbers  {"results": [item], "page": 1, "pages": 3, "has_more": true, "total": 40}; ?page= instead of a cursor
    bare          [item]; ?page=, and the page behind the last one is empty
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unde_catalog.sandbox.bakai.catalogue import Good, Shape

CURRENCY = "KGS"
_PRICE = re.compile(r'"price": "([0-9.]+)"')


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of products and its place: how many there are, the cursor of the next page, number and count of pages."""

    goods: Sequence[Good]
    total: int
    cursor: str | None
    page: int
    pages: int


def page(shape: Shape, listed: Listed, cdn_url: str) -> str:
    """The body of a page; photo addresses begin with `cdn_url`."""
    return _text(shape, _page(shape, listed, cdn_url))


def product(shape: Shape, good: Good, cdn_url: str) -> str:
    """The body of a single product."""
    only = _item(shape, good, cdn_url)
    return _text(shape, {"product": only} if shape in ("", "nested") else only)


def error(code: str, message: str) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"code": code, "message": message}}


def _text(shape: Shape, body: Any) -> str:
    """The body as JSON; money goes into numbers by its digits, never through a float."""
    text = json.dumps(body)
    return _PRICE.sub(r'"price": \1', text) if shape == "nested" else text


def _page(shape: Shape, listed: Listed, cdn_url: str) -> Any:
    items = [_item(shape, good, cdn_url) for good in listed.goods]
    match shape:
        case "nested":
            return {"data": items, "nextCursor": listed.cursor, "total": listed.total}
        case "strings":
            return {"items": items, "next": listed.cursor or "", "total": str(listed.total)}
        case "page-numbers":
            numbers = {"page": listed.page, "pages": listed.pages, "has_more": listed.page < listed.pages}
            return {"results": items, **numbers, "total": listed.total}
        case "bare":
            return items
    return {"products": items, "next_cursor": listed.cursor, "total": listed.total}


def _item(shape: Shape, good: Good, cdn_url: str) -> dict[str, Any]:
    urls = [f"{cdn_url}/{good.id}/{n}.jpg" for n in range(1, good.photos + 1)]
    common = {"name": good.name, "description": good.description, "currency": CURRENCY}
    match shape:
        case "nested":
            images = [{"position": n, "url": url} for n, url in enumerate(urls, start=1)]
            category = {"id": len(good.category), "name": good.category} if good.category is not None else None
            return {"id": good.id, **common, "category": category, "price": good.price, "images": images}
        case "strings":
            pictures = {"photos": urls} if len(urls) > 1 else {"image_url": urls[0]}
            return {"id": str(good.id), **common, "category": good.category or "", "price": good.price, **pictures}
    named = {"category": good.category} if good.category is not None else {}
    return {"id": good.id, **common, **named, "price": good.price, "images": urls}
