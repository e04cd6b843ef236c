"""Converts one BakaiMarket item, from its API or its bucket, into a product. It is tolerant of bad fields.

BakaiMarket does not document its items; assumed is `{"id": 12345, "name": "...", "description": "...", "category":
"electronics", "price": "1299.00", "currency": "KGS", "images": ["https://.../1.jpg"]}`. Pure functions; items come from
`bakai_api.py` and `bakai_bucket.py`.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stages.raw_products.item import short_text, validate_item
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem

UNCATEGORIZED = "uncategorized"  # the category of products without one
NO_CURRENCY = "XXX"  # ISO 4217's code for "no currency"
_PREFIX = "bakai_"  # of external IDs
_MAX_LENGTH = {"id": 100 - len(_PREFIX), "name": 2_000, "category": 1_000, "description": 100_000, "url": 2_000}
_MAX_PHOTOS = 100
_IMAGE_FIELDS = ("images", "photos", "image_urls", "imageUrls", "pictures", "image_url", "imageUrl", "image")
_URL_FIELDS = ("url", "src", "image_url", "imageUrl", "href")
_NAME_FIELDS = ("name", "title", "slug")
_PRICE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,30})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_CENT = Decimal("0.01")


def read_item(raw: Any) -> CollectedProduct | RejectedItem:
    """The product in an item, or why there is none; never raises for a bad item.

    The price stays in the item's currency; without one the currency is `XXX`, in which nothing is sold.
    """
    validated = validate_item(raw, _external_id, _MAX_LENGTH["id"])
    if isinstance(validated, RejectedItem):
        return validated
    external_id, item = validated
    return CollectedProduct(
        external_id=external_id,
        name=short_text(item.get("name"), _MAX_LENGTH["name"]) or short_text(item.get("title"), _MAX_LENGTH["name"]),
        description=short_text(item.get("description"), _MAX_LENGTH["description"]),
        price=_price(raw.get("price")),
        currency=_currency(item.get("currency")),
        category=_category(item.get("category")) or UNCATEGORIZED,
        colour=None,
        sizes=None,
        composition=None,
        original_image_urls=tuple(_photo_urls(item)),
        raw_data=item,
    )


def is_price_unreadable(product: CollectedProduct) -> bool:
    """Whether the item has a price that is not safe to publish."""
    return product.price is None and product.raw_data.get("price") not in (None, 0, "", "0", "0.00")


def _external_id(value: Any) -> str | None:
    if isinstance(value, Decimal | float):
        number = Decimal(str(value))
        value = int(number) if number.is_finite() and abs(number) < 2**53 and number == number.to_integral() else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if value.bit_length() < 400 else ""
    if not isinstance(value, str):
        return None
    text = clean_text(value).strip()
    return f"{_PREFIX}{text}" if 0 < len(text) <= _MAX_LENGTH["id"] else None


def _price(value: Any) -> Decimal | None:
    """The exact price; None if it is missing, zero, negative, absurd or has more decimals than can be stored."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, int) and value.bit_length() > 64:
        return None
    # A number with a point comes from JSON, so its shortest form is how it was written.
    text = f"{value:f}" if isinstance(value, Decimal) and -40 < value.adjusted() < 10 else str(value).strip()
    if not _PRICE.fullmatch(text):
        return None
    price = Decimal(text)
    rounded = price.quantize(_CENT)
    return rounded if price == rounded and price > 0 else None


def _currency(value: Any) -> str:
    return value.strip().upper() if isinstance(value, str) and _CURRENCY.fullmatch(value.strip()) else NO_CURRENCY


def _category(value: Any) -> str | None:
    """The category from a text, an object with a name, or a list of either, as a path."""
    if isinstance(value, dict):
        value = next((value[name] for name in _NAME_FIELDS if isinstance(value.get(name), str)), None)
    if isinstance(value, list):
        steps = [step for part in value if not isinstance(part, list) and (step := _category(part))]
        value = "/".join(steps)
    return short_text(value, _MAX_LENGTH["category"])


def _photo_urls(item: dict[str, Any]) -> Iterator[str]:
    """Each photo once, in the item's order."""
    images = next((item[name] for name in _IMAGE_FIELDS if item.get(name)), None)
    seen = set()
    for image in images if isinstance(images, list) else [images]:
        if isinstance(image, dict):
            image = next((image[name] for name in _URL_FIELDS if isinstance(image.get(name), str)), None)
        url = image.strip() if isinstance(image, str) else ""
        url = f"https:{url}" if url.startswith("//") else url
        if url.lower().startswith(("https://", "http://")) and len(url) <= _MAX_LENGTH["url"] and url not in seen:
            seen.add(url)
            yield url
            if len(seen) == _MAX_PHOTOS:
                return
