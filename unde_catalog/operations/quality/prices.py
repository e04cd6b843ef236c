"""Prices that changed by more than prices usually do, compared with their own history.

This reports them to people; `stages/production_catalog/product_rules.py` decides what may be published.
"""

from decimal import Decimal

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.staging.reports.price_changes import PriceChange, PriceChanges
from unde_catalog.text import quantity

_TOLERATED = 10
_UNIT_SHARE = 0.05  # if more of a brand changed by a factor of 100, the source has changed its unit


def prices(brand: str, now: PriceChanges, limits: CheckFields) -> CheckResult:
    """No recent price differs by more than `CHECK_PRICE_FACTOR` from the median of the product's former prices."""
    factor = f"{limits.check_price_factor:g}"
    figures = {
        "products": now.products, "changed": now.changed, "outliers": now.outliers, "hundredfold": now.hundredfold,
    }  # fmt: skip
    message = f"{quantity(now.changed, 'price')} of {now.products} changed in the last {now.days} days"
    if not now.outliers:
        return CheckResult(True, f"{message}, none by more than a factor of {factor}.", figures=figures)
    table = [
        {"product": one.external_id, "former": str(one.former), "now": str(one.price), "factor": _factor(one)}
        for one in now.examples
    ]
    examples = ", ".join(f"{one.external_id} from {one.former} to {one.price}" for one in now.examples[:3])
    message += f", {now.outliers} by more than a factor of {factor} ({examples})."
    if now.hundredfold > max(_TOLERATED, _UNIT_SHARE * now.products):
        message += (
            f" {now.hundredfold} changed by a factor of 100: fils are read as dirhams, or the reverse. Inspect the raw "
            "items (raw_data). The rules prices_in_line and price_implausible keep these prices from being published."
        )
        return CheckResult(False, message, "alert", figures, table)
    if now.hundredfold:
        message += (
            f" {now.hundredfold} changed by a factor of 100, which suggests fils read as dirhams: inspect raw_data."
        )
    message += f" Compare the prices with the brand's site. Correct ones leave this list after {now.days} days."
    return CheckResult(False, message, figures=figures, table=table)


def _factor(one: PriceChange) -> float:
    return float((one.price / one.former).quantize(Decimal("0.0001")))
