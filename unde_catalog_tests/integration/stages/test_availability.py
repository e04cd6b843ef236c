"""The availability stage and the sandbox's shops: what is in stock, what is not, and what is unknown."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from unde_catalog.backends import Backends
from unde_catalog.worker.handler import StageStopped
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.support.simulated_time import SimulatedTime
from unde_catalog_tests.support.stock import NOON, rows, run, truth


@pytest.mark.parametrize(
    ("brand", "shape"),
    [("zara", "zara"), ("bershka", "campaign"), ("oysho", "available-sizes"), ("pullandbear", "skus"),
     ("stradivarius", "zara"), ("massimodutti", "skus")],
)  # fmt: skip
def test_every_shape_finds_the_stock_of_the_stores(
    brand: str, shape: str, open_backends: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = open_backends(brand, **{f"{brand.upper()}_STOCK_SHAPE": shape})
    report = run(backends, "availability", brand, force=True)
    expected = truth(sandbox, backends, brand)
    assert len(expected) == 20
    if shape == "campaign":  # if sold out everywhere, the response is an empty list, which means unknown
        expected = {product: stock for product, stock in expected.items() if any(stock.values())}
    assert rows(backends, brand) == expected
    assert report.done == len(expected)
    assert report.done + report.failed == 20
    assert report.counts["in_stock"] == sum(bool(sizes) for stock in expected.values() for sizes in stock.values())
    assert report.counts["sold_out"] == sum(not sizes for stock in expected.values() for sizes in stock.values())


def test_sold_out_is_an_empty_list_and_withheld_stock_is_not_written(
    open_backends: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = open_backends("bershka")
    run(backends, "availability", "bershka", force=True)
    before = rows(backends, "bershka")
    gone, *others = list(before)
    sandbox.control(shops={"withhold": {"bershka": [gone]}, "now": (NOON + timedelta(hours=3)).isoformat()})
    report = run(backends, "availability", "bershka", force=True)
    assert report.later["unknown_stock"] >= 1
    assert rows(backends, "bershka")[gone] == before[gone], "unknown stock overwrote known stock"
    assert any(rows(backends, "bershka")[other] != before[other] for other in others), "no stock changed in three hours"
    zara = open_backends("zara")
    sold_out = list(truth(sandbox, zara))[0]
    sandbox.control(shops={"sold_out": {"zara": [sold_out]}})
    run(zara, "availability", force=True)
    assert set(map(tuple, rows(zara)[sold_out].values())) == {()}


FAULTS = {
    "403": "http_403", "429": "http_429", "526": "http_526", "500": "http_500", "404": "http_404", "timeout": "timeout",
    "drip": "timeout", "html": "not_json", "empty": "not_json", "not-json": "not_json", "lost": "reset",
    "wrong-types": "unknown_stock", "endless": "too_large", "redirect-loop": "http_302",
}  # fmt: skip


def test_a_missing_response_writes_nothing_and_keeps_the_products_slot(
    open_backends: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = open_backends(STOCK_TIMEOUT="1")
    assert run(backends, "availability", limit=1, force=True).done == 1
    known = rows(backends)
    for fault, reason in FAULTS.items():
        sandbox.control(faults=f"stock:{fault}=1")
        report = run(backends, "availability", limit=1)
        assert (report.done, dict(report.later)) == (0, {reason: 1}), fault
    assert rows(backends) == known
    due = execute(
        backends.db,
        "SELECT extract(epoch FROM due_at - unde_now())::int AS seconds, given_up, attempts FROM due_work"
        " WHERE stage = 'availability' AND attempts > 0",
    )
    assert len(due) == len(FAULTS)
    assert all(0 < row["seconds"] <= 3600 and not row["given_up"] and row["attempts"] == 1 for row in due)


def test_unchanged_stock_only_updates_its_time_once_an_hour(
    open_backends: Callable[..., Backends], simulated_time: SimulatedTime
) -> None:
    backends = open_backends()
    run(backends, "availability", force=True)
    written = "(ctid, xmin, xmax)::text"
    first = rows(backends, columns=written)
    simulated_time.advance(3_000)
    assert run(backends, "availability", force=True).done == 20
    assert rows(backends, columns=written) == first, "unchanged stock was written or locked"
    simulated_time.advance(600)
    assert run(backends, "availability", force=True).done == 20
    assert set(map(str, (at for stock in rows(backends, columns="fetched_at").values() for at in stock.values()))) == {
        str(NOON + timedelta(hours=1))
    }
    assert execute(backends.db, "SELECT count(*) AS n FROM raw_availability") == [
        {"n": sum(len(stock) for stock in first.values())}
    ]


def test_each_utc_day_has_its_own_rows(open_backends: Callable[..., Backends], simulated_time: SimulatedTime) -> None:
    backends = open_backends()
    run(backends, "availability", force=True)
    simulated_time.advance(12 * 3600)
    run(backends, "availability", force=True)
    days = execute(
        backends.db, "SELECT fetched_at::date::text AS day, count(*) AS n FROM raw_availability GROUP BY 1 ORDER BY 1"
    )
    assert [row["day"] for row in days] == ["2026-03-02", "2026-03-03"]
    assert days[0]["n"] == days[1]["n"] > 100


@pytest.mark.parametrize(
    ("day", "message"), [(1, "is over, and stock can be checked only today"), (3, "has not begun")]
)
def test_only_the_current_day_can_be_materialized(
    day: int, message: str, open_backends: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = open_backends()
    with pytest.raises(StageStopped, match=f"2026-03-0{day} {message}.*today .UTC. is 2026-03-02"):
        run(backends, "availability", day=date(2026, 3, day))
    assert sandbox.log("stock") == []
    assert run(backends, "availability", day=date(2026, 3, 2), force=True).done == 20


def test_a_product_without_ids_is_given_up_until_its_item_has_them(
    open_backends: Callable[..., Backends], simulated_time: SimulatedTime
) -> None:
    backends = open_backends()
    (product,) = execute(backends.db, "SELECT external_id, raw_data FROM raw_products ORDER BY id LIMIT 1")
    execute(backends.db, "UPDATE raw_products SET raw_data = '{}' WHERE external_id = %s", product["external_id"])
    report = run(backends, "availability", force=True)
    assert (report.done, dict(report.given_up)) == (19, {"nothing_to_ask": 1})
    simulated_time.advance(7200)
    execute(
        backends.db,
        "UPDATE raw_products p SET raw_data = jsonb_set(q.raw_data, '{id}', to_jsonb(p.external_id)),"
        " updated_at = unde_now() FROM (SELECT raw_data FROM raw_products ORDER BY id DESC LIMIT 1) q"
        " WHERE p.external_id = %s",
        product["external_id"],
    )
    run(backends, "availability", poll_minutes=60)
    assert product["external_id"] in rows(backends)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DUBAI_OYSHO_STORES": "", "OYSHO_STOCK_API_URL": ""}, "DUBAI_OYSHO_STORES, OYSHO_STOCK_API_URL"),
        ({"OYSHO_STOCK_CHANNEL": ""}, "OYSHO_STOCK_CHANNEL"),
    ],
)
def test_a_brand_without_stores_is_not_configured(
    settings: dict[str, str], message: str, open_backends: Callable[..., Backends]
) -> None:
    backends = open_backends("oysho", **settings)
    assert run(backends, "availability", "oysho").note == f"not configured: set {message}"


def test_stores_are_found_once_and_updated_when_they_change(
    open_backends: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = open_backends()
    first = run(backends, "raw_stores")
    stores = backends.settings.brands["zara"].stores
    assert (first.counts["stores"], first.counts["new"], first.counts["changed"]) == (len(stores), len(stores), 0)
    assert "1 more in Dubai that DUBAI_ZARA_STORES does not list" in first.note
    found = execute(backends.db, "SELECT store_id, name, city, country, latitude FROM raw_stores ORDER BY store_id")
    assert [row["store_id"] for row in found] == sorted(stores)
    assert all(row["name"].startswith("Zara, ") and row["city"] == "Dubai" and row["country"] == "AE" for row in found)
    assert all(row["latitude"] is not None for row in found)
    execute(backends.db, "UPDATE raw_stores SET address = 'elsewhere' WHERE store_id = %s", stores[0])
    second = run(backends, "raw_stores")
    assert (second.counts["new"], second.counts["changed"]) == (0, 1)
    sandbox.control(faults="finder:403=1")
    with pytest.raises(StageStopped, match="the store finder at 127.0.0.1:.* returned no list of stores: http_403"):
        run(backends, "raw_stores")
    assert len(execute(backends.db, "SELECT 1 FROM raw_stores")) == len(stores)
