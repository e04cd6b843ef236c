"""Where the list of images comes from: the staging database, our own object store, or one of BakaiMarket's two lists.

What an item of BakaiMarket's says is `sources/`'s, what is read of staging `stores/staging/products/export_rows.py`'s.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Literal

import obstore

from unde_catalog.brands import Brand
from unde_catalog.services.export.image_list import ImageItem, Item, UnreadableItem
from unde_catalog.services.export.names import UNCATEGORIZED
from unde_catalog.settings.s3 import S3Settings
from unde_catalog.stages.raw_products.bakai_api import BakaiApi
from unde_catalog.stages.raw_products.bakai_bucket import BakaiBucket
from unde_catalog.stages.raw_products.bakai_item import read_item
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.keys import is_aside
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.stores.objects.s3 import open_s3
from unde_catalog.stores.staging.products import export_rows
from unde_catalog.stores.staging.products.product import CollectedProduct

_LOOKED_UP = 1_000  # products a query
_SIGNED_FOR = timedelta(hours=6)  # a page is worked off in minutes
_SIGNING_PATIENCE = timedelta(seconds=20)
_NUMBER = re.compile(r"[0-9]{1,9}")


class NothingSelected(ValueError):
    """The list holds nothing of what was asked for; one sentence that says what it does hold."""


class StagedImages:
    """A brand's active products in the staging database, of one category if it is named."""

    limit_counts: Literal["images", "products"] = "images"

    def __init__(self, db: Database, brand: str, category: str | None, all_photos: bool) -> None:
        self._db, self._brand, self._category = db, brand, category
        photos = export_rows.MOST_PHOTOS if all_photos else 1
        self._chosen = export_rows.ExportSelection(brand, category, UNCATEGORIZED, photos)
        self._total: int | None = None

    def total(self) -> int:
        """How many photos these products name, counted once; `NothingSelected` for none."""
        if self._total is None:
            self._total = self._count()
        return self._total

    def _count(self) -> int:
        found = self._db.run(export_rows.count, self._chosen)
        if not found and self._category is not None:
            there = ", ".join(self._db.run(export_rows.largest_categories, self._brand, 20)) or "none"
            raise NothingSelected(
                f"no active product of {self._brand} is of the category {self._category!r}; there are: {there}"
            )
        if not found:
            raise NothingSelected(
                f"the staging database has no active product of {self._brand} with a photo: "
                "collect it first, or take another list with --from"
            )
        return found

    def pages(self) -> Iterator[Sequence[Item]]:
        """A short query a page."""
        after = 0
        while rows := self._db.run(export_rows.page, self._chosen, after):
            after = rows[-1].id
            yield [ImageItem(row.external_id, row.category, tuple(row.urls)) for row in rows]


class BakaiImages:
    """One of BakaiMarket's lists. Where `signs` names its bucket, photos are places that only its keys open."""

    def __init__(
        self, source: BakaiApi | BakaiBucket, categories: "Categories", signs: S3Settings | None = None
    ) -> None:
        self._source, self._categories = source, categories
        self.limit_counts: Literal["images", "products"] = "products" if isinstance(source, BakaiApi) else "images"
        self._signer = open_s3(signs, _SIGNING_PATIENCE) if signs is not None else None
        self._total: int | None = None

    def total(self) -> int | None:
        """What the source says of it, once the first page is there."""
        return self._total

    def pages(self) -> Iterator[Sequence[Item]]:
        """The source's own pages."""
        for page in self._source.pages():
            self._total = page.total if page.total is not None else self._total
            items: list[Item] = []
            for raw in page.items:
                read = read_item(raw)
                if isinstance(read, CollectedProduct):
                    category = None if read.category == UNCATEGORIZED else read.category
                    keys = raw.get("keys") if self._signer is not None else None
                    items.append(ImageItem(read.external_id, category, tuple(keys or read.original_image_urls)))
                else:  # an object whose key names no product is none of its photos
                    items.append(UnreadableItem(read.reason, missed=isinstance(self._source, BakaiApi)))
            yield self._signed(self._categories.named(items))

    def _signed(self, items: Sequence[Item]) -> Sequence[Item]:
        if self._signer is None:
            return items
        keys = [key for item in items if isinstance(item, ImageItem) for key in item.places]
        urls = iter(obstore.sign(self._signer, "GET", keys, _SIGNED_FOR) if keys else ())
        return [
            ImageItem(item.external_id, item.category, tuple(islice(urls, len(item.places))))
            if isinstance(item, ImageItem)
            else item
            for item in items
        ]


class StoredImages:
    """A brand's originals in our own object store; a place is an object's key."""

    limit_counts: Literal["images", "products"] = "images"

    def __init__(self, store: ObjectStore, brand: Brand, categories: "Categories") -> None:
        self._store, self._prefix, self._categories = store, f"originals/{brand.key}", categories

    def total(self) -> None:
        """Not known before the end."""

    def pages(self) -> Iterator[Sequence[Item]]:
        """Products as their objects come, which are neighbours in every store's list."""
        products = self._products()
        while page := list(islice(products, _LOOKED_UP)):
            yield self._categories.named(self._categories.own_ids(page))

    def _products(self) -> Iterator[ImageItem]:
        segment, keys, found = "", [], False
        for info in self._store.list(self._prefix):
            found = True
            folder, _, name = info.key.removeprefix(f"{self._prefix}/").rpartition("/")
            if not folder or is_aside(info.key) or not name.endswith(".jpg"):
                continue
            if folder != segment and keys:
                yield ImageItem(segment, None, tuple(sorted(keys, key=_photo_number)))
                keys = []
            segment = folder
            keys.append(info.key)
        if keys:
            yield ImageItem(segment, None, tuple(sorted(keys, key=_photo_number)))
        if not found:
            raise NothingSelected(
                f"there is nothing below {self._prefix} in {self._store.where}: "
                "let the stage originals run first, or take another list with --from"
            )


class Categories:
    """Categories of products whose list names none, as the staging database knows them; none without a database."""

    def __init__(self, db: Database | None, brand: str) -> None:
        self._db, self._brand = db, brand

    def named(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items with a category where one is known."""
        without = [item.external_id for item in items if isinstance(item, ImageItem) and item.category is None]
        if self._db is None or not without:
            return items
        known: Mapping[str, str] = self._db.run(export_rows.categories, self._brand, without)
        return [
            ImageItem(item.external_id, known.get(item.external_id), item.places)
            if isinstance(item, ImageItem) and item.category is None
            else item
            for item in items
        ]

    def own_ids(self, items: Sequence[ImageItem]) -> Sequence[ImageItem]:
        """Products found by their folder, under their own external ids where the folder's name is not one."""
        keys = [item.places[0] for item in items if "." in item.external_id]
        if self._db is None or not keys:
            return items
        known: Mapping[str, str] = self._db.run(export_rows.external_ids, keys)
        return [ImageItem(known.get(item.places[0], item.external_id), None, item.places) for item in items]


def _photo_number(key: str) -> tuple[int, str]:
    name = key.rpartition("/")[2].removesuffix(".jpg")
    return (int(name), "") if _NUMBER.fullmatch(name) else (10**9, name)
