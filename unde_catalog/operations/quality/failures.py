"""How many products fail in a stage, for which reasons, and for how long.

A product that causes its failure itself is given up after three attempts. A failure that a remote host causes is
retried without end, so a check has to report it when it lasts.
"""

from datetime import UTC, timedelta

from unde_catalog.operations.quality.result import CheckResult, such_as
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.staging.reports.quality import FailureFigures, FailureReason
from unde_catalog.text import duration, quantity

LASTING = timedelta(days=3)
_TOLERATED = 10  # products that may fail in any brand
_BROKEN_SHARE = 0.3  # if more of a brand fails for days, the stage is broken and not its products


def failures(stage: str, brand: str, now: FailureFigures, limits: CheckFields) -> CheckResult:
    """Nothing has failed for three days, and at most `CHECK_MAX_FAILING_SHARE` is given up or fails now."""
    given_up = sum(one.given_up for one in now.reasons)
    failing = sum(one.failing for one in now.reasons)
    lasting = sum(one.lasting for one in now.reasons)
    message = f"Of {quantity(now.products, 'product')}, {given_up} were given up and {failing} will be retried."
    figures = {"products": now.products, "given_up": given_up, "failing": failing, "failing_for_3_days": lasting}
    table = [_row(one) for one in now.reasons]
    if lasting:
        worst = max(now.reasons, key=lambda one: one.lasting)
        message += (
            f" {quantity(lasting, 'product')} failed for longer than {duration(LASTING)}, {worst.lasting} of them with "
            f"{worst.reason} since {_day(worst)}{such_as(worst.examples)}. Check with unde-catalog doctor whether the "
            f"remote service has changed or denies access. When it works again, run {stage} of {brand} with "
            "retry_failed."
        )
        urgency = "alert" if lasting > max(_TOLERATED, _BROKEN_SHARE * now.products) else "warn"
        return CheckResult(False, message, urgency, figures, table)
    if given_up + failing > max(_TOLERATED, limits.check_max_failing_share * now.products):
        worst = max(now.reasons, key=lambda one: one.given_up + one.failing)
        message += (
            f" CHECK_MAX_FAILING_SHARE is {limits.check_max_failing_share:.0%}. {worst.given_up + worst.failing} have "
            f"the reason {worst.reason}{such_as(worst.examples)}. unde-catalog show {brand}/<id> shows a product. When "
            f"the cause is fixed, run {stage} of {brand} with retry_failed."
        )
        return CheckResult(False, message, figures=figures, table=table)
    return CheckResult(True, message, figures=figures, table=table)


def _row(one: FailureReason) -> dict[str, str | int | float]:
    return {
        "reason": one.reason, "given up": one.given_up, "retry later": one.failing, "for 3 days": one.lasting,
        "since": _day(one), "examples": ", ".join(one.examples),
    }  # fmt: skip


def _day(one: FailureReason) -> str:
    return f"{one.since.astimezone(UTC):%Y-%m-%d}" if one.since else "an unknown day"
