"""Rehearses the adoption of a deployed system: `python -m unde_catalog_tests.rehearsal --products 47000`.

A deployed schema with rows in all states, objects in a real S3 server and records in Ximilar; old services that write
all the while; `unde-catalog adopt`, killed with SIGKILL on the way; then the stages. Everything is counted from
outside: the sandbox's request log, rows, and objects.
"""

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from unde_catalog_tests.support import deployed
from unde_catalog_tests.support.deployed import PHOTOS, Deployed
from unde_catalog_tests.support.s3_servers import BUCKET, running_rclone, s3_environment
from unde_catalog_tests.support.servers import Sandbox, Server, debian_server, running_sandbox, wheel_server

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


@dataclass(frozen=True, slots=True)
class Result:
    """What was counted; the first five should be 0.

    `fetched_again`: photos that were stored and were fetched from a brand. `inserted_again`: photos that were in
    Ximilar already. `rows_lost`: products. `unrecorded`: products whose photos were all stored and are not all
    recorded. `refused`: statements of old services. `peak_mb`: memory of `adopt`.
    """

    fetched_again: int
    inserted_again: int
    rows_lost: int
    unrecorded: int
    refused: int
    kills: int
    statements: int
    objects: int
    seconds: float
    peak_mb: int


def rehearse(server: Server, folder: Path, products: int, with_objects: int, kills: int, seed: int = 1) -> Result:
    """Adopt, then work: returns what was counted."""
    made = deployed.make_products(products, with_objects, seed)
    url = server.new_database(migrated=False)
    bucket = folder / "s3" / BUCKET
    objects = deployed.store_objects(bucket, made, seed)
    deployed.insert_records(folder / "sandbox", made)
    with running_rclone(folder / "s3") as s3, running_sandbox(folder / "sandbox") as sandbox:
        deployed.fill_database(url, made, sandbox.url)
        environment = {
            "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8",
            **sandbox.environment, **s3_environment(s3.url), "UNDE_HOME": str(folder / "home"),
            "STAGING_DB_URL": url, "ADOPTION_REQUESTS_PER_SECOND": "1000",
        }  # fmt: skip
        with deployed.old_services(url, bucket, sandbox.url) as old:
            began = time.monotonic()
            killed = _adopt(environment, folder, kills, random.Random(seed))
            seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        _command(environment, folder, "adopt", "--no-backup")  # what the old services wrote last
        for stage in ("originals", "collages", "ximilar_index"):
            _command(environment, folder, "handover", stage, "--stopped")
        _command(environment, folder, "run", "originals", "--limit", "300")
        for stage in ("collages", "ximilar_index", "visual_index"):
            _command(environment, folder, "run", stage)
        counted = _count(url, made, sandbox)
    server.drop(url)
    return Result(*counted, _refused(old), killed, old.sent, objects, round(seconds, 1), peak)


def _refused(old: deployed.OldServices) -> int:
    """The number of refused statements; prints the first of them."""
    for line in old.refused[:3]:
        print("refused:", line, file=sys.stderr)
    return len(old.refused)


def _adopt(environment: dict[str, str], folder: Path, kills: int, rng: random.Random) -> int:
    """Run `adopt` until it ends, killing it `kills` times at moments that no code of it knows."""
    killed = 0
    while True:
        with (folder / "adopt.log").open("ab") as log:
            process = subprocess.Popen(
                [PROGRAM, "adopt", "--no-backup"], env=environment, cwd=folder,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            code = process.wait(rng.uniform(1.5, 6.0) if killed < kills else None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            continue
        if code not in (0, 1) or b"Traceback" in (folder / "adopt.log").read_bytes():
            raise AssertionError((folder / "adopt.log").read_text()[-3000:])
        if killed >= kills or code == 0:
            return killed


def _command(environment: dict[str, str], folder: Path, *arguments: str) -> str:
    done = subprocess.run([PROGRAM, *arguments], env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise AssertionError(f"{arguments}: {done.stdout}\n{done.stderr}")
    return done.stdout


def _count(url: str, made: Deployed, sandbox: Sandbox) -> tuple[int, int, int, int]:
    complete = {one.external_id for one in made.complete()}
    fetched = [entry["path"] for entry in sandbox.log("photo")]
    again = sum(path.rsplit("/", 1)[-1].partition("-")[0] in complete for path in fetched)
    stored = {(one.external_id, n) for one in made.products for n in one.stored}
    again += sum(
        (external_id, int(n.partition(".")[0])) in stored and external_id not in complete
        for external_id, _, n in (path.rsplit("/", 1)[-1].partition("-") for path in fetched)
    )
    indexed = {f"{one.external_id}-{n}" for one in made.products for n in one.synced if n in one.stored}
    inserted = sum(
        "-".join(id_.split("-")[1:3]) in indexed for entry in sandbox.log("ximilar.insert") for id_ in entry["inserted"]
    )
    with psycopg.connect(url) as connection:
        ids = {row[0] for row in connection.execute("SELECT external_id FROM raw_products")}
        recorded = dict(
            connection.execute(
                "SELECT p.external_id, count(*) FROM product_photos f JOIN raw_products p ON p.id = f.product_id"
                " WHERE f.state = 'stored' GROUP BY 1"
            ).fetchall()
        )
    lost = sum(one.external_id not in ids for one in made.products)
    unrecorded = sum(recorded.get(external_id, 0) != PHOTOS for external_id in complete)
    return again, inserted, lost, unrecorded


def main() -> None:
    """Rehearse on Debian's PostgreSQL, or on one from the wheel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=47_000)
    parser.add_argument("--with-objects", type=int, default=5_000, help="products whose photos are in the bucket")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--postgres", choices=["debian", "16", "18"], default="debian")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))))
        running = debian_server(programs) if options.postgres == "debian" else wheel_server(int(options.postgres))
        with running as server:
            print(rehearse(server, folder, options.products, options.with_objects, options.kills))


if __name__ == "__main__":
    main()
