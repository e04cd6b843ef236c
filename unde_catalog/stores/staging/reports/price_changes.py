"""Compares a brand's recently changed prices with their own history.

The limits are in `operations/quality/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from unde_catalog.stores.db.database import Cursor

_DAYS = 14  # two weekly scrapes
_FORMER = 10  # former prices, of which the median counts
_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A product's price, and the median of its former prices in the same currency."""

    external_id: str
    former: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class PriceChanges:
    """The numbers of a brand's active products, and of those whose price changed in the last `days`.

    `outliers` changed by more than the factor, `hundredfold` ones about a hundred times, up or down (75 to 125).
    `examples` are the largest changes.
    """

    products: int
    days: int
    changed: int
    outliers: int
    hundredfold: int
    examples: Sequence[PriceChange]


def price_changes(cursor: Cursor, brand: str, factor: float) -> PriceChanges:
    """Compare the prices; reads the brand's active products, and some prices of each by index."""
    values = {"brand": brand, "factor": str(factor), "days": _DAYS, "former": _FORMER, "examples": _EXAMPLES}
    cursor.execute(
        """
        WITH moves AS MATERIALIZED (
            SELECT p.external_id, f.former, h.price, greatest(h.price / f.former, f.former / h.price) AS times
            FROM raw_products p
            CROSS JOIN LATERAL (
                SELECT price, currency, seen_at FROM price_history
                WHERE product_id = p.id ORDER BY seen_at DESC LIMIT 1
            ) AS h
            CROSS JOIN LATERAL (  -- percentile_disc gives one of the prices, so a decimal stays one
                SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY o.price) AS former
                FROM (SELECT price, currency FROM price_history
                      WHERE product_id = p.id ORDER BY seen_at DESC OFFSET 1 LIMIT %(former)s) AS o
                WHERE o.price > 0 AND o.currency = h.currency
            ) AS f
            WHERE p.brand = %(brand)s AND p.active
              AND h.seen_at > unde_now() - %(days)s * interval '1 day' AND h.price > 0 AND f.former > 0
        )
        SELECT (SELECT count(*) FROM raw_products p WHERE p.brand = %(brand)s AND p.active) AS products,
               count(*) AS changed,
               count(*) FILTER (WHERE times > %(factor)s::numeric) AS outliers,
               count(*) FILTER (WHERE times BETWEEN 75 AND 125) AS hundredfold,
               (array_agg(external_id ORDER BY times DESC, external_id) FILTER (WHERE times > %(factor)s::numeric))
                   [1:%(examples)s] AS ids,
               (array_agg(former ORDER BY times DESC, external_id) FILTER (WHERE times > %(factor)s::numeric))
                   [1:%(examples)s] AS formers,
               (array_agg(price ORDER BY times DESC, external_id) FILTER (WHERE times > %(factor)s::numeric))
                   [1:%(examples)s] AS prices
        FROM moves
        """,
        values,
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    widest = zip(row.pop("ids") or (), row.pop("formers") or (), row.pop("prices") or (), strict=True)
    return PriceChanges(**row, days=_DAYS, examples=[PriceChange(*one) for one in widest])
