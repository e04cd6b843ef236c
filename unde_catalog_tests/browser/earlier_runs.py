"""Executes Dagster runs of one asset, without the queue, before a test: `python -m ... ASSET BRAND,BRAND CONFIG`.

It is a process of its own, because Dagster redirects the output of what it executes. Failed runs are allowed.
"""

import json
import sys

import dagster as dg

from unde_catalog.definitions import build_definitions

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main(asset: str, brands: str, config: str) -> None:
    job = build_definitions().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        for brand in brands.split(","):
            job.execute_in_process(
                run_config={**_QUIET, "ops": {asset: {"config": json.loads(config)}}},
                instance=instance,
                partition_key=brand,
                asset_selection=[dg.AssetKey(asset)],
                raise_on_error=False,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
