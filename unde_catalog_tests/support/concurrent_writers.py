"""Writers that get in each other's way on purpose, each a process: `python -m` this module URL ROLE SEED.

They go on until their standard input is closed, each for `LEAST` turns at the least, however slow the machine is, and
take locks in the order of the house (products by id, then due rows); each prints how often it had its turn.
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

LEAST = 5  # turns: fewer are no storm
STAGES = ("originals", "collages")


def finish(db: Database, chance: random.Random) -> None:
    """A worker: takes some, and settles them with the stage's own columns in any order of products."""
    stage = chance.choice(STAGES)
    leases = db.run(work_queue.take, stage, BRAND, 20, timedelta(seconds=chance.choice([0, 60])))
    kinds: Any = ["done", "done", "later", "given_up", "released"]
    settled = [LeaseOutcome(lease, chance.choice(kinds), "why") for lease in leases]
    chance.shuffle(settled)

    def write(cursor: Cursor) -> None:
        counted = work_queue.finish(cursor, stage, settled)
        if stage == "originals":
            cursor.executemany(
                "INSERT INTO product_photos (product_id, n, source_url, state, sha256, fetched_at)"
                " VALUES (%s, 1, 'u', 'stored', %s, now())"
                " ON CONFLICT (product_id, n) DO UPDATE SET sha256 = excluded.sha256",
                [(product_id, str(chance.random())) for product_id in counted],
            )
        status = "uploaded" if stage == "originals" else "collage_ready"
        cursor.execute("UPDATE raw_products SET image_status = %s WHERE id = ANY(%s)", (status, list(counted)))

    db.run(write)


def merge(db: Database, chance: random.Random) -> None:
    """A scrape: new photo URLs for many, and some that left or came back."""

    def write(cursor: Cursor) -> None:
        cursor.execute(
            "SELECT id FROM raw_products WHERE id %% 4 = %s ORDER BY id FOR NO KEY UPDATE", (chance.randrange(4),)
        )
        ids = [row["id"] for row in cursor.fetchall()]
        chance.shuffle(ids)
        cursor.execute(
            "UPDATE raw_products SET original_image_urls = jsonb_build_array(random()::text), price = random() * 100,"
            " active = random() > 0.2 WHERE id = ANY(%s)",
            (ids,),
        )

    db.run(write)


def ask(db: Database, chance: random.Random) -> None:
    """Operators and schedules: requeue, retry, force, spread."""
    stage = chance.choice(STAGES)
    what = chance.randrange(4)
    if what == 0:
        db.run(requeue.given_up, stage)
    elif what == 1:
        db.run(requeue.retry_failed, stage, BRAND, str(chance.random()))
    elif what == 2:
        db.run(requeue.force, stage, BRAND, str(chance.random()))
    else:
        spreading.spread(db, stage, BRAND, timedelta(hours=1))


def operate(db: Database, chance: random.Random) -> None:
    """Somebody with psql, one product at a time."""
    statements = [
        "UPDATE raw_products SET image_status = 'pending' WHERE external_id = %s",
        "UPDATE raw_products SET image_status = 'uploaded', active = true WHERE external_id = %s",
        "DELETE FROM product_photos WHERE product_id = (SELECT id FROM raw_products WHERE external_id = %s)",
        "UPDATE product_photos SET sha256 = random()::text"
        " WHERE product_id = (SELECT id FROM raw_products WHERE external_id = %s)",
    ]
    with db.transaction() as cursor:
        cursor.execute(chance.choice(statements).encode(), (str(chance.randint(1, 200)),))


ROLES = {"finish": finish, "merge": merge, "ask": ask, "operate": operate}


class Storm:
    """Six writers at once on a database of at least 200 products, until it is told to end."""

    def __init__(self, url: str) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "unde_catalog_tests.support.concurrent_writers", url, role, str(seed)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT,
            )
            for seed, role in enumerate(["finish", "finish", "finish", "merge", "ask", "operate"])
        ]  # fmt: skip

    def end(self) -> list[int]:
        """Let each finish its turn; how many turns each had. None may have failed."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None  # communicate() would flush it
        turns = [process.communicate(timeout=120)[0] for process in self._processes]
        assert {process.returncode for process in self._processes} == {0}, "a writer failed"
        return [int(count) for count in turns]


def main(url: str, role: str, seed: str) -> None:
    """Have turn after turn."""
    chance, turns = random.Random(int(seed)), 0
    with Database(url) as db:
        while turns < LEAST or not select.select([sys.stdin], [], [], 0)[0]:
            ROLES[role](db, chance)
            turns += 1
    print(turns)


if __name__ == "__main__":
    main(*sys.argv[1:])
