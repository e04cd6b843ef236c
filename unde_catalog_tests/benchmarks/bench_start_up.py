"""Measures the load time and memory of the code location. It takes two minutes.

It compares a bare `import dagster`, the definitions with everything that Dagster requests from them, and a run of each
stage without due work, each in its own process. It prints the seconds of the fastest of three and peak memory (RSS).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

STAGES = ("raw_products", "raw_stores", "originals", "collages", "ximilar_index", "production_catalog")
_TRIES = 3


def bare() -> None:
    """Dagster alone."""
    import dagster  # noqa: F401


def definitions() -> None:
    """Import and build every job and the asset graph, as a code server does at its start."""
    from unde_catalog.definitions import defs

    repository = defs.get_repository_def()
    repository.get_all_jobs()


def run(stage: str) -> None:
    """Run a stage in this process, on a new instance in a folder."""
    import dagster as dg

    from unde_catalog.definitions import defs

    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.get_subset(asset_selection={dg.AssetKey(stage)}, asset_check_selection=set()).execute_in_process(
            partition_key="oysho",
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
    assert result.success


def measure(what: str) -> None:
    """Run one measurement and print seconds and memory."""
    began = time.perf_counter()
    {"dagster": bare, "definitions": definitions}.get(what, lambda: run(what))()
    seconds = time.perf_counter() - began
    # Only of this program; getrusage includes the process that started it.
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(json.dumps({"seconds": seconds, "peak": peak, "modules": len(sys.modules)}))


def best(what: str, environment: Mapping[str, str], folder: str) -> Mapping[str, float]:
    """The fastest of three processes."""
    command = [sys.executable, "-W", "ignore", "-m", "unde_catalog_tests.benchmarks.bench_start_up", "--measure", what]
    output = []
    for _ in range(_TRIES):
        ended = subprocess.run(command, env=dict(environment), cwd=folder, check=True, capture_output=True, text=True)
        output.append(json.loads(ended.stdout.splitlines()[-1]))
    return min(output, key=lambda one: one["seconds"])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure")
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    from unde_catalog_tests.support.servers import PROJECT, wheel_server  # not imported in the measured processes

    with wheel_server(18) as server, tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "PYTHONPATH": str(PROJECT), "UNDE_HOME": folder, "STAGING_DB_URL": server.new_database(),
        }  # fmt: skip
        base = best("dagster", environment, folder)
        for what in ("dagster", "definitions", *STAGES):
            output = base if what == "dagster" else best(what, environment, folder)
            name = "import dagster" if what == "dagster" else f"a run of {what}" if what in STAGES else what
            more = (
                f"   (+{output['seconds'] - base['seconds']:.2f} s, +{(output['peak'] - base['peak']) / 1024:.0f} MB)"
            )
            print(
                f"{name:32}{output['seconds']:6.2f} s {output['peak'] / 1024:6.0f} MB {output['modules']:6.0f} modules"
                + (more if what != "dagster" else ""),
                flush=True,
            )


if __name__ == "__main__":
    main()
