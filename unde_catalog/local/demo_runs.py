"""The demo's Dagster runs: `python -m unde_catalog.local.demo_runs`.

A process of its own, since Dagster redirects the output of the process that executes a run.
"""

import sys
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions

_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}


def main() -> int:
    """Collect and publish every brand, then find its stores and check their stock; 1 if a run failed."""
    definitions = build_definitions()
    failed = []
    with dg.DagsterInstance.get() as instance:

        def run(job: dg.JobDefinition, brand: str, partition: str, *assets: str, **config: Any) -> None:
            result = job.execute_in_process(
                run_config={**_QUIET, "ops": {asset: {"config": config} for asset in assets if config}},
                instance=instance,
                partition_key=partition,
                asset_selection=[dg.AssetKey(asset) for asset in assets] or None,
                tags={"brand": brand, "trigger": "demo"},
                raise_on_error=False,
            )
            if not result.success:
                failed.append(f"{brand} {' '.join(assets)}".strip())

        pipeline = definitions.resolve_job_def("update_catalog")
        all_assets = definitions.resolve_implicit_global_asset_job_def()
        for brand in BRANDS:
            run(pipeline, brand, brand)
        for brand in (key for key, one in BRANDS.items() if one.has_stores):
            run(all_assets, brand, brand, "raw_stores")
            day = f"{datetime.now(UTC):%Y-%m-%d}"
            # force: without it, products come due spread over the hour.
            run(all_assets, brand, dg.MultiPartitionKey({"brand": brand, "date": day}), "availability", force=True)
        for brand in BRANDS:
            run(all_assets, brand, brand, "production_catalog")  # now with their stock
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
