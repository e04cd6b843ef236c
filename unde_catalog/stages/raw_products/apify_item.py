"""Converts one Apify dataset item into a product. It is tolerant: a bad field does not lose the good ones.

Pure functions. Items come from `apify_dataset.py`; products are stored by `stores/staging/products/ingest.py`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stages.raw_products.item import short_text, validate_item
from unde_catalog.stages.raw_products.media import listed_colours, photo_urls
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem

_CURRENCY = "AED"
_MAX_LENGTH = {"id": 100, "colour": 100, "name": 2_000, "category": 1_000, "description": 100_000}
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)
_MAX_PRICE = Decimal("99999999.99")  # decimal(10, 2)
_MAX_EXACT = 2**53  # the largest whole number that a JSON number with a point holds exactly


def read_item(raw: Any) -> CollectedProduct | RejectedItem:
    """The product in a dataset item, or why there is none; never raises for a bad item."""
    validated = validate_item(raw, _external_id, _MAX_LENGTH["id"])
    if isinstance(validated, RejectedItem):
        return validated
    external_id, item = validated
    notes: Counter[str] = Counter()
    return CollectedProduct(
        external_id=external_id,
        name=short_text(item.get("name"), _MAX_LENGTH["name"], notes),
        description=short_text(item.get("description"), _MAX_LENGTH["description"], notes),
        price=_price(item.get("price")),
        currency=_CURRENCY,
        category=short_text(item.get("category"), _MAX_LENGTH["category"], notes),
        colour=short_text(item.get("colors"), _MAX_LENGTH["colour"], notes),
        sizes=item.get("sizes"),
        composition=_composition(item.get("detailedComposition")),
        original_image_urls=photo_urls(item.get("colorsSizesImagesJSON"), notes),
        raw_data=item,
        notes=notes,
    )


def combine(raws: Sequence[Mapping[str, Any]]) -> list[CollectedProduct] | None:
    """Items of one product with a colour each, as products that have all of its colours; None if nothing is added.

    Some actors give an item a colour. The result does not depend on the order of the items.
    """
    colours = [listed_colours(raw.get("colorsSizesImagesJSON")) for raw in raws]
    by_key = {_colour_key(colour): colour for one in colours for colour in one}
    if all(len({_colour_key(colour) for colour in one}) == len(by_key) for one in colours):
        return None
    together = {
        "colorsSizesImagesJSON": [by_key[key] for key in sorted(by_key)],
        "colors": _joined(raw.get("colors") for raw in raws),
        "sizes": _joined(raw.get("sizes") for raw in raws),
    }
    products = [read_item({**raw, **{name: value for name, value in together.items() if value}}) for raw in raws]
    return [product for product in products if isinstance(product, CollectedProduct)]


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


def _colour_key(colour: Mapping[str, Any]) -> str:
    return json.dumps([str(colour.get("id")), str(colour.get("name"))])


def _joined(values: Iterable[Any]) -> Any:
    """Texts like `XS, S` as one text with each part once, in order of the parts' first text; else the first value."""
    listed = list(values)
    if not all(isinstance(value, str) for value in listed):
        return next((value for value in listed if value), None)
    parts = [part.strip() for value in sorted(listed, key=lambda one: (-len(one), one)) for part in value.split(",")]
    return ", ".join(dict.fromkeys(part for part in parts if part))
