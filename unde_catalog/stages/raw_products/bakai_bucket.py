"""BakaiMarket's bucket as a list of products: its objects in the order of their keys, grouped by product as they come.

Its keys are documented nowhere [?]. Assumed is `products/<product id>/<n>.jpg`, n from 1; read as well are other names
and endings, `<category>/<product id>/<n>.jpg`, `<product id>_<n>.jpg` and `<category>/<product id>.jpg`. A product's
keys begin alike, so they are neighbours in the list, and one product at a time is held, never the list. A bucket names
no price, and a category only in its keys. What a key says is `bakai_key.py`'s, what an item says `bakai_item.py`'s.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError

from unde_catalog.settings.s3 import S3Settings
from unde_catalog.stages.raw_products.bakai_key import ProductKey, in_order, read_key
from unde_catalog.stages.raw_products.errors import ListingBroken, SourceUnusable
from unde_catalog.stages.raw_products.page import SourcePage
from unde_catalog.stores.objects.s3 import explain_s3, open_s3

PRODUCTS_A_PAGE = 500
MOST_PAGES = 20_000  # ten million products; more is a list without an end
_KEYS_A_REQUEST = 1_000  # S3 gives no more
_MOST_PHOTOS = 1_000  # of one product; what more there are is left out
_REPEATED_FOR = timedelta(seconds=60)  # what fails is asked again for so long, less than the lease of a scrape


class BakaiBucket:
    """The bucket. Photos are at `image_base_url/<key>`, or at the bucket's own address where none is given."""

    def __init__(self, s3: S3Settings, image_base_url: str | None, *, repeated_for: timedelta = _REPEATED_FOR) -> None:
        self._s3 = s3
        self._photos = (image_base_url or s3.base_url).rstrip("/")
        self._backend = open_s3(s3, repeated_for)

    def __repr__(self) -> str:
        return f"BakaiBucket({self._s3.base_url})"

    def pages(self, after: str | None = None) -> Iterator[SourcePage]:
        """Pages of items `{"id", "images", "keys"}`, with `category` where keys name one; `SourceUnusable`.

        `after` is the last key of a page, after which the next one begins. How many there are nobody says. A key that
        names no product is an item without an id.
        """
        items: list[Any] = []
        last, pages = after, 0
        keys: list[str] = []
        of: ProductKey | None = None
        for key in self._keys(after):
            found = read_key(key)
            if keys and (found is None or of is None or found.product_id != of.product_id):
                items.append(self._item(of, keys))
                keys = []
                if len(items) >= PRODUCTS_A_PAGE:
                    yield SourcePage(items, last, None)
                    items, pages = [], pages + 1
                    if pages >= MOST_PAGES:
                        raise ListingBroken(
                            f"the list of {self._s3.base_url} has more than {pages} pages: it has no end"
                        )
            of = found
            if len(keys) < _MOST_PHOTOS:
                keys.append(key)
            last = key
        if keys:
            items.append(self._item(of, keys))
        yield SourcePage(items, None, None)

    def first_key(self) -> str | None:
        """The first key, None for an empty bucket: one small request, which needs the right to list."""
        return next(self._keys(None, at_once=1), None)

    def _keys(self, after: str | None, at_once: int = _KEYS_A_REQUEST) -> Iterator[str]:
        """The keys after this one. An end is believed when asking for what comes after it brings nothing, either.

        A page that is no listing (of a wall, say) would pass for an empty one, and all beyond it for gone.
        """
        last, asked_for = after or "", None
        try:
            while last != asked_for:
                asked_for = last
                for chunk in obstore.list(self._backend, offset=last or None, chunk_size=at_once):
                    for found in chunk:
                        key = found["path"]
                        if key.encode() <= asked_for.encode():  # from a store that does not know how to go on
                            continue
                        last = key
                        if not key.endswith("/"):  # a folder's mark
                            yield key
        except (BaseError, OSError) as error:
            said = explain_s3(str(error), self._s3).replace("S3_", "BAKAI_S3_")
            raise SourceUnusable(f"listing {self._s3.base_url} failed: {said}") from None

    def _item(self, of: ProductKey | None, keys: list[str]) -> dict[str, Any]:
        if of is None:
            return {"keys": keys}
        keys = sorted(keys, key=in_order)
        item: dict[str, Any] = {"id": of.product_id, "images": [self.photo_url(key) for key in keys], "keys": keys}
        return item if of.category is None else {**item, "category": of.category}

    def photo_url(self, key: str) -> str:
        """Where the photo of that key is downloaded from."""
        return f"{self._photos}/{quote(key)}"
