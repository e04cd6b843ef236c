"""Reads the runs that ended from Dagster's event log: which steps and checks failed, why, and which succeeded.

A tick reads for a limited time. If very many runs ended, it reads the events of the newest of each kind alone, and
counts the others. Which alerts follow is decided in `operations/alerts/`.
"""

import heapq
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import dagster as dg
from dagster import DagsterEvent, DagsterEventType

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.in_flight import STAGE_TAG, brand_of
from unde_catalog.defs.automation.job_names import all_names
from unde_catalog.operations.alerts.grouping import failed_check, failed_step, reason_key
from unde_catalog.operations.alerts.sanitize import Sanitizer
from unde_catalog.stores.staging.alerts.incidents import FailureEvent, Kind, Recovery

READ_SECONDS = 20.0  # after which no more run ends are read in one tick; a sensor has 60 in total
IN_DETAIL = 300  # runs whose events are read in one tick; each takes some 10 ms
_PAGE = 1_000  # run ends in one query
# Two events can be stored in another order than they are numbered in, so the last ones are read again; they count once.
_OVERLAP = 200
_EVENTS_OF_A_RUN = 300  # how many events of a run are read
_WILL_RETRY = "dagster/will_retry"  # the tag of a run whose worker died and that Dagster starts again
_CHECK_FAILED = "DagsterAssetCheckFailedError"  # the check's own event says more than this error

_Ending = Literal[DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_SUCCESS]
_EVENT_TYPES = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.ASSET_CHECK_EVALUATION,
}


@dataclass(frozen=True, slots=True)
class RunEnds:
    """Failures and recoveries in the order in which they happened, and the last event that was read.

    `counted`: runs whose failures are taken to be those of the newest run of their kind, because too many ended.
    """

    events: list[FailureEvent | Recovery]
    after: int
    counted: int = 0


def newest(instance: dg.DagsterInstance) -> int:
    """The number of the latest event that ended a run, 0 for none."""
    numbers = [
        record.storage_id
        for ending in (DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_SUCCESS)
        for record in instance.fetch_run_status_changes(ending, limit=1).records
    ]
    return max(numbers, default=0)


def run_ends(instance: dg.DagsterInstance, after: int, since: int, sanitize: Sanitizer) -> RunEnds:
    """What runs report that ended after the event `after`, and again those shortly before it but after `since`.

    `sanitize` makes their messages fit to be stored and sent.
    """
    ends = _ended(instance, max(after - _OVERLAP, since))
    runs = _runs(instance, [end.run_id for end in ends])
    known = [(end, runs[end.run_id]) for end in ends if end.run_id in runs]  # else somebody deleted it
    kinds = {_kind(end, run): end.number for end, run in known}  # the newest of each kind
    numbers = {end.number for end, _ in known} if len(known) <= IN_DETAIL else {*sorted(kinds.values())[-IN_DETAIL:]}
    detailed = {end.number: _events_of(instance, run, end, sanitize) for end, run in known if end.number in numbers}
    counted = [
        event
        for end, run in known
        if end.number not in detailed and end.failed
        for event in _like(detailed.get(kinds[_kind(end, run)]), end, run, sanitize)
    ]
    events = [*counted, *(event for number in sorted(detailed) for event in detailed[number])]
    return RunEnds(events, max((end.number for end in ends), default=after), len(known) - len(detailed))


def _runs(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> dict[str, dg.DagsterRun]:
    pages = [run_ids[i : i + _PAGE] for i in range(0, len(run_ids), _PAGE)]
    return {run.run_id: run for page in pages for run in instance.get_runs(dg.RunsFilter(run_ids=[*page]))}


@dataclass(frozen=True, slots=True)
class _End:
    number: int
    run_id: str
    failed: bool
    message: str
    at: datetime


def _ended(instance: dg.DagsterInstance, begin: int) -> list[_End]:
    """The run ends after the event `begin`, in order, as many as can be read in time."""
    top, deadline = newest(instance), time.monotonic() + READ_SECONDS
    kinds: tuple[_Ending, _Ending] = (DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_SUCCESS)
    ends: list[_End] = []
    for end in heapq.merge(*(_ended_as(instance, kind, begin) for kind in kinds), key=lambda end: end.number):
        # What comes later than `top` is read in the next tick, whatever its kind. At least one page is read.
        if end.number > top or time.monotonic() > deadline and len(ends) > _PAGE:
            break
        ends.append(end)
    return ends


def _ended_as(instance: dg.DagsterInstance, ending: _Ending, begin: int) -> Iterator[_End]:
    failed = ending == DagsterEventType.RUN_FAILURE
    while True:
        filters = dg.RunStatusChangeRecordsFilter(ending, after_storage_id=begin)
        records = instance.fetch_run_status_changes(filters, limit=_PAGE, ascending=True).records
        for record in records:
            entry = record.event_log_entry
            message = _run_message(entry.dagster_event) if failed else ""
            yield _End(record.storage_id, entry.run_id, failed, message, _moment(entry.timestamp))
        if len(records) < _PAGE:
            return
        begin = records[-1].storage_id


def _kind(end: _End, run: dg.DagsterRun) -> tuple[str, str, bool, str]:
    """What runs have in common that ended alike."""
    return _stage_of(run), brand_of(run) or "", end.failed, reason_key(end.message)


def _like(
    events: Sequence[FailureEvent | Recovery] | None, end: _End, run: dg.DagsterRun, sanitize: Sanitizer
) -> list[FailureEvent]:
    """The failures of a run as those of the newest run of its kind, None if that was not read either."""
    if events is None:
        return [failed_step(run.run_id, _stage_of(run), brand_of(run) or "", end.message, end.at, sanitize)]
    return [
        replace(event, key=f"run:{run.run_id}:{event.stage}", run_id=run.run_id, at=end.at)
        for event in events
        if isinstance(event, FailureEvent) and event.kind == "run"
    ]


def _events_of(
    instance: dg.DagsterInstance, run: dg.DagsterRun, end: _End, sanitize: Sanitizer
) -> list[FailureEvent | Recovery]:
    brand = brand_of(run) or ""
    events: list[FailureEvent | Recovery] = []
    a_step_failed = False
    for record in instance.get_records_for_run(run.run_id, of_type=_EVENT_TYPES, limit=_EVENTS_OF_A_RUN).records:
        entry = record.event_log_entry
        event, at = entry.dagster_event, _moment(entry.timestamp)
        if event is None:
            continue
        step = event.step_key or ""
        if event.event_type == DagsterEventType.STEP_SUCCESS:
            events += _recovered(step, brand, at)
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            events += _check_events(event, run.run_id, brand, at, sanitize)
        elif end.failed:
            a_step_failed = True
            if _CHECK_FAILED not in _error_classes(event):
                events.append(failed_step(run.run_id, step, brand, _step_message(event), at, sanitize))
    stage = _stage_of(run)
    if not end.failed:
        events += _recovered(stage, brand, end.at)
    elif not a_step_failed and run.tags.get(_WILL_RETRY) != "true":
        events.append(failed_step(run.run_id, stage, brand, end.message, end.at, sanitize))
    return events


def _recovered(stage: str, brand: str, at: datetime) -> list[Recovery]:
    """Also under the stage's former names, which open alerts may still have."""
    return [Recovery(("run",), name, "", brand, at) for name in all_names(stage)]


def _check_events(
    event: DagsterEvent, run_id: str, brand: str, at: datetime, sanitize: Sanitizer
) -> list[FailureEvent | Recovery]:
    evaluation = event.asset_check_evaluation_data
    asset, check = evaluation.asset_key.to_user_string(), evaluation.check_name
    brand = next((part for part in (evaluation.partition or "").split("|") if part in BRANDS), brand)

    def recovered(*kinds: Kind) -> list[Recovery]:
        names = [name.rpartition(":")[2] for name in all_names(f"{asset}:{check}")]
        return [Recovery(kinds, asset, name, brand, at) for name in names]

    if evaluation.passed:
        return [*recovered("check", "warning")]
    is_error = evaluation.severity == dg.AssetCheckSeverity.ERROR
    kind, other = ("check", "warning") if is_error else ("warning", "check")
    # A warning that has become an error is no longer a warning, and the other way round.
    message = evaluation.description or ""
    return [*recovered(other), failed_check(kind, run_id, asset, check, brand, message, at, sanitize)]


def _stage_of(run: dg.DagsterRun) -> str:
    """The name under which a run appears in alerts when it fails outside of its steps."""
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    return run.tags.get(STAGE_TAG) or (assets[0] if len(assets) == 1 else run.job_name)


def _step_message(event: DagsterEvent) -> str:
    """The description of a failed step where it has one, else the first line of the innermost error."""
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return _first_line(error.message if error else "")


def _run_message(event: DagsterEvent | None) -> str:
    if event is None:
        return ""
    error = getattr(event.event_specific_data, "error", None)
    return _first_line(error.message if error else "") or event.message or ""


def _error_classes(event: DagsterEvent) -> Sequence[str | None]:
    classes, error = [], event.step_failure_data.error
    while error is not None:
        classes.append(error.cls_name)
        error = error.cause
    return classes


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
