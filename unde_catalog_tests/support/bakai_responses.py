"""Handwritten examples of BakaiMarket's assumed responses, for tests of tolerant parsing."""

import json
from typing import Any

from unde_catalog_tests.support.upstream import reply

ITEM: dict[str, Any] = {
    "id": 12345,
    "name": "Electric kettle",
    "description": "1.7 litres, steel.",
    "category": "electronics",
    "price": "1299.00",
    "currency": "KGS",
    "images": ["https://cdn.bakai.test/products/12345/1.jpg", "https://cdn.bakai.test/products/12345/2.jpg"],
}
PRODUCT = {"product": ITEM}
HEALTH = {"status": "ok"}
ERROR = {"error": {"code": "unauthorized", "message": "The key very-secret-key is not known"}}
LISTED = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>bakai-images</Name><Prefix></Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>
  <Contents><Key>products/12345/1.jpg</Key><LastModified>2026-02-01T10:00:00.000Z</LastModified>
    <ETag>"0123456789abcdef0123456789abcdef"</ETag><Size>30000</Size><StorageClass>STANDARD</StorageClass></Contents>
  <Contents><Key>products/12345/2.jpg</Key><LastModified>2026-02-01T10:00:00.000Z</LastModified>
    <ETag>"0123456789abcdef0123456789abcdee"</ETag><Size>31000</Size><StorageClass>STANDARD</StorageClass></Contents>
</ListBucketResult>
"""


def item(number: int, **changes: Any) -> dict[str, Any]:
    """The example with another id and its own photos."""
    photo = f"https://cdn.bakai.test/products/{number}/1.jpg"
    return {**ITEM, "id": number, "name": f"Kettle {number}", "images": [photo], **changes}


def page(items: list[Any], next_cursor: str | None = None, total: int | None = None, **more: Any) -> bytes:
    """A response with a page of the list."""
    body = {"products": items, "next_cursor": next_cursor, "total": len(items) if total is None else total, **more}
    return json_response(body)


def json_response(body: Any, status: str = "200 OK", **headers: str) -> bytes:
    """An HTTP response with any JSON body."""
    return reply(json.dumps(body).encode(), status, Content_Type="application/json", **headers)
