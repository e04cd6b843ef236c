"""No query of a chunk or a page reads a whole table, at 20,000 products, with and without statistics."""

import re
from datetime import timedelta
from typing import Any

import pytest

from unde_catalog.stages.production_catalog import write_back
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.production import incoming, publications
from unde_catalog.stores.production.incoming import ValidatedProduct
from unde_catalog.stores.staging import publishing
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.stock import stock_rows
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import add_good, publish

STAGE = "production_catalog"
DAYS = timedelta(days=2)


class Explaining:
    """A cursor that keeps the plan of each statement that it runs."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.plans: list[str] = []

    def execute(self, query: str, values: Any = None) -> Any:
        if not query.startswith("SET"):
            self._cursor.execute(f"EXPLAIN {query}".encode(), values)
            self.plans.append("\n".join(row["QUERY PLAN"] for row in self._cursor.fetchall()))
        return self._cursor.execute(query.encode(), values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def no_table_is_read_whole(explaining: Explaining, but: tuple[str, ...] = ("catalog_brands", "catalog_publ")) -> None:
    for plan in explaining.plans:
        scans = [line for line in plan.splitlines() if "Seq Scan on" in line and not any(name in line for name in but)]
        assert not scans, plan


@pytest.mark.parametrize("statistics", [False, True])
def test_chunks_and_pages_use_indexes_alone(db: Database, production: Database, statistics: bool) -> None:
    add_good(db, 20_000)
    publish(db, production, limit=5_000)
    stock = (
        "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
        " SELECT 'zara', s, external_id, '[]', now() - id * interval '1 second' FROM raw_products,"
        " generate_series(1, 2) AS s"
    )
    execute(db, stock)
    if statistics:
        execute(db, "ANALYZE raw_products, due_work, price_history, raw_availability")
        execute(production, "ANALYZE catalog_products")
    claim = production.run(publications.claim, "zara", "plans", DAYS)
    assert claim is not None
    publication = production.run(publications.begin, claim)

    with db.transaction() as cursor:
        staging: Any = Explaining(cursor)
        leases = work_queue.take(staging, STAGE, "zara", 1_000, DAYS)
        products = publishing.load(staging, [lease.product_id for lease in leases])
        assert len(products) == 1_000
        found = stock_rows.of_products(staging, "zara", [one.external_id for one in products], DAYS)
        assert len(found) == 2_000
        page = stock_rows.next_page(staging, "zara", None, 0, DAYS)
        stock_rows.next_page(staging, "zara", page[-1].fetched_at, page[-1].id, DAYS)
        no_table_is_read_whole(staging)
        # Bounded, or what was published before is read again for every page.
        assert re.search("idx_raw_availability_fetched_at.*\n +Index Cond: .*fetched_at >= GREATEST", staging.plans[-1])

    tokens = {lease.product_id: lease.token for lease in leases}
    judged = [ValidatedProduct(one, tokens[one.id], "publish") for one in products]
    production.run(incoming.add, claim, publication, judged, found)
    execute(
        production,
        "INSERT INTO catalog_incoming_products SELECT %s, 1000000 + n, 'other', 'left', NULL, NULL, now(), 's',"
        " n::text, 'zara' FROM generate_series(1, 20000) AS n",
        publication,
    )
    with production.transaction() as cursor:
        on_production: Any = Explaining(cursor)
        rows = incoming.unsettled_products(on_production, publication, 0, 1_000)
        incoming.unsettled_products(on_production, publication, rows[-1].product_id, 1_000)
        publications.renew(on_production, claim)
        no_table_is_read_whole(on_production)
        assert "Sort" not in on_production.plans[0]
    with db.transaction() as cursor:
        staging = Explaining(cursor)
        assert len(write_back._settle(staging, rows)) <= 1_000
        no_table_is_read_whole(staging)
