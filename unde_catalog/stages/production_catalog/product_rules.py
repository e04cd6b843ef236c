"""The rules that a product must pass before it is published; a violation has a reason code.

Pure functions. Rules about a brand as a whole are in `brand_rules.py`. Those need counts of failing products, which
`stores/staging/publishing.py` computes in SQL by the same conditions; a test compares the two.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from unde_catalog.settings.publishing import PublishFields

Reason = Literal[
    "name_missing",
    "category_missing",
    "price_missing",
    "currency_unknown",
    "price_implausible",
    "price_unusual",
    "photo_missing",
    "not_seen",
]

NO_CURRENCY = ("", "XXX")  # the latter is ISO 4217's code for no currency
_WHITESPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the rules read of a product.

    `former_price` is the price last published; for a product that was never published, the median of its earlier
    prices; None if there is none in its currency. `photos` counts the stored photos; `unseen_for` is the time since a
    scrape saw the product.
    """

    name: str | None
    category: str | None
    price: Decimal | None
    currency: str | None
    former_price: Decimal | None
    photos: int
    unseen_for: timedelta


@dataclass(frozen=True, slots=True)
class RuleViolation:
    """A rule that a product violates, and a message with the value."""

    reason: Reason
    message: str


def violations(product: Candidate, limits: PublishFields) -> Iterator[RuleViolation]:
    """The rules that the product violates, the most serious first; without any it may be published."""
    if product.price is None or product.price <= 0:
        yield RuleViolation("price_missing", f"its price is {'unknown' if product.price is None else product.price}")
    elif not is_plausible(product.price, product.former_price, limits.publish_max_price_change):
        yield RuleViolation(
            "price_implausible",
            f"its price changed from {product.former_price} to {product.price}, by a factor of "
            f"{limits.publish_max_price_change:g} or more: if that is correct, confirm it with unde-catalog release",
        )
    elif product.former_price is None and not is_usual(product.price, product.currency, limits.publish_price_bands):
        low, high = limits.publish_price_bands[product.currency or ""]
        yield RuleViolation(
            "price_unusual",
            f"its first price is {product.price} {product.currency}, outside {low} to {high} (PUBLISH_PRICE_BANDS): if "
            "that is correct, confirm it with unde-catalog release",
        )
    if not is_known(product.currency, limits.publish_currencies):
        known = ", ".join(limits.publish_currencies) or "any currency"
        yield RuleViolation(
            "currency_unknown", f"its currency is {product.currency}, PUBLISH_CURRENCIES allows {known}"
        )
    if is_blank(product.name):
        yield RuleViolation("name_missing", "it has no name")
    if is_blank(product.category):
        yield RuleViolation("category_missing", "it has no category")
    if product.photos < 1:
        yield RuleViolation("photo_missing", "it has no stored photo")
    if product.unseen_for > timedelta(days=limits.publish_max_age_days):
        yield RuleViolation(
            "not_seen",
            f"no scrape has seen it for {product.unseen_for.days} days, PUBLISH_MAX_AGE_DAYS is "
            f"{limits.publish_max_age_days:g}",
        )


def is_plausible(price: Decimal, former: Decimal | None, max_factor: float) -> bool:
    """Whether a price differs by less than a factor from the former one; True if there is no former price.

    A misplaced decimal point is a factor of exactly 10.
    """
    if former is None:
        return True
    factor = Decimal(str(max_factor))
    return price * factor > former and price < former * factor


def is_usual(price: Decimal, currency: str | None, bands: Mapping[str, tuple[Decimal, Decimal]]) -> bool:
    """Whether a first price is within the band of its currency; True for a currency without one."""
    low, high = bands.get(currency or "", (price, price))
    return low <= price <= high


def is_known(currency: str | None, allowed: Sequence[str]) -> bool:
    """Whether prices in this currency may be published. An empty list allows all but ISO 4217's "no currency"."""
    return currency is not None and (currency in allowed if allowed else currency not in NO_CURRENCY)


def is_blank(text: str | None) -> bool:
    """Whether the text is missing or only whitespace."""
    return text is None or not text.strip(_WHITESPACE)
