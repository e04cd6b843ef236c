"""The demo's Dagster runs, one a brand, in a process of their own: `python -m unde_catalog.local.demo_runs`.

Apart from the terminal's process, as Dagster redirects the output of what it runs.
"""

import sys

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions

_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}


def main() -> int:
    """Run the catalogue job for every brand; 1 if any run failed."""
    job = build_definitions().resolve_job_def("catalogue")
    failed = []
    with dg.DagsterInstance.get() as instance:
        for brand in BRANDS:
            result = job.execute_in_process(
                run_config=_QUIET,
                instance=instance,
                partition_key=brand,
                tags={"brand": brand, "trigger": "demo"},
                raise_on_error=False,
            )
            if not result.success:
                failed.append(brand)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
