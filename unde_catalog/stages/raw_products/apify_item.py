"""Converts one Apify dataset item into a product. It is tolerant: a bad field does not lose the good ones.

Pure functions. Items come from `apify_dataset.py`; products are stored by `stores/staging/products/ingest.py`.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stages.raw_products.item import short_text, validate_item
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem

PHOTOS_PER_COLOUR = 5
PHOTO_WIDTH = "1920"  # replaces the width placeholder of photo URLs
_WIDTH_PLACEHOLDER = re.compile(r"\{width\}|:width:|%7Bwidth%7D", re.IGNORECASE)
_TIMESTAMP = re.compile(r"(?<=[?&])ts=[^&]*&?")
_CURRENCY = "AED"
_MAX_LENGTH = {"id": 100, "colour": 100, "name": 2_000, "category": 1_000, "description": 100_000, "url": 2_000}
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)
_MAX_PRICE = Decimal("99999999.99")  # decimal(10, 2)
_MAX_EXACT = 2**53  # the largest whole number that a JSON number with a point holds exactly


def read_item(raw: Any) -> CollectedProduct | RejectedItem:
    """The product in a dataset item, or why there is none; never raises for a bad item."""
    validated = validate_item(raw, _external_id, _MAX_LENGTH["id"])
    if isinstance(validated, RejectedItem):
        return validated
    external_id, item = validated
    return CollectedProduct(
        external_id=external_id,
        name=short_text(item.get("name"), _MAX_LENGTH["name"]),
        description=short_text(item.get("description"), _MAX_LENGTH["description"]),
        price=_price(item.get("price")),
        currency=_CURRENCY,
        category=short_text(item.get("category"), _MAX_LENGTH["category"]),
        colour=short_text(item.get("colors"), _MAX_LENGTH["colour"]),
        sizes=item.get("sizes"),
        composition=_composition(item.get("detailedComposition")),
        original_image_urls=tuple(_unique_photos(_photo_urls(item.get("colorsSizesImagesJSON")))),
        raw_data=item,
    )


def is_price_unreadable(product: CollectedProduct) -> bool:
    """Whether the item has a price that is not safe to publish."""
    return product.price is None and product.raw_data.get("price") not in (None, 0, "", "0")


def _external_id(value: Any) -> str | None:
    number = _whole_number(value)
    if number is not None:
        value = str(number) if number.bit_length() < 400 else ""
    if not isinstance(value, str):
        return None
    text = clean_text(value).strip()
    return text if 0 < len(text) <= _MAX_LENGTH["id"] else None


def _whole_number(value: Any) -> int | None:
    """A whole JSON number: 7 as well as 7.0."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_EXACT:
        return int(value)
    return value if isinstance(value, int) else None


def _price(value: Any) -> Decimal | None:
    """Fils to dirhams, exactly: 69900 and "69900" become 699.00. None if missing, zero, negative or absurd.

    "699.00" is None, too: fils have no fraction, and a price that may be a hundred times too low is worse than none.
    """
    fils = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value := value.strip()) else _whole_number(value)
    if fils is None or not 0 < fils <= _MAX_PRICE * 100:
        return None
    return Decimal(fils).scaleb(-2)


def _composition(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _photo_urls(colours: Any) -> Iterator[str]:
    for colour in colours if isinstance(colours, list) else ():
        photos = colour.get("xmedia") if isinstance(colour, dict) else None
        urls = [url for url in photos if isinstance(url, str) and url.strip()] if isinstance(photos, list) else []
        for url in urls[:PHOTOS_PER_COLOUR]:
            url = _WIDTH_PLACEHOLDER.sub(PHOTO_WIDTH, url.strip())
            if len(url) <= _MAX_LENGTH["url"]:
                yield url


def _unique_photos(urls: Iterator[str]) -> Iterator[str]:
    """Each photo once, by its first URL: brands list a photo twice with different timestamps (`ts`)."""
    seen = set()
    for url in urls:
        photo = _TIMESTAMP.sub("", url).rstrip("?&")
        if photo not in seen:
            seen.add(photo)
            yield url
