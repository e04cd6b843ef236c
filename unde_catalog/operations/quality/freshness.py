"""Whether each stage of a brand goes on: it was through within its rhythm, or somebody is at it.

When stages run is `automation/`'s to say; what is paused, or not configured, stands still on purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from unde_catalog.brands import BRANDS
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.staging.reports.freshness import StageTimes
from unde_catalog.text import duration

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FreshnessRule:
    """How long a stage may be without a success, and from when on that must wake somebody (None: never).

    `only_while_due`: it has nothing to do otherwise, and is late when something has been due for that long.
    """

    longest: timedelta
    wakes: timedelta | None
    only_while_due: bool = False


# A day or an hour more than the schedules have. raw_products wakes before PUBLISH_MAX_AGE_DAYS takes all off sale;
# what the app shows (stock, prices) after half a working day; pictures of new products can wait for the morning.
FRESHNESS_RULES: Mapping[str, FreshnessRule] = {
    "raw_products": FreshnessRule(8 * _DAY, 16 * _DAY),  # of a brand that is collected weekly
    "raw_stores": FreshnessRule(2 * _DAY, None),
    "originals": FreshnessRule(_HOUR, 12 * _HOUR, only_while_due=True),
    "collages": FreshnessRule(_HOUR, 12 * _HOUR, only_while_due=True),
    "ximilar_index": FreshnessRule(8 * _DAY, None, only_while_due=True),
    "visual_index": FreshnessRule(_HOUR, None, only_while_due=True),
    "availability": FreshnessRule(2 * _HOUR, 6 * _HOUR),
    "production_catalog": FreshnessRule(2 * _HOUR, 6 * _HOUR),
}

_DAILY = FreshnessRule(2 * _DAY, 8 * _DAY)


def rhythm_of(stage: str, brand: str) -> FreshnessRule:
    """That of the stage; a brand that is collected daily is late sooner."""
    return _DAILY if stage == "raw_products" and BRANDS[brand].collected == "daily" else FRESHNESS_RULES[stage]


def fresh(stage: str, brand: str, now: StageTimes, stands_still: str | None) -> CheckResult:
    """The stage was through lately. `stands_still`: why it may not be, in words."""
    rhythm = rhythm_of(stage, brand)
    told = f"no run of {stage} for {brand} has ended well yet"
    if now.succeeded is not None:
        told = f"{stage} of {brand} was through {duration(now.succeeded)} ago"
    figures: dict[str, int | float] = {"in_hand": now.in_hand}
    if now.succeeded is not None:
        figures["hours_since_success"] = _hours(now.succeeded)
    if now.waiting is not None:
        figures["oldest_due_hours"] = _hours(now.waiting)
    if stands_still is not None:
        return CheckResult(True, f"{told}; {stands_still}", figures=figures)
    late = _late(rhythm, now)
    if late is None or late <= rhythm.longest:
        return CheckResult(True, told, figures=figures)
    told += f", where {duration(rhythm.longest)} is the longest"
    if now.waiting is not None:
        told += f", and something has been due for {duration(now.waiting)}"
    todo = "look whether its schedule or sensor is switched on (AUTOMATION) and the daemon runs, then run it"
    if now.error:
        todo = f"its last run failed: {now.error}"
    began = now.succeeded is not None or now.waiting is not None  # else nobody has switched it on yet
    urgency = "wake" if began and rhythm.wakes is not None and late > rhythm.wakes else "look"
    return CheckResult(False, f"{told}; {todo}", urgency, figures)


def _late(rhythm: FreshnessRule, now: StageTimes) -> timedelta | None:
    """For how long nothing came of it; None where that is as it should be."""
    if now.in_hand:  # a long run, or a backfill
        return None
    if rhythm.only_while_due:
        if now.waiting is None:
            return None
        return now.waiting if now.succeeded is None else min(now.waiting, now.succeeded)
    if now.succeeded is not None:
        return now.succeeded
    return timedelta.max if now.products else None  # a brand that never was collected has nothing to be late


def _hours(age: timedelta) -> float:
    return round(age / _HOUR, 2)
