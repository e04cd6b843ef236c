"""Turns the result of a rule into the result of an asset check, and defines checks that have a result for each brand.

The rules are in `operations/quality/`.
"""

import warnings

import dagster as dg

from unde_catalog.defs.partitions import BRAND_PARTITIONS, STORE_PARTITIONS
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stage_specs import STAGE_SPECS

_MAX_ROWS = 50


def brand_check(name: str, asset: str, description: str) -> dg.AssetCheckSpec:
    """A check with a result for each brand; without partitions, the last brand's result would stand for all."""
    partitions = STORE_PARTITIONS if STAGE_SPECS[asset].needs_stores else BRAND_PARTITIONS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(name, asset=asset, description=description, partitions_def=partitions)


def brand_of(context: dg.AssetCheckExecutionContext) -> str:
    """The brand of a run of checks. `dg.Failure` where a run of checks alone was launched without a brand."""
    if not context.op_execution_context.has_partition_key:
        raise dg.Failure(
            "the run has no brand: launch it with the tag dagster/partition set to a brand, for example zara, or "
            "materialize the asset with its checks",
            allow_retries=False,
        )
    return context.partition_key


def check_result(key: dg.AssetCheckKey, result: CheckResult) -> dg.AssetCheckResult:
    """Severity ERROR sends an alert at once; WARN is part of the daily digest."""
    metadata: dict[str, dg.RawMetadataValue] = dict(result.figures)
    if result.table:
        metadata["table"] = _table(result)
    if result.repair_sql:
        metadata["repair"] = dg.MetadataValue.text(result.repair_sql)
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.urgency == "alert" else dg.AssetCheckSeverity.WARN,
        description=result.message,
        metadata=metadata,
    )


def _table(result: CheckResult) -> dg.TableMetadataValue:
    rows = [dg.TableRecord(dict(row)) for row in result.table[:_MAX_ROWS]]
    types = {int: "int", float: "float"}
    columns = [dg.TableColumn(name, types.get(type(value), "string")) for name, value in result.table[0].items()]
    return dg.MetadataValue.table(rows, dg.TableSchema(columns=columns))
