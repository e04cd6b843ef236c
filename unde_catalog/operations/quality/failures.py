"""How much of a stage's work fails, for which reasons, and for how long.

A fault of the item is given up after three tries; a fault of the far side never is, so that a check has to tell when
it lasts (spec 1).
"""

from datetime import UTC, timedelta

from unde_catalog.operations.quality.result import CheckResult, named
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.staging.reports.quality import FailureFigures, FailureReason
from unde_catalog.text import duration, quantity

LASTING = timedelta(days=3)  # spec 1
_FEW = 10  # products that may fail in any brand
_MOST_OF_IT = 0.3  # of a brand stuck for days: the stage is broken, not its products


def failures(stage: str, brand: str, now: FailureFigures, limits: CheckFields) -> CheckResult:
    """Nothing has been failing for three days, and not too much is given up or failing now."""
    given_up = sum(one.given_up for one in now.reasons)
    failing = sum(one.failing for one in now.reasons)
    stuck = sum(one.lasting for one in now.reasons)
    told = f"{given_up} given up, {failing} to be tried again, of {quantity(now.products, 'product')}"
    figures = {"products": now.products, "given_up": given_up, "failing": failing, "failing_for_3_days": stuck}
    table = [_row(one) for one in now.reasons]
    if stuck:
        worst = max(now.reasons, key=lambda one: one.lasting)
        todo = (
            f"{quantity(stuck, 'product')} failed for longer than {duration(LASTING)}, {worst.lasting} of them with "
            f"{worst.reason} since {_day(worst)}{named(worst.examples)}: look whether the far side has changed or bars "
            f"us (unde-catalog doctor); when it is well again, run {stage} of {brand} with retry_failed"
        )
        urgency = "wake" if stuck > max(_FEW, _MOST_OF_IT * now.products) else "look"
        return CheckResult(False, f"{told}; {todo}", urgency, figures, table)
    if given_up + failing > max(_FEW, limits.check_max_failing_share * now.products):
        worst = max(now.reasons, key=lambda one: one.given_up + one.failing)
        todo = (
            f"the limit CHECK_MAX_FAILING_SHARE is {limits.check_max_failing_share:.0%}, and "
            f"{worst.given_up + worst.failing} have {worst.reason}{named(worst.examples)}: unde-catalog show "
            f"{brand}/<id> tells one; when the cause is gone, run {stage} of {brand} with retry_failed"
        )
        return CheckResult(False, f"{told}; {todo}", figures=figures, table=table)
    return CheckResult(True, told, figures=figures, table=table)


def _row(one: FailureReason) -> dict[str, str | int | float]:
    return {
        "reason": one.reason, "given up": one.given_up, "tried again": one.failing, "for 3 days": one.lasting,
        "since": _day(one), "for example": ", ".join(one.examples),
    }  # fmt: skip


def _day(one: FailureReason) -> str:
    return f"{one.since.astimezone(UTC):%Y-%m-%d}" if one.since else "some time"
