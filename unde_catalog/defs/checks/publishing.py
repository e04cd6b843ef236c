"""Checks of publishing: a brand may be published, and the production database agrees with staging.

The rules are in `stages/production_catalog/`. The stage evaluates them itself before it publishes; these checks show
them for each brand.
"""

from collections.abc import Iterator

import dagster as dg

from unde_catalog.defs.checks.results import brand_check, brand_of
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.production_catalog import publish_gate, reconcile
from unde_catalog.stages.production_catalog.brand_rules import RULES
from unde_catalog.stages.production_catalog.limits import limits_of

# They belong to raw_products, so that they also run where a rule fails production_catalog.
_RULES = [brand_check(rule, "raw_products", function.__doc__ or "") for rule, function in RULES.items()]
_PUBLISHED = brand_check(
    "published",
    "production_catalog",
    "Production has as many products of the brand on sale as staging has published.",
)


@dg.multi_asset_check(name="publishable", specs=_RULES)
def publishable(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> Iterator[dg.AssetCheckResult]:
    """Evaluates the rules for a brand as a whole. While one fails, production_catalog publishes nothing of it."""
    brand = brand_of(context)
    with fail_in_one_sentence(f"the checks of {brand} could not start"), backends.open() as opened:
        production, why_not = opened.production, why_not_configured("production_catalog", brand, opened.settings)
        results = (
            publish_gate.evaluate(brand, opened.db, production, limits_of(brand, opened.settings)) if production else []
        )
    by_rule = {result.rule: result for result in results}
    for rule in RULES:
        result = by_rule.get(rule)
        yield dg.AssetCheckResult(
            asset_key="raw_products",
            check_name=rule,
            passed=result is None or result.passed,
            description=result.message if result else why_not,
        )


@dg.multi_asset_check(name="published", specs=[_PUBLISHED])
def published(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> dg.AssetCheckResult:
    """Compares the number of products on sale in production with the number that staging has published."""
    brand = brand_of(context)
    with fail_in_one_sentence(f"the check of {brand} could not start"), backends.open() as opened:
        if opened.production is None:
            why_not = why_not_configured("production_catalog", brand, opened.settings)
            return dg.AssetCheckResult(passed=True, description=why_not)
        agreement = reconcile.compare(brand, opened.db, opened.production)
    return dg.AssetCheckResult(
        passed=agreement.matches,
        description=agreement.message,
        metadata={"on_sale": agreement.on_sale, "synced": agreement.synced, "waiting": agreement.waiting},
    )
