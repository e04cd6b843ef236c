"""Publishing from the staging into the production database: what is on sale, and what is hidden and why."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.production_catalog import publish as stage
from unde_catalog.stages.production_catalog import reconcile, write_back
from unde_catalog.stages.production_catalog.product_rules import Candidate, RuleViolation
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.production import publications
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.stock import brand_stores
from unde_catalog_tests.support.due import add_products, due_row, execute, is_due
from unde_catalog_tests.support.publishing import (
    GOOD,
    PHOTO,
    add_good,
    assert_idle,
    on_sale,
    publish,
    published_rows,
    statuses,
    stop_message,
)

STAGE = "production_catalog"


def test_valid_products_are_published_unchanged_and_once(db: Database, production: Database) -> None:
    add_good(db, 3, sizes=["S", "M"], price=Decimal("99.90"), collage_url="https://store.test/c.jpg")
    report = publish(db, production)
    assert (report.done, report.counts) == (3, {"new": 3})
    assert published_rows(production)["1"] == {
        "name": "SHIRT", "price": Decimal("99.90"), "currency": "AED", "category": "woman-shirts",
        "image_urls": [PHOTO], "collage_url": "https://store.test/c.jpg", "active": True, "inactive_reason": None,
    }  # fmt: skip
    assert statuses(db) == {"synced": 3}
    assert publish(db, production).done == 0
    assert_idle(db, production)
    assert len(execute(production, "SELECT 1 FROM catalog_publications")) == 1  # a run without work adds none


def test_an_invalid_product_is_skipped_until_it_changes(db: Database, production: Database) -> None:
    bad = add_good(db, 20)[0]
    execute(db, "UPDATE raw_products SET price = 0, name = ' ' WHERE id = %s", bad)
    report = publish(db, production)
    assert (report.done, dict(report.given_up)) == (19, {"price_missing": 1})
    assert report.examples == {"price_missing": ["1"]}
    row = due_row(db, bad, STAGE)
    assert row is not None
    assert (row["given_up"], row["reason"], row["detail"]) == (
        True, "price_missing", "its price is 0.00; it has no name",
    )  # fmt: skip
    assert statuses(db) == {"synced": 19, "skipped": 1}
    execute(db, "UPDATE raw_products SET price = 90, name = 'SHIRT' WHERE id = %s", bad)
    assert statuses(db) == {"synced": 19, "pending": 1}
    assert publish(db, production).done == 1
    assert statuses(db) == {"synced": 20}
    assert len(on_sale(production)) == 20


def test_a_published_product_that_becomes_invalid_is_hidden_unchanged(db: Database, production: Database) -> None:
    ids = add_good(db, 20)
    publish(db, production)
    execute(db, "UPDATE raw_products SET price = NULL WHERE id = %s", ids[0])
    execute(db, "UPDATE raw_products SET price = 100000 WHERE id = %s", ids[1])
    assert publish(db, production).counts == {"hidden": 2}
    hidden = published_rows(production)["1"]
    assert (hidden["active"], hidden["inactive_reason"], hidden["price"]) == (False, "price_missing", Decimal("100.00"))
    assert published_rows(production)["2"]["inactive_reason"] == "price_implausible"
    # Another implausible price is compared with the published one, not with the last implausible one.
    execute(db, "UPDATE raw_products SET price = 99000 WHERE id = %s", ids[1])
    assert dict(publish(db, production).given_up) == {"price_implausible": 1}
    execute(db, "UPDATE raw_products SET price = 110 WHERE id = ANY(%s)", ids[:2])
    assert publish(db, production).counts == {"changed": 2}
    assert len(on_sale(production)) == 20


def test_an_operator_can_publish_an_implausible_price(db: Database, production: Database) -> None:
    ids = add_good(db, 20)
    publish(db, production)
    execute(db, "UPDATE raw_products SET price = 2000 WHERE id = %s", ids[0])
    assert dict(publish(db, production).given_up) == {"price_implausible": 1}
    report = publish(db, production, limits=PublishFields(publish_max_price_change=30), retry_failed=True)
    assert report.counts == {"changed": 1}
    assert publish(db, production, force=True).counts == {"unchanged": 20}


def test_a_product_no_longer_on_sale_becomes_inactive_and_can_return(db: Database, production: Database) -> None:
    ids = add_good(db, 20)
    publish(db, production)
    execute(db, "UPDATE raw_products SET active = false WHERE id = ANY(%s)", ids[:3])
    report = publish(db, production)
    assert (report.done, report.counts) == (3, {"left": 3})
    assert published_rows(production)["1"]["inactive_reason"] == "left_the_shop"
    assert len(on_sale(production)) == 17
    assert statuses(db) == {"synced": 20}
    execute(db, "UPDATE raw_products SET active = true WHERE id = %s", ids[0])
    assert publish(db, production).counts == {"changed": 1}
    assert "1" in on_sale(production)
    assert len(published_rows(production)) == 20


def test_a_product_that_no_scrape_saw_is_retried_automatically(db: Database, production: Database) -> None:
    ids = add_good(db, 20)
    execute(db, "UPDATE raw_products SET scraped_at = now() - interval '30 days' WHERE id = %s", ids[0])
    report = publish(db, production)
    assert dict(report.later) == {"not_seen": 1}
    assert statuses(db) == {"synced": 19, "skipped": 1}
    row = due_row(db, ids[0], STAGE)
    assert row is not None and row["due_at"] is not None and not row["given_up"]


def test_a_change_during_publishing_stays_due(
    db: Database, production: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (product,) = add_good(db, 1)
    settle = write_back.settle

    def change_then_settle(*args: Any) -> None:
        execute(db, "UPDATE raw_products SET price = 120 WHERE id = %s", product)
        settle(*args)

    with monkeypatch.context() as patch:
        patch.setattr(write_back, "settle", change_then_settle)
        publish(db, production)
    assert published_rows(production)["1"]["price"] == 100
    assert is_due(db, product, STAGE)
    assert statuses(db) == {"pending": 1}
    assert publish(db, production).counts == {"changed": 1}
    assert published_rows(production)["1"]["price"] == 120


def test_a_product_deactivated_during_publishing_is_hidden_by_the_next(
    db: Database, production: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add_good(db, 2)
    settle = write_back.settle

    def leave_then_settle(*args: Any) -> None:
        execute(db, "UPDATE raw_products SET active = false WHERE id = %s", ids[0])
        settle(*args)

    with monkeypatch.context() as patch:
        patch.setattr(write_back, "settle", leave_then_settle)
        publish(db, production)
    assert on_sale(production) == {"1", "2"}
    assert publish(db, production).counts == {"left": 1}
    assert on_sale(production) == {"2"}


def test_a_limit_and_product_ids_publish_only_those(db: Database, production: Database) -> None:
    add_good(db, 5)
    assert publish(db, production, limit=2).done == 2
    assert len(on_sale(production)) == 2
    selected = next(iter({"1", "2", "3", "4", "5"} - on_sale(production)))
    assert publish(db, production, product_ids=(selected,)).done == 1
    assert selected in on_sale(production)
    report = publish(db, production, max_minutes=0)
    assert (report.done, report.still_due, report.note) == (
        0, 2, "max_minutes passed before everything was prepared: nothing was published",
    )  # fmt: skip
    assert_idle(db, production)
    assert publish(db, production).done == 2


def test_a_brand_that_another_run_publishes_is_left_to_it(db: Database, production: Database) -> None:
    add_good(db, 3)
    claim = production.run(publications.claim, "zara", "another", timedelta(minutes=2))
    assert claim is not None
    report = publish(db, production)
    assert (report.done, report.leased_elsewhere, report.note) == (0, 1, "another run is publishing this brand")
    assert statuses(db) == {"pending": 3}
    assert publish(db, production, "oysho").done == 0  # another brand is free
    production.run(publications.release, claim)
    assert publish(db, production).done == 3


def test_concurrent_runs_publish_each_product_once(db: Database, production: Database) -> None:
    add_good(db, 2_500)
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(publish(db, production))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.done for report in reports) == 2_500
    assert sum(report.counts["new"] for report in reports) == 2_500
    assert len(on_sale(production)) == 2_500
    assert_idle(db, production)


def test_a_first_price_is_compared_with_the_price_history(db: Database, production: Database) -> None:
    ids = add_good(db, 20, image_status="pending")
    execute(
        db,
        "INSERT INTO price_history (product_id, price, currency, seen_at)"
        " SELECT id, 100, 'AED', now() - n * interval '1 day' FROM raw_products, generate_series(1, 3) AS n",
    )
    execute(db, "UPDATE raw_products SET price = 1 WHERE id = %s", ids[0])
    execute(db, "UPDATE raw_products SET image_status = 'uploaded'")
    report = publish(db, production)
    assert (report.done, dict(report.given_up)) == (19, {"price_implausible": 1})
    assert "from 100.00 to 1.00" in report.details["price_implausible"]


def test_staging_is_untouched_while_production_is_down(db: Database) -> None:
    add_good(db, 3)
    with Database("postgresql://nobody:secret@127.0.0.1:9/none", patience=1) as away:
        message = stop_message(db, away)
    assert message.startswith("production_catalog of zara stopped: the database none at 127.0.0.1:9 can't be used: ")
    assert "secret" not in message
    assert statuses(db) == {"pending": 3}
    assert execute(db, "SELECT 1 FROM due_work WHERE stage = %s AND taken > 0", STAGE) == []


def test_a_publication_not_written_back_is_settled_by_the_next_run(
    db: Database, production: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_good(db, 3)

    def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("the database staging can't be used: cut")

    with monkeypatch.context() as patch:
        patch.setattr(work_queue, "finish", fail)
        assert "cut" in stop_message(db, production)
    assert len(on_sale(production)) == 3
    assert statuses(db) == {"pending": 3}
    assert publish(db, production).done == 3
    assert statuses(db) == {"synced": 3}
    assert_idle(db, production)


def test_products_lost_in_a_production_crash_are_published_again(
    db: Database, production: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_good(db, 3)
    stores = brand_stores.of_brand

    def crash(cursor: Cursor, brand: str) -> Any:
        execute(production, "TRUNCATE catalog_incoming_products")
        return stores(cursor, brand)

    with monkeypatch.context() as patch:
        patch.setattr(brand_stores, "of_brand", crash)
        assert "the production server crashed while the brand was prepared" in stop_message(db, production)
    assert on_sale(production) == set()
    assert_idle(db, production)
    assert publish(db, production).done == 3


def test_an_unexpected_error_in_one_product_does_not_stop_the_brand(
    db: Database, production: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add_good(db, 3)
    real_violations = stage.violations

    def violations(product: Candidate, limits: PublishFields) -> Iterator[RuleViolation]:
        if product.name == "ODD":
            raise ZeroDivisionError("odd")
        return real_violations(product, limits)

    execute(db, "UPDATE raw_products SET name = 'ODD' WHERE id = %s", ids[0])
    monkeypatch.setattr(stage, "violations", violations)
    report = publish(db, production)
    assert (report.done, dict(report.later)) == (2, {"unexpected_error": 1})
    assert statuses(db) == {"synced": 2, "error": 1}


def test_production_and_staging_match_until_another_program_writes(db: Database, production: Database) -> None:
    ids = add_good(db, 5)
    add_products(db, 2, "oysho", **{**GOOD, "image_status": "pending"})
    publish(db, production)
    execute(db, "UPDATE raw_products SET price = 90 WHERE id = %s", ids[0])
    assert reconcile.compare("zara", db, production).matches
    execute(production, "DELETE FROM catalog_products WHERE external_id IN ('2', '3', '4')")
    comparison = reconcile.compare("zara", db, production)
    assert (comparison.matches, comparison.on_sale, comparison.synced, comparison.waiting) == (False, 2, 4, 1)
    publish(db, production, force=True)
    assert reconcile.compare("zara", db, production).matches
