"""The prices of a scrape's staged items as their source wrote them: evidence of their unit, and reading them anew.

What the evidence means is in `stages/raw_products/price_unit.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class UnitEvidence:
    """What speaks for a unit of the staged prices, if their numbers are read as dirhams.

    `prices`: numbers; `with_fraction` of them have one. `own_ratio`: the median of new to stored prices of
    `known_products`; `other_ratio`: of the median price to that of other brands. None: there is nothing to compare.
    """

    prices: int
    with_fraction: int
    known_products: int
    own_ratio: float | None
    other_ratio: float | None


_VALUE = """
    CASE WHEN btrim(raw_data->>'price') ~ '^[0-9]{1,8}([.][0-9]{1,2})?$'
         THEN btrim(raw_data->>'price')::numeric(10, 2) END
"""
# A number of an item as it is written; in a number (not a text) a fraction of zero means nothing.
_WRITTEN = f"""
    SELECT external_id, value, is_text AND written LIKE '%%.%%' OR value <> trunc(value) AS has_fraction FROM (
        SELECT external_id, jsonb_typeof(raw_data->'price') = 'string' AS is_text,
               btrim(raw_data->>'price') AS written,
               {_VALUE} AS value
        FROM scraped_items WHERE scrape_id = %(scrape)s) AS numbers
    WHERE value > 0
"""


def evidence(cursor: Cursor, scrape_id: int, source: str) -> UnitEvidence:
    """Read all staged prices once, and compare up to 5,000 of them with those of the catalogue."""
    cursor.execute(
        f"""
        WITH written AS MATERIALIZED ({_WRITTEN}), own AS (
            SELECT w.value / p.price AS ratio FROM written w JOIN raw_products p
                ON p.source = %(source)s AND p.external_id = w.external_id AND p.price > 0 LIMIT 5000
        ), others AS (
            SELECT price FROM raw_products WHERE source <> %(source)s AND price > 0 AND active LIMIT 5000
        )
        SELECT (SELECT count(*) FROM written) AS prices,
               (SELECT count(*) FROM written WHERE has_fraction) AS with_fraction,
               (SELECT count(*) FROM own) AS known_products,
               (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio) FROM own)::float8 AS own_ratio,
               ((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FROM written)
                / (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY price) FROM others))::float8 AS other_ratio
        """,
        {"scrape": scrape_id, "source": source},
    )
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM always has a row
    return UnitEvidence(**row)


def read_as_dirhams(cursor: Cursor, scrape_id: int, external_ids: Sequence[str]) -> None:
    """Give these staged items the price that they say, in dirhams; NULL where they say none."""
    cursor.execute(
        f"""
        UPDATE scraped_items SET price = nullif({_VALUE}, 0)
        WHERE scrape_id = %s AND external_id = ANY(%s)
        """,
        (scrape_id, list(external_ids)),
    )


def hold_back(cursor: Cursor, scrape_id: int, external_ids: Sequence[str]) -> None:
    """Give these staged items no price: a product without one is not published."""
    cursor.execute(
        "UPDATE scraped_items SET price = NULL WHERE scrape_id = %s AND external_id = ANY(%s)",
        (scrape_id, list(external_ids)),
    )
