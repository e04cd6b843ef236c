"""Workers as processes that share a brand, are stopped, killed and interrupted."""

import signal
import subprocess
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog_tests.support.concurrent_writers import MIN_TURNS, WriterGroup
from unde_catalog_tests.support.due import BRAND, STAGE, add_products, due_row, execute, poll
from unde_catalog_tests.support.workers import prepare, report_of, worker

pytestmark = pytest.mark.slow

ONE_HANDLED = "SELECT count(*) = 1 FROM handled"
LEASES_EXPIRED = "SELECT bool_and(leased_until < now()) FROM due_work WHERE lease_token IS NOT NULL"


@pytest.fixture(autouse=True)
def handled(db: Database) -> None:
    prepare(db)


def test_eight_processes_process_every_product_of_a_brand_once(db: Database, database_url: str) -> None:
    add_products(db, 400)
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(database_url, f"w{n}", take_limit=10)) for n in range(8)]
        reports = [report_of(one, seconds=60) for one in workers]
    assert sum(report["done"] for report in reports) == 400
    assert all(report["superseded"] == 0 for report in reports)
    assert execute(db, "SELECT count(*) AS n, count(DISTINCT product_id) AS products FROM handled") == [
        {"n": 400, "products": 400}
    ]
    assert execute(db, "SELECT 1 FROM due_work WHERE due_at IS NOT NULL OR lease_token IS NOT NULL") == []
    assert len([report for report in reports if report["done"]]) > 1


def test_a_worker_that_resumes_after_its_lease_changes_nothing(db: Database, database_url: str, tmp_path: Path) -> None:
    add_products(db, 1)
    folder = str(tmp_path / "objects")
    stored = tmp_path / "objects" / "toys" / "1"
    with worker(database_url, "sleeper", folder=folder, waits=True, lease=1.0) as sleeper:
        poll(database_url, ONE_HANDLED)
        sleeper.send_signal(signal.SIGSTOP)
        poll(database_url, LEASES_EXPIRED)
        with worker(database_url, "other", folder=folder) as other:
            assert report_of(other)["done"] == 1
        before = stored.read_bytes(), stored.stat().st_mtime_ns, execute(db, "SELECT xmin, * FROM due_work"), execute(
            db, "SELECT xmin, * FROM raw_products"
        )  # fmt: skip
        sleeper.send_signal(signal.SIGCONT)
        report = report_of(sleeper, ".")
    assert (report["done"], report["superseded"]) == (0, 1)
    assert before == (
        stored.read_bytes(), stored.stat().st_mtime_ns, execute(db, "SELECT xmin, * FROM due_work"),
        execute(db, "SELECT xmin, * FROM raw_products"),
    )  # fmt: skip
    assert stored.read_bytes() == b"other"


def test_products_of_a_killed_worker_are_due_after_its_lease(db: Database, database_url: str) -> None:
    products = add_products(db, 6)
    with worker(database_url, "killed", waits=True, concurrency=4, lease=1.5) as killed:
        poll(database_url, "SELECT count(*) = 4 FROM handled")
        killed.kill()
        killed.wait(10)
        with worker(database_url, "early") as early:
            report = report_of(early)
        assert report["done"] + report["leased_elsewhere"] + report["still_due"] >= 6
        poll(database_url, "SELECT count(*) = 0 FROM due_work WHERE leased_until > now()")
        with worker(database_url, "late") as late:
            report_of(late)
    assert [due_row(db, product)["done_at"] is not None for product in products] == [True] * 6  # type: ignore[index]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("raises", [False, True], ids=["plain", "under an engine"])
def test_an_interrupted_worker_releases_its_products_at_once(
    db: Database, database_url: str, number: signal.Signals, raises: bool
) -> None:
    add_products(db, 8)
    with worker(database_url, "interrupted", waits=True, concurrency=4, raises=raises) as interrupted:
        poll(database_url, "SELECT count(*) = 4 FROM handled")
        interrupted.send_signal(number)
        assert interrupted.stdin is not None
        interrupted.stdin.write("....")  # lets its threads finish
        interrupted.stdin.flush()
        assert interrupted.wait(60) != 0
    assert execute(db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []
    done = execute(db, "SELECT count(*) AS n FROM due_work WHERE done_at IS NOT NULL")[0][
        "n"
    ]  # finished before the signal
    assert db.run(work_queue.count_open, STAGE, BRAND) == work_queue.OpenWork(due=8 - done, leased=0)
    assert execute(db, "SELECT DISTINCT attempts FROM due_work") == [{"attempts": 0}]


def test_nothing_is_released_while_a_thread_still_works_on_it(db: Database, database_url: str, tmp_path: Path) -> None:
    add_products(db, 1)
    stored = tmp_path / "objects" / "toys" / "1"
    with worker(database_url, "slow", folder=str(tmp_path / "objects"), waits=True) as slow:
        poll(database_url, ONE_HANDLED)
        slow.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            slow.wait(1)
        assert db.run(work_queue.take, STAGE, BRAND, 1, timedelta(minutes=1)) == []
        assert slow.stdin is not None
        slow.stdin.write(".")
        slow.stdin.flush()
        assert slow.wait(60) == 128 + signal.SIGTERM
    assert stored.read_bytes() == b"slow"
    assert len(db.run(work_queue.take, STAGE, BRAND, 1, timedelta(minutes=1))) == 1


def test_concurrent_writers_of_all_kinds_never_deadlock(each_db: Database, each_url: str) -> None:
    add_products(each_db, 200)
    writers = WriterGroup(each_url)
    poll(each_url, "SELECT sum(wanted) > 3000 FROM due_work", seconds=60)
    assert min(writers.end()) >= MIN_TURNS
    assert execute(each_db, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [
        {"deadlocks": 0}
    ]
    # Every active, pending product is due for originals, waits, or was given up.
    assert (
        execute(
            each_db,
            "SELECT p.id FROM raw_products p LEFT JOIN due_work w ON w.product_id = p.id AND w.stage = 'originals'"
            " WHERE p.active AND p.image_status = 'pending' AND w.due_at IS NULL AND w.given_up IS DISTINCT FROM true"
            " UNION ALL SELECT p.id FROM raw_products p JOIN due_work w ON w.product_id = p.id"
            " WHERE NOT p.active AND w.stage = 'originals' AND w.due_at IS NOT NULL",
        )
        == []
    )
