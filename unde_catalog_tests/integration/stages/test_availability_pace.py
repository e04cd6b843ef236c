"""The availability stage over time: its request rate, its pauses, and runs that poll for due work."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from unde_catalog.backends import Backends
from unde_catalog.cli import status as reading
from unde_catalog.stores.staging.due_work import host_pace
from unde_catalog.stores.staging.due_work.host_pace import RequestSlot
from unde_catalog.worker.handler import StageStopped
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.support.simulated_time import SimulatedTime
from unde_catalog_tests.support.stock import NOON, rows, run


def test_failures_slow_requests_down_and_successes_restore_the_rate(
    open_backends: Callable[..., Backends], sandbox: Sandbox, simulated_time: SimulatedTime
) -> None:
    backends = open_backends()
    sandbox.control(next_faults={"stock": ["526", "526", "526"]})
    run(backends, "availability", limit=3, force=True)
    (slowed,) = backends.db.run(host_pace.states)
    assert slowed.pause > 0 and slowed.slowed_at is not None
    assert (slowed.reason, slowed.troubles) == ("http_526", 3)
    status = str(reading.status_view(reading.status(backends.db)))
    assert f"{slowed.host}: throttled, {slowed.pause:.1f} s between requests since" in status
    assert run(backends, "availability").done == 17
    assert max(simulated_time.slept) >= slowed.pause * 0.5, "no request waited"
    (recovered,) = backends.db.run(host_pace.states)
    assert (recovered.pause, recovered.slowed_at, recovered.troubles) == (0, None, 3)


def test_a_pause_doubles_once_for_all_concurrent_requests(open_backends: Callable[..., Backends]) -> None:
    db = open_backends().db
    slot = db.run(host_pace.next_slot, "shop", 0.0)
    for _ in range(5):
        db.run(host_pace.slow_down, "shop", "http_429", slot)
    assert [state.pause for state in db.run(host_pace.states) if state.host == "shop"] == [host_pace.FIRST_PAUSE]
    for _ in range(20):
        db.run(host_pace.slow_down, "shop", "http_429", RequestSlot(0, host_pace.LONGEST_PAUSE))
    assert [state.pause for state in db.run(host_pace.states) if state.host == "shop"] == [host_pace.LONGEST_PAUSE]


def test_retry_after_pauses_every_request(open_backends: Callable[..., Backends]) -> None:
    db = open_backends().db
    slot = db.run(host_pace.next_slot, "shop", 0.0)
    db.run(host_pace.slow_down, "shop", "http_429", slot, hold_seconds=120)
    assert 100 < db.run(host_pace.next_slot, "shop", 0.0).wait <= 120
    db.run(host_pace.slow_down, "shop", "http_429", slot, hold_seconds=1e9)
    assert db.run(host_pace.next_slot, "shop", 0.0).wait <= host_pace.LONGEST_HOLD


def test_a_stock_api_that_asks_for_hours_is_left_alone_by_later_runs(
    open_backends: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = open_backends()
    sandbox.control(next_faults={"stock": ["429-in-7200"]})
    requests = []
    for _ in range(2):
        with pytest.raises(StageStopped, match="asked for no requests for another 2 hours; then a run goes on"):
            run(backends, "availability", force=True)
        requests.append(len(sandbox.log("stock")))
    assert requests[1] == requests[0], "the second run sent requests"
    assert execute(backends.db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []
    execute(backends.db, "UPDATE host_holds SET asked_at = unde_now() + interval '1 hour'")  # the clock was turned back
    execute(backends.db, "DELETE FROM host_pace")
    assert run(backends, "availability", limit=1).done == 1


def test_requests_are_spaced_across_processes(open_backends: Callable[..., Backends]) -> None:
    db = open_backends().db
    waits = [db.run(host_pace.next_slot, "shop", 10.0).wait for _ in range(4)]
    assert [round(later - earlier) for earlier, later in zip(waits, waits[1:], strict=False)] == [10, 10, 10]


def test_a_host_that_never_responds_stops_the_run_with_one_sentence(
    open_backends: Callable[..., Backends], sandbox: Sandbox
) -> None:
    backends = open_backends()
    sandbox.control(faults="stock:403=1")
    with pytest.raises(StageStopped) as stopped:
        run(backends, "availability", force=True, poll_minutes=60)
        run(backends, "availability", retry_failed=True, poll_minutes=60)
    assert "availability of zara stopped: the stock API at 127.0.0.1:" in str(stopped.value)
    assert "does not respond: http_403" in str(stopped.value)
    assert rows(backends) == {}
    assert execute(backends.db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []


def test_a_polling_run_checks_every_product_once_in_its_hour(
    open_backends: Callable[..., Backends], sandbox: Sandbox, simulated_time: SimulatedTime
) -> None:
    backends = open_backends()
    report = run(backends, "availability", poll_minutes=60)
    assert report.done == 20
    requested = [entry["product"] for entry in sandbox.log("stock")]
    colours = {product: requested.count(product) for product in requested}
    assert len(colours) == 20 and max(colours.values()) <= 3  # one request per colour
    assert simulated_time.now == NOON + timedelta(hours=1)
    minutes = execute(backends.db, "SELECT date_trunc('minute', done_at) AS minute, count(*) AS n FROM due_work"
                      " WHERE stage = 'availability' GROUP BY 1")  # fmt: skip
    assert max(row["n"] for row in minutes) == 1, "late products were checked in a burst"


def test_only_scheduled_runs_spread_late_work_after_an_outage(
    open_backends: Callable[..., Backends], simulated_time: SimulatedTime
) -> None:
    backends = open_backends()
    execute(  # more than a hundred late products, since fewer are not spread
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
    products = execute(backends.db, "SELECT count(*) AS n FROM raw_products")[0]["n"]
    assert products == 250
    simulated_time.advance(3 * 3600)
    assert run(backends, "availability", limit=5).done == 5  # a manual run processes all due products
    assert run(backends, "availability", poll_minutes=1).done < 20, "late products were checked in a burst"
    late = execute(
        backends.db, "SELECT count(*) AS n FROM due_work WHERE stage = 'availability' AND due_at <= unde_now()"
    )
    assert late[0]["n"] < 20
    simulated_time.advance(3 * 3600)
    assert run(backends, "availability").done > 200


def test_a_polling_run_ends_with_its_day(open_backends: Callable[..., Backends], simulated_time: SimulatedTime) -> None:
    backends = open_backends()
    simulated_time.set(NOON + timedelta(hours=11, minutes=40))
    run(backends, "availability", poll_minutes=60, day=date(2026, 3, 2))
    assert simulated_time.now == NOON + timedelta(hours=12)


def test_a_limit_ends_a_polling_run(open_backends: Callable[..., Backends]) -> None:
    backends = open_backends()
    assert run(backends, "availability", poll_minutes=60, force=True, limit=2).done == 2
