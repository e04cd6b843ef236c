"""Reads one Apify dataset item into a Product (spec 1's mapping), tolerantly: what is good is kept.

Pure functions; where items come from is `apify.py`, where products go is `stores/staging/products/ingest.py`.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stages.raw_products.item import opened, short_text
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem

PHOTOS_A_COLOUR = 5  # spec 1
PHOTO_WIDTH = "1920"  # spec 1: what the width placeholder is replaced by
_WIDTH_PLACEHOLDER = re.compile(r"\{width\}|:width:|%7Bwidth%7D", re.IGNORECASE)
_STAMP = re.compile(r"(?<=[?&])ts=[^&]*&?")
_CURRENCY = "AED"
_LONGEST = {"id": 100, "colour": 100, "name": 2_000, "category": 1_000, "description": 100_000, "url": 2_000}
_WHOLE = re.compile(r"[0-9]{1,12}", re.ASCII)
_HIGHEST_PRICE = Decimal("99999999.99")  # decimal(10, 2)
_LARGEST_EXACT = 2**53  # the whole numbers that a JSON number with a point is sure to hold


def read_item(raw: Any) -> CollectedProduct | RejectedItem:
    """The product in a dataset item, or why there is none; never raises for a bad item."""
    found = opened(raw, _external_id, _LONGEST["id"])
    if isinstance(found, RejectedItem):
        return found
    external_id, item = found
    return CollectedProduct(
        external_id=external_id,
        name=short_text(item.get("name"), _LONGEST["name"]),
        description=short_text(item.get("description"), _LONGEST["description"]),
        price=_price(item.get("price")),
        currency=_CURRENCY,
        category=short_text(item.get("category"), _LONGEST["category"]),
        colour=short_text(item.get("colors"), _LONGEST["colour"]),
        sizes=item.get("sizes"),
        composition=_composition(item.get("detailedComposition")),
        original_image_urls=tuple(_without_repeats(_photo_urls(item.get("colorsSizesImagesJSON")))),
        raw_data=item,
    )


def price_not_understood(product: CollectedProduct) -> bool:
    """Whether the item has a price, and it is none that we dare to publish."""
    return product.price is None and product.raw_data.get("price") not in (None, 0, "", "0")


def _external_id(value: Any) -> str | None:
    number = _whole(value)
    if number is not None:
        value = str(number) if number.bit_length() < 400 else ""
    if not isinstance(value, str):
        return None
    text = clean_text(value).strip()
    return text if 0 < len(text) <= _LONGEST["id"] else None


def _whole(value: Any) -> int | None:
    """A JSON number that is whole, 7 as well as 7.0."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT:
        return int(value)
    return value if isinstance(value, int) else None


def _price(value: Any) -> Decimal | None:
    """Fils to dirhams, exactly: 69900 and "69900" are 699.00. Missing, zero, negative or absurd is None.

    So is "699.00": fils have no fraction, and a price that may be a hundred times too low is worse than none.
    """
    fils = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value := value.strip()) else _whole(value)
    if fils is None or not 0 < fils <= _HIGHEST_PRICE * 100:
        return None
    return Decimal(fils).scaleb(-2)


def _composition(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _photo_urls(colours: Any) -> Iterator[str]:
    for colour in colours if isinstance(colours, list) else ():
        photos = colour.get("xmedia") if isinstance(colour, dict) else None
        named = [url for url in photos if isinstance(url, str) and url.strip()] if isinstance(photos, list) else []
        for url in named[:PHOTOS_A_COLOUR]:
            url = _WIDTH_PLACEHOLDER.sub(PHOTO_WIDTH, url.strip())
            if len(url) <= _LONGEST["url"]:
                yield url


def _without_repeats(urls: Iterator[str]) -> Iterator[str]:
    """Each photo once, as first named: shops list one photo twice with another time stamp (`ts`)."""
    seen = set()
    for url in urls:
        photo = _STAMP.sub("", url).rstrip("?&")
        if photo not in seen:
            seen.add(photo)
            yield url
