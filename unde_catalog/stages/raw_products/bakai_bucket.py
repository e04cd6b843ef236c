"""BakaiMarket's bucket as a listing of products: all its objects, grouped by product.

The keys are not documented. Assumed is `products/<product ID>/<n>.jpg`, n from 1. Also read are other names and
extensions, `<category>/<product ID>/<n>.jpg`, `<product ID>_<n>.jpg` and `<category>/<product ID>.jpg`. A bucket has no
prices, and categories only in its keys. Keys are parsed in `bakai_key.py`, grouped in `key_groups.py`, items read in
`bakai_item.py`.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from unde_catalog.settings.s3 import S3Settings
from unde_catalog.stages.raw_products.bakai_key import is_folder_mark, natural_sort_key
from unde_catalog.stages.raw_products.errors import ListingBroken, SourceUnusable
from unde_catalog.stages.raw_products.key_groups import KeyGroup, KeyGroups
from unde_catalog.stages.raw_products.source import SourcePage
from unde_catalog.stores.objects.objects import RequestFailed
from unde_catalog.stores.objects.s3_listing import KEYS_PER_REQUEST, BucketListing

PRODUCTS_PER_PAGE = 500
MAX_KEYS = 50_000_000  # 7 GB of disk; a longer listing has no end
_RETRY_FOR = timedelta(seconds=60)  # failed requests are retried for so long; less than the lease of a scrape
_REQUESTS_PER_PAGE = 20  # after so many an empty page is returned: its reader renews its lease


class BakaiBucket:
    """The bucket. Photos are at `image_base_url/<key>`, or at the bucket's own address if that is None."""

    def __init__(self, s3: S3Settings, image_base_url: str | None, *, retry_for: timedelta = _RETRY_FOR) -> None:
        self._s3 = s3
        self._photo_base_url = (image_base_url or s3.base_url).rstrip("/")
        self._listing = BucketListing(s3, retry_for)

    def __repr__(self) -> str:
        return f"BakaiBucket({self._s3.base_url})"

    def pages(self, after: str | None = None) -> Iterator[SourcePage]:
        """Pages of items `{"id", "images", "keys"}`, with `category` if the keys contain one.

        A product's photos may be anywhere in the listing, so all of it is read into a temporary file first; meanwhile
        the pages are empty. `after` is where a page ended; the next page begins there. The total is unknown. A key that
        names no product, or that cannot be requested as it is, becomes an item without an ID. Raises `SourceUnusable`,
        `ListingBroken` for a listing without end, and `CursorLost` if `after` is of another listing.
        """
        with KeyGroups() as groups:
            for _ in self._read(groups):
                yield SourcePage([], after, None)
            items: list[Any] = []
            for group in groups.after(after):
                items.append(self._item(group))
                if len(items) >= PRODUCTS_PER_PAGE:
                    yield SourcePage(items, group.place, None)
                    items = []
            yield SourcePage(items, None, None)

    def first_key(self) -> str | None:
        """The first photo's key, None without one: a few small requests that need the permission to list."""
        return next(self._keys(per_request=10), [None])[0]

    def _read(self, groups: KeyGroups) -> Iterator[None]:
        for n, keys in enumerate(self._keys(), 1):
            groups.add(keys)
            if len(groups) > MAX_KEYS:
                raise ListingBroken(
                    f"the listing of {self._s3.base_url} has more than {MAX_KEYS:,} keys: no end in sight"
                )
            if n % _REQUESTS_PER_PAGE == 0:
                yield

    def _keys(self, per_request: int = KEYS_PER_REQUEST) -> Iterator[list[str]]:
        """The keys in pages. The end counts only if a request for the keys after it returns none, either.

        Otherwise a response that is not a listing (a blocking page, for example) would count as an empty page, and
        all products after it as gone.
        """
        last, requested = "", None
        try:
            while last != requested:
                requested = last
                for page in self._listing.pages(after=last, per_request=per_request):
                    # Some object stores ignore where to begin.
                    new = [one for one in page if one.key.encode() > requested.encode()]
                    last = max([last, *(one.key for one in new)], key=str.encode)
                    if photos := [one.key for one in new if not is_folder_mark(one.key, one.size)]:
                        yield photos
        except RequestFailed as error:
            reason = str(error).replace("S3_", "BAKAI_S3_")
            raise SourceUnusable(f"listing {self._s3.base_url} failed: {reason}") from None

    def _item(self, group: KeyGroup) -> dict[str, Any]:
        if group.product_id is None:
            return {"keys": group.keys, "problem": group.problem} if group.problem else {"keys": group.keys}
        keys = sorted(group.keys, key=natural_sort_key)
        item: dict[str, Any] = {"id": group.product_id, "images": [self.photo_url(key) for key in keys], "keys": keys}
        if group.left_out:
            item["keys_left_out"] = group.left_out
        return item if group.category is None else {**item, "category": group.category}

    def photo_url(self, key: str) -> str:
        """The URL to download the photo with this key from."""
        return f"{self._photo_base_url}/{quote(key)}"
