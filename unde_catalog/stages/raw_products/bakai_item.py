"""Reads one item of BakaiMarket into a Product, from its API as well as from its bucket, tolerantly.

What is assumed of items is documented nowhere [?]: `{"id": 12345, "name": "...", "description": "...", "category":
"electronics", "price": "1299.00", "currency": "KGS", "images": ["https://.../1.jpg"]}`. Pure functions; the lists are
`bakai_api.py`'s and `bakai_bucket.py`'s.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stages.raw_products.item import opened, short_text
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem

UNCATEGORIZED = "uncategorized"  # spec 2
NO_CURRENCY = "XXX"  # ISO 4217: no currency, so that nobody takes it for one
_PREFIX = "bakai_"  # spec 2
_LONGEST = {"id": 100 - len(_PREFIX), "name": 2_000, "category": 1_000, "description": 100_000, "url": 2_000}
_MOST_PHOTOS = 100
_IMAGES = ("images", "photos", "image_urls", "imageUrls", "pictures", "image_url", "imageUrl", "image")
_URLS = ("url", "src", "image_url", "imageUrl", "href")
_NAMES = ("name", "title", "slug")
_PRICE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,30})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_CENT = Decimal("0.01")


def read_item(raw: Any) -> CollectedProduct | RejectedItem:
    """The product in an item, or why there is none; never raises for a bad item.

    The price is taken as it is, in the item's currency; where none is named that is `XXX`, which nothing is sold in.
    """
    found = opened(raw, _external_id, _LONGEST["id"])
    if isinstance(found, RejectedItem):
        return found
    external_id, item = found
    return CollectedProduct(
        external_id=external_id,
        name=short_text(item.get("name"), _LONGEST["name"]) or short_text(item.get("title"), _LONGEST["name"]),
        description=short_text(item.get("description"), _LONGEST["description"]),
        price=_price(raw.get("price")),
        currency=_currency(item.get("currency")),
        category=_category(item.get("category")) or UNCATEGORIZED,
        colour=None,
        sizes=None,
        composition=None,
        original_image_urls=tuple(_photo_urls(item)),
        raw_data=item,
    )


def price_not_understood(product: CollectedProduct) -> bool:
    """Whether the item has a price, and it is none that we dare to publish."""
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
    return f"{_PREFIX}{text}" if 0 < len(text) <= _LONGEST["id"] else None


def _price(value: Any) -> Decimal | None:
    """The price exactly; None where it is missing, zero, negative, absurd or of more digits than can be kept."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, int) and value.bit_length() > 64:
        return None
    # A number with a point came through JSON: its shortest spelling is the one that was written.
    text = f"{value:f}" if isinstance(value, Decimal) and -40 < value.adjusted() < 10 else str(value).strip()
    if not _PRICE.fullmatch(text):
        return None
    price = Decimal(text)
    kept = price.quantize(_CENT)
    return kept if price == kept and price > 0 else None


def _currency(value: Any) -> str:
    return value.strip().upper() if isinstance(value, str) and _CURRENCY.fullmatch(value.strip()) else NO_CURRENCY


def _category(value: Any) -> str | None:
    """A text, something with a name, or a path of such."""
    if isinstance(value, dict):
        value = next((value[name] for name in _NAMES if isinstance(value.get(name), str)), None)
    if isinstance(value, list):
        steps = [step for one in value if not isinstance(one, list) and (step := _category(one))]
        value = "/".join(steps)
    return short_text(value, _LONGEST["category"])


def _photo_urls(item: dict[str, Any]) -> Iterator[str]:
    """Each photo once, as first named."""
    found = next((item[name] for name in _IMAGES if item.get(name)), None)
    seen = set()
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, dict):
            one = next((one[name] for name in _URLS if isinstance(one.get(name), str)), None)
        url = one.strip() if isinstance(one, str) else ""
        url = f"https:{url}" if url.startswith("//") else url
        if url.lower().startswith(("https://", "http://")) and len(url) <= _LONGEST["url"] and url not in seen:
            seen.add(url)
            yield url
            if len(seen) == _MOST_PHOTOS:
                return
