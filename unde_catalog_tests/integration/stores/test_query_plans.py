"""The queries of due work use indexes, by the plans of the database, at 100,000 due rows."""

import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import query_plans
from unde_catalog_tests.support.due import BRAND, add_products, execute
from unde_catalog_tests.support.many_products import many_due_rows

pytestmark = pytest.mark.slow


@pytest.fixture
def hundred_thousand(db: Database, direct: str) -> Database:
    many_due_rows(direct, products=20_000, stages=DUE_STAGES, brands=tuple(BRANDS))
    return db


def test_no_query_of_due_work_reads_a_whole_table_at_100_000_rows(hundred_thousand: Database) -> None:
    assert hundred_thousand.run(query_plans.sequential_scans, DUE_STAGES, tuple(BRANDS)) == []


def test_no_query_reads_a_whole_table_when_there_is_one_brand(db: Database, direct: str) -> None:
    many_due_rows(direct, products=15_000, stages=DUE_STAGES, brands=(BRAND,))
    assert db.run(query_plans.sequential_scans, DUE_STAGES, tuple(BRANDS)) == []


def test_explained_queries_are_not_executed(hundred_thousand: Database) -> None:
    before = execute(hundred_thousand, "SELECT sum(hashtext(w::text)) AS rows FROM due_work w")
    plans = hundred_thousand.run(lambda cursor: list(query_plans.plans(cursor, "availability", BRAND)))
    assert {name for name, _ in plans} == {
        "take", "take by id", "finish", "count_open", "brands_with_due_work", "product_ids_of", "without_slot",
        "changed",
    }  # fmt: skip
    assert "ModifyTable" in {plan["Node Type"] for name, plan in plans if name == "take"}
    assert execute(hundred_thousand, "SELECT sum(hashtext(w::text)) AS rows FROM due_work w") == before


def test_a_lost_index_is_found_and_named(hundred_thousand: Database) -> None:
    execute(hundred_thousand, "DROP INDEX idx_due_work_due")
    scans = hundred_thousand.run(query_plans.sequential_scans, ("originals",), (BRAND,))
    assert {scan.table for scan in scans} == {"due_work"}
    take = next(scan for scan in scans if scan.query == "take")
    assert not take.small
    assert take.sentence().startswith("take of originals in zara reads all of due_work (")


def test_a_small_table_may_be_scanned(db: Database) -> None:
    add_products(db, 30)
    execute(db, "ANALYZE raw_products, due_work")

    def without_indexes(cursor: Cursor) -> list[query_plans.SequentialScan]:
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute("SET LOCAL enable_indexonlyscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        return query_plans.sequential_scans(cursor, ("originals",), (BRAND,))

    scans = db.run(without_indexes)
    assert scans and all(scan.small for scan in scans)
    assert scans[0].sentence().endswith("which is fast while it is small)")
