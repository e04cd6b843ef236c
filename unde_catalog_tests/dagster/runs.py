"""How the tests look at what a run told."""

from collections.abc import Mapping
from typing import Any

import dagster as dg


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """What the asset's one materialization says."""
    (materialization,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in materialization.metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The error of the one step that failed."""
    return str(_failed_step(result).error)


def failure_metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What the one step that failed says beside its error."""
    told = _failed_step(result).user_failure_data
    assert told is not None, "it did not fail with a dg.Failure"
    entries: Mapping[str, dg.MetadataValue] = told.metadata
    return {name: value.value for name, value in entries.items()}


def _failed_step(result: dg.ExecuteInProcessResult) -> Any:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data
