"""Derives the product and the category of a photo from its object key in BakaiMarket's bucket.

Pure functions. Keys are listed in `bakai_bucket.py`, which also says what is assumed of them. A key is never changed:
`12345 ` is another product than `12345`, and a photo's URL contains its key as it is.
"""

import re
import unicodedata
from dataclasses import dataclass

_PRODUCTS = "products"  # a folder that is not a category
_VIEWS = (
    "main",
    "cover",
    "front",
    "left",
    "right",
    "side",
    "back",
    "rear",
    "top",
    "bottom",
    "inside",
    "detail",
    "zoom",
)
# Behind a product, which of its photos this is: a number, or what it shows.
_WHICH = re.compile(rf"[_-](?:[0-9]{{1,4}}|(?:{'|'.join(_VIEWS)})[_-]?[0-9]{{0,2}})$", re.IGNORECASE)
_VIEW = re.compile(rf"(?:.*[_-])?(?P<view>{'|'.join(_VIEWS)})[_-]?[0-9]{{0,2}}", re.IGNORECASE)
# `shoes`, and `shoes-2024`: a folder with any other digit is named after a product.
_CATEGORY = re.compile(r"\D*|[^\W\d_]{3,}.*[ _-](?:19|20)[0-9]{2}")
_LONG_NUMBER = re.compile(r".*[0-9]{4}.*")  # of a product; a photo's number is short
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_NUMBER = re.compile(r"([0-9]+)")
# Files that people store next to photos. Any other extension may be a photo: its content decides.
_NOT_A_PHOTO = re.compile(
    r".*\.(txt|md|csv|tsv|json|xml|html?|log|pdf|zip|gz|tgz|tar|rar|7z|db|sql|ini|ya?ml|css|js|bak|part|tmp"
    r"|mp4|m4v|mov|webm|avi|mkv|wmv|mpe?g|3gp|m3u8|docx?|xlsx?|pptx?|rtf|od[st]|psd|ai|eps|svg|indd)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ProductKey:
    """The product of a photo; `category` is None if its key contains none."""

    product_id: str
    category: str | None


def parse_key(key: str) -> ProductKey | None:
    """The product of the photo with this key; None if the key contains none.

    A file in a folder is a photo of the product that the folder is named after, unless the folder is `products`, or the
    folder looks like a category (no digit but a year) and the file name like a product.
    """
    *folders, name = key.removeprefix("/").split("/")
    stem = _EXTENSION.sub("", name)
    if not stem or stem.startswith(".") or _NOT_A_PHOTO.fullmatch(name):
        return None
    which = _WHICH.search(stem)
    numbered = which is not None and any(letter.isdigit() for letter in stem[: which.start()])
    from_name = stem[: which.start()] if which and numbered else stem
    folder = folders[-1] if folders else _PRODUCTS
    is_category = _CATEGORY.fullmatch(folder) and (numbered or _LONG_NUMBER.fullmatch(stem))
    if folder == _PRODUCTS or (is_category and folders[:-1] in ([], [_PRODUCTS])):
        return ProductKey(from_name, None if folder == _PRODUCTS else folder)
    category = folders[-2] if len(folders) > 1 else _PRODUCTS
    return ProductKey(folder, None if category == _PRODUCTS else category)


def key_problem(key: str) -> str:
    """Why a key cannot be requested as it is by every client; "" if it can. A single slash at its start is fine."""
    if any(unicodedata.category(letter) == "Cc" for letter in key):
        return "the key contains a control character"
    if "\ufffd" in key:  # what a name that is no UTF-8 becomes
        return "the key is not valid UTF-8"
    parts = key.removeprefix("/").split("/")
    if not all(part.strip() for part in parts):
        return "the key contains an empty folder or file name"
    if any(part in (".", "..") for part in parts):
        return "the key contains `.` or `..`, which URLs do not keep"
    return ""


def is_folder_mark(key: str, size: int) -> bool:
    """Whether an object only marks a folder, as web consoles and file tools write it."""
    name = key.rpartition("/")[2]
    return not name or name.endswith("_$folder$") or (size == 0 and not _EXTENSION.search(name))


def natural_sort_key(key: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts photos by their numbers: 2 before 10, and a photo without a number first; and the front before the back."""
    stem = _EXTENSION.sub("", key)
    view = _VIEW.fullmatch(stem.rpartition("/")[2])
    if view:
        stem = f"{stem[: view.start('view') - len(view.string)]}{_VIEWS.index(view['view'].lower())}"
    return tuple((1, int(part[:4_000]), "") if n % 2 else (0, 0, part) for n, part in enumerate(_NUMBER.split(stem)))
