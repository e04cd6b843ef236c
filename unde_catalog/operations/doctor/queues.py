"""Checks Celery's queues: which have a worker, and how long steps wait. Only with EXECUTOR=celery."""

from unde_catalog.operations.doctor.result import Finding, green, red, yellow
from unde_catalog.operations.quality.queues import queues_served
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import QUEUES
from unde_catalog.stores.queues import BrokerUnavailable, queue_states


def check_queues(settings: Settings) -> Finding:
    """Every queue has a worker."""
    try:
        result = queues_served(queue_states(settings, QUEUES))
    except BrokerUnavailable as error:
        return red(str(error), "REDIS_URL")
    if result.passed:
        waiting = result.figures["steps_waiting"]
        return green(f"{result.message} {waiting} steps wait.")
    return red(result.message) if result.urgency == "alert" else yellow(result.message)
