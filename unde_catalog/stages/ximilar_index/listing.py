"""The records of a Ximilar collection, listed once a run and kept in the database, however many there are.

It is listed again for a product that another program says it sent after that.

Only products need it whose photos another program inserted: Ximilar finds records by `_id` alone, and the ids of the
deployed service are its own.
"""

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime

from unde_catalog.stages.ximilar_index.client import Ximilar, XimilarUnavailable
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.keys import key_in_url
from unde_catalog.stores.staging.index import ximilar_listing
from unde_catalog.stores.staging.index.ximilar_listing import ListedRecord
from unde_catalog.stores.staging.index.ximilar_rows import IndexedPhoto, IndexRecord

_PAGE = 1_000
_FIELDS = ("_id", "_url", "sku_id")


class CollectionListing:
    """The listing; read from Ximilar at the first use of a run, and when it is too old. Thread-safe."""

    def __init__(self, api: Ximilar, db: Database) -> None:
        self._api, self._db = api, db
        self._lock = threading.Lock()
        self._listed_at: datetime | None = None

    @property
    def collection(self) -> str:
        """The id of the collection."""
        return self._api.collection

    def adopt(
        self,
        external_id: str,
        photos: Sequence[IndexedPhoto],
        synced_urls: Sequence[str],
        keys: Sequence[str],
        synced_at: datetime | None,
    ) -> list[IndexRecord]:
        """The records of a product's photos with these object keys; raises as the client does.

        A record of a photo that the product no longer has gets the number 0: it is no target, and is deleted. So is a
        second record of a photo. `synced_at`: when the product's row last named other photos.
        """
        by_key = {photo.key: photo for photo in photos}
        urls = {key_in_url(url): url for url in synced_urls}
        found = []
        for key, listed in self._find(external_id, keys, synced_at).items():
            photo = by_key.get(key)
            for place, record in enumerate(listed):
                n, sha256 = (photo.n, photo.sha256) if photo and place == 0 else (0, "")
                found.append(IndexRecord(record.id, n, sha256, urls[key], {}, False, 0.0))
        return found

    def _find(self, external_id: str, keys: Sequence[str], synced_at: datetime | None) -> dict[str, list[ListedRecord]]:
        """The product's records by key."""
        with self._lock:
            if self._listed_at is None:
                self._listed_at = self._list()
        found = self._of(external_id, keys)
        if len(found) == len(keys) or synced_at is None or synced_at < self._listed_at:
            return found
        with self._lock:
            if synced_at >= self._listed_at:
                self._listed_at = self._list()
        return self._of(external_id, keys)

    def _of(self, external_id: str, keys: Sequence[str]) -> dict[str, list[ListedRecord]]:
        listed = self._db.run(ximilar_listing.find, self._api.collection, keys)
        own = {key: [one for one in records if one.sku_id in (None, external_id)] for key, records in listed.items()}
        return {key: records for key, records in own.items() if records}

    def _list(self) -> datetime:
        """List the collection; returns when that began, by the database's clock."""
        began = self._db.run(ximilar_listing.begin)
        number, first = 1, None
        while page := self._api.page(number, _PAGE, _FIELDS):
            if page[0].get("_id") == first:
                raise XimilarUnavailable(f"Ximilar's listing repeats itself at page {number}")
            first = page[0].get("_id")
            self._db.run(ximilar_listing.add, self._api.collection, [one for raw in page for one in _records(raw)])
            number += 1
        self._db.run(ximilar_listing.end, self._api.collection, began)
        return began


def _records(raw: dict[str, object]) -> list[ListedRecord]:
    """The record, if it has an id and the URL of one of our photos."""
    id, url, sku_id = raw.get("_id"), raw.get("_url"), raw.get("sku_id")
    key = key_in_url(url) if isinstance(url, str) else None
    if not isinstance(id, str) or key is None:
        return []
    return [ListedRecord(id, sku_id if isinstance(sku_id, str) else None, key)]


def unrecorded_keys(synced_urls: Iterable[str], records: Iterable[IndexRecord]) -> list[str]:
    """Object keys of photos that a row says are in the collection and of which no record is known."""
    recorded = {key_in_url(record.url) for record in records}
    return [key for key in dict.fromkeys(map(key_in_url, synced_urls)) if key is not None and key not in recorded]
