"""Changes where products are indexed and how many of their photos are in Ximilar, for an operator.

The rows are changed by `stores/staging/index/scopes.py`. Changed products are due; the stages do the rest.
"""

from collections.abc import Callable
from typing import get_args

from unde_catalog.brands import IndexScope, brand_for
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index import scopes
from unde_catalog.stores.staging.index.scopes import ChangeEffect, IndexChange, ProductGroup
from unde_catalog.text import quantity

SCOPES: tuple[IndexScope, ...] = get_args(IndexScope)
MAX_TARGET = 5  # photos are stored of a product
MEANING = {
    "pilot": "in Ximilar and in our own index",
    "pgvector": "in our own index alone",
    "off": "in no index",
}


def effect_of(db: Database, group: ProductGroup, change: IndexChange) -> ChangeEffect:
    """What a change would do; ValueError for an unknown brand, scope or category, or a number out of range."""
    brand_for(group.brand)
    if change.scope is not None and change.scope not in SCOPES:
        raise ValueError(f"unknown scope {change.scope!r}: one of {', '.join(SCOPES)}")
    if change.target_count is not None and not 0 <= change.target_count <= MAX_TARGET:
        raise ValueError(f"{change.target_count} photos: expected 0 to {MAX_TARGET}")
    found = db.read(scopes.effect, group, change)
    if not found.products:
        raise ValueError(f"{describe(group)} has no products")
    return found


def apply(db: Database, group: ProductGroup, change: IndexChange, progress: Callable[[int], None]) -> int:
    """Change the products in short transactions; returns how many changed. Safe to interrupt and repeat."""
    after = changed = 0
    while (step := db.run(scopes.apply, group, change, after)) is not None:
        changed, after = changed + step[0], step[1]
        progress(changed)
    return changed


def describe(group: ProductGroup) -> str:
    """E.g. `zara`, `zara, category woman-shirts`."""
    return group.brand if group.category is None else f"{group.brand}, category {group.category}"


def sentence(group: ProductGroup, found: ChangeEffect) -> str:
    """What a change would do and cost."""
    if not found.changed:
        return f"{describe(group)}: nothing changes, all {quantity(found.products, 'product')} are set so already."
    parts = [f"{found.changed:,} of {quantity(found.products, 'product')} change"]
    if found.inserts:
        parts.append(f"{quantity(found.inserts, 'photo')} are sent to Ximilar, {quantity(found.inserts, 'credit')}")
    if found.removals:
        parts.append(f"{quantity(found.removals, 'record')} are deleted there; sending them again costs credits again")
    return f"{describe(group)}: {'; '.join(parts)}."
