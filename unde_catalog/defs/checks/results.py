"""How a rule's answer becomes the result of an asset check; and the specs of checks that each brand has of its own."""

import warnings

import dagster as dg

from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.operations.quality.result import CheckResult

_MOST_ROWS = 50


def brand_check(name: str, asset: str, description: str) -> dg.AssetCheckSpec:
    """A check with an answer for each brand; without partitions the last brand's would stand for all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(name, asset=asset, description=description, partitions_def=BRAND_PARTITIONS)


def brand_of(context: dg.AssetCheckExecutionContext) -> str:
    """The brand that a run of checks is for; a run by hand of checks alone has none unless it is told."""
    if not context.op_execution_context.has_partition_key:
        raise dg.Failure(
            "which brand? Launch it with the tag dagster/partition set to a brand, for example zara, or materialize "
            "the asset with its checks",
            allow_retries=False,
        )
    return context.partition_key


def result(key: dg.AssetCheckKey, answer: CheckResult) -> dg.AssetCheckResult:
    """ERROR is what must wake somebody (notices go out at once), WARN what can wait for the morning."""
    told: dict[str, dg.RawMetadataValue] = dict(answer.figures)
    if answer.table:
        told["table"] = _table(answer)
    if answer.mend:
        told["mend"] = dg.MetadataValue.text(answer.mend)
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=answer.holds,
        severity=dg.AssetCheckSeverity.ERROR if answer.urgency == "wake" else dg.AssetCheckSeverity.WARN,
        description=answer.sentence,
        metadata=told,
    )


def _table(answer: CheckResult) -> dg.TableMetadataValue:
    rows = [dg.TableRecord(dict(row)) for row in answer.table[:_MOST_ROWS]]
    kinds = {int: "int", float: "float"}
    columns = [dg.TableColumn(name, kinds.get(type(value), "string")) for name, value in answer.table[0].items()]
    return dg.MetadataValue.table(rows, dg.TableSchema(columns=columns))
