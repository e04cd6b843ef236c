"""Whether workers serve every queue. How queues are read is in `stores/queues.py`."""

from collections.abc import Sequence
from datetime import timedelta

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.queues import QueueState
from unde_catalog.text import duration

_LONG = timedelta(hours=1)


def queues_served(states: Sequence[QueueState]) -> CheckResult:
    """Every queue has a worker, and no step has waited in one for more than an hour. Without queues it holds."""
    if not states:
        return CheckResult(True, "Steps run on the machines of their runs (EXECUTOR=multiprocess).")
    without = [one for one in states if not one.workers]
    late = [one for one in states if one.workers and timedelta(seconds=one.oldest or 0) > _LONG]
    sentences = [
        f"The queue {one.name} has no worker{_waiting(one)}: start unde-catalog worker --queues {one.name}."
        for one in without
    ] + [f"Work in the queue {one.name} is late{_waiting(one)}: start more workers for it." for one in late]
    table: list[dict[str, str | int | float]] = [
        {"queue": one.name, "workers": one.workers, "waiting": one.waiting,
         "oldest": "" if one.oldest is None else duration(timedelta(seconds=one.oldest))}
        for one in states
    ]  # fmt: skip
    figures = {"queues_without_worker": len(without), "steps_waiting": sum(one.waiting for one in states)}
    message = " ".join(sentences) or f"All {len(states)} queues have workers."
    return CheckResult(not sentences, message, "alert" if without else "warn", figures, table)


def _waiting(state: QueueState) -> str:
    if not state.waiting:
        return ""
    since = f", the oldest for {duration(timedelta(seconds=state.oldest))}" if state.oldest is not None else ""
    return f" ({state.waiting} waiting{since})"
