"""Failures of the staging database during a run: restart, lost connections, read-only, a lost password or right."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db import database
from unde_catalog.worker.handler import StageStopped
from unde_catalog_tests.support import pgbouncer
from unde_catalog_tests.support.due import poll
from unde_catalog_tests.support.outages import Baseline, Pipeline, run_stages
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.servers import Server, wheel_server
from unde_catalog_tests.torture.trial_system import wait_until_available

pytestmark = pytest.mark.slow

AT = 5  # the put at which the failure begins
STAGES = ("originals", "collages")


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A PostgreSQL for these tests, behind PgBouncer if that is installed."""
    program = pgbouncer.program()
    with wheel_server(18) as running, ExitStack() as stack:
        if program is not None:
            running.use_pgbouncer(stack.enter_context(pgbouncer.pgbouncer(program, running.admin_url)))
            assert running.pgbouncer is not None
            # A query sent at the moment the server stops waits for so many seconds; the default is two minutes.
            running.pgbouncer.console("SET query_wait_timeout = 2")
        yield running


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait one second for a connection instead of half a minute."""
    defaults = database.Database.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(database.Database.__init__, "__kwdefaults__", {**defaults, "max_connections": 4, "patience": 1})


@pytest.fixture
def pipeline(own_server: Server, open_pipeline: Callable[..., Pipeline]) -> Pipeline:
    return open_pipeline(on=own_server)


def administer(server: Server, *statements: str) -> None:
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def cut_all(server: Server) -> None:
    administer(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user")


def shut_down(server: Server, signal_number: signal.Signals) -> None:
    """Stop the server (SIGINT: fast, SIGQUIT: immediate shutdown). Its supervisor restarts it."""
    with psycopg.connect(server.admin_url) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    os.kill(int((Path(row[0]) / "postmaster.pid").read_text().split("\n", 1)[0]), signal_number)


def run_until_done(pipeline: Pipeline, stage: str) -> None:
    """Repeat the command until no work is left. It may stop with one sentence, and leases expire in between."""
    for _ in range(12):
        try:
            report = pipeline.run(stage)
        except StageStopped as stopped:
            assert "can't be used: " in str(stopped) and "\n" not in str(stopped)
        else:
            if not report.still_due and not report.leased_elsewhere:
                return
        wait_until_available(lambda: psycopg.connect(pipeline.system.database_url)).close()
        pipeline.expire_leases()
    raise AssertionError(f"{stage} still has work left")


def connect_by(way: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect past PgBouncer or through it."""
    if way == "direct":
        monkeypatch.setattr(server, "pgbouncer", None)
    elif server.pgbouncer is None:
        pytest.skip(pgbouncer.ABSENT)


# No more than these, because the supervisor gives up a server that ends five times within a minute.
RESTARTS = [
    ("direct", signal.SIGINT, "originals"),
    ("direct", signal.SIGQUIT, "raw_products"),
    ("pooled", signal.SIGQUIT, "originals"),
    ("pooled", signal.SIGINT, "collages"),
]


@pytest.mark.parametrize(("way", "signal_number", "during"), RESTARTS)
def test_a_restarted_server_costs_at_most_one_stopped_run(
    own_server: Server, open_pipeline: Callable[..., Pipeline], baseline: Baseline, monkeypatch: pytest.MonkeyPatch,
    way: str, signal_number: signal.Signals, during: str,
) -> None:  # fmt: skip
    connect_by(way, own_server, monkeypatch)
    pipeline = open_pipeline(on=own_server)
    for stage in ("raw_products", *STAGES):
        if stage != during:
            pipeline.run(stage)
            continue
        if stage == "raw_products":
            pipeline.at_log("Apify run", lambda: shut_down(own_server, signal_number))
        else:
            pipeline.at_put(AT, lambda: shut_down(own_server, signal_number))
        run_until_done(pipeline, stage)
    pipeline.assert_no_attempts()
    pipeline.assert_equals(baseline)


@contextmanager
def connections_being_cut(server: Server) -> Iterator[None]:
    """Cut all connections every 50 ms."""
    stop = threading.Event()

    def cut() -> None:
        while not stop.wait(0.05):
            cut_all(server)

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_connections_that_are_cut_repeatedly_lose_nothing(
    pipeline: Pipeline, own_server: Server, baseline: Baseline
) -> None:
    with connections_being_cut(own_server):
        for stage in ("raw_products", *STAGES):
            try:
                pipeline.run(stage)
            except StageStopped as stopped:
                assert "can't be used: " in str(stopped) and "\n" not in str(stopped)
            except database.DatabaseUnavailable as down:  # before the row in scraper_logs was written
                assert "can't be used: " in str(down)
    pipeline.assert_no_attempts()
    for stage in ("raw_products", *STAGES):
        pipeline.expire_leases()
        run_until_done(pipeline, stage)
    pipeline.assert_equals(baseline)


def test_a_database_that_becomes_read_only_stops_the_stages(
    pipeline: Pipeline, own_server: Server, baseline: Baseline
) -> None:
    def read_only(value: str) -> None:
        administer(own_server, f"ALTER SYSTEM SET default_transaction_read_only = {value}", "SELECT pg_reload_conf()")
        poll(own_server.admin_url, f"SELECT current_setting('default_transaction_read_only') = '{value}'")

    message = ["in a read-only transaction; make it accept writes again, or set the address of the server that does"]
    try:
        pipeline.at_log("Apify run", lambda: read_only("on"))
        pipeline.expect_stop("raw_products", *message, logged=False)
        read_only("off")
        pipeline.expire_leases()
        pipeline.run("raw_products")
        for stage in STAGES:
            pipeline.at_put(AT, lambda: read_only("on"))
            pipeline.expect_stop(stage, *message, logged=False)
            pipeline.assert_no_attempts()
            read_only("off")
            pipeline.expire_leases()
            pipeline.run(stage)
    finally:
        read_only("off")
    pipeline.assert_equals(baseline)


def test_a_changed_password_stops_the_stages_and_is_not_quoted(
    own_server: Server, open_pipeline: Callable[..., Pipeline], baseline: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_by("direct", own_server, monkeypatch)
    message = 'authentication failed for user "undeuser"; set the current password in its address'

    def set_password(password: str) -> None:
        administer(own_server, f"ALTER ROLE undeuser PASSWORD '{password}'")
        cut_all(own_server)

    pipeline = run_stages(open_pipeline(on=own_server), "raw_products")
    try:
        pipeline.at_put(AT, lambda: set_password("planted-new"))
        pipeline.expect_stop("originals", "can't be used: ", logged=False)  # possibly only as a lost connection
        pipeline.assert_no_attempts()
        with pytest.raises(database.DatabaseUnavailable) as down:
            pipeline.run("originals")
        assert message in str(down.value) and "planted" not in str(down.value) and "not-a-secret" not in str(down.value)
    finally:
        set_password("not-a-secret")
    wait_until_available(lambda: psycopg.connect(pipeline.system.database_url)).close()
    pipeline.expire_leases()
    pipeline.finish_and_equal(baseline, *STAGES)


RIGHTS = {"raw_products": "INSERT ON raw_products", "originals": "INSERT ON product_photos",
          "collages": "INSERT ON product_collages"}  # fmt: skip


def test_a_revoked_right_stops_the_stages_and_releases_their_products(
    own_server: Server, open_pipeline: Callable[..., Pipeline], baseline: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = open_pipeline(on=own_server)
    pipeline.system.database_url = url_as(own_server, pipeline.system.database_url, "scraper")
    monkeypatch.setenv("STAGING_DB_URL", pipeline.system.database_url)
    pipeline.backends = type(pipeline.backends)(load_settings())
    for stage, right in RIGHTS.items():

        def revoke(right: str = right) -> None:
            pipeline.system.query(f"REVOKE {right} FROM scraper")

        if stage == "raw_products":
            pipeline.at_log("Apify run", revoke)
        else:
            pipeline.at_put(AT, revoke)
        table = right.split()[-1]
        pipeline.expect_stop(
            stage, f"permission denied for table {table} (connected as scraper); grant it, or let the owner run"
        )
        pipeline.assert_nothing_leased()
        pipeline.assert_no_attempts()
        pipeline.system.query(f"GRANT {right} TO scraper")
        pipeline.reconnect()
        pipeline.run(stage)
    pipeline.assert_equals(baseline)
