"""What makes a product due, for every writer: the triggers of `stores/staging/schema/due_rules.sql`."""

from datetime import timedelta

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome
from unde_catalog_tests.support.due import BRAND, STAGE, add_products, due_row, execute, is_due

LEASE = timedelta(minutes=10)


def take_and_finish(db: Database, kind: work_queue.Settlement = "done", stage: str = STAGE) -> None:
    """Take everything that is due for a stage, and finish it."""
    leases = db.run(work_queue.take, stage, BRAND, 100, LEASE)
    db.run(work_queue.finish, stage, [LeaseOutcome(lease, kind, "why") for lease in leases])


def add_photo(db: Database, product: int, n: int = 1, state: str = "stored", sha256: str = "a") -> None:
    execute(
        db,
        "INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, fetched_at)"
        " VALUES (%s, %s, 'https://cdn.test/1.jpg', %s, 'k', %s, now())",
        product, n, state, sha256,
    )  # fmt: skip


def status(db: Database, product: int) -> tuple[str, str | None]:
    row = execute(db, "SELECT image_status, error_message FROM raw_products WHERE id = %s", product)[0]
    return row["image_status"], row["error_message"]


def test_a_product_that_any_writer_inserts_is_due_for_originals(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    assert is_due(each_db, product)
    assert due_row(each_db, product, "collages") is None


@pytest.mark.parametrize(
    ("image_status", "active", "stages"),
    [
        ("pending", True, {"originals"}),
        ("uploaded", True, {"collages", "production_catalog"}),
        ("collage_ready", True, {"production_catalog"}),
        ("error", True, {"production_catalog"}),
        ("pending", False, set()),
    ],
)
def test_a_product_inserted_with_a_status_is_due_for_the_next_stage(
    db: Database, image_status: str, active: bool, stages: set[str]
) -> None:
    add_products(db, 1, image_status=image_status, active=active)
    assert {row["stage"] for row in execute(db, "SELECT stage FROM due_work WHERE due_at IS NOT NULL")} == stages


def test_new_photo_urls_reset_the_status_and_make_originals_due(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    take_and_finish(each_db, "given_up")
    execute(each_db, "UPDATE raw_products SET image_status = 'error', error_message = 'gone'")
    assert not is_due(each_db, product)
    execute(each_db, """UPDATE raw_products SET original_image_urls = '["https://cdn.test/2.jpg"]'""")
    assert status(each_db, product) == ("pending", None)
    row = due_row(each_db, product)
    assert row is not None
    assert (row["due"], row["given_up"], row["attempts"], row["item_faults"], row["reason"], row["failing_since"]) == (
        True, False, 0, 0, None, None,
    )  # fmt: skip


def test_new_photo_urls_override_a_status_set_in_the_same_statement(db: Database) -> None:
    (product,) = add_products(db, 1)
    take_and_finish(db)
    execute(db, """UPDATE raw_products SET original_image_urls = '["https://x/2.jpg"]', image_status = 'uploaded'""")
    assert status(db, product)[0] == "pending"
    assert is_due(db, product)


@pytest.mark.parametrize(("image_status", "stage"), [("pending", "originals"), ("uploaded", "collages")])
def test_setting_a_status_by_hand_makes_its_stage_due(each_db: Database, image_status: str, stage: str) -> None:
    (product,) = add_products(each_db, 1, image_status="collage_ready")
    assert not is_due(each_db, product, stage)
    execute(each_db, "UPDATE raw_products SET image_status = %s", image_status)
    assert is_due(each_db, product, stage)


def test_a_product_waiting_for_a_retry_is_due_when_its_photos_change(db: Database) -> None:
    (product,) = add_products(db, 1)
    take_and_finish(db, "later")
    assert not is_due(db, product)
    execute(db, """UPDATE raw_products SET original_image_urls = '["https://cdn.test/2.jpg"]'""")
    assert is_due(db, product)


def test_an_update_that_changes_nothing_fires_nothing(each_db: Database) -> None:
    (product,) = add_products(each_db, 1, price=5)
    before = due_row(each_db, product), execute(each_db, "SELECT xmin, * FROM due_work")
    execute(
        each_db,
        "UPDATE raw_products SET scraped_at = now(), name = 'x', price = 5.00, image_status = image_status,"
        """ active = true, original_image_urls = '[ "https://cdn.test/1.jpg" ]'""",
    )
    assert (due_row(each_db, product), execute(each_db, "SELECT xmin, * FROM due_work")) == before
    assert len(execute(each_db, "SELECT * FROM price_history")) == 1


def test_an_inactive_product_is_due_only_when_it_is_active_again(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    add_photo(each_db, product)
    execute(each_db, "UPDATE raw_products SET active = false")
    assert execute(each_db, "SELECT * FROM due_work WHERE due_at IS NOT NULL") == []
    execute(each_db, "UPDATE raw_products SET active = true")
    assert is_due(each_db, product)
    assert is_due(each_db, product, "collages")


def test_a_product_given_up_without_photos_is_tried_again_when_active(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    take_and_finish(each_db, "given_up")
    execute(each_db, "UPDATE raw_products SET image_status = 'error', error_message = 'no photo'")
    execute(each_db, "UPDATE raw_products SET active = false")
    assert status(each_db, product) == ("error", "no photo")
    execute(each_db, "UPDATE raw_products SET active = true")
    assert status(each_db, product) == ("pending", None)
    assert is_due(each_db, product)


def test_finished_work_is_not_repeated_when_a_product_is_active_again(db: Database) -> None:
    (product,) = add_products(db, 1)
    take_and_finish(db)
    execute(db, "UPDATE raw_products SET image_status = 'collage_ready'")
    execute(db, "UPDATE raw_products SET active = false")
    execute(db, "UPDATE raw_products SET active = true")
    assert not is_due(db, product)


@pytest.mark.parametrize("how", ["changed", "later", "given_up", "killed", "released"])
def test_unfinished_work_is_due_when_a_product_is_active_again(each_db: Database, how: str) -> None:
    (product,) = add_products(each_db, 1, image_status="collage_ready")
    add_photo(each_db, product)
    if how in ("later", "given_up"):
        take_and_finish(each_db, how, "collages")  # type: ignore[arg-type]
    leases = each_db.run(work_queue.take, "collages", BRAND, 1, LEASE) if how in ("killed", "released") else []
    execute(each_db, "UPDATE raw_products SET active = false")
    if how == "released":
        each_db.run(work_queue.finish, "collages", [LeaseOutcome(leases[0], "released")])
    assert not is_due(each_db, product, "collages")
    execute(each_db, "UPDATE raw_products SET active = true")
    assert is_due(each_db, product, "collages")


def test_a_photo_that_changes_on_an_inactive_product_is_not_lost(each_db: Database) -> None:
    (product,) = add_products(each_db, 1, image_status="collage_ready")
    add_photo(each_db, product)
    take_and_finish(each_db, "done", "collages")
    execute(each_db, "UPDATE raw_products SET active = false")
    execute(each_db, "UPDATE product_photos SET sha256 = 'b'")
    take_and_finish(each_db, "later", "collages")
    assert not is_due(each_db, product, "collages")
    execute(each_db, "UPDATE raw_products SET active = true")
    assert is_due(each_db, product, "collages")


@pytest.mark.parametrize(
    ("change", "due"),
    [
        ("INSERT INTO product_photos (product_id, n, source_url, state, sha256, fetched_at)"
         " SELECT product_id, 2, 'u', 'stored', 'b', now() FROM product_photos", True),
        ("INSERT INTO product_photos (product_id, n, source_url, state, reason, fetched_at)"
         " SELECT product_id, 2, 'u', 'gone', 'http_404', now() FROM product_photos", False),
        ("UPDATE product_photos SET sha256 = 'b'", True),
        ("UPDATE product_photos SET state = 'gone'", True),
        ("UPDATE product_photos SET n = 2", True),
        ("UPDATE product_photos SET fetched_at = now(), reason = 'x', source_url = 'u'", False),
        ("DELETE FROM product_photos", True),
    ],
)  # fmt: skip
def test_stored_photos_that_change_make_collages_due(each_db: Database, change: str, due: bool) -> None:
    (product,) = add_products(each_db, 1)
    add_photo(each_db, product)
    execute(each_db, "UPDATE raw_products SET image_status = 'uploaded'")
    take_and_finish(each_db, "done", "collages")
    assert not is_due(each_db, product, "collages")
    execute(each_db, change)
    assert is_due(each_db, product, "collages") is due


def test_collages_wait_until_all_photos_are_stored(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    add_photo(each_db, product)
    assert not is_due(each_db, product, "collages")
    execute(each_db, "UPDATE raw_products SET image_status = 'uploaded'")
    assert is_due(each_db, product, "collages")
    take_and_finish(each_db, "done", "collages")
    execute(each_db, "UPDATE raw_products SET original_image_urls = '[\"http://x/new\"]'")  # pending again
    execute(each_db, "UPDATE product_photos SET sha256 = 'another'")
    row = due_row(each_db, product, "collages")
    assert row is not None
    assert (row["due_at"], row["wanted"] - row["taken"]) == (None, 1)


def test_a_product_left_without_photos_loses_its_old_collage(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    execute(each_db, "UPDATE raw_products SET collage_url = 'old', image_status = 'error'")
    assert is_due(each_db, product, "collages")


def test_photos_that_were_never_stored_make_nothing_due(db: Database) -> None:
    (product,) = add_products(db, 1)
    add_photo(db, product, state="failed")
    execute(db, "UPDATE product_photos SET state = 'refused'")
    execute(db, "DELETE FROM product_photos")
    assert due_row(db, product, "collages") is None


def test_deleting_a_product_deletes_its_due_work(db: Database) -> None:
    (product,) = add_products(db, 1)
    add_photo(db, product)
    execute(db, "DELETE FROM raw_products")
    assert execute(db, "SELECT * FROM due_work") == []


def test_a_product_that_moves_to_another_brand_takes_its_due_work_along(db: Database) -> None:
    add_products(db, 1, brand="Zara")
    execute(db, "UPDATE raw_products SET brand = 'zara'")
    assert len(db.run(work_queue.take, STAGE, "zara", 10, LEASE)) == 1


def test_every_change_of_a_price_is_kept(each_db: Database) -> None:
    (product,) = add_products(each_db, 1, price=699)
    for change in ("price = 599.50", "price = 599.50, name = 'same'", "price = NULL", "price = 1", "currency = 'EUR'"):
        execute(each_db, f"UPDATE raw_products SET {change}")
    rows = execute(each_db, "SELECT price::text, currency FROM price_history ORDER BY seen_at")
    assert [(row["price"], row["currency"]) for row in rows] == [
        ("699.00", "AED"), ("599.50", "AED"), (None, "AED"), ("1.00", "AED"), ("1.00", "EUR"),
    ]  # fmt: skip


def test_a_product_inserted_without_a_price_has_no_price_history(each_db: Database) -> None:
    add_products(each_db, 1)
    execute(each_db, "UPDATE raw_products SET currency = 'EUR'")
    assert execute(each_db, "SELECT * FROM price_history") == []


def test_a_price_that_changes_twice_in_a_transaction_is_kept_once(db: Database) -> None:
    add_products(db, 1)
    with db.transaction() as cursor:
        cursor.execute("UPDATE raw_products SET price = 1")
        cursor.execute("UPDATE raw_products SET price = 2")
    assert [row["price"] for row in execute(db, "SELECT price FROM price_history")] == [2]
