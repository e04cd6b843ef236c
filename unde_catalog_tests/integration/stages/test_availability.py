"""The availability stage against the sandbox's shops: what is in stock, what is not, and what is unknown."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from unde_catalog.backends import Backends
from unde_catalog.cli import status as reading
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.staging.due_work import host_pace
from unde_catalog.stores.staging.due_work.host_pace import RequestSlot
from unde_catalog.worker.handler import StageStopped
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox, Server
from unde_catalog_tests.support.simulated_time import SimulatedTime
from unde_catalog_tests.support.stock import rows, run, truth

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def time(server: Server, database_url: str) -> Iterator[SimulatedTime]:
    simulated = SimulatedTime(server.direct_url(database_url), NOON)
    yield simulated
    simulated.close()


@pytest.fixture
def shops(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], time: SimulatedTime
) -> Iterator[Callable[..., Backends]]:
    """Opens a backends with a brand collected; the shops' day is the database's, and waiting takes no time."""
    opened: list[Backends] = []

    def open_with(brand: str = "zara", **settings: str) -> Backends:
        configured(sandbox, **settings)
        sandbox.control(shops={"now": NOON.isoformat()})
        backends = Backends(load_settings(), time.clock)
        opened.append(backends)
        assert run(backends, "raw_products", brand).done == 20
        return backends

    yield open_with
    for backends in opened:
        backends.close()


@pytest.mark.parametrize(
    ("brand", "shape"),
    [("zara", "zara"), ("bershka", "campaign"), ("oysho", "available-sizes"), ("pullandbear", "skus"),
     ("stradivarius", "zara"), ("massimodutti", "skus")],
)  # fmt: skip
def test_every_shape_finds_what_lies_in_the_shops(
    brand: str, shape: str, shops: Callable[..., Backends], sandbox: Sandbox
) -> None:
    place = shops(brand, **{f"{brand.upper()}_STOCK_SHAPE": shape})
    report = run(place, "availability", brand, force=True)
    expected = truth(sandbox, place, brand)
    assert len(expected) == 20
    if shape == "campaign":  # sold out everywhere is an empty list there, which is unknown
        expected = {product: there for product, there in expected.items() if any(there.values())}
    assert rows(place, brand) == expected
    assert report.done == len(expected)
    assert report.done + report.failed == 20
    assert report.counts["in_stock"] == sum(bool(sizes) for there in expected.values() for sizes in there.values())
    assert report.counts["sold_out"] == sum(not sizes for there in expected.values() for sizes in there.values())


def test_sold_out_is_an_empty_list_and_what_is_withheld_is_not_written(
    shops: Callable[..., Backends], sandbox: Sandbox
) -> None:
    place = shops("bershka")
    run(place, "availability", "bershka", force=True)
    before = rows(place, "bershka")
    gone, *others = list(before)
    sandbox.control(shops={"withhold": {"bershka": [gone]}, "now": (NOON + timedelta(hours=3)).isoformat()})
    report = run(place, "availability", "bershka", force=True)
    assert report.later["unknown_stock"] >= 1
    assert rows(place, "bershka")[gone] == before[gone], "unknown changed what was known"
    assert any(rows(place, "bershka")[other] != before[other] for other in others), "nothing changed over three hours"
    zara = shops("zara")
    sold_out = list(truth(sandbox, zara))[0]
    sandbox.control(shops={"sold_out": {"zara": [sold_out]}})
    run(zara, "availability", force=True)
    assert set(map(tuple, rows(zara)[sold_out].values())) == {()}


FAULTS = {
    "403": "http_403", "429": "http_429", "526": "http_526", "500": "http_500", "404": "http_404", "timeout": "timeout",
    "drip": "timeout", "html": "not_json", "empty": "not_json", "not-json": "not_json", "lost": "reset",
    "wrong-types": "unknown_stock", "endless": "too_large", "redirect-loop": "http_302",
}  # fmt: skip


def test_no_answer_is_unknown_writes_nothing_and_the_product_keeps_its_hour(
    shops: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = shops(STOCK_TIMEOUT="1")
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


def test_distress_slows_a_host_down_and_good_answers_bring_it_back(
    shops: Callable[..., Backends], sandbox: Sandbox, time: SimulatedTime
) -> None:
    backends = shops()
    sandbox.control(next_faults={"stock": ["526", "526", "526"]})
    run(backends, "availability", limit=3, force=True)
    (slowed,) = backends.db.run(host_pace.states)
    assert slowed.pause > 0 and slowed.slowed_at is not None
    assert (slowed.reason, slowed.troubles) == ("http_526", 3)
    told = str(reading.status_view(reading.status(backends.db)))
    assert f"{slowed.host}: throttled, {slowed.pause:.1f} s between requests since" in told
    assert run(backends, "availability").done == 17
    assert max(time.slept) >= slowed.pause * 0.5, "nobody waited"
    (recovered,) = backends.db.run(host_pace.states)
    assert (recovered.pause, recovered.slowed_at, recovered.troubles) == (0, None, 3)


def test_a_pause_doubles_once_for_all_requests_that_were_under_way(shops: Callable[..., Backends]) -> None:
    db = shops().db
    turn = db.run(host_pace.next_slot, "shop", 0.0)
    for _ in range(5):
        db.run(host_pace.slow_down, "shop", "http_429", turn)
    assert [one.pause for one in db.run(host_pace.states) if one.host == "shop"] == [host_pace.FIRST_PAUSE]
    for _ in range(20):
        db.run(host_pace.slow_down, "shop", "http_429", RequestSlot(0, host_pace.LONGEST_PAUSE))
    assert [one.pause for one in db.run(host_pace.states) if one.host == "shop"] == [host_pace.LONGEST_PAUSE]


def test_retry_after_holds_up_everybody(shops: Callable[..., Backends]) -> None:
    db = shops().db
    turn = db.run(host_pace.next_slot, "shop", 0.0)
    db.run(host_pace.slow_down, "shop", "http_429", turn, hold_seconds=120)
    assert 100 < db.run(host_pace.next_slot, "shop", 0.0).wait <= 120
    db.run(host_pace.slow_down, "shop", "http_429", turn, hold_seconds=1e9)
    assert db.run(host_pace.next_slot, "shop", 0.0).wait <= host_pace.LONGEST_HOLD


def test_requests_are_spaced_over_all_processes(shops: Callable[..., Backends]) -> None:
    db = shops().db
    waits = [db.run(host_pace.next_slot, "shop", 10.0).wait for _ in range(4)]
    assert [round(later - earlier) for earlier, later in zip(waits, waits[1:], strict=False)] == [10, 10, 10]


def test_a_host_that_never_answers_stops_the_run_with_one_sentence(
    shops: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = shops()
    sandbox.control(faults="stock:403=1")
    with pytest.raises(StageStopped) as stopped:
        run(backends, "availability", force=True, poll_minutes=60)
        run(backends, "availability", retry_failed=True, poll_minutes=60)
    assert "availability of zara stopped: the stock API at 127.0.0.1:" in str(stopped.value)
    assert "does not respond: http_403" in str(stopped.value)
    assert rows(backends) == {}
    assert execute(backends.db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []


def test_an_unchanged_answer_writes_nothing_and_moves_the_time_once_an_hour(
    shops: Callable[..., Backends], time: SimulatedTime
) -> None:
    backends = shops()
    run(backends, "availability", force=True)
    written = "(ctid, xmin, xmax)::text"
    first = rows(backends, columns=written)
    time.advance(3_000)
    assert run(backends, "availability", force=True).done == 20
    assert rows(backends, columns=written) == first, "an unchanged answer was written, or locked for writing"
    time.advance(600)
    assert run(backends, "availability", force=True).done == 20
    assert set(map(str, (at for there in rows(backends, columns="fetched_at").values() for at in there.values()))) == {
        str(NOON + timedelta(hours=1))
    }
    assert execute(backends.db, "SELECT count(*) AS n FROM raw_availability") == [
        {"n": sum(len(there) for there in first.values())}
    ]


def test_a_new_utc_day_has_rows_of_its_own(shops: Callable[..., Backends], time: SimulatedTime) -> None:
    backends = shops()
    run(backends, "availability", force=True)
    time.advance(12 * 3600)
    run(backends, "availability", force=True)
    days = execute(
        backends.db, "SELECT fetched_at::date::text AS day, count(*) AS n FROM raw_availability GROUP BY 1 ORDER BY 1"
    )
    assert [row["day"] for row in days] == ["2026-03-02", "2026-03-03"]
    assert days[0]["n"] == days[1]["n"] > 100


@pytest.mark.parametrize(("day", "says"), [(1, "is over, and stock can be checked only today"), (3, "has not begun")])
def test_only_today_can_be_asked_for(day: int, says: str, shops: Callable[..., Backends], sandbox: Sandbox) -> None:
    place = shops()
    with pytest.raises(StageStopped, match=f"2026-03-0{day} {says}.*today .UTC. is 2026-03-02"):
        run(place, "availability", day=date(2026, 3, day))
    assert sandbox.log("stock") == []
    assert run(place, "availability", day=date(2026, 3, 2), force=True).done == 20


def test_a_run_stays_for_what_comes_due_and_asks_for_every_product_once_in_its_hour(
    shops: Callable[..., Backends], sandbox: Sandbox, time: SimulatedTime
) -> None:
    backends = shops()
    report = run(backends, "availability", poll_minutes=60)
    assert report.done == 20
    asked = [entry["product"] for entry in sandbox.log("stock")]
    colours = {product: asked.count(product) for product in asked}
    assert len(colours) == 20 and max(colours.values()) <= 3  # a request for each colour
    assert time.now == NOON + timedelta(hours=1)
    minutes = execute(backends.db, "SELECT date_trunc('minute', done_at) AS minute, count(*) AS n FROM due_work"
                      " WHERE stage = 'availability' GROUP BY 1")  # fmt: skip
    assert max(row["n"] for row in minutes) == 1, "a burst"


def test_after_an_outage_the_hours_run_spreads_what_is_late_and_one_by_hand_works_it_off(
    shops: Callable[..., Backends], time: SimulatedTime
) -> None:
    backends = shops()
    execute(  # many more than a hundred are late: fewer are no burst
        backends.db,
        "INSERT INTO raw_products (source, external_id, brand, scraped_at, raw_data)"
        " SELECT source, n::text, brand, scraped_at, raw_data FROM raw_products, generate_series(1, 10) AS n"
        " WHERE external_id = (SELECT min(external_id) FROM raw_products)",
    )
    for stage in range(11):
        execute(
            backends.db,
            "INSERT INTO raw_products (source, external_id, brand, scraped_at, raw_data)"
            " SELECT source, external_id || '-' || %s, brand, scraped_at, raw_data FROM raw_products"
            " WHERE length(external_id) > 5 AND external_id NOT LIKE '%%-%%'",
            str(stage),
        )
    run(backends, "availability", force=True)
    everything = execute(backends.db, "SELECT count(*) AS n FROM raw_products")[0]["n"]
    assert everything == 250
    time.advance(3 * 3600)
    assert run(backends, "availability", limit=5).done == 5  # by hand, and it works off what is due
    assert run(backends, "availability", poll_minutes=1).done < 20, "a burst"
    late = execute(
        backends.db, "SELECT count(*) AS n FROM due_work WHERE stage = 'availability' AND due_at <= unde_now()"
    )
    assert late[0]["n"] < 20
    time.advance(3 * 3600)
    assert run(backends, "availability").done > 200


def test_a_run_that_stays_ends_with_its_day(shops: Callable[..., Backends], time: SimulatedTime) -> None:
    place = shops()
    time.set(NOON + timedelta(hours=11, minutes=40))
    run(place, "availability", poll_minutes=60, day=date(2026, 3, 2))
    assert time.now == NOON + timedelta(hours=12)


def test_a_limit_ends_a_run_that_stays(shops: Callable[..., Backends]) -> None:
    place = shops()
    assert run(place, "availability", poll_minutes=60, force=True, limit=2).done == 2


def test_a_product_without_ids_is_given_up_and_asked_for_when_its_item_has_them(
    shops: Callable[..., Backends], time: SimulatedTime
) -> None:
    backends = shops()
    (product,) = execute(backends.db, "SELECT external_id, raw_data FROM raw_products ORDER BY id LIMIT 1")
    execute(backends.db, "UPDATE raw_products SET raw_data = '{}' WHERE external_id = %s", product["external_id"])
    report = run(backends, "availability", force=True)
    assert (report.done, dict(report.given_up)) == (19, {"nothing_to_ask": 1})
    time.advance(7200)
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
    ("unset", "says"),
    [
        ({"DUBAI_OYSHO_STORES": "", "OYSHO_STOCK_API_URL": ""}, "DUBAI_OYSHO_STORES, OYSHO_STOCK_API_URL"),
        ({"OYSHO_STOCK_CHANNEL": ""}, "OYSHO_STOCK_CHANNEL"),
    ],
)
def test_a_brand_without_shops_is_not_configured_and_no_failure(
    unset: dict[str, str], says: str, shops: Callable[..., Backends]
) -> None:
    place = shops("oysho", **unset)
    assert run(place, "availability", "oysho").note == f"not configured: set {says}"


def test_shops_are_found_once_and_described_again_when_they_change(
    shops: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = shops()
    first = run(backends, "raw_stores")
    stores = backends.settings.brands["zara"].stores
    assert (first.counts["stores"], first.counts["new"], first.counts["changed"]) == (len(stores), len(stores), 0)
    assert "1 more in Dubai that DUBAI_ZARA_STORES does not list" in first.note
    found = execute(backends.db, "SELECT store_id, name, city, country, latitude FROM raw_stores ORDER BY store_id")
    assert [row["store_id"] for row in found] == sorted(stores)
    assert all(row["name"].startswith("Zara, ") and row["city"] == "Dubai" and row["country"] == "AE" for row in found)
    assert all(row["latitude"] is not None for row in found)
    execute(backends.db, "UPDATE raw_stores SET address = 'elsewhere' WHERE store_id = %s", stores[0])
    again = run(backends, "raw_stores")
    assert (again.counts["new"], again.counts["changed"]) == (0, 1)
    sandbox.control(faults="finder:403=1")
    with pytest.raises(StageStopped, match="the store finder at 127.0.0.1:.* returned no list of stores: http_403"):
        run(backends, "raw_stores")
    assert len(execute(backends.db, "SELECT 1 FROM raw_stores")) == len(stores)
