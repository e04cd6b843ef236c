"""The gate before a brand: its figures from both databases, and what the brand rules say of them.

The stage and the asset checks both call this; nothing is written here.
"""

from datetime import timedelta

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.production_catalog.brand_rules import BrandFigures, BrandRuleResult, evaluate_rules
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.production import catalog
from unde_catalog.stores.staging import publishing


class BrandGateFailed(RuntimeError):
    """A brand is not published; the sentence names the rules that it fails, figures, and what to do."""


def figures(brand: str, db: Database, production: Database, limits: PublishFields) -> BrandFigures:
    """How the brand stands now."""
    found = db.run(
        publishing.brand_figures,
        brand,
        limits.publish_currencies,
        timedelta(days=limits.publish_max_age_days),
        limits.publish_max_price_change,
    )
    return BrandFigures(**found, published=production.run(catalog.on_sale, brand))


def evaluate(brand: str, db: Database, production: Database, limits: PublishFields) -> list[BrandRuleResult]:
    """What each rule says of the brand now."""
    return evaluate_rules(figures(brand, db, production, limits), limits)


def require(brand: str, db: Database, production: Database, limits: PublishFields) -> None:
    """Nothing when all rules hold; else `BrandGateFailed`."""
    failed = [answer for answer in evaluate(brand, db, production, limits) if not answer.holds]
    if failed:
        told = "; ".join(f"{answer.rule}: {answer.sentence}" for answer in failed)
        raise BrandGateFailed(f"{brand} is not published, what is published of it stays as it is. {told}")
