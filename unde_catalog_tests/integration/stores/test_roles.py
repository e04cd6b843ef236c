"""Least privilege: what each database role may not do, and which due rows it may write."""

import pytest
from psycopg.errors import InsufficientPrivilege

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog_tests.support.due import BRAND, LEASE, add_products, due_row, execute, finish, set_now, take
from unde_catalog_tests.support.roles import ROLES, STAGE_OF, acting_as, url_as
from unde_catalog_tests.support.servers import Server

PRODUCT = "INSERT INTO raw_products (source, external_id, brand, scraped_at) VALUES ('apify_zara', 'x', 'zara', now())"
PHOTO = "INSERT INTO product_photos (product_id, n, source_url, state, fetched_at) SELECT id, 2, 'u', 'gone', now()"
NEW_DUE_ROW = (
    "INSERT INTO due_work (product_id, stage, brand) SELECT id, '{}', brand FROM raw_products ON CONFLICT DO NOTHING"
)

# Only the owner changes the schema; no role reads passwords, or defines a function that another role calls.
REFUSED_TO_ALL = [
    "ALTER TABLE raw_products ADD COLUMN mine integer",
    "ALTER TABLE due_work DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE raw_products DISABLE TRIGGER ALL",
    "ALTER FUNCTION unde_now() STRICT",
    "CREATE OR REPLACE FUNCTION unde_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    "CREATE FUNCTION make_due(bigint, varchar, text) RETURNS void LANGUAGE sql AS ''",
    "CREATE POLICY mine ON due_work USING (true)",
    "CREATE TABLE mine ()",
    "CREATE ROLE mine",
    "CREATE TRIGGER mine AFTER INSERT ON raw_products EXECUTE FUNCTION products_make_due()",
    "DROP TABLE product_photos",
    "DROP INDEX idx_due_work_due",
    "DROP POLICY all_read ON due_work",
    "DROP TRIGGER raw_products_due_after_insert ON raw_products",
    "TRUNCATE raw_products CASCADE",
    "UPDATE alembic_version SET version_num = '0001'",
    "SELECT rolpassword FROM pg_authid",
    # Due rules run with their owner's rights, so no role may use them as triggers on a table of its own.
    "CREATE TEMP TABLE mine (LIKE raw_products); CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW"
    " EXECUTE FUNCTION products_make_due()",
    "CREATE TEMP TABLE mine (LIKE product_photos); CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW"
    " EXECUTE FUNCTION photos_make_due()",
]

# What no single stage needs.
REFUSED_TO_STAGES = [
    *[
        f"UPDATE raw_products SET {column} = {column}"
        for column in ("id", "source", "external_id", "brand", "index_scope", "ximilar_target_count", "sync_status",
                       "synced_at", "created_at")
    ],
    "DELETE FROM raw_products",
    "DELETE FROM due_work",
    "DELETE FROM scraper_logs",
    "UPDATE due_work SET stage = stage",
    "UPDATE due_work SET product_id = product_id",
    "UPDATE due_work SET brand = brand",
    "INSERT INTO price_history (product_id, price, seen_at) SELECT id, 1, now() FROM raw_products",
    "UPDATE price_history SET price = 1",
    "SELECT FROM raw_availability",
    "INSERT INTO raw_stores (brand, store_id) VALUES ('zara', 1)",
    "SELECT FROM price_history",
]  # fmt: skip

_CATALOGUE = ["name", "price", "currency", "raw_data", "original_image_urls", "active", "last_scrape_id", "scraped_at"]
_IMAGES = ["image_urls"]
_COLLAGE = ["collage_url"]
_IMAGE_STATUS = ["image_status", "error_message"]
_XIMILAR = ["ximilar_status", "ximilar_synced_urls", "ximilar_synced_at"]
_SCRAPING = ["SELECT FROM scrapes", "SELECT FROM scraped_items", "SELECT FROM rejected_items", "DELETE FROM scrapes"]


def _setting(*groups: list[str]) -> list[str]:
    return [f"UPDATE raw_products SET {column} = {column}" for group in groups for column in group]


REFUSED = {
    "apify": [
        *_setting(_IMAGES, _COLLAGE, _IMAGE_STATUS, _XIMILAR),
        "SELECT FROM product_photos", "SELECT FROM photo_intents", "SELECT FROM product_collages",
        "DELETE FROM scrapes", "UPDATE due_work SET due_at = now()", NEW_DUE_ROW.format("originals"),
        "SELECT make_due(id, brand, 'originals') FROM raw_products",
    ],
    "downloader": [
        *_setting(_CATALOGUE, _COLLAGE, _XIMILAR), *_SCRAPING, PRODUCT, "DELETE FROM product_collages",
        NEW_DUE_ROW.format("collages"), "SELECT make_due(id, brand, 'collages') FROM raw_products",
    ],
    "collage": [
        *_setting(_CATALOGUE, _IMAGES, _XIMILAR), *_SCRAPING, PRODUCT, f"{PHOTO} FROM raw_products",
        "DELETE FROM product_photos", "SELECT FROM photo_intents", NEW_DUE_ROW.format("collages"),
        "SELECT make_due(id, brand, 'originals') FROM raw_products",
    ],
    "ximilar": [
        *_setting(_CATALOGUE, _IMAGES, _COLLAGE, ["image_status"]), *_SCRAPING[1:], PRODUCT,
        f"{PHOTO} FROM raw_products", "UPDATE scrapes SET state = state",
        "UPDATE product_photos SET state = 'gone'", "UPDATE product_collages SET key = 'k'",
        "SELECT FROM photo_intents", NEW_DUE_ROW.format("ximilar_index"),
    ],
    "scraper": [],
}  # fmt: skip


@pytest.fixture
def filled(each_db: Database) -> Database:
    """A product with a due row in every stage."""
    add_products(each_db, 1)
    for stage in ("collages", "ximilar_index", "availability"):
        execute(each_db, "INSERT INTO due_work (product_id, stage, brand, due_at) SELECT id, %s, brand, now()"
                         " FROM raw_products", stage)  # fmt: skip
    return each_db


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_not_write_for_other_stages(filled: Database, role: str) -> None:
    statements = [*REFUSED_TO_ALL, *(REFUSED_TO_STAGES if role != "scraper" else ()), *REFUSED[role]]
    permitted = []
    for statement in statements:
        try:
            with acting_as(filled, role) as cursor:
                cursor.execute(statement.encode())
        except DatabaseUnavailable as down:
            assert isinstance(down.__cause__, InsufficientPrivilege), statement
        else:
            permitted.append(statement)
    assert permitted == []


def test_scraper_may_write_for_all_stages(filled: Database) -> None:
    for statement in {*REFUSED_TO_STAGES, *(one for statements in REFUSED.values() for one in statements)}:
        with acting_as(filled, "scraper") as cursor, cursor.connection.transaction(force_rollback=True):
            cursor.execute(statement.encode())


@pytest.mark.parametrize("role", STAGE_OF)
def test_a_role_writes_due_rows_of_its_stage_and_reads_all(filled: Database, role: str) -> None:
    stages = ["originals", "collages", "ximilar_index", "availability"]
    for stage in stages:
        is_own = stage == STAGE_OF[role]
        try:
            with acting_as(filled, role) as cursor:
                assert work_queue.count_open(cursor, stage, BRAND).due == 1
                leases = work_queue.take(cursor, stage, BRAND, 10, LEASE)
                outcomes = [work_queue.LeaseOutcome(lease, "done") for lease in leases]
                assert len(work_queue.finish(cursor, stage, outcomes)) == 1
        except DatabaseUnavailable as down:
            assert not is_own
            assert 'violates row-level security policy for table "due_work"' in str(down)
        else:
            assert is_own
    still_due = execute(filled, "SELECT stage FROM due_work WHERE due_at IS NOT NULL")
    assert {row["stage"] for row in still_due} == set(stages) - {STAGE_OF[role]}


def test_scraper_writes_due_rows_of_any_stage(filled: Database) -> None:
    with acting_as(filled, "scraper") as cursor:
        for stage in ("originals", "availability"):
            (lease,) = work_queue.take(cursor, stage, BRAND, 10, LEASE)
            assert work_queue.finish(cursor, stage, [work_queue.LeaseOutcome(lease, "done")]) == {
                lease.product_id: True
            }


def test_a_lease_of_another_stage_cannot_be_finished_with_its_token(filled: Database) -> None:
    leases = take(filled)
    with pytest.raises(DatabaseUnavailable, match="row-level security"), acting_as(filled, "collage") as cursor:
        work_queue.finish(cursor, "originals", [work_queue.LeaseOutcome(leases[0], "given_up", "why")])
    assert finish(filled, leases) == {leases[0].product_id: True}


def test_due_rules_write_what_the_role_may_not_at_the_set_time(each_db: Database) -> None:
    with acting_as(each_db, "apify") as cursor:
        set_now(cursor, "2030-01-01 00:00:00+00")
        cursor.execute(PRODUCT.replace("scraped_at)", "scraped_at, price)").replace("now())", "now(), 9)").encode())
    (product,) = execute(each_db, "SELECT id FROM raw_products")
    row = due_row(each_db, product["id"], "originals")
    assert row is not None
    assert row["due_at"].year == 2030
    (price,) = execute(each_db, "SELECT seen_at, price FROM price_history")
    assert (price["seen_at"].year, price["price"]) == (2030, 9)
    with acting_as(each_db, "downloader") as cursor:
        cursor.execute(f"{PHOTO} FROM raw_products".replace("'gone'", "'stored'").encode())
    assert due_row(each_db, product["id"], "collages") is not None


def test_due_rules_call_no_function_that_a_role_defines(each_db: Database) -> None:
    add_products(each_db, 1)
    with acting_as(each_db, "apify") as cursor:
        cursor.execute(
            "CREATE TEMP TABLE due_work (product_id bigint, stage text, brand text, due_at timestamptz) ON COMMIT DROP"
        )
        cursor.execute("CREATE TEMP TABLE price_history (product_id bigint, price numeric) ON COMMIT DROP")
        cursor.execute("SET LOCAL search_path = pg_temp, public, pg_catalog")
        cursor.execute("UPDATE public.raw_products SET price = 5, active = false")
    assert [row["price"] for row in execute(each_db, "SELECT price FROM price_history")] == [5]
    assert execute(each_db, "SELECT 1 FROM due_work WHERE due_at IS NOT NULL") == []


def test_a_login_without_rights_is_reported_in_one_sentence(server: Server, database_url: str) -> None:
    sentence = r"^the database .* can't be used: permission denied for table raw_products \(connected as downloader\);"
    with Database(url_as(server, database_url, "downloader")) as db, pytest.raises(DatabaseUnavailable, match=sentence):
        execute(db, "UPDATE raw_products SET price = 1")
