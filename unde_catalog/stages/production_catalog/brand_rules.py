"""What must hold of a brand as a whole, or none of it is published: its source is sick, not its products.

Pure functions of a few figures. The stage calls them before it publishes, the asset checks show the same answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from unde_catalog.settings.publishing import PublishFields

Rule = Literal["scrape_was_whole", "prices_in_line", "products_verify", "enough_products"]

_ENOUGH = 10  # products below which a share or a median says nothing


@dataclass(frozen=True, slots=True)
class BrandFigures:
    """A brand as it stands in staging and in production.

    `candidates` are the active products that are to be published (photos fetched, or published before), `failing`
    those that fail a rule, `reasons` how many fail each. `price_shift` is the median of new to published price over
    the `compared` products that have both. `published` are on sale in production now.
    """

    candidates: int
    failing: int
    reasons: Mapping[str, int]
    compared: int
    price_shift: Decimal | None
    published: int
    last_scrape: str | None = None
    last_scrape_reason: str | None = None
    last_scrape_seen: int = 0
    active: int = 0


@dataclass(frozen=True, slots=True)
class BrandRuleResult:
    """What a rule says of a brand: whether it holds, and the figures in one sentence; where it does not, what to do."""

    rule: Rule
    holds: bool
    sentence: str


def evaluate_rules(brand: BrandFigures, limits: PublishFields) -> list[BrandRuleResult]:
    """What each rule says, in the order in which they are to be believed."""
    return [rule(brand, limits) for rule in RULES.values()]


def scrape_was_whole(brand: BrandFigures, limits: PublishFields) -> BrandRuleResult:
    """A scrape that saw too few products is a broken actor: what it did see is not believed, either."""
    seen = f"the last scrape saw {brand.last_scrape_seen} of {brand.active} active products"
    if brand.last_scrape == "partial" and brand.last_scrape_reason == "too_few_products":
        todo = (
            "look at its run in Apify's console (of BakaiMarket, at unde-catalog doctor), then run raw_products again"
        )
        return BrandRuleResult("scrape_was_whole", False, f"{seen}: {todo}")
    return BrandRuleResult("scrape_was_whole", True, seen if brand.last_scrape else "no scrape yet")


def products_verify(brand: BrandFigures, limits: PublishFields) -> BrandRuleResult:
    """When many fail there is one cause, and it is not theirs."""
    most = max(brand.reasons, key=lambda reason: brand.reasons[reason], default=None)
    figures = f"{brand.failing} of {brand.candidates} products fail verification"
    if most is not None and brand.reasons[most]:
        figures += f", {brand.reasons[most]} of them with {most}"
    limit = limits.publish_max_failing_share
    if brand.candidates < _ENOUGH or brand.failing <= limit * brand.candidates:
        return BrandRuleResult("products_verify", True, figures)
    todo = f"the limit is {limit:.0%}: mend the source, or raise PUBLISH_MAX_FAILING_SHARE for one run if that is right"
    return BrandRuleResult("products_verify", False, f"{figures}; {todo}")


def prices_in_line(brand: BrandFigures, limits: PublishFields) -> BrandRuleResult:
    """Prices of a whole brand do not move together by much: then another unit or currency was read."""
    shift, factor = brand.price_shift, Decimal(str(limits.publish_max_price_shift))
    if shift is None:
        return BrandRuleResult("prices_in_line", True, "nothing published to compare with")
    figures = f"{brand.compared} prices are {float(shift):.4g} times those published, in the median"
    if brand.compared < _ENOUGH or 1 / factor <= shift <= factor:
        return BrandRuleResult("prices_in_line", True, figures)
    todo = (
        f"the limit is a factor of {factor:g}: look whether the source changed its unit or currency; if the prices are "
        "right, raise PUBLISH_MAX_PRICE_SHIFT (and PUBLISH_MAX_PRICE_CHANGE) for one run"
    )
    return BrandRuleResult("prices_in_line", False, f"{figures}; {todo}")


def enough_products(brand: BrandFigures, limits: PublishFields) -> BrandRuleResult:
    """Most of what is on sale does not go at once."""
    left = brand.candidates - brand.failing
    figures = f"{left} products would be on sale where {brand.published} are now"
    if brand.published < _ENOUGH or left >= limits.publish_min_share * brand.published:
        return BrandRuleResult("enough_products", True, figures)
    todo = (
        f"the least is {limits.publish_min_share:.0%}: look at the last scrapes; if they are right, lower "
        "PUBLISH_MIN_SHARE for one run"
    )
    return BrandRuleResult("enough_products", False, f"{figures}; {todo}")


RULES: Mapping[Rule, Callable[[BrandFigures, PublishFields], BrandRuleResult]] = {
    "scrape_was_whole": scrape_was_whole,
    "prices_in_line": prices_in_line,
    "products_verify": products_verify,
    "enough_products": enough_products,
}
