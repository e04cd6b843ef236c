"""Due work at 1,000,000 rows: the plans of all queries, and how much each of them reads."""

from datetime import timedelta
from typing import Any

import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import query_plans, slots, spreading, statistics, ticks, work_queue
from unde_catalog.stores.staging.due_work.spreading import Spread
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome
from unde_catalog.stores.staging.reports import totals
from unde_catalog_tests.support.due import BRAND, LEASE, execute
from unde_catalog_tests.support.many_products import many_due_rows

STAGE = "availability"
HOUR = timedelta(hours=1)
_EVEN = 50 * len(BRANDS)  # products, of which each brand has as many, and a fiftieth is a whole number
PRODUCTS = -(-1_000_000 // (_EVEN * len(DUE_STAGES))) * _EVEN
ROWS = PRODUCTS * len(DUE_STAGES)


class Measuring:
    """A cursor that counts the blocks that each statement reads or finds in memory."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.blocks: list[int] = []

    def execute(self, query: str, values: Any = None) -> None:
        if not query.startswith("SET LOCAL"):
            self._cursor.execute("SAVEPOINT measured")  # ANALYZE runs it, and it is to run once
            self._cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}".encode(), values)
            row = self._cursor.fetchone()
            assert row is not None
            plan = row["QUERY PLAN"][0]["Plan"]
            self.blocks.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
            self._cursor.execute("ROLLBACK TO measured")
        self._cursor.execute(query.encode(), values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@pytest.fixture
def million(db: Database, direct: str) -> Database:
    many_due_rows(direct, products=PRODUCTS, stages=DUE_STAGES, brands=tuple(BRANDS))
    return db


@pytest.mark.timeout(600)
def test_every_query_of_due_work_reads_only_the_rows_it_works_on(million: Database) -> None:
    assert execute(million, "SELECT count(*) AS n FROM due_work") == [{"n": ROWS}]
    assert ROWS >= 1_000_000
    assert million.run(query_plans.sequential_scans, DUE_STAGES, tuple(BRANDS)) == []
    with million.transaction() as cursor:
        measuring: Any = Measuring(cursor)
        leases = work_queue.take(measuring, STAGE, BRAND, 200, LEASE)
        assert len(leases) == 200
        work_queue.finish(measuring, STAGE, [LeaseOutcome(one, "done") for one in leases], HOUR)
        assert max(measuring.blocks) < 200 * 70  # four of a product's are the lookup whether it is to be adopted
        measuring.blocks.clear()
        assert ticks.brands_with_due_work(measuring, STAGE, [BRAND]) == [BRAND]
        assert measuring.blocks[0] < 500
        assert work_queue.take(measuring, "nothing", BRAND, 200, LEASE) == []
        assert measuring.blocks[1] < 20

    # What looks at a brand reads that brand.
    whole = execute(million, "SELECT pg_relation_size('due_work') / 8192 AS blocks")[0]["blocks"]
    with million.transaction() as cursor:
        measuring = Measuring(cursor)
        found = statistics.figures(measuring, STAGE, BRAND, HOUR)
        work_queue.repair_times(measuring, STAGE, BRAND, LEASE, HOUR)
    assert (found.active, found.never_checked) == (PRODUCTS // len(BRANDS), 0)
    assert max(measuring.blocks[1:]) < 2.5 * whole


@pytest.mark.timeout(600)
def test_only_new_products_of_a_big_brand_get_slots(million: Database) -> None:
    gone = "DELETE FROM due_work WHERE stage = %s AND brand = %s AND product_id %% %s = 0 RETURNING 1"  # a third
    missing = len(execute(million, gone, STAGE, BRAND, 3 * len(BRANDS)))
    others = "SELECT sum(hashtext(w::text)) AS rows FROM due_work w WHERE (stage, brand) <> (%s, %s)"
    before = execute(million, others, STAGE, BRAND)
    assert missing == PRODUCTS // len(BRANDS) // 3
    assert spreading.spread(million, STAGE, BRAND, HOUR) == Spread(never_checked=missing)
    assert execute(million, others, STAGE, BRAND) == before
    loads = million.run(slots.loads, STAGE, BRAND, HOUR)
    assert max(loads) - min(loads) < sum(loads) / 60 / 10
    assert spreading.spread(million, STAGE, BRAND, HOUR) == Spread()


@pytest.mark.timeout(600)
def test_the_report_counts_due_and_failed_work_by_indexes(million: Database) -> None:
    execute(
        million, "UPDATE due_work SET reason = 'http_404', given_up = true, due_at = NULL WHERE product_id % 50 = 0"
    )
    products = PRODUCTS // len(BRANDS)
    with million.transaction() as cursor:
        measuring: Any = Measuring(cursor)
        standings = totals.brand_totals(measuring)
        due = totals.due(measuring, DUE_STAGES, tuple(BRANDS))
        failing, failing_products = totals.failing(measuring, DUE_STAGES, tuple(BRANDS), 12)
    assert (standings[BRAND].active, failing_products) == (products, PRODUCTS // 50 * len(DUE_STAGES))
    assert len(due) == len(DUE_STAGES) * len(BRANDS) and len(failing) == 12
    _, _, waiting, failed, *examples = measuring.blocks  # rows this narrow are rightly counted in the table itself
    assert waiting < ROWS / 5  # it looks at a tenth of 1,000,000 rows, and at the leases of the oldest
    assert failed < ROWS / 5 and max(examples) < 100
