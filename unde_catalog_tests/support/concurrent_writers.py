"""Processes that write to the same rows, run as `python -m ... URL ROLE SEED`.

Each repeats its statements until its standard input is closed, at least `MIN_TURNS` times, and prints the number of
turns. All lock rows in the same order: products by id, then due rows.
"""

import random
import select
import subprocess
import sys
from datetime import timedelta
from typing import Any

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import requeue, spreading, work_queue
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome
from unde_catalog_tests.support.due import BRAND
from unde_catalog_tests.support.servers import PROJECT

MIN_TURNS = 5  # fewer would not cause contention
STAGES = ("originals", "collages")


def finish(db: Database, rng: random.Random) -> None:
    """A worker: leases products and records outcomes and the stage's columns in random order."""
    stage = rng.choice(STAGES)
    leases = db.run(work_queue.take, stage, BRAND, 20, timedelta(seconds=rng.choice([0, 60])))
    kinds: Any = ["done", "done", "later", "given_up", "released"]
    settled = [LeaseOutcome(lease, rng.choice(kinds), "why") for lease in leases]
    rng.shuffle(settled)

    def write(cursor: Cursor) -> None:
        counted = work_queue.finish(cursor, stage, settled)
        if stage == "originals":
            cursor.executemany(
                "INSERT INTO product_photos (product_id, n, source_url, state, sha256, fetched_at)"
                " VALUES (%s, 1, 'u', 'stored', %s, now())"
                " ON CONFLICT (product_id, n) DO UPDATE SET sha256 = excluded.sha256",
                [(product_id, str(rng.random())) for product_id in counted],
            )
        status = "uploaded" if stage == "originals" else "collage_ready"
        cursor.execute("UPDATE raw_products SET image_status = %s WHERE id = ANY(%s)", (status, list(counted)))

    db.run(write)


def merge(db: Database, rng: random.Random) -> None:
    """A scrape: new photo URLs for many products, some of which leave or return."""

    def write(cursor: Cursor) -> None:
        cursor.execute(
            "SELECT id FROM raw_products WHERE id %% 4 = %s ORDER BY id FOR NO KEY UPDATE", (rng.randrange(4),)
        )
        ids = [row["id"] for row in cursor.fetchall()]
        rng.shuffle(ids)
        cursor.execute(
            "UPDATE raw_products SET original_image_urls = jsonb_build_array(random()::text), price = random() * 100,"
            " active = random() > 0.2 WHERE id = ANY(%s)",
            (ids,),
        )

    db.run(write)


def requeue_work(db: Database, rng: random.Random) -> None:
    """Operators and schedules: requeue, retry, force or spread work."""
    stage = rng.choice(STAGES)
    what = rng.randrange(4)
    if what == 0:
        db.run(requeue.given_up, stage)
    elif what == 1:
        db.run(requeue.retry_failed, stage, BRAND, str(rng.random()))
    elif what == 2:
        db.run(requeue.force, stage, BRAND, str(rng.random()))
    else:
        spreading.spread(db, stage, BRAND, timedelta(hours=1))


def operate(db: Database, rng: random.Random) -> None:
    """An operator in psql, one product at a time."""
    statements = [
        "UPDATE raw_products SET image_status = 'pending' WHERE external_id = %s",
        "UPDATE raw_products SET image_status = 'uploaded', active = true WHERE external_id = %s",
        "DELETE FROM product_photos WHERE product_id = (SELECT id FROM raw_products WHERE external_id = %s)",
        "UPDATE product_photos SET sha256 = random()::text"
        " WHERE product_id = (SELECT id FROM raw_products WHERE external_id = %s)",
    ]
    with db.transaction() as cursor:
        cursor.execute(rng.choice(statements).encode(), (str(rng.randint(1, 200)),))


ROLES = {"finish": finish, "merge": merge, "requeue": requeue_work, "operate": operate}


class WriterGroup:
    """Six concurrent writers on a database of at least 200 products, until `end` is called."""

    def __init__(self, url: str) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "unde_catalog_tests.support.concurrent_writers", url, role, str(seed)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT,
            )
            for seed, role in enumerate(["finish", "finish", "finish", "merge", "requeue", "operate"])
        ]  # fmt: skip

    def end(self) -> list[int]:
        """Let each writer finish its turn. Returns their numbers of turns. None may have failed."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None  # communicate() would flush it
        turns = [process.communicate(timeout=120)[0] for process in self._processes]
        assert {process.returncode for process in self._processes} == {0}, "a writer failed"
        return [int(count) for count in turns]


def main(url: str, role: str, seed: str) -> None:
    """Repeat the role until standard input is closed."""
    rng, turns = random.Random(int(seed)), 0
    with Database(url) as db:
        while turns < MIN_TURNS or not select.select([sys.stdin], [], [], 0)[0]:
            ROLES[role](db, rng)
            turns += 1
    print(turns)


if __name__ == "__main__":
    main(*sys.argv[1:])
