"""JSON bodies of BakaiMarket's CDN API, which is undocumented: a default shape, and four others that a client may meet.

Products belong in `catalogue.py`, HTTP and paging in `routes.py`.

    ""            {"products": [item], "next_cursor": "..." or null, "total": 40}
    nested        {"data": [item], "nextCursor": ...}; images and categories are objects, a price is a number
    strings       {"items": [item], "next": ...}; numbers are strings, images are `photos`, a single one `image_url`
    page-numbers  {"results": [item], "page": 1, "pages": 3, "has_more": true, "total": 40}; ?page= instead of a cursor
    bare          [item]; ?page=, and the page after the last one is empty
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unde_catalog.sandbox.bakai.catalogue import BakaiProduct, PayloadShape

CURRENCY = "KGS"
_PRICE = re.compile(r'"price": "([0-9.]+)"')


@dataclass(frozen=True, slots=True)
class ProductPage:
    """A page of products, the total, the cursor of the next page, this page's number and the number of pages."""

    products: Sequence[BakaiProduct]
    total: int
    cursor: str | None
    number: int
    pages: int


def page_body(shape: PayloadShape, page: ProductPage, cdn_url: str) -> str:
    """Returns the body of a page; photo URLs begin with `cdn_url`."""
    return _dump(shape, _page(shape, page, cdn_url))


def product_body(shape: PayloadShape, product: BakaiProduct, cdn_url: str) -> str:
    """Returns the body of a single product."""
    item = _item(shape, product, cdn_url)
    return _dump(shape, {"product": item} if shape in ("", "nested") else item)


def error(code: str, message: str) -> dict[str, Any]:
    """Returns the body of an error response."""
    return {"error": {"code": code, "message": message}}


def _dump(shape: PayloadShape, body: Any) -> str:
    """Returns the body as JSON; a price becomes a number by its digits, never through a float."""
    text = json.dumps(body)
    return _PRICE.sub(r'"price": \1', text) if shape == "nested" else text


def _page(shape: PayloadShape, page: ProductPage, cdn_url: str) -> Any:
    items = [_item(shape, product, cdn_url) for product in page.products]
    match shape:
        case "nested":
            return {"data": items, "nextCursor": page.cursor, "total": page.total}
        case "strings":
            return {"items": items, "next": page.cursor or "", "total": str(page.total)}
        case "page-numbers":
            numbers = {"page": page.number, "pages": page.pages, "has_more": page.number < page.pages}
            return {"results": items, **numbers, "total": page.total}
        case "bare":
            return items
    return {"products": items, "next_cursor": page.cursor, "total": page.total}


def _item(shape: PayloadShape, product: BakaiProduct, cdn_url: str) -> dict[str, Any]:
    urls = [f"{cdn_url}/{product.id}/{n}.jpg" for n in range(1, product.photos + 1)]
    common = {"name": product.name, "description": product.description, "currency": CURRENCY}
    match shape:
        case "nested":
            images = [{"position": n, "url": url} for n, url in enumerate(urls, start=1)]
            category = {"id": len(product.category), "name": product.category} if product.category is not None else None
            return {"id": product.id, **common, "category": category, "price": product.price, "images": images}
        case "strings":
            images = {"photos": urls} if len(urls) > 1 else {"image_url": urls[0]}
            category = product.category or ""
            return {"id": str(product.id), **common, "category": category, "price": product.price, **images}
    category = {"category": product.category} if product.category is not None else {}
    return {"id": product.id, **common, **category, "price": product.price, "images": urls}
