"""Reads the metadata and the errors of a run."""

from collections.abc import Mapping
from typing import Any

import dagster as dg


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The metadata of the asset's only materialization."""
    (materialization,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in materialization.metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The error of the only failed step."""
    return str(_failed_step(result).error)


def failure_metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of the only failed step."""
    failure_data = _failed_step(result).user_failure_data
    assert failure_data is not None, "the step did not fail with a dg.Failure"
    entries: Mapping[str, dg.MetadataValue] = failure_data.metadata
    return {name: value.value for name, value in entries.items()}


def _failed_step(result: dg.ExecuteInProcessResult) -> Any:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data
