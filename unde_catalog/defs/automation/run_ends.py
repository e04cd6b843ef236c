"""What runs that ended tell: which of their steps and checks failed, for which reason, and which work.

Read from Dagster's events, a few each time. What follows from it is decided in `notices/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEvent, DagsterEventType

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.in_flight import BRAND_TAG, STAGE_TAG
from unde_catalog.operations.alerts.grouping import failed_check, failed_step
from unde_catalog.operations.alerts.sanitize import Sanitizer
from unde_catalog.stores.staging.alerts.incidents import FailureEvent, Recovery

MOST = 100  # ends of runs of each kind at one go
# Two events can be written in another order than they are numbered, so that many are read again; they count once.
_AGAIN = 200
_MOST_OF_A_RUN = 300  # events of a run that are looked at
_WILL_RETRY = "dagster/will_retry"  # a run whose worker died, and that Dagster starts once more
_TOLD_BY_ITS_CHECK = "DagsterAssetCheckFailedError"

_LOOKED_AT = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.ASSET_CHECK_EVALUATION,
}


@dataclass(frozen=True, slots=True)
class RunEnds:
    """What happened, in its order, and the last event that was read."""

    happened: list[FailureEvent | Recovery]
    after: int


def newest(instance: dg.DagsterInstance) -> int:
    """The number of the last end of a run so far, 0 for none: what was before somebody listened is told to nobody."""
    found = [
        record.storage_id
        for ends in (DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_SUCCESS)
        for record in instance.fetch_run_status_changes(ends, limit=1).records
    ]
    return max(found, default=0)


def run_ends(instance: dg.DagsterInstance, after: int, since: int, word: Sanitizer) -> RunEnds:
    """What runs tell that ended after that event, and once more of those a little before it, but after `since`.

    `word` makes their sentences fit to be kept and sent.
    """
    ends, last = _ended(instance, after, max(after - _AGAIN, since))
    runs = (
        {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=[one.run_id for one in ends]))}
        if ends
        else {}
    )
    happened: list[FailureEvent | Recovery] = []
    for end in ends:
        run = runs.get(end.run_id)
        if run is not None:  # else somebody deleted it
            happened += _told_by(instance, run, end, word)
    return RunEnds(happened, last)


@dataclass(frozen=True, slots=True)
class _End:
    number: int
    run_id: str
    failed: bool
    said: str
    at: datetime


def _ended(instance: dg.DagsterInstance, after: int, begin: int) -> tuple[list[_End], int]:
    ends, horizon = [], None
    for ending in (DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_SUCCESS):
        wanted = dg.RunStatusChangeRecordsFilter(ending, after_storage_id=begin)
        records = instance.fetch_run_status_changes(wanted, limit=MOST + _AGAIN, ascending=True).records
        if len(records) == MOST + _AGAIN:  # of the other kind no more than up to here, or the order would be lost
            horizon = min(horizon or records[-1].storage_id, records[-1].storage_id)
        for record in records:
            entry = record.event_log_entry
            failed = ending == DagsterEventType.RUN_FAILURE
            said = _of_run(entry.dagster_event) if failed else ""
            ends.append(_End(record.storage_id, entry.run_id, failed, said, _moment(entry.timestamp)))
    ends = sorted((one for one in ends if horizon is None or one.number <= horizon), key=lambda one: one.number)
    return ends, max((one.number for one in ends), default=after)


def _told_by(
    instance: dg.DagsterInstance, run: dg.DagsterRun, end: _End, word: Sanitizer
) -> list[FailureEvent | Recovery]:
    brand = brand_of(run)
    told: list[FailureEvent | Recovery] = []
    steps_failed = False
    for record in instance.get_records_for_run(run.run_id, of_type=_LOOKED_AT, limit=_MOST_OF_A_RUN).records:
        entry = record.event_log_entry
        event, at = entry.dagster_event, _moment(entry.timestamp)
        if event is None:
            continue
        step = event.step_key or ""
        if event.event_type == DagsterEventType.STEP_SUCCESS:
            told.append(Recovery(("run",), step, "", brand, at))
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            told += _of_check(event, run.run_id, brand, at, word)
        elif end.failed:
            steps_failed = True
            if _TOLD_BY_ITS_CHECK not in _classes(event):
                told.append(failed_step(run.run_id, step, brand, _of_step(event), at, word))
    stage = _stage_of(run)
    if not end.failed:
        told.append(Recovery(("run",), stage, "", brand, end.at))
    elif not steps_failed and run.tags.get(_WILL_RETRY) != "true":
        told.append(failed_step(run.run_id, stage, brand, end.said, end.at, word))
    return told


def _of_check(
    event: DagsterEvent, run_id: str, brand: str, at: datetime, word: Sanitizer
) -> list[FailureEvent | Recovery]:
    found = event.asset_check_evaluation_data
    asset = found.asset_key.to_user_string()
    brand = next((part for part in (found.partition or "").split("|") if part in BRANDS), brand)
    if found.passed:
        return [Recovery(("check", "warning"), asset, found.check_name, brand, at)]
    is_error = found.severity == dg.AssetCheckSeverity.ERROR
    return [
        # What was a warning is now an error, or the other way round: it is one of both.
        Recovery(("warning" if is_error else "check",), asset, found.check_name, brand, at),
        failed_check(
            "check" if is_error else "warning",
            run_id,
            asset,
            found.check_name,
            brand,
            found.description or "",
            at,
            word,
        ),
    ]


def brand_of(run: dg.DagsterRun) -> str:
    """The brand of a run, "" for none: partitions of one dimension are brands, those of two have one among them."""
    named = (run.tags.get(tag) for tag in ("dagster/partition/brand", "dagster/partition", BRAND_TAG))
    return next((brand for brand in named if brand in BRANDS), "")


def _stage_of(run: dg.DagsterRun) -> str:
    """What to call a run that failed outside of its steps."""
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    return run.tags.get(STAGE_TAG) or (assets[0] if len(assets) == 1 else run.job_name)


def _of_step(event: DagsterEvent) -> str:
    """The sentence of a step that failed: its own where it has one, else the innermost error's first line."""
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return _first_line(error.message if error else "")


def _of_run(event: DagsterEvent | None) -> str:
    if event is None:
        return ""
    error = getattr(event.event_specific_data, "error", None)
    return _first_line(error.message if error else "") or event.message or ""


def _classes(event: DagsterEvent) -> Sequence[str | None]:
    found, error = [], event.step_failure_data.error
    while error is not None:
        found.append(error.cls_name)
        error = error.cause
    return found


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
