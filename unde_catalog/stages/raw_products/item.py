"""What all sources' items have in common: a storable JSON object, an ID, short texts.

What the fields mean is in `apify_item.py` and `bakai_item.py`.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from unde_catalog.stages.raw_products.clean import TooDeep, clean
from unde_catalog.stores.staging.products.product import RejectedItem

# Names of counts: what of an item's texts is not in its product.
TEXTS_CUT, NOT_A_TEXT = "texts_cut", "texts_not_understood"
_MAX_KEPT_CHARS = 100_000  # of an item that is not an object


FAILED_AT_SOURCE = "failed_at_source"  # the reason of an item that the source could not collect
_ERRORS = ("error", "errors", "errorMessage", "error_message")
# What a product has one of. An item without any would wipe out what is known of its product.
_CONTENT = (
    "name", "title", "description", "price", "colorsSizesImagesJSON", "keys", "images", "photos", "image_urls",
    "imageUrls", "pictures", "image_url", "imageUrl", "image",
)  # fmt: skip


def validate_item(
    raw: Any, read_id: Callable[[Any], str | None], max_id_length: int
) -> tuple[str, dict[str, Any]] | RejectedItem:
    """The item's external ID, which `read_id` derives from `id`, and the item as PostgreSQL can store it."""
    if isinstance(raw, TooDeep):
        return RejectedItem(None, "too_deep", str(raw), None)
    if isinstance(raw, dict) and _has_failed(raw):
        return RejectedItem(read_id(raw.get("id")), FAILED_AT_SOURCE, _what_failed(raw), _if_small(raw))
    if not isinstance(raw, dict):
        return RejectedItem(None, "not_an_object", f"the item is a {type(raw).__name__}", _if_small(raw))
    try:
        item = clean(raw)
    except TooDeep as error:
        return RejectedItem(read_id(raw.get("id")), "too_deep", str(error), None)
    external_id = read_id(item.get("id"))
    if external_id is None:
        detail = f"`id` is neither a whole number nor a text of 1 to {max_id_length} characters"
        return RejectedItem(None, "no_id", detail, item)
    if not any(name in item for name in _CONTENT):
        return RejectedItem(external_id, FAILED_AT_SOURCE, _what_failed(item), _if_small(item))
    return external_id, item


def _has_failed(raw: dict[str, Any]) -> bool:
    """Apify's SDK leaves an `#error` for a page that failed, or an item without any field; actors leave an `error`."""
    if not raw or raw.get("#error"):
        return True
    return any(raw.get(name) for name in _ERRORS) and not any(raw.get(name) for name in _CONTENT)


def short_text(value: Any, max_length: int, notes: Counter[str] | None = None) -> str | None:
    """The value as text, stripped and cut to `max_length` characters; None for an empty text or what is no text.

    A number is a text, and so is a list of texts, joined by commas. What is cut or is no text is counted in `notes`.
    """
    text = _as_text(value)
    if text is None:
        if notes is not None and value not in (None, [], {}):
            notes[NOT_A_TEXT] += 1
        return None
    if notes is not None and has_nested(value):
        notes[NOT_A_TEXT] += 1
    text = text.strip()
    if notes is not None and len(text) > max_length:
        notes[TEXTS_CUT] += 1
    return text[:max_length].rstrip() or None


def has_nested(value: Any) -> bool:
    """Whether a list has lists in it, which are left out of its text."""
    return isinstance(value, list) and any(isinstance(one, list) and one for one in value)


def _as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, list):
        parts = [_as_text(one) for one in value if not isinstance(one, list)]
        return ", ".join(part.strip() for part in parts if part) if parts and None not in parts else None
    return None


def _if_small(raw: Any) -> Any:
    """The value if it is small enough to store for inspection, else None."""
    try:
        kept = clean(raw)
        return kept if len(json.dumps(kept)) <= _MAX_KEPT_CHARS else None
    except TooDeep:
        return None


def _what_failed(raw: dict[str, Any]) -> str:
    """The page that the source could not collect, if it says so."""
    details = raw.get("#debug")
    url = details.get("url") if isinstance(details, dict) else raw.get("url")
    return f"the source could not collect {url}" if isinstance(url, str) else "the source could not collect it"
