"""Prices that moved by more than prices move, against their own history.

What such a product may do in production is decided in `stages/production_catalog/rules.py`; here a person gets to
see it.
"""

from decimal import Decimal

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.staging.reports.price_changes import PriceChange, PriceChanges
from unde_catalog.text import quantity

_FEW = 10
_OTHER_UNIT = 0.05  # of the brand a hundredfold: the source changed its unit, not the shop its prices


def prices(brand: str, now: PriceChanges, limits: CheckFields) -> CheckResult:
    """No price moved lately by more than a factor against the median of its former ones."""
    told = f"{quantity(now.changed, 'price')} of {now.products} changed in the last {now.days} days"
    figures = {
        "products": now.products, "changed": now.changed, "outliers": now.outliers, "hundredfold": now.hundredfold,
    }  # fmt: skip
    if not now.outliers:
        return CheckResult(True, f"{told}, none by a factor of {limits.check_price_factor:g}", figures=figures)
    table = [
        {"product": one.external_id, "former": str(one.former), "now": str(one.price), "times": _times(one)}
        for one in now.examples
    ]
    named = ", ".join(f"{one.external_id} from {one.former} to {one.price}" for one in now.examples[:3])
    told += f", {now.outliers} by more than a factor of {limits.check_price_factor:g} ({named})"
    if now.hundredfold > max(_FEW, _OTHER_UNIT * now.products):
        todo = (
            f"{now.hundredfold} by a hundredfold: fils are read as dirhams, or the other way round. Look at the raw "
            "items (raw_data); none of it is published while prices_in_line or price_implausible holds it back"
        )
        return CheckResult(False, f"{told}; {todo}", "wake", figures, table)
    todo = (
        f"look at them in the shop; if they are right, nothing is to be done: they leave this list in {now.days} days"
    )
    if now.hundredfold:
        todo = f"{now.hundredfold} by a hundredfold, which is fils read as dirhams: look at their raw_data; else {todo}"
    return CheckResult(False, f"{told}: {todo}", figures=figures, table=table)


def _times(one: PriceChange) -> float:
    return float((one.price / one.former).quantize(Decimal("0.0001")))
