"""raw_products as collecting writes it: pages of products merged, new, changed and unchanged told apart."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg.types.json import Jsonb

from unde_catalog.brands import IndexScope
from unde_catalog.staging.database import Cursor
from unde_catalog.staging.product import Product, Rejected

_COLUMNS = "name, description, price, currency, category, colour, sizes, composition, original_image_urls, raw_data"


@dataclass(frozen=True, slots=True)
class Merged:
    """What a page of products did; `returned` ones were inactive, and are not counted elsewhere."""

    new: int
    changed: int
    returned: int
    unchanged: int


def merge(
    cursor: Cursor, scrape_id: int, brand: str, source: str, index_scope: IndexScope, products: Sequence[Product]
) -> Merged:
    """Merge a page of products with different ids by (source, external_id), in this transaction.

    Unchanged products only move scraped_at (spec 1).
    """
    page = uuid.uuid4().hex
    with cursor.copy(f"COPY scraped_items (scrape_id, page, position, external_id, {_COLUMNS}) FROM STDIN") as copy:
        for position, product in enumerate(products):
            copy.write_row((scrape_id, page, position, product.external_id, *_values(product)))
    values = {"page": page, "source": source, "brand": brand, "scrape": scrape_id, "scope": index_scope}
    # Locked in the order of ids, like every other writer of many products.
    cursor.execute(
        f"""
        SELECT p.id, NOT p.active AS returned,
               ({_listed("p")}) IS DISTINCT FROM ({_listed("s")}) AS changed
        FROM scraped_items s JOIN raw_products p ON p.source = %(source)s AND p.external_id = s.external_id
        WHERE s.page = %(page)s
        ORDER BY p.id
        FOR NO KEY UPDATE OF p
        """,
        values,
    )
    known = cursor.fetchall()
    touched = [row["id"] for row in known if row["changed"] or row["returned"]]
    untouched = [row["id"] for row in known if not (row["changed"] or row["returned"])]
    cursor.execute(
        f"""
        UPDATE raw_products AS p
        SET ({_COLUMNS}) = ({_listed("s")}), active = true, scraped_at = unde_now(), last_scrape_id = %(scrape)s,
            updated_at = now()
        FROM scraped_items s
        WHERE s.page = %(page)s AND p.source = %(source)s AND p.external_id = s.external_id AND p.id = ANY(%(ids)s)
        """,
        values | {"ids": touched},
    )
    cursor.execute(
        "UPDATE raw_products SET scraped_at = unde_now(), last_scrape_id = %(scrape)s WHERE id = ANY(%(ids)s)",
        values | {"ids": untouched},
    )
    cursor.execute(
        f"""
        INSERT INTO raw_products (source, external_id, brand, {_COLUMNS}, scraped_at, index_scope, last_scrape_id)
        SELECT %(source)s::text, s.external_id, %(brand)s, {_listed("s")}, unde_now(), %(scope)s, %(scrape)s
        FROM scraped_items s
        WHERE s.page = %(page)s AND NOT EXISTS (
            SELECT 1 FROM raw_products p WHERE p.source = %(source)s::text AND p.external_id = s.external_id)
        ORDER BY s.position
        """,
        values,
    )
    new = cursor.rowcount
    cursor.execute("DELETE FROM scraped_items WHERE page = %(page)s", values)
    returned = sum(row["returned"] for row in known)
    return Merged(new, len(touched) - returned, returned, len(untouched))


def keep_rejected(
    cursor: Cursor, scrape_id: int, brand: str, source: str, rejected: Sequence[tuple[int, Rejected]]
) -> None:
    """Keep items that could not be read (position, item); one whose id could be read counts as seen."""
    cursor.executemany(
        """
        INSERT INTO rejected_items (scrape_id, brand, position, external_id, reason, detail, raw)
        VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (scrape_id, position) DO NOTHING
        """,
        [
            (scrape_id, brand, position, one.external_id, one.reason, one.detail, Jsonb(one.raw))
            for position, one in rejected
        ],
    )
    cursor.execute(
        "UPDATE raw_products SET last_scrape_id = %s WHERE source = %s AND external_id = ANY(%s)",
        (scrape_id, source, [one.external_id for _, one in rejected if one.external_id]),
    )


def count_seen(cursor: Cursor, source: str, scrape_id: int) -> tuple[int, int]:
    """Of the active products: how many there are, and how many this scrape saw."""
    cursor.execute(
        "SELECT count(*) AS active, count(*) FILTER (WHERE last_scrape_id = %s) AS seen"
        " FROM raw_products WHERE source = %s AND active",
        (scrape_id, source),
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["active"], row["seen"]


def deactivate_unseen(cursor: Cursor, source: str, scrape_id: int) -> int:
    """Mark inactive what a complete scrape did not see; how many."""
    cursor.execute(
        """
        WITH gone AS (
            SELECT id FROM raw_products
            WHERE source = %(source)s AND active AND last_scrape_id IS DISTINCT FROM %(scrape)s
            ORDER BY id
            FOR NO KEY UPDATE
        )
        UPDATE raw_products AS p SET active = false, updated_at = now() FROM gone WHERE p.id = gone.id
        """,
        {"source": source, "scrape": scrape_id},
    )
    return cursor.rowcount


def _listed(alias: LiteralString) -> LiteralString:
    return ", ".join(f"{alias}.{column}" for column in _COLUMNS.split(", "))


def _values(product: Product) -> tuple[object, ...]:
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
