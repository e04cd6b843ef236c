"""The worker loop when a handler, a row or the database fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg
import pytest

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.due_work.work_queue import OpenWork
from unde_catalog.worker.handler import AbortStage, Outcome, StageStopped, done, given_up
from unde_catalog_tests.support.due import (
    NOTHING_OPEN,
    Toy,
    ToyStage,
    add_products,
    due_row,
    execute,
    number,
    open_work,
    run,
)

pytestmark = pytest.mark.usefixtures("no_lease_is_left")


@pytest.mark.parametrize(
    "cause", [AbortStage("the proxy says 407"), StorageUnavailable("the disk is full"), DatabaseUnavailable("no")]
)
def test_a_common_obstacle_stops_the_stage_without_attempts(db: Database, cause: Exception) -> None:
    products = add_products(db, 20)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        if number(work[0]) > 8:
            raise cause
        yield done(work[0].lease)

    with pytest.raises(StageStopped, match=f"originals of zara stopped: {cause}") as stopped:
        run(db, ToyStage(handle))
    report = stopped.value.report
    assert (report.done, report.failed) == (8, 0)
    assert 1 <= report.released <= 4
    assert open_work(db) == OpenWork(due=12, leased=0)
    row = due_row(db, products[8])
    assert row is not None
    assert (row["attempts"], row["reason"], row["failing_since"]) == (0, None, None)


def test_a_stage_that_cannot_open_its_connections_stops_with_the_cause(db: Database) -> None:
    class FailingOpen(ToyStage):
        async def __aenter__(self) -> ToyStage:
            raise AbortStage("no proxy")

    add_products(db, 1)
    with pytest.raises(StageStopped, match="stopped: no proxy"):
        run(db, FailingOpen())


def test_an_unexpected_error_counts_only_against_its_product(db: Database) -> None:
    products = add_products(db, 40)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        for one in work:
            if number(one) in (7, 8, 33):
                raise ZeroDivisionError(f"in {number(one)}\0")
            yield done(one.lease)

    report = run(db, ToyStage(handle, batch=10))
    assert (report.done, dict(report.later), report.still_due) == (37, {"unexpected_error": 3}, 0)
    assert report.examples == {"unexpected_error": ["7", "8", "33"]}
    row = due_row(db, products[6])
    assert row is not None
    assert (row["attempts"], row["item_faults"], row["detail"]) == (1, 1, "ZeroDivisionError: in 7\ufffd")


def test_twenty_unexpected_errors_stop_the_stage(db: Database) -> None:
    add_products(db, 40)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        raise KeyError("xmedia")
        yield

    with pytest.raises(StageStopped, match="20 unexpected errors, the last one KeyError: 'xmedia'") as stopped:
        run(db, ToyStage(handle, concurrency=1))
    assert stopped.value.report.later == {"unexpected_error": 19}
    assert open_work(db).due == 21


@pytest.mark.parametrize("batch", [1, 5])
def test_a_product_without_an_outcome_is_reported(db: Database, batch: int) -> None:
    products = add_products(db, 10)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        for one in work:
            if number(one) != 4:
                yield done(one.lease)

    report = run(db, ToyStage(handle, batch=batch))
    assert (report.done, dict(report.later)) == (9, {"unexpected_error": 1})
    row = due_row(db, products[3])
    assert row is not None
    assert row["detail"] == "LookupError: no outcome for 4"


def test_a_second_outcome_for_a_product_does_not_undo_the_first(db: Database) -> None:
    add_products(db, 1)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield done(work[0].lease)
        yield given_up(work[0].lease, "changed_my_mind")

    assert run(db, ToyStage(handle)).done == 1
    assert open_work(db) == NOTHING_OPEN


def test_a_product_that_cannot_be_loaded_blocks_no_other(db: Database) -> None:
    add_products(db, 10)

    class PartlyLoading(ToyStage):
        def load(self, cursor: Any, leases: Any) -> list[Toy]:
            work = super().load(cursor, leases)
            if any(number(one) == 2 for one in work):
                cursor.execute("SELECT 1 / 0")
            return [one for one in work if number(one) != 3]

    report = run(db, PartlyLoading())
    assert (report.done, dict(report.later)) == (8, {"unexpected_error": 2})


def test_an_outcome_that_cannot_be_written_blocks_no_other(db: Database) -> None:
    products = add_products(db, 10)

    class FailingRecord(ToyStage):
        def record(self, cursor: Any, outcomes: Any) -> None:
            cursor.execute("SELECT %s::text", ("\0" if any(o.payload == "poison" for o, _ in outcomes) else "",))
            super().record(cursor, outcomes)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        for one in work:
            yield done(one.lease, "poison" if number(one) == 5 else "fine")

    report = run(db, FailingRecord(handle, batch=10))
    assert (report.done, dict(report.later), report.still_due) == (9, {"unexpected_error": 1}, 0)
    row = due_row(db, products[4])
    assert row is not None
    assert (row["attempts"], row["item_faults"]) == (1, 0)
    assert row["detail"].startswith("DataError: ")


def test_a_stage_that_can_write_nothing_stops_and_keeps_everything_due(db: Database) -> None:
    add_products(db, 40)

    class Failing(ToyStage):
        def record(self, cursor: Any, outcomes: Any) -> None:
            raise TypeError("no such column")

    with pytest.raises(StageStopped, match="20 unexpected errors, the last one TypeError"):
        run(db, Failing())
    assert execute(db, "SELECT 1 FROM due_work WHERE due_at IS NULL") == []


def cut_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True, application_name="cutter") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name <> 'cutter'"
        )


def test_cut_connections_lose_nothing(db: Database, database_url: str) -> None:
    add_products(db, 30)
    cut = 0

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        if number(work[0]) % 7 == 0:
            await asyncio.to_thread(cut_connections, database_url)
        yield done(work[0].lease)

    class ConnectionCutting(ToyStage):
        def record(self, cursor: Any, outcomes: Any) -> None:
            nonlocal cut
            cut += 1
            if cut == 1:
                cut_connections(database_url)
                cursor.execute("SELECT 1")
            super().record(cursor, outcomes)

    handler = ConnectionCutting(handle, concurrency=2)
    try:
        report = run(db, handler)
        assert (report.done, report.superseded) == (30, 0)
    except StageStopped as stopped:  # cut during a commit, whose outcome is unknown
        assert "can't be used" in str(stopped)
        execute(db, "UPDATE due_work SET leased_until = now() WHERE lease_token IS NOT NULL")
        run(db, ConnectionCutting())
    assert execute(db, "SELECT 1 FROM due_work WHERE done_at IS NULL") == []


@pytest.mark.slow
def test_an_unavailable_database_stops_the_stage_with_one_sentence(
    db: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    add_products(db, 10)
    name = database_url.split("?")[0].rsplit("/", 1)[1]
    admin = database_url.replace(f"/{name}?", "/postgres?")

    message = "(not currently accepting|server login has been failing)"  # PostgreSQL, PgBouncer

    def allow_connections(allowed: bool) -> None:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}".encode())
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        if number(work[0]) == 6:
            await asyncio.to_thread(allow_connections, False)
        yield done(work[0].lease)

    try:
        with (
            Database(database_url, patience=1) as short_patience,
            pytest.raises(StageStopped, match=f"stopped: the database {name} at .* can't be used: .*{message}"),
        ):
            run(short_patience, ToyStage(handle, concurrency=1))
    finally:
        allow_connections(True)
    assert "their leases run out" in caplog.text
    execute(db, "UPDATE due_work SET leased_until = now() WHERE lease_token IS NOT NULL")
    run(db, ToyStage())
    assert execute(db, "SELECT 1 FROM due_work WHERE done_at IS NULL") == []


def test_a_database_unavailable_from_the_start_stops_the_stage_at_once() -> None:
    with (
        Database("postgresql://nobody:secret@127.0.0.1:9/none") as unavailable,
        pytest.raises(
            StageStopped, match="originals of zara stopped: the database none at 127.0.0.1:9 can't"
        ) as stopped,
    ):
        run(unavailable, ToyStage())
    assert "secret" not in str(stopped.value)
