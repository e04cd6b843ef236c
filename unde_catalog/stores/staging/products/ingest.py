"""`raw_products` as scrapes write it: items are staged in pages and merged in chunks.

Rejected items are in `rejected_items.py`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from unde_catalog.brands import IndexScope
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products.product import API_SOURCE, CollectedProduct

CHUNK = 1_000  # products merged in one short transaction
_MAX_COMBINED = 50  # items of one product; real ones have a dozen categories
_COLUMNS = "name, description, price, currency, category, colour, sizes, composition, original_image_urls, raw_data"


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """The numbers of staged items by their effect on raw_products; each item counts once.

    `returned` products were inactive. `repeated` items are further items of the same product.
    """

    new: int
    changed: int
    returned: int
    unchanged: int
    repeated: int

    @property
    def products(self) -> int:
        """The number of merged products."""
        return self.new + self.changed + self.returned + self.unchanged


def stage(cursor: Cursor, scrape_id: int, numbered: Iterable[tuple[int, CollectedProduct]]) -> None:
    """Stage products, given as (position in the dataset, product), until they are merged."""
    with cursor.copy(f"COPY scraped_items (scrape_id, position, external_id, {_COLUMNS}) FROM STDIN") as copy:
        for position, product in numbered:
            copy.write_row((scrape_id, position, product.external_id, *_values(product)))


def count_staged(cursor: Cursor, scrape_id: int) -> int:
    """The number of staged items of a scrape."""
    cursor.execute("SELECT count(*) AS n FROM scraped_items WHERE scrape_id = %s", (scrape_id,))
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def delete_staged(cursor: Cursor, scrape_id: int) -> None:
    """Delete the staged items of a scrape, and of earlier scrapes of its brand that were never finished."""
    cursor.execute(
        "DELETE FROM scraped_items WHERE scrape_id IN (SELECT id FROM scrapes"
        " WHERE id <= %(id)s AND brand = (SELECT brand FROM scrapes WHERE id = %(id)s))",
        {"id": scrape_id},
    )


def next_staged(cursor: Cursor, scrape_id: int, after: str) -> list[str]:
    """The external ids of the next chunk, in order; empty when all are merged."""
    # A table that was just filled has no statistics: the planner would sort all remaining rows for every chunk.
    cursor.execute("SET LOCAL enable_sort = off")
    cursor.execute(
        "SELECT external_id FROM scraped_items WHERE scrape_id = %s AND external_id > %s"
        " ORDER BY scrape_id, external_id LIMIT %s",
        (scrape_id, after, CHUNK),
    )
    return list(dict.fromkeys(row["external_id"] for row in cursor.fetchall()))


# Without a brand before it, and without `.0` (a number that was a fraction on its way) or a season behind it: summer
# collections are -V2026, winter's -I2026.
_BASE: LiteralString = (
    "ltrim(regexp_replace(lower(btrim({id})),"
    " '^[a-z]+[-_: ](?=[0-9]+)|([-_ ](v[0-9]{{1,4}}|i[0-9]{{2,4}})|[.]0+)$', '', 'g'), '0')"
)


def respell(cursor: Cursor, scrape_id: int, source: str) -> int:
    """Give staged items the id of the product that they are under another spelling; returns their number.

    Sources change how they write ids, such as `512913640` and `512913640-V2026`, or add zeros and capitals. An item is
    taken for a product on sale if only these two spell it so, and the scrape does not list the product as it was. Ids
    from a bucket's keys are names of folders, of which any two are different.
    """
    cursor.execute(
        f"""
        WITH unknown AS (
            SELECT {_BASE.format(id="external_id")} AS base, min(external_id) AS id FROM scraped_items s
            WHERE scrape_id = %(scrape)s AND NOT EXISTS (
                SELECT 1 FROM raw_products p WHERE p.source = %(source)s AND p.external_id = s.external_id)
            GROUP BY 1 HAVING count(DISTINCT external_id) = 1
        ), unseen AS (
            SELECT {_BASE.format(id="external_id")} AS base, min(external_id) AS id FROM raw_products p
            WHERE source = %(source)s AND active AND last_scrape_id IS DISTINCT FROM %(scrape)s
              AND NOT coalesce(raw_data ? 'keys', false) AND NOT EXISTS (
                SELECT 1 FROM scraped_items s WHERE s.scrape_id = %(scrape)s AND s.external_id = p.external_id)
            GROUP BY 1 HAVING count(*) = 1
        )
        UPDATE scraped_items AS s SET external_id = unseen.id FROM unknown JOIN unseen USING (base)
        WHERE s.scrape_id = %(scrape)s AND s.external_id = unknown.id AND unknown.base <> ''
        """,
        {"scrape": scrape_id, "source": source},
    )
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class StagedItem:
    """A staged item: where its row is, and the whole item."""

    row: str
    raw_data: Mapping[str, Any]


def repeated(cursor: Cursor, scrape_id: int, external_ids: Sequence[str]) -> dict[str, list[StagedItem]]:
    """The staged items of those of these products that have more than one, by external id."""
    cursor.execute(
        """
        SELECT external_id, row, raw_data FROM (
            SELECT external_id, ctid::text AS row, raw_data, count(*) OVER w AS items, row_number() OVER w AS n
            FROM scraped_items WHERE scrape_id = %s AND external_id = ANY(%s)
            WINDOW w AS (PARTITION BY external_id ORDER BY category, position
                         ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS s
        WHERE items BETWEEN 2 AND %s ORDER BY external_id, n
        """,
        (scrape_id, list(external_ids), _MAX_COMBINED),
    )
    found: dict[str, list[StagedItem]] = {}
    for row in cursor.fetchall():
        found.setdefault(row["external_id"], []).append(StagedItem(row["row"], row["raw_data"]))
    return found


def replace(cursor: Cursor, products: Mapping[str, CollectedProduct]) -> None:
    """Replace staged items, by their rows."""
    for row, product in products.items():
        cursor.execute(
            f"UPDATE scraped_items SET ({_COLUMNS}) = ROW(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) WHERE ctid = %s::tid",
            (*_values(product), row),
        )


def merge(
    cursor: Cursor, scrape_id: int, brand: str, source: str, index_scope: IndexScope, external_ids: Sequence[str]
) -> MergeCounts:
    """Merge the staged items of these products by (source, external_id), in this transaction.

    Unchanged products only get a new scraped_at. Brands list a product under several categories, so a scrape may have
    several items of it: an item equal to the stored row wins, then one with its category, then the first category in
    alphabetical order, so the order of the items does not matter. A product that this scrape or a later one has merged
    is not changed. A product of the API with the same external id and brand is taken off sale.
    """
    # Commit to disk: a chunk that a crash of the server loses would not be merged again.
    cursor.execute("SET LOCAL synchronous_commit = on")
    values = {
        "source": source, "api": API_SOURCE, "brand": brand, "scrape": scrape_id, "scope": index_scope,
        "ids": list(external_ids),
    }  # fmt: skip
    # Locked in the order of ids, like every other writer of many products.
    cursor.execute(
        """
        SELECT id, source <> %(source)s AND active AS replaced FROM raw_products
        WHERE source = ANY(ARRAY[%(source)s, %(api)s]) AND external_id = ANY(%(ids)s)
          AND (source = %(source)s OR brand = %(brand)s)
        ORDER BY id FOR NO KEY UPDATE
        """,
        values,
    )
    replaced = [row["id"] for row in cursor.fetchall() if row["replaced"]]
    if replaced:  # products of the API that the source has now: both would store their photos under the same keys
        cursor.execute("UPDATE raw_products SET active = false, updated_at = now() WHERE id = ANY(%s)", (replaced,))
    cursor.execute(
        f"""
        SELECT DISTINCT ON (s.external_id)
               s.ctid::text AS staged, p.id, NOT p.active AS returned,
               coalesce(p.last_scrape_id >= %(scrape)s, false) AS seen,
               ({_listed("p")}) IS DISTINCT FROM ({_listed("s")}) AS changed
        FROM scraped_items s
             LEFT JOIN raw_products p ON p.source = %(source)s AND p.external_id = s.external_id
                                         AND p.external_id = ANY(%(ids)s)
        WHERE s.scrape_id = %(scrape)s AND s.external_id = ANY(%(ids)s)
        ORDER BY s.external_id, changed, s.category IS DISTINCT FROM p.category, s.category, s.position
        """,
        values,
    )
    chosen = [row for row in cursor.fetchall() if not row["seen"]]
    new = [row for row in chosen if row["id"] is None]
    touched = [row for row in chosen if row["id"] is not None and (row["changed"] or row["returned"])]
    untouched = [row["id"] for row in chosen if row["id"] is not None and not (row["changed"] or row["returned"])]
    if touched:
        cursor.execute(
            f"""
            UPDATE raw_products AS p
            SET ({_COLUMNS}) = ({_listed("s")}), active = true, scraped_at = unde_now(),
                last_scrape_id = %(scrape)s, updated_at = now()
            FROM scraped_items s
            WHERE s.scrape_id = %(scrape)s AND s.external_id = ANY(%(ids)s) AND s.ctid = ANY(%(rows)s::tid[])
              AND p.source = %(source)s AND p.external_id = s.external_id
            """,
            values | {"rows": [row["staged"] for row in touched]},
        )
    cursor.execute(
        "UPDATE raw_products SET scraped_at = unde_now(), last_scrape_id = %(scrape)s WHERE id = ANY(%(untouched)s)",
        values | {"untouched": untouched},
    )
    if new:
        # On conflict: another writer has inserted the product since the query above.
        cursor.execute(
            f"""
            INSERT INTO raw_products (source, external_id, brand, {_COLUMNS}, scraped_at, index_scope, last_scrape_id)
            SELECT %(source)s, s.external_id, %(brand)s, {_listed("s")}, unde_now(), %(scope)s, %(scrape)s
            FROM scraped_items s
            WHERE s.scrape_id = %(scrape)s AND s.external_id = ANY(%(ids)s) AND s.ctid = ANY(%(rows)s::tid[])
            ORDER BY s.position
            ON CONFLICT (source, external_id) DO UPDATE
            SET ({_COLUMNS}) = ({_listed("excluded")}), active = true, scraped_at = unde_now(),
                last_scrape_id = %(scrape)s, updated_at = now()
            """,
            values | {"rows": [row["staged"] for row in new]},
        )
    cursor.execute("DELETE FROM scraped_items WHERE scrape_id = %(scrape)s AND external_id = ANY(%(ids)s)", values)
    returned = sum(row["returned"] for row in touched)
    return MergeCounts(len(new), len(touched) - returned, returned, len(untouched), cursor.rowcount - len(chosen))


def count_seen(cursor: Cursor, source: str, scrape_id: int) -> tuple[int, int]:
    """The number of active products, and of those that this scrape saw (including rejected items)."""
    cursor.execute(
        f"""
        SELECT count(*) AS active, count(*) FILTER (WHERE {_SEEN}) AS seen
        FROM raw_products p WHERE p.source = %(source)s AND p.active
        """,
        {"scrape": scrape_id, "source": source},
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["active"], row["seen"]


def deactivate_unseen(cursor: Cursor, source: str, scrape_id: int) -> int:
    """Mark products inactive that a complete scrape did not see; returns their number."""
    cursor.execute(
        f"""
        WITH gone AS (
            SELECT p.id FROM raw_products p WHERE p.source = %(source)s AND p.active AND NOT ({_SEEN})
            ORDER BY p.id
            FOR NO KEY UPDATE
        )
        UPDATE raw_products AS p SET active = false, updated_at = now() FROM gone WHERE p.id = gone.id
        """,
        {"source": source, "scrape": scrape_id},
    )
    return cursor.rowcount


# NOT IN a subquery with NULLs is never true, hence the filter.
_SEEN = """
    coalesce(p.last_scrape_id = %(scrape)s, false) OR p.external_id IN (
        SELECT r.external_id FROM rejected_items r WHERE r.scrape_id = %(scrape)s AND r.external_id IS NOT NULL)
"""


def _listed(alias: LiteralString) -> LiteralString:
    return ", ".join(f"{alias}.{column}" for column in _COLUMNS.split(", "))


def _values(product: CollectedProduct) -> tuple[object, ...]:
    return (
        product.name,
        product.description,
        product.price,
        product.currency,
        product.category,
        product.colour,
        None if product.sizes is None else json.dumps(product.sizes),
        product.composition,
        json.dumps(product.original_image_urls),
        json.dumps(product.raw_data),
    )
