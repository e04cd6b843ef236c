"""Whether each stage of a brand goes on: it was through within its rhythm, or somebody is at it.

When stages run is `automation/`'s to say; what is paused, or not configured, stands still on purpose.
"""

from datetime import timedelta

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stage_specs import Lateness, lateness_of
from unde_catalog.stores.staging.reports.freshness import StageTimes
from unde_catalog.text import duration

_HOUR = timedelta(hours=1)


def fresh(stage: str, brand: str, now: StageTimes, stands_still: str | None) -> CheckResult:
    """The stage was through lately. `stands_still`: why it may not be, in words."""
    lateness = lateness_of(stage, brand)
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
    late = late_for(lateness, now)
    if late is None:
        return CheckResult(True, told, figures=figures)
    told += f", where {duration(lateness.warn)} is the longest"
    if now.waiting is not None:
        told += f", and something has been due for {duration(now.waiting)}"
    todo = "look whether its schedule or sensor is switched on (AUTOMATION) and the daemon runs, then run it"
    if now.error:
        todo = f"its last run failed: {now.error}"
    began = now.succeeded is not None or now.waiting is not None  # else nobody has switched it on yet
    urgency = "wake" if began and lateness.alert is not None and late > lateness.alert else "look"
    return CheckResult(False, f"{told}; {todo}", urgency, figures)


def late_for(lateness: Lateness, now: StageTimes) -> timedelta | None:
    """How long a late stage has made no progress; None for a stage that is on time."""
    age = _without_progress(lateness, now)
    return age if age is not None and age > lateness.warn else None


def _without_progress(lateness: Lateness, now: StageTimes) -> timedelta | None:
    if now.in_hand:  # a long run, or a backfill
        return None
    if lateness.only_while_due:
        if now.waiting is None:
            return None
        return now.waiting if now.succeeded is None else min(now.waiting, now.succeeded)
    if now.succeeded is not None:
        return now.succeeded
    return timedelta.max if now.products else None  # a brand that never was collected has nothing to be late


def _hours(age: timedelta) -> float:
    return round(age / _HOUR, 2)
