"""The index scope and the number of photos in Ximilar of many products: what a change would do, and the change.

`index_scope` says where a product is indexed (docs/reference/schema.md); the triggers of `schema/due_rules.sql` make a
changed product due.
"""

from dataclasses import dataclass

from unde_catalog.brands import IndexScope
from unde_catalog.stores.db.database import Cursor

CHUNK = 1_000  # products changed in one short transaction


@dataclass(frozen=True, slots=True)
class ProductGroup:
    """The products of a brand, or of one of its categories."""

    brand: str
    category: str | None = None


@dataclass(frozen=True, slots=True)
class IndexChange:
    """What to change: the scope, or the number of photos in Ximilar, or both; None leaves it."""

    scope: IndexScope | None = None
    target_count: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """What a change would do. `inserts`: photos that Ximilar would get, a credit each; `removals`: records it loses."""

    products: int
    changed: int
    inserts: int
    removals: int


_GROUP = "p.brand = %(brand)s AND (%(category)s::text IS NULL OR p.category = %(category)s)"
_NEW = "coalesce(%(scope)s::text, p.index_scope) AS scope, coalesce(%(target)s, p.ximilar_target_count, 2) AS target"


def effect(cursor: Cursor, group: ProductGroup, change: IndexChange) -> ChangeEffect:
    """Count what a change of these products would do; reads them, their photos and their records once."""
    cursor.execute(
        f"""
        WITH p AS (
            SELECT p.active, p.index_scope, coalesce(p.ximilar_target_count, 2) AS old_target, {_NEW},
                   (SELECT count(*) FROM product_photos f WHERE f.product_id = p.id AND f.state = 'stored') AS photos,
                   (SELECT count(*) FROM ximilar_records r WHERE r.product_id = p.id) AS records
            FROM raw_products p WHERE {_GROUP}
        ), q AS (
            SELECT *, (scope IS DISTINCT FROM index_scope OR target <> old_target) AS is_changed,
                   CASE WHEN active AND scope = 'pilot' THEN least(target, photos) ELSE 0 END AS wanted FROM p
        )
        SELECT count(*) AS products, count(*) FILTER (WHERE is_changed) AS changed,
               coalesce(sum(greatest(wanted - records, 0)) FILTER (WHERE is_changed), 0)::bigint AS inserts,
               coalesce(sum(greatest(records - wanted, 0)) FILTER (WHERE is_changed), 0)::bigint AS removals
        FROM q
        """,
        _values(group, change),
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return ChangeEffect(**row)


def apply(cursor: Cursor, group: ProductGroup, change: IndexChange, after: int) -> tuple[int, int] | None:
    """Change the next products by id; the number of changed ones and the last id, None if there are no more."""
    values = _values(group, change)
    cursor.execute(
        f"SELECT p.id FROM raw_products p WHERE {_GROUP} AND p.id > %(after)s ORDER BY p.id LIMIT %(chunk)s"
        " FOR NO KEY UPDATE",
        {**values, "after": after, "chunk": CHUNK},
    )
    ids = [row["id"] for row in cursor.fetchall()]
    if not ids:
        return None
    cursor.execute(
        """
        UPDATE raw_products SET index_scope = coalesce(%(scope)s, index_scope),
               ximilar_target_count = coalesce(%(target)s, ximilar_target_count), updated_at = now()
        WHERE id = ANY(%(ids)s)
          AND (coalesce(%(scope)s, index_scope) IS DISTINCT FROM index_scope
               OR coalesce(%(target)s, ximilar_target_count) IS DISTINCT FROM ximilar_target_count)
        """,
        {**values, "ids": ids},
    )
    return cursor.rowcount, ids[-1]


def _values(group: ProductGroup, change: IndexChange) -> dict[str, object]:
    return {
        "brand": group.brand, "category": group.category, "scope": change.scope, "target": change.target_count,
    }  # fmt: skip
