"""No query of a chunk or a page scans a whole table, at 20,000 products, with and without statistics."""

import re
from datetime import timedelta
from typing import Any

import pytest

from unde_catalog.stages.production_catalog import write_back
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.production import incoming, publications
from unde_catalog.stores.production.incoming import ValidatedProduct
from unde_catalog.stores.staging import publishing
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.stock import stock_rows
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.explain import ExplainingCursor, assert_no_seq_scan
from unde_catalog_tests.support.publishing import add_good, publish

STAGE = "production_catalog"
DAYS = timedelta(days=2)


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.slow
def test_chunks_and_pages_use_only_indexes(db: Database, production: Database, statistics: bool) -> None:
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
        staging: Any = ExplainingCursor(cursor)
        leases = work_queue.take(staging, STAGE, "zara", 1_000, DAYS)
        products = publishing.load(staging, [lease.product_id for lease in leases])
        assert len(products) == 1_000
        stock = stock_rows.of_products(staging, "zara", [one.external_id for one in products], DAYS)
        assert len(stock) == 2_000
        page = stock_rows.next_page(staging, "zara", None, 0, DAYS)
        stock_rows.next_page(staging, "zara", page[-1].fetched_at, page[-1].id, DAYS)
        assert_no_seq_scan(staging)
        # With a lower bound; otherwise every page would read the published rows again.
        assert re.search("idx_raw_availability_fetched.*\n +Index Cond: .*fetched_at >= GREATEST", staging.plans[-1])

    tokens = {lease.product_id: lease.token for lease in leases}
    validated = [ValidatedProduct(one, tokens[one.id], "publish") for one in products]
    production.run(incoming.add, claim, publication, validated, stock)
    execute(
        production,
        "INSERT INTO catalog_incoming_products SELECT %s, 1000000 + n, 'other', 'left', NULL, NULL, now(), 's',"
        " n::text, 'zara' FROM generate_series(1, 20000) AS n",
        publication,
    )
    with production.transaction() as cursor:
        on_production: Any = ExplainingCursor(cursor)
        rows = incoming.unsettled_products(on_production, publication, 0, 1_000)
        incoming.unsettled_products(on_production, publication, rows[-1].product_id, 1_000)
        publications.renew(on_production, claim)
        assert_no_seq_scan(on_production)
        assert "Sort" not in on_production.plans[0]
    with db.transaction() as cursor:
        staging = ExplainingCursor(cursor)
        assert len(write_back._settle_page(staging, rows)) <= 1_000
        assert_no_seq_scan(staging)
