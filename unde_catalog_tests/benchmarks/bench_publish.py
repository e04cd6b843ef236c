"""Measures publishing 20,000 products (`--products N` for another number). It takes a minute.

First all products are new, then nothing is due, then a tenth has a new price, then all are forced, each in its own
process. It prints seconds, products per second and peak memory (RSS).
"""

import argparse
import json
import os
import subprocess
import sys

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.production_catalog import publish_gate
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.benchmarks.bench_collect import peak_kilobytes
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import add_good, publish
from unde_catalog_tests.support.servers import PROJECT, wheel_server

STEPS = {
    "new": "SELECT 1",
    "nothing due": "SELECT 1",
    "a tenth changed": "UPDATE raw_products SET price = price + 1 WHERE id % 10 = 0",
    "forced, unchanged": "SELECT 1",
}


def measure(step: str, url: str, production_url: str) -> None:
    """Publish once in this process and print the result."""
    with Database(url) as db, Database(production_url) as production:
        publish_gate.load_figures("zara", db, production, PublishFields())
        before = peak_kilobytes()
        report = publish(db, production, force=step.startswith("forced"))
    print(
        json.dumps({"done": report.done, "seconds": report.seconds, "before": before, "peak": peak_kilobytes()}),
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--measure", nargs=3)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    with wheel_server(18) as server:
        url, production_url = server.new_database(), server.new_production_database()
        with Database(url) as db:
            add_good(db, options.products, description="Of cotton. " * 20, sizes=["S", "M", "L"])
            execute(
                db,
                "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
                " SELECT 'zara', s, external_id, '[\"S\"]', now() FROM raw_products, generate_series(1, 5) AS s",
            )
            for step, statement in STEPS.items():
                execute(db, statement)
                module = "unde_catalog_tests.benchmarks.bench_publish"
                command = [sys.executable, "-m", module, "--measure", step, url, production_url]
                environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
                output = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
                print(
                    f"{options.products:8,} products {step:18}{output['seconds']:7.2f} s"
                    f" {output['done'] / output['seconds']:8,.0f} products/s"
                    f"   peak {output['peak'] / 1024:5.0f} MB ({output['before'] / 1024:.0f} before)"
                )


if __name__ == "__main__":
    main()
