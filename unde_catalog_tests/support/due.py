"""Products and due rows for tests of due work, and a stage with a configurable `handle` function."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.due_work.work_queue import Lease, LeaseOutcome, OpenWork, Settlement
from unde_catalog.worker.handler import Outcome, done
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions, StageReport

STAGE = "originals"  # the stage that is due for a new product
BRAND = "zara"
LEASE = timedelta(minutes=10)
NOTHING_OPEN = OpenWork(due=0, leased=0)


def add_products(db: Database, count: int, brand: str = BRAND, *, first: int = 1, **columns: Any) -> list[int]:
    """Insert products with the external ids `first`, `first + 1`, ... as another system would. Returns their ids."""
    values = {"original_image_urls": ["https://cdn.test/1.jpg"], **columns}
    with db.transaction() as cursor:
        cursor.execute(
            sql.SQL(
                "INSERT INTO raw_products (source, external_id, brand, scraped_at, {})"
                " SELECT 'apify_' || %s, n, %s, now(), {} FROM generate_series(%s::int, %s::int) AS n ORDER BY n"
                " RETURNING id"
            ).format(
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(sql.Placeholder() for _ in values),
            ),
            (
                brand,
                brand,
                *(Jsonb(v) if isinstance(v, list | dict) else v for v in values.values()),
                first,
                first + count - 1,
            ),
        )
        return [row["id"] for row in cursor.fetchall()]


def execute(db: Database, query: str, *values: Any) -> list[dict[str, Any]]:
    """Execute SQL in its own transaction. Returns the rows, if there are any."""
    with db.transaction() as cursor:
        cursor.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def due_row(db: Database, product_id: int, stage: str = STAGE) -> dict[str, Any] | None:
    """A row of due_work, with `due` if it is due now."""
    rows = execute(
        db,
        "SELECT *, coalesce(due_at <= unde_now(), false) AS due FROM due_work WHERE product_id = %s AND stage = %s",
        product_id,
        stage,
    )
    return rows[0] if rows else None


def is_due(db: Database, product_id: int, stage: str = STAGE) -> bool:
    row = due_row(db, product_id, stage)
    return row is not None and row["due"]


def take(db: Database, most: int = 100, **options: Any) -> list[Lease]:
    """Lease due products of the stage and brand."""
    return db.run(work_queue.take, STAGE, BRAND, most, LEASE, **options)


def finish(db: Database, leases: Sequence[Lease], kind: Settlement = "done", **options: Any) -> dict[int, bool]:
    """Record this outcome for all leases. Returns for each product whether it was unchanged since it was leased."""
    why = (None, None) if kind == "done" else ("why", "detail")
    settled = [LeaseOutcome(lease, kind, *why, **options) for lease in leases]
    return db.run(work_queue.finish, STAGE, settled)


def expire_leases(db: Database) -> None:
    execute(db, "UPDATE due_work SET leased_until = now() - interval '1 second' WHERE lease_token IS NOT NULL")


def set_now(cursor: Cursor, moment: str) -> None:
    """Set the value of unde_now() until the end of this transaction."""
    cursor.execute("SELECT set_config('unde.now', %s, true)", (moment,))


def poll(url: str, condition: str, seconds: float = 20) -> None:
    """Wait in the database until a query's first value is true."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        for _ in range(int(seconds / 0.02)):
            row = connection.execute(condition.encode()).fetchone()
            if row and row[0]:
                return
            connection.execute("SELECT pg_sleep(0.02)")
    raise AssertionError(f"not true within {seconds} s: {condition}")


@dataclass(frozen=True, slots=True)
class Toy:
    """A product leased by the toy stage."""

    lease: Lease
    name: str | None


Handle = Callable[[Sequence[Toy]], AsyncIterator[Outcome]]


class ToyStage:
    """A stage that finishes every product as done, or as `handle` says. It keeps the outcomes of each transaction."""

    stage = STAGE
    interval: timedelta | None = None

    def __init__(
        self,
        handle: Handle | None = None,
        *,
        concurrency: int = 4,
        batch: int = 1,
        take_limit: int = 200,
        lease: float = 600,
        tries: int = 3,
    ) -> None:
        self._handle = handle
        self.concurrency, self.batch, self.take_limit, self.tries = concurrency, batch, take_limit, tries
        self.lease = timedelta(seconds=lease)
        self.recorded: list[list[tuple[str, str, bool]]] = []  # (external id, kind, current) of each transaction

    async def __aenter__(self) -> "ToyStage":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[Toy]:
        cursor.execute("SELECT id, name FROM raw_products WHERE id = ANY(%s)", ([one.product_id for one in leases],))
        names = {row["id"]: row["name"] for row in cursor.fetchall()}
        return [Toy(lease, names[lease.product_id]) for lease in leases if lease.product_id in names]

    async def handle(self, work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        if self._handle is not None:
            async for outcome in self._handle(work):
                yield outcome
            return
        for one in work:
            yield done(one.lease)

    def record(self, cursor: Cursor, outcomes: Iterable[tuple[Outcome, bool]]) -> None:
        self.recorded.append(
            [(one.lease_outcome.lease.external_id, one.lease_outcome.kind, current) for one, current in outcomes]
        )


def run(db: Database, handler: ToyStage, **options: Any) -> StageReport:
    return run_worker(handler, db, BRAND, RunOptions(**options), logging.getLogger("test"))


def open_work(db: Database) -> OpenWork:
    return db.run(work_queue.count_open, STAGE, BRAND)


def number(one: Toy) -> int:
    return int(one.lease.external_id)
