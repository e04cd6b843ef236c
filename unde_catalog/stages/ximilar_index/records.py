"""The target records of a product: which photos belong into the Ximilar collection, with which id and metadata."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unde_catalog.stores.objects.keys import id_segment
from unde_catalog.stores.staging.index.ximilar_rows import IndexedPhoto, IndexedProduct, IndexRecord

# File names of the brands' photos: -p and -a1 show a worn garment, -e1 the garment from the front.
_WORN = re.compile(r"[-_](p|a\d*|worn|model)$", re.IGNORECASE)
_FRONT = re.compile(r"[-_](e1?|main|front|garment)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """A record that should be in the collection: its `_id`, photo and metadata; all metadata is text."""

    id: str
    photo: IndexedPhoto
    metadata: dict[str, str]


def target_records(product: IndexedProduct, present: Iterable[IndexRecord] = ()) -> list[TargetRecord]:
    """The target records of a product; none if it is not on sale or not in scope.

    Among the records that are `present`, those that another program inserted keep their ids, and their photos come
    first, also beyond the target: they are paid for.
    """
    if not product.active or product.index_scope != "pilot":
        return []
    metadata = metadata_of(product)
    ids = {(record.n, record.sha256): record.id for record in present}
    adopted = [
        photo for photo in product.photos
        if ids.get((photo.n, photo.sha256), record_id(product, photo)) != record_id(product, photo)
    ]  # fmt: skip
    others = [photo for photo in select_photos(product.photos, len(product.photos)) if photo not in adopted]
    photos = adopted + others[: max(product.target - len(adopted), 0)]
    return [
        TargetRecord(ids.get((photo.n, photo.sha256), record_id(product, photo)), photo, metadata) for photo in photos
    ]


def record_id(product: IndexedProduct, photo: IndexedPhoto) -> str:
    """A record's id, made from source, external id, photo number and content, so that a changed photo gets another."""
    return f"{product.source}-{id_segment(product.external_id)}-{photo.n}-{photo.sha256[:16]}"


def metadata_of(product: IndexedProduct) -> dict[str, str]:
    """Flat metadata. Stores are left out, because records are the same for all stores."""
    return {
        "product_id": product.external_id,
        "sku_id": product.external_id,
        "brand": product.brand,
        "name": product.name or "",
        "category": product.category or "",
        "price": "" if product.price is None else str(product.price),
    }


def select_photos(photos: Sequence[IndexedPhoto], target: int) -> list[IndexedPhoto]:
    """The first `target` photos, but one worn and one from the front first if file names tell them."""
    order = list(photos)
    first = [next((photo for photo in order if kind.search(_stem(photo.source_url))), None) for kind in (_WORN, _FRONT)]
    if all(first):
        order = [photo for photo in first if photo] + [photo for photo in order if photo not in first]
    return order[: max(target, 0)]


def _stem(url: str) -> str:
    """The file name without its extension: `02086797800-p` of `https://.../02086797800-p.jpg?w=1920`."""
    return url.split("?")[0].split("#")[0].rstrip("/").rpartition("/")[2].rpartition(".")[0]
