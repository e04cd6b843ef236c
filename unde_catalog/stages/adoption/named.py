"""Which objects a product has: those that its row names, and those in its folder. Their content is not read here."""

from collections.abc import Iterable, Mapping, Sequence

from unde_catalog.stores.objects.keys import key_in_url, product_folder
from unde_catalog.stores.staging.photos.adoption import UnrecordedProduct


def named_photos(product: UnrecordedProduct) -> dict[int, str]:
    """Object keys by photo number: of the photos that the row names, unless they are to be fetched, and of those that
    were listed and not read yet. A URL that is none of an object stands for itself.
    """
    listed = {photo.n: photo.key for photo in product.photos if photo.key and photo.sha256 is None}
    if product.image_status == "pending":
        return listed
    return _numbered(product.image_urls) | listed


def photos_in_folder(product: UnrecordedProduct, keys: Iterable[str]) -> list[str]:
    """Those of the keys below the product's folder that are its photos; deeper ones belong to other external ids."""
    folder = product_folder(product.brand, product.external_id)
    return [key for key in keys if key.rpartition("/")[0] == folder and _number(key)]


def all_photos(named: Mapping[int, str], in_folder: Sequence[str]) -> dict[int, str]:
    """Object keys by photo number. What the row names counts, unless it names no object at all."""
    found = {_number(key): key for key in in_folder}
    return found | {n: key for n, key in named.items() if n not in found or is_key(key)}


def is_key(name: str) -> bool:
    """Whether a name is the key of an object, not a URL of some other place."""
    return name.startswith(("originals/", "collages/"))


def _numbered(urls: Sequence[str]) -> dict[int, str]:
    found = {}
    for place, url in enumerate(urls, start=1):
        key = key_in_url(url)
        found[(_number(key) if key else 0) or place] = key or url
    return found


def _number(key: str) -> int:
    """The photo number in a key `originals/<brand>/<external id>/<n>.jpg`; 0 where it has none."""
    name = key.rpartition("/")[2]
    stem, dot, _ = name.rpartition(".")
    return int(stem) if dot and stem.isascii() and stem.isdigit() and len(stem) < 4 else 0
