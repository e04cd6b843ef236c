"""The object keys of a product's photos and collage, for any external id (docs/reference/object-keys.md).

An ordinary id is in the key as it is. Any other id becomes a readable remainder and a hash, joined by a dot, which no
ordinary id contains: so it cannot leave its folder, and no two ids share a key.
"""

import hashlib
import re
from urllib.parse import unquote, urlsplit

_ORDINARY = re.compile(r"[A-Za-z0-9_-]{1,100}")  # 100: the width of the column
_BRAND = re.compile(r"[a-z0-9]+")
_OTHER_CHARACTERS = re.compile(r"[^A-Za-z0-9_-]+")


def original_key(brand: str, external_id: str, n: int) -> str:
    """`originals/<brand>/<external_id>/<n>.jpg`, n from 1. ValueError for n < 1 or an invalid brand."""
    if n < 1:
        raise ValueError(f"photos are counted from 1, not {n}")
    return f"{product_folder(brand, external_id)}/{n}.jpg"


def aside_key(brand: str, external_id: str, sha256: str) -> str:
    """The key of a copy of a photo, by the hash of its bytes, while photos of its product swap places."""
    return f"{product_folder(brand, external_id)}/aside-{sha256[:32]}.jpg"


def key_in_url(url: str) -> str | None:
    """The object key in a public URL, whatever its host and bucket; None if it names no original and no collage."""
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:  # e.g. a bracket where only an IPv6 address may have one
        return None
    found = [at for folder in ("/originals/", "/collages/") if (at := path.find(folder)) >= 0]
    return path[min(found) + 1 :] if found else None


def is_aside(key: str) -> bool:
    """Whether a key was made by `aside_key`."""
    return key.rpartition("/")[2].startswith("aside-")


def product_folder(brand: str, external_id: str) -> str:
    """The folder of a product's originals."""
    return f"originals/{_brand(brand)}/{id_segment(external_id)}"


def collage_key(brand: str, external_id: str) -> str:
    """`collages/<brand>/<external_id>.jpg`. ValueError for an invalid brand."""
    return f"collages/{_brand(brand)}/{id_segment(external_id)}.jpg"


def _brand(brand: str) -> str:
    if not _BRAND.fullmatch(brand):
        raise ValueError(f"not a brand key: {brand!r}")
    return brand


def id_segment(external_id: str) -> str:
    """The external id in keys: itself, or a readable remainder and a hash."""
    if _ORDINARY.fullmatch(external_id):
        return external_id
    remainder = _OTHER_CHARACTERS.sub("-", external_id)[:40].strip("-") or "id"
    digest = hashlib.sha256(external_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{remainder}.{digest[:32]}"
