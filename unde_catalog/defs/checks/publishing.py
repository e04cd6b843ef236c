"""Checks around publishing: may a brand be published, and does production agree with staging.

The rules are `publish/`'s, and the stage calls them itself before it publishes; here they are shown, a brand at a time.
"""

from collections.abc import Iterator

import dagster as dg

from unde_catalog.defs.checks.results import brand_check, brand_of
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.production_catalog import brand_gate, reconcile
from unde_catalog.stages.production_catalog.brand_rules import RULES
from unde_catalog.stages.production_catalog.limits import limits_of

# On raw_products, so that they also run where a shut gate fails production_catalog.
_RULES = [brand_check(rule, "raw_products", function.__doc__ or "") for rule, function in RULES.items()]
_AGREEMENT = brand_check(
    "published",
    "production_catalog",
    "As many products of a brand are on sale in production as staging knows to be published.",
)


@dg.multi_asset_check(name="publishable", specs=_RULES)
def publishable(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> Iterator[dg.AssetCheckResult]:
    """What must hold of a brand as a whole; while one of these fails, production_catalog leaves it as it is."""
    brand = brand_of(context)
    with fail_in_one_sentence(f"the checks of {brand} could not begin"), backends.open() as opened:
        production, why_not = opened.production, why_not_configured("production_catalog", brand, opened.settings)
        answers = (
            brand_gate.evaluate(brand, opened.db, production, limits_of(brand, opened.settings)) if production else []
        )
    told = {answer.rule: answer for answer in answers}
    for rule in RULES:
        answer = told.get(rule)
        yield dg.AssetCheckResult(
            asset_key="raw_products",
            check_name=rule,
            passed=answer is None or answer.holds,
            description=answer.sentence if answer else why_not,
        )


@dg.multi_asset_check(name="published", specs=[_AGREEMENT])
def published(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> dg.AssetCheckResult:
    """Whether as many products of a brand are on sale in production as staging knows to be published."""
    brand = brand_of(context)
    with fail_in_one_sentence(f"the check of {brand} could not begin"), backends.open() as opened:
        if opened.production is None:
            why_not = why_not_configured("production_catalog", brand, opened.settings)
            return dg.AssetCheckResult(passed=True, description=why_not)
        answer = reconcile.compare(brand, opened.db, opened.production)
    return dg.AssetCheckResult(
        passed=answer.holds,
        description=answer.sentence,
        metadata={"on_sale": answer.on_sale, "synced": answer.synced, "waiting": answer.waiting},
    )
