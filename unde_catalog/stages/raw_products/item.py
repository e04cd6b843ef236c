"""What the items of every source have in common: an object that can be kept, an id that can be read, texts.

What the fields mean is for whoever knows the source: `apify_item.py`, `bakai_item.py`.
"""

import json
from collections.abc import Callable
from typing import Any

from unde_catalog.stages.raw_products.clean import TooDeep, clean
from unde_catalog.stores.staging.products.product import RejectedItem

_LARGEST_KEPT = 100_000  # characters of an item that is not even an object


def opened(
    raw: Any, read_id: Callable[[Any], str | None], longest_id: int
) -> tuple[str, dict[str, Any]] | RejectedItem:
    """The item's external id, as `read_id` makes it of `id`, and the item as PostgreSQL can keep it; or why not."""
    if isinstance(raw, TooDeep):
        return RejectedItem(None, "too_deep", str(raw), None)
    if not isinstance(raw, dict):
        return RejectedItem(None, "not_an_object", f"the item is a {type(raw).__name__}", _small(raw))
    try:
        item = clean(raw)
    except TooDeep as error:
        return RejectedItem(read_id(raw.get("id")), "too_deep", str(error), None)
    external_id = read_id(item.get("id"))
    if external_id is None:
        wanted = f"`id` is neither a whole number nor a text of 1 to {longest_id} characters"
        return RejectedItem(None, "no_id", wanted, item)
    return external_id, item


def short_text(value: Any, most: int) -> str | None:
    """A text without spaces around it, of so many characters at the most; None for an empty one or anything else."""
    if not isinstance(value, str):
        return None
    return value.strip()[:most].rstrip() or None


def _small(raw: Any) -> Any:
    """A value that is not an object, if it is small enough to keep for a look."""
    try:
        kept = clean(raw)
        return kept if len(json.dumps(kept)) <= _LARGEST_KEPT else None
    except TooDeep:
        return None
