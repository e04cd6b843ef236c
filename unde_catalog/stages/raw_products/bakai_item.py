"""Converts one BakaiMarket item, from its API or its bucket, into a product. It is tolerant of bad fields.

BakaiMarket does not document its items; assumed is `{"id": 12345, "name": "...", "description": "...", "category":
"electronics", "price": "1299.00", "currency": "KGS", "images": ["https://.../1.jpg"]}`. Pure functions; items come from
`bakai_api.py` and `bakai_bucket.py`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from unde_catalog.stages.raw_products.clean import clean, clean_text
from unde_catalog.stages.raw_products.item import NOT_A_TEXT, has_nested, short_text, validate_item
from unde_catalog.stages.raw_products.media import PHOTOS_CUT, UNREADABLE, listed, photo_url
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem

UNCATEGORIZED = "uncategorized"  # the category of products without one
NO_CURRENCY = "XXX"  # ISO 4217's code for "no currency"
UNREADABLE_KEY = "unreadable_key"  # the reason of an object that cannot be requested as it is named
_PREFIX = "bakai_"  # of external IDs
_MAX_LENGTH = {"id": 100 - len(_PREFIX), "name": 2_000, "category": 1_000, "description": 100_000}
_MAX_PHOTOS = 100
_IMAGE_FIELDS = ("images", "photos", "image_urls", "imageUrls", "pictures", "image_url", "imageUrl", "image")
_NAME_FIELDS = ("name", "title", "slug")
_PRICE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,30})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_CENT = Decimal("0.01")


def read_item(raw: Any) -> CollectedProduct | RejectedItem:
    """The product in an item, or why there is none; never raises for a bad item.

    The price stays in the item's currency; without one the currency is `XXX`, in which nothing is sold.
    """
    if isinstance(raw, dict) and "id" not in raw and isinstance(raw.get("problem"), str):
        return RejectedItem(None, UNREADABLE_KEY, raw["problem"], clean(raw))
    # In a bucket `12345 ` is another folder than `12345`; in the API it is a slip.
    read_id = _exact_id if isinstance(raw, dict) and "keys" in raw else _external_id
    validated = validate_item(raw, read_id, _MAX_LENGTH["id"])
    if isinstance(validated, RejectedItem):
        return validated
    external_id, item = validated
    notes = Counter[str]()

    def text(field: str, limit: str) -> str | None:
        return short_text(item.get(field), _MAX_LENGTH[limit], notes)

    return CollectedProduct(
        external_id=external_id,
        name=text("name", "name") or text("title", "name"),
        description=text("description", "description"),
        price=_price(raw.get("price")),
        currency=_currency(item.get("currency")),
        category=_category(item.get("category"), notes) or UNCATEGORIZED,
        colour=None,
        sizes=None,
        composition=None,
        original_image_urls=tuple(_photo_urls(item, notes)),
        raw_data=item,
        notes=notes,
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
    return _exact_id(value.strip())


def _exact_id(value: Any) -> str | None:
    text = clean_text(value) if isinstance(value, str) else ""
    return f"{_PREFIX}{text}" if text.strip() and len(text) <= _MAX_LENGTH["id"] else None


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


def _category(value: Any, notes: Counter[str]) -> str | None:
    """The category from a text, an object with a name, or a list of either, as a path."""
    if isinstance(value, dict) and value:
        value = next((value[name] for name in _NAME_FIELDS if isinstance(value.get(name), str)), value)
    if isinstance(value, list):
        if has_nested(value):
            notes[NOT_A_TEXT] += 1
        steps = [step for part in value if not isinstance(part, list) and (step := _category(part, notes))]
        value = "/".join(steps)
    return short_text(value, _MAX_LENGTH["category"], notes)


def _photo_urls(item: dict[str, Any], notes: Counter[str]) -> Iterator[str]:
    """Each photo once, in the item's order. What is no photo, and photos beyond the first hundred, are counted."""
    images = next((item[name] for name in _IMAGE_FIELDS if item.get(name)), None)
    left_out = item.get("keys_left_out")
    notes[PHOTOS_CUT] += left_out if isinstance(left_out, int) else 0
    seen = set()
    for image in listed(images):
        url = photo_url(image, notes)
        if url is None or url in seen:
            continue
        if not url.lower().startswith(("https://", "http://")):
            notes[UNREADABLE] += 1
        elif len(seen) == _MAX_PHOTOS:
            notes[PHOTOS_CUT] += 1
        else:
            seen.add(url)
            yield url
