"""BakaiMarket's bucket as a listing of products: its objects in key order, grouped by product.

The keys are not documented. Assumed is `products/<product ID>/<n>.jpg`, n from 1. Also read are other names and
extensions, `<category>/<product ID>/<n>.jpg`, `<product ID>_<n>.jpg` and `<category>/<product ID>.jpg`. The keys of a
product begin alike and are therefore neighbours, so only one product at a time is held in memory. A bucket has no
prices, and categories only in its keys. Keys are parsed in `bakai_key.py`, items read in `bakai_item.py`.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError

from unde_catalog.settings.s3 import S3Settings
from unde_catalog.stages.raw_products.bakai_key import ProductKey, natural_sort_key, parse_key
from unde_catalog.stages.raw_products.errors import ListingBroken, SourceUnusable
from unde_catalog.stages.raw_products.source import SourcePage
from unde_catalog.stores.objects.s3 import explain_s3, open_s3

PRODUCTS_PER_PAGE = 500
MAX_PAGES = 20_000  # ten million products; a longer listing has no end
_KEYS_PER_REQUEST = 1_000  # S3's maximum
_MAX_PHOTOS = 1_000  # of one product; further ones are ignored
_RETRY_FOR = timedelta(seconds=60)  # failed requests are retried for so long; less than the lease of a scrape


class BakaiBucket:
    """The bucket. Photos are at `image_base_url/<key>`, or at the bucket's own address if that is None."""

    def __init__(self, s3: S3Settings, image_base_url: str | None, *, retry_for: timedelta = _RETRY_FOR) -> None:
        self._s3 = s3
        self._photo_base_url = (image_base_url or s3.base_url).rstrip("/")
        self._object_store = open_s3(s3, retry_for)

    def __repr__(self) -> str:
        return f"BakaiBucket({self._s3.base_url})"

    def pages(self, after: str | None = None) -> Iterator[SourcePage]:
        """Pages of items `{"id", "images", "keys"}`, with `category` if the keys contain one; `SourceUnusable`.

        `after` is a page's last key; the next page begins after it. The total is unknown. A key without a product
        becomes an item without an ID.
        """
        items: list[Any] = []
        last, pages = after, 0
        keys: list[str] = []
        current: ProductKey | None = None
        for key in self._keys(after):
            parsed = parse_key(key)
            if keys and (parsed is None or current is None or parsed.product_id != current.product_id):
                items.append(self._item(current, keys))
                keys = []
                if len(items) >= PRODUCTS_PER_PAGE:
                    yield SourcePage(items, last, None)
                    items, pages = [], pages + 1
                    if pages >= MAX_PAGES:
                        raise ListingBroken(
                            f"the listing of {self._s3.base_url} has more than {pages} pages and does not end"
                        )
            current = parsed
            if len(keys) < _MAX_PHOTOS:
                keys.append(key)
            last = key
        if keys:
            items.append(self._item(current, keys))
        yield SourcePage(items, None, None)

    def first_key(self) -> str | None:
        """The first key, None for an empty bucket: one small request that needs the permission to list."""
        return next(self._keys(None, per_request=1), None)

    def _keys(self, after: str | None, per_request: int = _KEYS_PER_REQUEST) -> Iterator[str]:
        """The keys after this one. The end counts only if a request for the keys after it returns none, either.

        Otherwise a response that is not a listing (a blocking page, for example) would count as an empty page, and
        all products after it as gone.
        """
        last, requested = after or "", None
        try:
            while last != requested:
                requested = last
                for chunk in obstore.list(self._object_store, offset=last or None, chunk_size=per_request):
                    for entry in chunk:
                        key = entry["path"]
                        if key.encode() <= requested.encode():  # the object store ignores the offset
                            continue
                        last = key
                        if not key.endswith("/"):  # a placeholder for a folder
                            yield key
        except (BaseError, OSError) as error:
            reason = explain_s3(str(error), self._s3).replace("S3_", "BAKAI_S3_")
            raise SourceUnusable(f"listing {self._s3.base_url} failed: {reason}") from None

    def _item(self, product: ProductKey | None, keys: list[str]) -> dict[str, Any]:
        if product is None:
            return {"keys": keys}
        keys = sorted(keys, key=natural_sort_key)
        item: dict[str, Any] = {"id": product.product_id, "images": [self.photo_url(key) for key in keys], "keys": keys}
        return item if product.category is None else {**item, "category": product.category}

    def photo_url(self, key: str) -> str:
        """The URL to download the photo with this key from."""
        return f"{self._photo_base_url}/{quote(key)}"
