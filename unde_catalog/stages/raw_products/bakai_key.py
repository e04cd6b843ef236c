"""What the key of an object in BakaiMarket's bucket says: of which product it is a photo, and in which category.

Pure functions; how keys are listed is `bakai_bucket.py`'s, which also says what is assumed of them.
"""

import re
from dataclasses import dataclass

_FOLDER = "products"  # which is no category
_NUMBERED = re.compile(r"(?P<id>.*[0-9].*)[_-](?P<n>[0-9]{1,4})")
_LONG_NUMBER = re.compile(r".*[0-9]{4}.*")  # a product's, where a photo's is short
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_NUMBER = re.compile(r"([0-9]+)")
# What people leave beside photos. Any other ending may be one: the content decides.
_NO_PHOTO = re.compile(r".*\.(txt|md|csv|tsv|json|xml|html?|log|pdf|zip|gz|tar|db|ini|mp4|mov|webm)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ProductKey:
    """The product of a photo; `category` None where its key names none."""

    product_id: str
    category: str | None


def read_key(key: str) -> ProductKey | None:
    """The product whose photo it is, None where the key names none.

    A file in a folder is a photo of the product that the folder is named after; unless the folder is `products` or
    looks like a category (no digit in it) and the file's name like a product's.
    """
    *folders, name = [part for part in key.split("/") if part.strip()] or [""]
    stem = _ENDING.sub("", name)
    if not stem or stem.startswith(".") or _NO_PHOTO.fullmatch(name):
        return None
    numbered = _NUMBERED.fullmatch(stem)
    from_name = numbered["id"] if numbered else stem
    folder = folders[-1] if folders else _FOLDER
    is_category = not any(letter.isdigit() for letter in folder) and (numbered or _LONG_NUMBER.fullmatch(stem))
    if folder == _FOLDER or (is_category and folders[:-1] in ([], [_FOLDER])):
        return ProductKey(from_name, None if folder == _FOLDER else folder)
    category = folders[-2] if len(folders) > 1 else _FOLDER
    return ProductKey(folder, None if category == _FOLDER else category)


def in_order(key: str) -> tuple[tuple[int, int, str], ...]:
    """For sorting photos as people number them: 2 before 10, and the one without a number first."""
    stem = _ENDING.sub("", key)
    return tuple((1, int(part[:4_000]), "") if n % 2 else (0, 0, part) for n, part in enumerate(_NUMBER.split(stem)))
