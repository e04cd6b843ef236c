"""What a product must be to be published: one reason for each rule that it fails.

Pure functions; what must hold of a brand as a whole is in `brand_rules.py`. The counts of failing products that those
rules want are taken in SQL (`stores/staging/publishing.py`), by the same conditions; a test holds the two together.
"""

from collections.abc import Iterator, Sequence
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
    "photo_missing",
    "not_seen",
]

NO_CURRENCY = ("", "XXX")  # the latter is ISO 4217's code for none
_BLANK = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is verified of a product.

    `former_price` is the one last published; of a product that never was, the median of its former prices; None where
    there is none in its currency. `photos` are those stored, `unseen_for` the time since a scrape saw it.
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
    """A rule that a product fails, and one sentence with what was found."""

    reason: Reason
    sentence: str


def failures(product: Candidate, limits: PublishFields) -> Iterator[RuleViolation]:
    """The rules that the product fails, the weightiest first; none: it may be published."""
    if product.price is None or product.price <= 0:
        yield RuleViolation("price_missing", f"its price is {'unknown' if product.price is None else product.price}")
    elif not is_plausible(product.price, product.former_price, limits.publish_max_price_change):
        yield RuleViolation(
            "price_implausible",
            f"its price went from {product.former_price} to {product.price}, by more than a factor of "
            f"{limits.publish_max_price_change:g}: if that is right, raise PUBLISH_MAX_PRICE_CHANGE for one run with "
            "retry_failed",
        )
    if not is_known(product.currency, limits.publish_currencies):
        known = ", ".join(limits.publish_currencies) or "any that is named"
        yield RuleViolation("currency_unknown", f"its currency is {product.currency}, PUBLISH_CURRENCIES knows {known}")
    if is_blank(product.name):
        yield RuleViolation("name_missing", "it has no name")
    if is_blank(product.category):
        yield RuleViolation("category_missing", "it has no category")
    if product.photos < 1:
        yield RuleViolation("photo_missing", "no photo of it is stored")
    if product.unseen_for > timedelta(days=limits.publish_max_age_days):
        yield RuleViolation(
            "not_seen",
            f"no scrape saw it for {product.unseen_for.days} days, PUBLISH_MAX_AGE_DAYS is "
            f"{limits.publish_max_age_days:g}",
        )


def is_plausible(price: Decimal, former: Decimal | None, most: float) -> bool:
    """Whether a price is within a factor of a former one; also where none is known."""
    if former is None:
        return True
    factor = Decimal(str(most))
    return price * factor >= former and price <= former * factor


def is_known(currency: str | None, known: Sequence[str]) -> bool:
    """Whether a price in it may be shown: one of these, or, where none are listed, any but ISO's "no currency"."""
    return currency is not None and (currency in known if known else currency not in NO_CURRENCY)


def is_blank(text: str | None) -> bool:
    """Whether there is nothing to read in it."""
    return text is None or not text.strip(_BLANK)
