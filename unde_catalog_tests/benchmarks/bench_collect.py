"""Measures collecting 1,000, 18,105 and 100,000 items. It takes two minutes; `--items FILE` uses real items.

Each size is collected twice, each time in its own process: first all items are new, then unchanged. It prints items
per second and peak memory (RSS). The items are generated, or those of a .jsonl.gz file, repeated under new ids.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.raw_products.collect import ProductStream
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.apify_brand import item
from unde_catalog_tests.support.servers import PROJECT, running_sandbox, wheel_server

SIZES = (1_000, 18_105, 100_000)


def items(file: Path | None) -> Iterator[str]:
    """Endless items as JSON texts, each with its own id."""
    previous = gzip.decompress(file.read_bytes()).decode().splitlines() if file else []
    for number in count(1):
        one = json.loads(previous[number % len(previous)]) if previous else item(number, description="Of cotton. " * 20)
        yield json.dumps({**one, "id": 500_000_000 + number})


def measure(root_run: str) -> None:
    """Collect once in this process and print the result."""
    import logging

    settings = load_settings()
    assert settings.staging_db_url is not None
    before = peak_kilobytes()
    with Database(settings.staging_db_url.get_secret_value()) as db:
        options = RunOptions(run_id=root_run, root_run=root_run, force=True)
        report = ProductStream("zara", settings, options, logging.getLogger("bench")).merge(db)
    peak = peak_kilobytes()
    print(json.dumps({"done": report.done, "seconds": report.seconds, "before": before, "peak": peak}))


def peak_kilobytes() -> int:
    """The peak memory of this process. getrusage would include that of its parent before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=Path)
    parser.add_argument("--measure")
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory() as folder, wheel_server(18) as server:
        for size in SIZES:
            file = Path(folder) / f"{size}.jsonl"
            file.write_text("\n".join(islice(items(options.items), size)))
            url = server.new_database()
            with running_sandbox(Path(folder) / f"state{size}", "--items", f"zara={file}") as sandbox:
                environment = {**os.environ, **sandbox.environment, "STAGING_DB_URL": url, "PYTHONPATH": str(PROJECT)}
                for what in ("new", "unchanged"):
                    command = [sys.executable, "-m", "unde_catalog_tests.benchmarks.bench_collect", "--measure", what]
                    done = subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True)
                    output = json.loads(done.stdout)
                    rate = output["done"] / output["seconds"]
                    print(
                        f"{size:8,} items {what:10}{output['seconds']:7.1f} s {rate:8,.0f} items/s"
                        f"   peak {output['peak'] / 1024:5.0f} MB ({output['before'] / 1024:.0f} before the first page)"
                    )
            server.drop(url)


if __name__ == "__main__":
    main()
