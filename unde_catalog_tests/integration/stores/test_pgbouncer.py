"""Many workers share ten server connections through PgBouncer, which may be killed, full, or refuse a login."""

import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.worker.handler import Outcome, StageStopped, done
from unde_catalog_tests.support.due import Toy, ToyStage, add_products, execute, expire_leases, number, poll, run
from unde_catalog_tests.support.pgbouncer import ABSENT, PgBouncer, session_state
from unde_catalog_tests.support.servers import Server, missing
from unde_catalog_tests.support.workers import prepare, report_of, worker

POOL = 10  # server connections, as in production
WORKERS = 16
PRODUCTS = 640
ALL_ARE_DONE = (
    "SELECT count(*) = 0 FROM due_work WHERE done_at IS NULL OR due_at IS NOT NULL OR lease_token IS NOT NULL"
)


@pytest.fixture
def pooler(server: Server) -> PgBouncer:
    if server.pgbouncer is None:
        missing(ABSENT)
    return server.pgbouncer


@pytest.fixture
def direct_url(server: Server, database_url: str) -> str:
    return server.direct_url(database_url)


class Watch(threading.Thread):
    """Samples the server connections of a database, and the longest wait of a client for one (seconds)."""

    def __init__(self, pooler: PgBouncer, direct_url: str, name: str) -> None:
        super().__init__()
        self._pooler, self._direct_url, self._name = pooler, direct_url, name
        self._ended = threading.Event()
        self.connections, self.longest_wait, self.clients = 0, 0.0, 0

    def run(self) -> None:
        with psycopg.connect(self._direct_url, autocommit=True, application_name="watch") as connection:
            while not self._ended.wait(0.05):
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND backend_type = 'client backend'"
                    " AND usename <> current_user"
                ).fetchone()
                assert row is not None
                self.connections = max(self.connections, row[0])
                for pool in self._pooler.pool(self._name):
                    self.longest_wait = max(self.longest_wait, pool["maxwait"] + pool["maxwait_us"] / 1e6)
                    self.clients = max(self.clients, pool["cl_active"] + pool["cl_waiting"])

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def begin_together(
    stack: ExitStack, url: str, direct_url: str, count: int, **task: float
) -> list[subprocess.Popen[str]]:
    """Worker processes; each has leased products and waits before it works on them."""
    workers = [stack.enter_context(worker(url, f"w{n}", waits=True, **task)) for n in range(count)]
    poll(direct_url, f"SELECT count(DISTINCT worker) = {count} FROM handled", seconds=60)
    return workers


def go(process: subprocess.Popen[str]) -> None:
    """Let a waiting worker continue to its end."""
    assert process.stdin is not None
    process.stdin.write("." * 4000)
    process.stdin.flush()


@pytest.mark.slow
def test_sixteen_processes_share_one_brand_and_ten_connections(
    db: Database, database_url: str, direct_url: str, pooler: PgBouncer
) -> None:
    prepare(db)
    add_products(db, PRODUCTS)
    with (
        Watch(pooler, direct_url, str(conninfo_to_dict(direct_url)["dbname"])) as watch,
        ExitStack() as stack,
    ):
        workers = begin_together(stack, database_url, direct_url, WORKERS)
        for process in workers:
            go(process)
        reports = [report_of(process, seconds=120) for process in workers]
    assert [report["stopped"] for report in reports] == [None] * WORKERS
    assert sum(report["done"] for report in reports) == PRODUCTS
    assert all(report["superseded"] == 0 for report in reports)
    assert execute(db, "SELECT count(*) AS n, count(DISTINCT product_id) AS products FROM handled") == [
        {"n": PRODUCTS, "products": PRODUCTS}
    ]
    assert min(report["done"] for report in reports) >= PRODUCTS / WORKERS / 4
    assert watch.clients > POOL >= watch.connections
    assert watch.longest_wait < 5  # of a patience of 30


def test_the_pool_and_the_server_are_as_in_production(db: Database, server: Server, pooler: PgBouncer) -> None:
    config = {row["key"]: row["value"] for row in pooler.console("SHOW CONFIG")}
    expected = {
        "pool_mode": "transaction", "default_pool_size": "10", "max_client_conn": "200", "auth_type": "scram-sha-256",
    }  # fmt: skip
    assert {name: config[name] for name in expected} == expected
    settings = {
        "effective_cache_size": "3GB", "work_mem": "16MB", "maintenance_work_mem": "256MB", "max_connections": "100",
        "checkpoint_completion_target": "0.9", "synchronous_commit": "off", "wal_level": "minimal",
        "max_wal_senders": "0",
    }  # fmt: skip
    for name, value in settings.items():
        assert execute(db, f"SHOW {name}") == [{name: value}]
    with psycopg.connect(server.admin_url) as connection:
        rows = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'undeuser'").fetchall()
    assert rows and all(secret.startswith("SCRAM-SHA-256$") for (secret,) in rows)
    wrong = make_conninfo(server.admin_url, user="undeuser", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_leftover_session_state_is_found(server: Server, pooler: PgBouncer) -> None:
    url = server.new_database()
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as leaking:
        leaking.execute("SET work_mem = '1MB'")
        leaking.execute("SELECT 12345")
        leaking.execute("SELECT pg_advisory_lock(7)")
    left = session_state(url, 1)
    server.drop(url)
    assert "SET work_mem = 1024" in left
    assert "advisory lock 7" in left
    assert "prepared SELECT 12345" in left


@contextmanager
def away(pooler: PgBouncer) -> Iterator[None]:
    pooler.kill()
    try:
        yield
    finally:
        pooler.start()


@pytest.mark.slow
def test_a_killed_pooler_that_restarts_costs_at_most_one_stopped_run(
    db: Database, database_url: str, direct_url: str, pooler: PgBouncer
) -> None:
    prepare(db)
    add_products(db, 400)
    with ExitStack() as stack:
        workers = begin_together(stack, database_url, direct_url, 4, lease=3.0)
        for process in workers:
            go(process)
        poll(direct_url, "SELECT count(*) > 80 FROM due_work WHERE done_at IS NOT NULL")
        with away(pooler):
            pass
        reports = [report_of(process, seconds=60) for process in workers]
    for report in reports:
        assert report["stopped"] is None or "can't be used: " in report["stopped"]
        assert "\n" not in (report["stopped"] or "")
    expire_leases(db)
    with worker(database_url, "next") as process:
        assert report_of(process)["stopped"] is None
    poll(direct_url, ALL_ARE_DONE)
    assert execute(db, "SELECT DISTINCT attempts FROM due_work") == [{"attempts": 0}]


def test_an_unreachable_pooler_stops_the_stage_and_loses_nothing(
    db: Database, database_url: str, direct_url: str, pooler: PgBouncer
) -> None:
    add_products(db, 10)
    with ExitStack() as killed:

        async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
            if number(work[0]) == 6:
                killed.enter_context(away(pooler))
            yield done(work[0].lease)

        with (
            Database(database_url, patience=1) as impatient,
            pytest.raises(StageStopped, match="^originals of zara stopped: the database t_.* can't be used: .*refused"),
        ):
            run(impatient, ToyStage(handle, concurrency=1))
    expire_leases(db)
    run(db, ToyStage())
    poll(direct_url, ALL_ARE_DONE)


def test_a_wrong_password_is_reported_at_once_and_not_repeated(database_url: str, pooler: PgBouncer) -> None:
    wrong = make_conninfo(database_url, password="tell-nobody")
    with Database(wrong, patience=600) as db:
        with pytest.raises(DatabaseUnavailable, match="can't be used: .*SASL authentication failed; set the") as down:
            execute(db, "SELECT 1")
        assert "tell-nobody" not in f"{down.value} {db!r}"


def test_waiting_for_a_server_connection_times_out(database_url: str, pooler: PgBouncer) -> None:
    with ExitStack() as stack:
        for _ in range(POOL):
            stack.enter_context(psycopg.connect(database_url)).execute("SELECT 1")
        with (
            Database(database_url, patience=0.5) as db,
            pytest.raises(DatabaseUnavailable, match="can't be used: no response within 0.5 s"),
        ):
            execute(db, "SELECT 1")


def test_a_new_time_also_applies_to_open_connections(
    server: Server, pooler: PgBouncer, db: Database, database_url: str
) -> None:
    moments = [f"{year}-01-01 00:00:00+00" for year in (2030, 2031, 2032)]
    for moment in moments:
        server.set_now(database_url, moment)
        assert execute(db, "SELECT unde_now() = %s::timestamptz AS moved", moment) == [{"moved": True}]
