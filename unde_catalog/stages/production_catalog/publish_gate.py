"""The publish gate: loads a brand's figures from both databases and evaluates the brand rules.

The stage and the asset checks both call it. Nothing is written here.
"""

from datetime import timedelta

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.production_catalog.brand_rules import BrandFigures, BrandRuleResult, evaluate_rules
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.production import catalog
from unde_catalog.stores.staging import publishing


class PublishGateClosed(RuntimeError):
    """A brand is not published. The message names the rules that it violates, the figures and what to do."""


def load_figures(brand: str, db: Database, production: Database, limits: PublishFields) -> BrandFigures:
    """The brand's current figures."""
    figures = db.run(
        publishing.brand_figures,
        brand,
        limits.publish_currencies,
        timedelta(days=limits.publish_max_age_days),
        limits.publish_max_price_change,
        limits.publish_price_bands,
    )
    return BrandFigures(**figures, published=production.run(catalog.on_sale, brand))


def evaluate(brand: str, db: Database, production: Database, limits: PublishFields) -> list[BrandRuleResult]:
    """The results of all rules for the brand now."""
    return evaluate_rules(load_figures(brand, db, production, limits), limits)


def require(brand: str, db: Database, production: Database, limits: PublishFields) -> None:
    """Return if the brand passes all rules; else raise `PublishGateClosed`."""
    failed = [result for result in evaluate(brand, db, production, limits) if not result.passed]
    if failed:
        messages = "; ".join(f"{result.rule}: {result.message}" for result in failed)
        raise PublishGateClosed(f"{brand} is not published; production keeps what was published before. {messages}")
