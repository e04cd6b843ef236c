"""Measures due work at 100,000 products in one brand and three stages. It takes about half a minute.

It prints medians of leasing and finishing 200 products as the stages do, each in its own transaction, and their parts.
"""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import ticks, work_queue
from unde_catalog.stores.staging.due_work.work_queue import Lease, LeaseOutcome
from unde_catalog_tests.support.due import BRAND, STAGE, execute
from unde_catalog_tests.support.servers import Server, debian_postgres_bin, debian_server, wheel_server

PRODUCTS = 100_000
STAGES = ("collages", "availability")  # in addition to originals
MOST = 200
ROUNDS = 100
LEASE = timedelta(minutes=10)


def fill(db: Database) -> None:
    """Insert products and their due work: all of originals, the other stages spread over an hour."""
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO raw_products (source, external_id, brand, scraped_at, original_image_urls, raw_data)"
            " SELECT 'apify_zara', n, %s, now(), jsonb_build_array('https://cdn.test/' || n), %s::text::jsonb"
            " FROM generate_series(1, %s) AS n",
            (BRAND, '{"description": "' + "x" * 300 + '"}', PRODUCTS),
        )
        cursor.execute("UPDATE due_work SET due_at = now() - random() * interval '1 hour'")
        for stage in STAGES:
            cursor.execute(
                "INSERT INTO due_work (product_id, stage, brand, due_at)"
                " SELECT id, %s, brand, now() + (random() - 0.5) * interval '1 hour' FROM raw_products",
                (stage,),
            )
    vacuum(db)


def vacuum(db: Database) -> None:
    """Vacuum, as autovacuum does after a while."""
    import psycopg

    with psycopg.connect(db.url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE raw_products, due_work")


def milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """The milliseconds of a call, and its result."""
    before = time.perf_counter()
    result = work()
    return (time.perf_counter() - before) * 1000, result


def measure(db: Database) -> None:
    """Lease and finish in turn, as a run does."""
    taken: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        passed, result = milliseconds(work)
        taken.setdefault(name, []).append(passed)
        return result

    def settle(leases: list[Lease], interval: timedelta | None) -> Callable[[], Any]:
        settled = [LeaseOutcome(lease, "done") for lease in leases]
        return lambda: db.run(work_queue.finish, STAGE, settled, interval)

    for _ in range(ROUNDS):
        timed("an empty transaction", lambda: db.run(_nothing))
        leases = timed(f"take {MOST}", lambda: db.run(work_queue.take, STAGE, BRAND, MOST, LEASE))
        timed(f"finish {MOST}, done", settle(leases, None))
        leases = db.run(work_queue.take, STAGE, BRAND, MOST, LEASE)
        timed(f"finish {MOST}, due again in an hour", settle(leases, timedelta(hours=1)))
        leases = timed("take 1", lambda: db.run(work_queue.take, STAGE, BRAND, 1, LEASE))
        timed("finish 1", settle(leases, None))
        timed("which brands have something due", lambda: db.run(ticks.brands_with_due_work, STAGE, [BRAND, "oysho"]))
    for name, times in taken.items():
        print(f"  {name:36}{statistics.median(times):8.2f} ms, at best {min(times):.2f}")
    for row in execute(db, "SELECT indexrelname, pg_relation_size(indexrelid) AS size FROM pg_stat_user_indexes"
                           " WHERE relname = 'due_work' ORDER BY 1"):  # fmt: skip
        print(f"  {row['indexrelname']:36}{row['size'] / 1e6:8.1f} MB")


def _nothing(cursor: Cursor) -> None:
    cursor.execute("SELECT 1")


def main() -> None:
    """Print the figures for the embedded PostgreSQL, and for Debian's if it is installed."""

    def on(server: Server, title: str) -> None:
        url = server.new_database()
        with Database(url) as db:
            fill(db)
            print(f"{title}, {PRODUCTS:,} products x {1 + len(STAGES)} stages")
            measure(db)
        server.drop(url)

    with wheel_server(18) as server:
        on(server, "PostgreSQL 18, fsync on")
    if programs := debian_postgres_bin():
        with debian_server(programs) as server:
            on(server, f"Debian's PostgreSQL {programs.parent.name}, fsync off")


if __name__ == "__main__":
    main()
