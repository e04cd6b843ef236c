"""The job `set_index_scope`, for operators who use the UI instead of `unde-catalog scope` and `target-count`.

What it does is in `operations/upkeep/index_scope.py`.
"""

from typing import cast

import dagster as dg
from pydantic import Field

from unde_catalog.brands import BRANDS, IndexScope
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.upkeep import index_scope
from unde_catalog.stores.staging.index.scopes import IndexChange, ProductGroup

UNCHANGED = -1


class IndexScopeConfig(dg.Config):
    """Which products, and what to set. `confirm` is false in the scaffold: the run then only says what it would do."""

    brand: str = Field("", description=f"One of {', '.join(BRANDS)}.")
    category: str = Field("", description="Only products of exactly this category; empty: all of the brand.")
    scope: str = Field("", description=f"One of {', '.join(index_scope.SCOPES)}; empty: as it is.")
    target_count: int = Field(
        UNCHANGED, description=f"Photos of a product in Ximilar, 0 to {index_scope.MAX_TARGET}; {UNCHANGED}: as it is."
    )
    confirm: bool = Field(False, description="Make the change. Without it, the run says what it would do and cost.")


@dg.op(name="what_to_index")  # a job and an op cannot share a name
def _set(
    context: dg.OpExecutionContext, config: IndexScopeConfig, backends: dg.ResourceParam[BackendsResource]
) -> None:
    group = ProductGroup(config.brand, config.category or None)
    change = IndexChange(
        cast(IndexScope, config.scope) if config.scope else None,
        None if config.target_count == UNCHANGED else config.target_count,
    )
    with fail_in_one_sentence("nothing was changed"), backends.open() as opened:
        try:
            if change == IndexChange():
                raise ValueError("set scope or target_count in the launchpad")
            found = index_scope.effect_of(opened.db, group, change)
        except ValueError as error:
            raise dg.Failure(f"nothing was changed: {error}", allow_retries=False) from error
        result = index_scope.sentence(group, found)
        if config.confirm:
            index_scope.apply(opened.db, group, change, lambda count: None)
        elif found.changed:
            result += " Nothing was changed: launch again with confirm: true."
    context.log.info(result)
    context.add_output_metadata({"result": result, "credits": found.inserts})


# In the run's own process: starting another one would take longer than the op.
@dg.job(
    name="set_index_scope",
    executor_def=dg.in_process_executor,
    description="Sets where products are indexed and how many of their photos are in Ximilar.",
)
def set_index_scope_job() -> None:
    """One op; its configuration selects the products and what to set."""
    _set()
