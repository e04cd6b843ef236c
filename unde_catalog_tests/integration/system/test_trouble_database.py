"""The staging database in trouble in the middle of a run: restarted, cut off, read-only, a password or right gone."""

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
from unde_catalog_tests.support.outages import Line, Undisturbed, collected
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.servers import Server, wheel_server
from unde_catalog_tests.torture.house import until_it_answers

pytestmark = pytest.mark.slow

AT = 5  # the put at which it begins
STAGES = ("originals", "collages")


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A PostgreSQL of these tests' own, behind a PgBouncer where that is installed."""
    program = pgbouncer.program()
    with wheel_server(18) as running, ExitStack() as stack:
        if program is not None:
            running.stands_behind(stack.enter_context(pgbouncer.pgbouncer(program, running.admin_url)))
            assert running.pgbouncer is not None
            # What was asked in the very moment in which the server went away waits so long; two minutes by default.
            running.pgbouncer.console("SET query_wait_timeout = 2")
        yield running


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds to wait for a connection; half a minute for operators."""
    monkeypatch.setattr(database.Database.__init__, "__kwdefaults__", {"max_connections": 4, "patience": 1})


@pytest.fixture
def line(own_server: Server, open_line: Callable[..., Line]) -> Line:
    return open_line(on=own_server)


def administer(server: Server, *statements: str) -> None:
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def cut_all(server: Server) -> None:
    administer(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user")


def shut_down(server: Server, how: signal.Signals) -> None:
    """SIGINT is a fast shutdown, SIGQUIT an immediate one; the supervisor starts it again."""
    with psycopg.connect(server.admin_url) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    os.kill(int((Path(row[0]) / "postmaster.pid").read_text().split("\n", 1)[0]), how)


def run_until_it_is_through(line: Line, stage: str) -> None:
    """The same command again and again, each time well or with one sentence; leases may have to run out."""
    for _ in range(12):
        try:
            report = line.run(stage)
        except StageStopped as stopped:
            assert "can't be used: " in str(stopped) and "\n" not in str(stopped)
        else:
            if not report.still_due and not report.leased_elsewhere:
                return
        until_it_answers(lambda: psycopg.connect(line.house.database_url)).close()
        line.leases_run_out()
    raise AssertionError("it is never through")


def go(way: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the PgBouncer, or through it."""
    if way == "direct":
        monkeypatch.setattr(server, "pgbouncer", None)
    elif server.pgbouncer is None:
        pytest.skip(pgbouncer.ABSENT)


# Not more: a server that ends five times within a minute is given up by its supervisor.
RESTARTS = [
    ("direct", signal.SIGINT, "originals"),
    ("direct", signal.SIGQUIT, "raw_products"),
    ("pooled", signal.SIGQUIT, "originals"),
    ("pooled", signal.SIGINT, "collages"),
]


@pytest.mark.parametrize(("way", "how", "during"), RESTARTS)
def test_a_server_that_is_restarted_costs_a_sentence_at_the_most(
    own_server: Server, open_line: Callable[..., Line], undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch,
    way: str, how: signal.Signals, during: str,
) -> None:  # fmt: skip
    go(way, own_server, monkeypatch)
    line = open_line(on=own_server)
    for stage in ("raw_products", *STAGES):
        if stage != during:
            line.run(stage)
            continue
        if stage == "raw_products":
            line.at_log("Apify run", lambda: shut_down(own_server, how))
        else:
            line.at_put(AT, lambda: shut_down(own_server, how))
        run_until_it_is_through(line, stage)
    line.nothing_was_tried()
    line.is_as(undisturbed)


@contextmanager
def cutting(server: Server) -> Iterator[None]:
    """All connections are cut every 50 ms."""
    over = threading.Event()

    def cut() -> None:
        while not over.wait(0.05):
            cut_all(server)

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_connections_cut_again_and_again_lose_nothing(line: Line, own_server: Server, undisturbed: Undisturbed) -> None:
    with cutting(own_server):
        for stage in ("raw_products", *STAGES):
            try:
                line.run(stage)
            except StageStopped as stopped:
                assert "can't be used: " in str(stopped) and "\n" not in str(stopped)
            except database.DatabaseUnavailable as down:  # before there was a row in scraper_logs
                assert "can't be used: " in str(down)
    line.nothing_was_tried()
    for stage in ("raw_products", *STAGES):
        line.leases_run_out()
        run_until_it_is_through(line, stage)
    line.is_as(undisturbed)


def test_a_database_that_becomes_read_only_stops_the_stages(
    line: Line, own_server: Server, undisturbed: Undisturbed
) -> None:
    def read_only(value: str) -> None:
        administer(own_server, f"ALTER SYSTEM SET default_transaction_read_only = {value}", "SELECT pg_reload_conf()")
        poll(own_server.admin_url, f"SELECT current_setting('default_transaction_read_only') = '{value}'")

    said = ["in a read-only transaction; make it accept writes again, or set the address of the server that does"]
    try:
        line.at_log("Apify run", lambda: read_only("on"))
        line.stopped("raw_products", *said, logged=False)
        read_only("off")
        line.leases_run_out()
        line.run("raw_products")
        for stage in STAGES:
            line.at_put(AT, lambda: read_only("on"))
            line.stopped(stage, *said, logged=False)
            line.nothing_was_tried()
            read_only("off")
            line.leases_run_out()
            line.run(stage)
    finally:
        read_only("off")
    line.is_as(undisturbed)


def test_a_password_that_is_changed_stops_the_stages_and_is_not_told(
    own_server: Server, open_line: Callable[..., Line], undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    go("direct", own_server, monkeypatch)
    said = 'authentication failed for user "undeuser"; set the current password in its address'

    def set_password(password: str) -> None:
        administer(own_server, f"ALTER ROLE undeuser PASSWORD '{password}'")
        cut_all(own_server)

    line = collected(open_line(on=own_server), "raw_products")
    try:
        line.at_put(AT, lambda: set_password("planted-new"))
        line.stopped("originals", "can't be used: ", logged=False)  # perhaps only that the connection was lost
        line.nothing_was_tried()
        with pytest.raises(database.DatabaseUnavailable) as down:
            line.run("originals")
        assert said in str(down.value) and "planted" not in str(down.value) and "not-a-secret" not in str(down.value)
    finally:
        set_password("not-a-secret")
    until_it_answers(lambda: psycopg.connect(line.house.database_url)).close()
    line.leases_run_out()
    line.finishes_as(undisturbed, *STAGES)


RIGHTS = {"raw_products": "INSERT ON raw_products", "originals": "INSERT ON product_photos",
          "collages": "INSERT ON product_collages"}  # fmt: skip


def test_a_right_that_is_revoked_stops_the_stages_and_what_they_have_in_hand_goes_back(
    own_server: Server, open_line: Callable[..., Line], undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = open_line(on=own_server)
    line.house.database_url = url_as(own_server, line.house.database_url, "scraper")
    monkeypatch.setenv("STAGING_DB_URL", line.house.database_url)
    line.place = type(line.place)(load_settings())
    for stage, right in RIGHTS.items():

        def revoke(right: str = right) -> None:
            line.house.query(f"REVOKE {right} FROM scraper")

        if stage == "raw_products":
            line.at_log("Apify run", revoke)
        else:
            line.at_put(AT, revoke)
        table = right.split()[-1]
        line.stopped(
            stage, f"permission denied for table {table} (connected as scraper); grant it, or let the owner run"
        )
        line.nothing_is_leased()
        line.nothing_was_tried()
        line.house.query(f"GRANT {right} TO scraper")
        line.reconnect()
        line.run(stage)
    line.is_as(undisturbed)
