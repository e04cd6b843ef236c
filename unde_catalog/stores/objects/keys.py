"""Where a product's objects are kept (spec 1), whatever its external id is made of.

An ordinary id stands in the key as it is. Any other becomes a readable rest of itself and a hash, joined by a
dot, which no ordinary id has: so it can't leave its folder, and no two ids share a key.
"""

import hashlib
import re

_ORDINARY = re.compile(r"[A-Za-z0-9_-]{1,100}")  # 100: the column's width
_BRAND = re.compile(r"[a-z0-9]+")
_REST = re.compile(r"[^A-Za-z0-9_-]+")


def original_key(brand: str, external_id: str, n: int) -> str:
    """`originals/<brand>/<external_id>/<n>.jpg`, n from 1. ValueError for a brand that is no key, or n < 1."""
    if n < 1:
        raise ValueError(f"photos are counted from 1, not {n}")
    return f"{product_folder(brand, external_id)}/{n}.jpg"


def aside_key(brand: str, external_id: str, sha256: str) -> str:
    """Where a photo is copied while photos of its product change places, by the hash of its bytes."""
    return f"{product_folder(brand, external_id)}/aside-{sha256[:32]}.jpg"


def is_aside(key: str) -> bool:
    """Whether a key is one of `aside_key`'s."""
    return key.rpartition("/")[2].startswith("aside-")


def product_folder(brand: str, external_id: str) -> str:
    """The folder of a product's originals."""
    return f"originals/{_brand(brand)}/{id_segment(external_id)}"


def collage_key(brand: str, external_id: str) -> str:
    """`collages/<brand>/<external_id>.jpg`. ValueError for a brand that is no key."""
    return f"collages/{_brand(brand)}/{id_segment(external_id)}.jpg"


def _brand(brand: str) -> str:
    if not _BRAND.fullmatch(brand):
        raise ValueError(f"not a brand key: {brand!r}")
    return brand


def id_segment(external_id: str) -> str:
    """The external id as it stands in keys: itself, or a readable rest of it and a hash."""
    if _ORDINARY.fullmatch(external_id):
        return external_id
    rest = _REST.sub("-", external_id)[:40].strip("-") or "id"
    digest = hashlib.sha256(external_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{rest}.{digest[:32]}"
