"""Whether each stage of a brand runs on time: its last success is recent, or a run is in progress.

The limits are in `stage_specs.py`, the schedules in `defs/automation/`. A stage that is paused or not configured is
never late.
"""

from datetime import timedelta

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stage_specs import Lateness, lateness_of
from unde_catalog.stores.staging.reports.freshness import StageTimes
from unde_catalog.text import duration

_HOUR = timedelta(hours=1)


def fresh(stage: str, brand: str, now: StageTimes, inactive_reason: str | None) -> CheckResult:
    """The stage succeeded recently. `inactive_reason`: why it is not expected to, None where it is."""
    lateness = lateness_of(stage, brand)
    message = f"No run of {stage} for {brand} has succeeded yet."
    if now.succeeded is not None:
        message = f"{stage} of {brand} succeeded {duration(now.succeeded)} ago."
    figures: dict[str, int | float] = {"leased": now.leased}
    if now.succeeded is not None:
        figures["hours_since_success"] = _hours(now.succeeded)
    if now.waiting is not None:
        figures["oldest_due_hours"] = _hours(now.waiting)
    if inactive_reason is not None:
        return CheckResult(True, f"{message} It is not expected to run: {inactive_reason}.", figures=figures)
    late = late_for(lateness, now)
    if late is None:
        return CheckResult(True, message, figures=figures)
    message += f" The limit is {duration(lateness.warn)}."
    if now.waiting is not None:
        message += f" The oldest due product has waited for {duration(now.waiting)}."
    if now.error:
        message += f" The last run failed: {now.error}"
    else:
        message += " Check that its schedule or sensor is on (AUTOMATION) and that the daemon runs, then run the stage."
    # Before the first success, and with nothing due, the stage may never have been switched on.
    started = now.succeeded is not None or now.waiting is not None
    urgency = "alert" if started and lateness.alert is not None and late > lateness.alert else "warn"
    return CheckResult(False, message, urgency, figures)


def late_for(lateness: Lateness, now: StageTimes) -> timedelta | None:
    """How long a late stage has made no progress; None for a stage that is on time."""
    age = _without_progress(lateness, now)
    return age if age is not None and age > lateness.warn else None


def _without_progress(lateness: Lateness, now: StageTimes) -> timedelta | None:
    if now.leased:  # a long run, or a backfill
        return None
    if lateness.only_while_due:
        if now.waiting is None:
            return None
        return now.waiting if now.succeeded is None else min(now.waiting, now.succeeded)
    if now.succeeded is not None:
        return now.succeeded
    return timedelta.max if now.products else None  # a brand that was never collected cannot be late


def _hours(age: timedelta) -> float:
    return round(age / _HOUR, 2)
