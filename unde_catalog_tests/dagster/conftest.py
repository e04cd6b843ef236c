"""Runs on an ephemeral instance."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.settings.environment import load_settings
from unde_catalog_tests.support.servers import Sandbox

Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as ephemeral:
        yield ephemeral


@pytest.fixture
def materialize(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], instance: dg.DagsterInstance
) -> Materialize:
    """Materializes assets of a brand, as a run on an instance; configuration by asset, `also` more assets."""
    configured(sandbox)

    def run(
        *assets: str,
        brand: str | None = "zara",
        config: dict[str, Any] | None = None,
        resources: dict[str, Any] | None = None,
        also: list[dg.AssetsDefinition] | None = None,
        **tags: str,
    ) -> dg.ExecuteInProcessResult:
        ops = {asset: {"config": config} for asset in assets} if config else {}
        ours = build_definitions(load_settings(), resources)
        return (
            dg.Definitions.merge(ours, dg.Definitions(assets=also or []))
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                asset_selection=[dg.AssetKey(asset) for asset in assets],
                partition_key=brand,
                instance=instance,
                run_config={"ops": ops},
                tags=tags,
                raise_on_error=False,
            )
        )

    return run
