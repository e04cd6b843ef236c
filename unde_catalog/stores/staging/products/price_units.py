"""The prices of a scrape's staged items as their source wrote them: evidence of their unit, and reading them anew.

What the evidence means is in `stages/raw_products/price_unit.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class UnitEvidence:
    """What speaks for a unit of the staged prices, if their numbers are read as dirhams.

    `prices`: numbers. `with_fraction`: texts that no fils have, with a fraction or a currency, readable or not.
    `not_fils`: the prices that are unknown if the unit is fils. `own_ratio`: the median of new to stored prices of
    `known_products`; `other_ratio`: of the median price to that of other brands. None: there is nothing to compare.
    """

    prices: int
    with_fraction: int
    not_fils: int
    known_products: int
    own_ratio: float | None
    other_ratio: float | None


# A price without the currency of the catalogue. One with another currency is not read: it would be another price.
_NUMBER = """
    regexp_replace(btrim(raw_data->>'price'), '^(AED|Dhs?[.]?)[[:space:]]*|[[:space:]]*(AED|Dhs?[.]?)$', '', 'gi')
"""
# "1.299" may be 1299 or less than 2, so it is not read.
_VALUE = f"""
    CASE WHEN {_NUMBER} ~ '^[0-9]{{1,8}}([.,][0-9]{{1,2}})?$' THEN replace({_NUMBER}, ',', '.')
         WHEN {_NUMBER} ~ '^[0-9]{{1,3}}([, ][0-9]{{3}}){{1,2}}([.][0-9]{{1,2}})?$'
         THEN regexp_replace({_NUMBER}, '[, ]', '', 'g')
         WHEN {_NUMBER} ~ '^[0-9]{{1,3}}([. ][0-9]{{3}}){{1,2}},[0-9]{{1,2}}$'
         THEN replace(regexp_replace({_NUMBER}, '[. ]', '', 'g'), ',', '.')
    END::numeric(10, 2)
"""
# A price of an item as it is written; in a number (not a text) a fraction of zero means nothing.
_WRITTEN = f"""
    SELECT external_id, value,
           is_text AND written ~ '[1-9]' AND written ~ '[.,][0-9]{{1,2}}($|[^0-9.,])|[[:alpha:]$€£]'
           OR value <> trunc(value) AS has_fraction,
           value > 0 AND (is_text AND written !~ '^[0-9]+$' OR value <> trunc(value)) AS not_fils
    FROM (
        SELECT external_id, jsonb_typeof(raw_data->'price') = 'string' AS is_text,
               btrim(raw_data->>'price') AS written,
               {_VALUE} AS value
        FROM scraped_items WHERE scrape_id = %(scrape)s) AS numbers
"""


def evidence(cursor: Cursor, scrape_id: int, source: str) -> UnitEvidence:
    """Read all staged prices once, and compare up to 5,000 of them with those of the catalogue."""
    cursor.execute(
        f"""
        WITH texts AS MATERIALIZED ({_WRITTEN}), written AS (
            SELECT external_id, value FROM texts WHERE value > 0
        ), own AS (
            SELECT w.value / p.price AS ratio FROM written w JOIN raw_products p
                ON p.source = %(source)s AND p.external_id = w.external_id AND p.price > 0 LIMIT 5000
        ), others AS (
            SELECT price FROM raw_products WHERE source <> %(source)s AND price > 0 AND active LIMIT 5000
        )
        SELECT (SELECT count(*) FROM written) AS prices,
               (SELECT count(*) FROM texts WHERE has_fraction) AS with_fraction,
               (SELECT count(*) FROM texts WHERE not_fils) AS not_fils,
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
