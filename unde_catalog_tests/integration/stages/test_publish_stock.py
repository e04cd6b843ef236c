"""Availability and stores in a publication: only of products on sale, the latest row wins, none is skipped."""

from decimal import Decimal
from typing import Any

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.stock import stock_rows
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import add_good, assert_idle, publish


def add_stock(db: Database, product: str, sizes: str = '["S"]', store: int = 4483, ago: str = "1 minute") -> None:
    """Add a product's stock in a store, fetched this long ago."""
    execute(
        db,
        "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
        " VALUES ('zara', %s, %s, %s, now() - %s::interval)"
        " ON CONFLICT (brand, store_id, product_id, to_date_immutable(fetched_at)) DO UPDATE"
        " SET sizes_in_stock = excluded.sizes_in_stock, fetched_at = excluded.fetched_at",
        store, product, sizes, ago,
    )  # fmt: skip


def stock(production: Database) -> dict[tuple[str, int], Any]:
    rows = execute(production, "SELECT external_id, store_id, sizes_in_stock FROM catalog_availability")
    return {(row["external_id"], row["store_id"]): row["sizes_in_stock"] for row in rows}


def test_the_latest_stock_of_products_on_sale_is_published(db: Database, production: Database) -> None:
    ids = add_good(db, 4)
    execute(db, "UPDATE raw_products SET price = 0 WHERE id = %s", ids[3])
    add_stock(db, "1", '["M"]', ago="1 day")
    add_stock(db, "1", '["S"]')
    add_stock(db, "1", "[]", store=12013)
    add_stock(db, "4")
    add_stock(db, "nobody-knows")
    add_stock(db, "2", ago="3 days")
    assert publish(db, production).counts == {"new": 3, "availability": 2}
    assert stock(production) == {("1", 4483): ["S"], ("1", 12013): []}
    assert publish(db, production).counts == {}
    add_stock(db, "1", '["L"]', ago="1 second")
    add_stock(db, "3", '["L"]', ago="1 second")
    assert publish(db, production).counts == {"availability": 2}
    assert stock(production) == {("1", 4483): ["L"], ("1", 12013): [], ("3", 4483): ["L"]}
    # The product is published later than its stock was fetched.
    execute(db, "UPDATE raw_products SET price = 100 WHERE id = %s", ids[3])
    assert publish(db, production).counts == {"new": 1, "availability": 1}
    assert stock(production)["4", 4483] == ["S"]
    execute(db, "UPDATE raw_products SET price = 0 WHERE id = %s", ids[0])
    add_stock(db, "1", '["XL"]', ago="0 seconds")
    assert publish(db, production).counts == {"hidden": 1}
    assert stock(production)["1", 4483] == ["L"]
    assert_idle(db, production)


def test_stock_that_was_committed_late_is_not_skipped(db: Database, production: Database) -> None:
    add_good(db, 2)
    add_stock(db, "1", ago="1 second")
    publish(db, production)
    add_stock(db, "2", ago="2 minutes")
    assert publish(db, production).counts == {"availability": 1}


def test_stock_is_published_in_pages(db: Database, production: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_good(db, 30)
    publish(db, production)
    for product in range(1, 31):
        add_stock(db, str(product), ago="5 minutes")
    add_stock(db, "1", store=1, ago="4 minutes")
    monkeypatch.setattr(stock_rows, "PAGE", 7)
    assert publish(db, production).counts == {"availability": 31}


def test_a_partial_run_publishes_only_the_stock_of_its_products(db: Database, production: Database) -> None:
    add_good(db, 3)
    publish(db, production)
    for product in ("1", "2"):
        add_stock(db, product)
    assert publish(db, production, product_ids=("1",), force=True).counts == {"unchanged": 1, "availability": 1}
    assert publish(db, production).counts == {"availability": 1}


def test_stores_are_published_and_updated(db: Database, production: Database) -> None:
    execute(
        db,
        "INSERT INTO raw_stores (brand, store_id, name, mall_name, latitude, longitude)"
        " VALUES ('zara', 4483, 'Mall', NULL, 25.1181234, 55.2006543), ('oysho', 1, 'Other', 'x', NULL, NULL)",
    )
    assert publish(db, production).counts == {"stores": 1}
    assert publish(db, production).counts == {}
    execute(db, "UPDATE raw_stores SET name = 'The Mall' WHERE store_id = 4483")
    assert publish(db, production).counts == {"stores": 1}
    (row,) = execute(production, "SELECT * FROM catalog_stores")
    assert (row["name"], row["city"], row["country"], row["latitude"]) == (
        "The Mall", "Dubai", "AE", Decimal("25.1181234"),
    )  # fmt: skip
