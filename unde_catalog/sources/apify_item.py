"""Reads one Apify dataset item into a Product (spec 1's mapping), tolerantly: what is good is kept.

Pure functions; where items come from is `apify.py`, where products go is `collect.py`.
"""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from unde_catalog.sources.clean import TooDeep, clean
from unde_catalog.staging.product import Product, Rejected

PHOTOS_A_COLOUR = 5  # spec 1
PHOTO_WIDTH = "1920"  # spec 1: what the width placeholder is replaced by
_WIDTH_PLACEHOLDERS = ("{width}", ":width:")
_CURRENCY = "AED"
_LONGEST = {"id": 100, "colour": 100, "name": 2_000, "category": 1_000, "description": 100_000, "url": 2_000}
_HIGHEST_PRICE = Decimal("99999999.99")  # decimal(10, 2)


def read_item(raw: Any) -> Product | Rejected:
    """The product in a dataset item, or why there is none; never raises for a bad item."""
    if not isinstance(raw, dict):
        return Rejected(None, "not_an_object", f"the item is a {type(raw).__name__}", _shallow(raw))
    try:
        item = clean(raw)
    except TooDeep as error:
        return Rejected(_external_id(raw.get("id")), "too_deep", str(error), None)
    external_id = _external_id(item.get("id"))
    if external_id is None:
        return Rejected(None, "no_id", "`id` is neither a number nor a text of 1 to 100 characters", item)
    return Product(
        external_id=external_id,
        name=_text(item.get("name"), "name"),
        description=_text(item.get("description"), "description"),
        price=_price(item.get("price")),
        currency=_CURRENCY,
        category=_text(item.get("category"), "category"),
        colour=_text(item.get("colors"), "colour"),
        sizes=item.get("sizes"),
        composition=_composition(item.get("detailedComposition")),
        original_image_urls=tuple(dict.fromkeys(_photo_urls(item.get("colorsSizesImagesJSON")))),
        raw_data=item,
    )


def _external_id(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        text = str(value).strip().replace("\x00", "")
    except ValueError:  # an integer of thousands of digits
        return None
    return text if 0 < len(text) <= _LONGEST["id"] else None


def _text(value: Any, field: str) -> str | None:
    if not isinstance(value, str):
        return None
    return value.strip()[: _LONGEST[field]] or None


def _price(value: Any) -> Decimal | None:
    """Fils to dirhams: 69900 is 699.00. Missing, zero, negative or absurd is None; never by way of a float."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        fils = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        return None
    if not fils.is_finite() or fils <= 0 or fils != fils.to_integral_value() or fils / 100 > _HIGHEST_PRICE:
        return None
    return (fils / 100).quantize(Decimal("0.01"))


def _composition(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _photo_urls(colours: Any) -> Iterator[str]:
    for colour in colours if isinstance(colours, list) else ():
        photos = colour.get("xmedia") if isinstance(colour, dict) else None
        named = [url for url in photos if isinstance(url, str) and url.strip()] if isinstance(photos, list) else []
        for url in named[:PHOTOS_A_COLOUR]:
            for placeholder in _WIDTH_PLACEHOLDERS:
                url = url.replace(placeholder, PHOTO_WIDTH)
            if len(url) <= _LONGEST["url"]:
                yield url.strip()


def _shallow(raw: Any) -> Any:
    """A value that is not an object, if it is small enough to keep for a look."""
    return clean(raw) if isinstance(raw, str | int | float | None) and len(str(raw)) < 10_000 else None
