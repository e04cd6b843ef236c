"""What all sources' items have in common: a storable JSON object, an ID, short texts.

What the fields mean is in `apify_item.py` and `bakai_item.py`.
"""

import json
from collections.abc import Callable
from typing import Any

from unde_catalog.stages.raw_products.clean import TooDeep, clean
from unde_catalog.stores.staging.products.product import RejectedItem

_MAX_KEPT_CHARS = 100_000  # of an item that is not an object


def validate_item(
    raw: Any, read_id: Callable[[Any], str | None], max_id_length: int
) -> tuple[str, dict[str, Any]] | RejectedItem:
    """The item's external ID, which `read_id` derives from `id`, and the item as PostgreSQL can store it."""
    if isinstance(raw, TooDeep):
        return RejectedItem(None, "too_deep", str(raw), None)
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
    return external_id, item


def short_text(value: Any, max_length: int) -> str | None:
    """The text, stripped and cut to `max_length` characters; None for an empty text or any other value."""
    if not isinstance(value, str):
        return None
    return value.strip()[:max_length].rstrip() or None


def _if_small(raw: Any) -> Any:
    """The value if it is small enough to store for inspection, else None."""
    try:
        kept = clean(raw)
        return kept if len(json.dumps(kept)) <= _MAX_KEPT_CHARS else None
    except TooDeep:
        return None
