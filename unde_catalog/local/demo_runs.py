"""The demo's Dagster runs, brand by brand, in a process of their own: `python -m unde_catalog.local.demo_runs`.

Apart from the terminal's process, as Dagster redirects the output of what it runs.
"""

import sys
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions

_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}


def main() -> int:
    """From the scrape to what is published of it, then the shops and their stock, for every brand; 1 if any failed."""
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

        catalogue = definitions.resolve_job_def("catalogue")
        shops = definitions.resolve_implicit_global_asset_job_def()
        for brand in BRANDS:
            run(catalogue, brand, brand)
        for brand in (key for key, one in BRANDS.items() if one.has_stores):
            run(shops, brand, brand, "raw_stores")
            day = f"{datetime.now(UTC):%Y-%m-%d}"
            # All at once: by themselves products come due over the hour.
            run(shops, brand, dg.MultiPartitionKey({"brand": brand, "date": day}), "availability", force=True)
        for brand in BRANDS:
            run(shops, brand, brand, "production_catalog")  # their stock
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
