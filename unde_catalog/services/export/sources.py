"""The image lists: the staging database, the object store, and BakaiMarket's API and bucket.

`stages/raw_products/` reads BakaiMarket's items, `stores/staging/products/export_rows.py` queries staging.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Literal

from unde_catalog.brands import Brand
from unde_catalog.services.export.image_list import ImageItem, Item, UnreadableItem
from unde_catalog.services.export.names import UNCATEGORIZED
from unde_catalog.settings.s3 import S3Settings
from unde_catalog.stages.raw_products.bakai_api import BakaiApi
from unde_catalog.stages.raw_products.bakai_bucket import BakaiBucket
from unde_catalog.stages.raw_products.bakai_item import UNREADABLE_KEY, read_item
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.keys import is_aside
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.stores.objects.s3_listing import BucketListing
from unde_catalog.stores.staging.products import export_rows
from unde_catalog.stores.staging.products.product import CollectedProduct

_PAGE_SIZE = 1_000  # products per query
_SIGNATURE_LIFETIME = timedelta(hours=6)  # a page is processed in minutes
_NUMBER = re.compile(r"[0-9]{1,9}")


class NothingSelected(ValueError):
    """The list has no matching product. The message says what it has."""


class StagedImages:
    """A brand's active products in the staging database. `category`: None for all."""

    limit_counts: Literal["images", "products"] = "images"

    def __init__(self, db: Database, brand: str, category: str | None, all_photos: bool) -> None:
        self._db, self._brand, self._category = db, brand, category
        photos = export_rows.MAX_PHOTOS if all_photos else 1
        self._selection = export_rows.ExportSelection(brand, category, UNCATEGORIZED, photos)
        self._total: int | None = None

    def total(self) -> int:
        """The number of photos, counted once. Raises `NothingSelected` if there are none."""
        if self._total is None:
            self._total = self._count()
        return self._total

    def _count(self) -> int:
        count = self._db.run(export_rows.count, self._selection)
        if not count and self._category is not None:
            existing = ", ".join(self._db.run(export_rows.largest_categories, self._brand, 20)) or "none"
            raise NothingSelected(
                f"{self._brand} has no active product of category {self._category!r}; it has: {existing}"
            )
        if not count:
            raise NothingSelected(
                f"the staging database has no active product of {self._brand} with a photo: "
                "collect the brand first, or choose another list with --from"
            )
        return count

    def pages(self) -> Iterator[Sequence[Item]]:
        """One short query per page."""
        after = 0
        while rows := self._db.run(export_rows.page, self._selection, after):
            after = rows[-1].id
            yield [ImageItem(row.external_id, row.category, tuple(row.urls)) for row in rows]


class BakaiImages:
    """BakaiMarket's API or bucket. `signer`: the settings of a private bucket, whose URLs must be signed."""

    def __init__(
        self, source: BakaiApi | BakaiBucket, categories: "Categories", signer: S3Settings | None = None
    ) -> None:
        self._source, self._categories = source, categories
        self.limit_counts: Literal["images", "products"] = "products" if isinstance(source, BakaiApi) else "images"
        self._signer = BucketListing(signer, timedelta(0)) if signer is not None else None
        self._total: int | None = None

    def total(self) -> int | None:
        """The total that the source reports, after the first page."""
        return self._total

    def pages(self) -> Iterator[Sequence[Item]]:
        """The source's own pages."""
        for page in self._source.pages():
            self._total = page.total if page.total is not None else self._total
            items: list[Item] = []
            for raw in page.items:
                product = read_item(raw)
                if isinstance(product, CollectedProduct):
                    category = None if product.category == UNCATEGORIZED else product.category
                    keys = raw.get("keys") if self._signer is not None else None
                    locations = tuple(keys or product.original_image_urls)
                    items.append(ImageItem(product.external_id, category, locations))
                else:  # in a bucket, an object whose key names no product is not a product photo
                    missed = isinstance(self._source, BakaiApi) or product.reason == UNREADABLE_KEY
                    items.append(UnreadableItem(product.reason, missed))
            yield self._sign(self._categories.add(items))

    def _sign(self, items: Sequence[Item]) -> Sequence[Item]:
        if self._signer is None:
            return items
        sign = partial(self._signer.sign, lifetime=_SIGNATURE_LIFETIME)
        return [
            ImageItem(item.external_id, item.category, tuple(map(sign, item.locations)))
            if isinstance(item, ImageItem)
            else item
            for item in items
        ]


class StoredImages:
    """A brand's originals in the object store. Locations are object keys."""

    limit_counts: Literal["images", "products"] = "images"

    def __init__(self, store: ObjectStore, brand: Brand, categories: "Categories") -> None:
        self._store, self._prefix, self._categories = store, f"originals/{brand.key}", categories

    def total(self) -> None:
        """Unknown before the end."""

    def pages(self) -> Iterator[Sequence[Item]]:
        """Products in the order of the store's listing, which has the objects of a product together."""
        products = self._products()
        while page := list(islice(products, _PAGE_SIZE)):
            yield self._categories.add(self._categories.resolve_ids(page))

    def _products(self) -> Iterator[ImageItem]:
        product_folder, keys, found = "", [], False
        for info in self._store.list(self._prefix):
            found = True
            folder, _, name = info.key.removeprefix(f"{self._prefix}/").rpartition("/")
            if not folder or is_aside(info.key) or not name.endswith(".jpg"):
                continue
            if folder != product_folder and keys:
                yield ImageItem(product_folder, None, tuple(sorted(keys, key=_photo_number)))
                keys = []
            product_folder = folder
            keys.append(info.key)
        if keys:
            yield ImageItem(product_folder, None, tuple(sorted(keys, key=_photo_number)))
        if not found:
            raise NothingSelected(
                f"there are no objects below {self._prefix} in {self._store.where}: "
                "run the stage originals first, or choose another list with --from"
            )


class Categories:
    """Looks up categories and external ids that a list lacks. Without a database it adds nothing."""

    def __init__(self, db: Database | None, brand: str) -> None:
        self._db, self._brand = db, brand

    def add(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items, with the category from staging if they have none."""
        missing = [item.external_id for item in items if isinstance(item, ImageItem) and item.category is None]
        if self._db is None or not missing:
            return items
        known: Mapping[str, str] = self._db.run(export_rows.categories, self._brand, missing)
        return [
            ImageItem(item.external_id, known.get(item.external_id), item.locations)
            if isinstance(item, ImageItem) and item.category is None
            else item
            for item in items
        ]

    def resolve_ids(self, items: Sequence[ImageItem]) -> Sequence[ImageItem]:
        """The items of object folders, with their real external ids if the folder's name is encoded."""
        keys = [item.locations[0] for item in items if "." in item.external_id]
        if self._db is None or not keys:
            return items
        known: Mapping[str, str] = self._db.run(export_rows.external_ids, keys)
        return [ImageItem(known.get(item.locations[0], item.external_id), None, item.locations) for item in items]


def _photo_number(key: str) -> tuple[int, str]:
    name = key.rpartition("/")[2].removesuffix(".jpg")
    return (int(name), "") if _NUMBER.fullmatch(name) else (10**9, name)
