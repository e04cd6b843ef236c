"""The rules that a brand as a whole must pass before any of it is published: they detect a faulty source.

Pure functions of a few figures. The stage evaluates them before it publishes; the asset checks show the same results.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stores.staging.products.scrapes import TOO_FEW_PRODUCTS

Rule = Literal["scrape_was_whole", "prices_in_line", "products_verify", "enough_products"]

_MIN_PRODUCTS = 10  # with fewer, a share or a median means nothing
_FIRST_FACTOR = 10  # no two of our brands are so far apart; another unit is a factor of 100
_UNMOVED_SHARE = 0.25  # another unit or currency changes nearly all prices, a sale leaves some as they were


@dataclass(frozen=True, slots=True)
class BrandFigures:
    """The state of a brand in staging and production.

    `candidates` are the active products to publish (with photos, or published before), `failing` those that violate a
    rule, `reasons` their number by reason. `price_shift` is the median ratio of new to published price over the
    `compared` products that have both; `unmoved` of them changed by less than half. `first_prices` products have
    no former price; `first_median` is the median of theirs, `other_median` that of other brands' published prices.
    `published` are on sale in production now.
    """

    candidates: int
    failing: int
    reasons: Mapping[str, int]
    compared: int
    price_shift: Decimal | None
    published: int
    unmoved: int = 0
    first_prices: int = 0
    first_median: Decimal | None = None
    other_median: Decimal | None = None
    last_scrape: str | None = None
    last_scrape_reason: str | None = None
    last_scrape_seen: int = 0
    active: int = 0


@dataclass(frozen=True, slots=True)
class BrandRuleResult:
    """The result of a rule: whether the brand passes it, and a message with the figures and, if not, what to do."""

    rule: Rule
    passed: bool
    message: str


def evaluate_rules(brand: BrandFigures, limits: PublishFields) -> list[BrandRuleResult]:
    """The results of all rules, the most fundamental first."""
    return [rule(brand, limits) for rule in RULES.values()]


def scrape_was_whole(brand: BrandFigures, limits: PublishFields) -> BrandRuleResult:
    """The last scrape saw enough products. Otherwise its source is faulty, and what it did see is not reliable."""
    figures = f"the last scrape saw {brand.last_scrape_seen} of {brand.active} active products"
    if brand.last_scrape == "partial" and brand.last_scrape_reason == TOO_FEW_PRODUCTS:
        advice = (
            "check its run in the Apify console (for BakaiMarket: unde-catalog doctor), then run raw_products again"
        )
        return BrandRuleResult("scrape_was_whole", False, f"{figures}: {advice}")
    return BrandRuleResult("scrape_was_whole", True, figures if brand.last_scrape else "no scrape yet")


def products_verify(brand: BrandFigures, limits: PublishFields) -> BrandRuleResult:
    """Most products pass the product rules. If many fail, the cause is common and lies in the source."""
    top_reason = max(brand.reasons, key=lambda reason: brand.reasons[reason], default=None)
    figures = f"{brand.failing} of {brand.candidates} products fail validation"
    if top_reason is not None and brand.reasons[top_reason]:
        figures += f", {brand.reasons[top_reason]} of them with {top_reason}"
    limit = limits.publish_max_failing_share
    if brand.candidates < _MIN_PRODUCTS or brand.failing <= limit * brand.candidates:
        return BrandRuleResult("products_verify", True, figures)
    release = top_reason in ("price_implausible", "price_unusual")
    remedy = (
        "confirm right prices with unde-catalog release" if release else "raise PUBLISH_MAX_FAILING_SHARE for one run"
    )
    advice = f"the limit is {limit:.0%}: fix the source, or {remedy}"
    return BrandRuleResult("products_verify", False, f"{figures}; {advice}")


def prices_in_line(brand: BrandFigures, limits: PublishFields) -> BrandRuleResult:
    """The prices of a brand do not all change by a large factor, which would mean another unit or currency."""
    if brand.compared < _MIN_PRODUCTS and brand.first_prices >= _MIN_PRODUCTS:
        return _first_prices_in_line(brand)
    shift, factor = brand.price_shift, Decimal(str(limits.publish_max_price_shift))
    if shift is None:
        return BrandRuleResult("prices_in_line", True, "no published prices to compare with")
    figures = f"the median of {brand.compared} prices is {float(shift):.4g} times the published price"
    unmoved = brand.unmoved >= _UNMOVED_SHARE * brand.compared
    if unmoved:
        figures += f", and {brand.unmoved} hardly changed"
    if brand.compared < _MIN_PRODUCTS or unmoved or 1 / factor <= shift <= factor:
        return BrandRuleResult("prices_in_line", True, figures)
    advice = (
        f"the limit is a factor of {factor:g}: check whether the source changed its unit or currency; if the prices "
        "are correct, confirm them with unde-catalog release"
    )
    return BrandRuleResult("prices_in_line", False, f"{figures}; {advice}")


def _first_prices_in_line(brand: BrandFigures) -> BrandRuleResult:
    """The prices of a brand that was never published are compared with those of the others."""
    if not brand.first_median or not brand.other_median:
        return BrandRuleResult("prices_in_line", True, "no published prices to compare with")
    figures = (
        f"the median of {brand.first_prices} first prices is {brand.first_median}, that of other brands' published "
        f"prices {brand.other_median}"
    )
    if 1 / _FIRST_FACTOR < brand.first_median / brand.other_median < _FIRST_FACTOR:
        return BrandRuleResult("prices_in_line", True, figures)
    advice = (
        f"a factor of {_FIRST_FACTOR} or more: check the unit and the currency of the source; if the prices are "
        "correct, confirm them with unde-catalog release"
    )
    return BrandRuleResult("prices_in_line", False, f"{figures}; {advice}")


def enough_products(brand: BrandFigures, limits: PublishFields) -> BrandRuleResult:
    """Most of the products on sale stay on sale; they do not disappear all at once."""
    remaining = brand.candidates - brand.failing
    figures = f"{remaining} products would be on sale, {brand.published} are now"
    if brand.published < _MIN_PRODUCTS or remaining >= limits.publish_min_share * brand.published:
        return BrandRuleResult("enough_products", True, figures)
    advice = (
        f"the minimum is {limits.publish_min_share:.0%}: check the last scrapes; if they are correct, lower "
        "PUBLISH_MIN_SHARE for one run"
    )
    return BrandRuleResult("enough_products", False, f"{figures}; {advice}")


RULES: Mapping[Rule, Callable[[BrandFigures, PublishFields], BrandRuleResult]] = {
    "scrape_was_whole": scrape_was_whole,
    "prices_in_line": prices_in_line,
    "products_verify": products_verify,
    "enough_products": enough_products,
}
