"""The executor of all runs, by `EXECUTOR`: processes of the run's machine, or Celery workers by queue.

Which queue a stage has is in `stage_specs.py`; what workers do is in `worker_app.py`.
"""

import time
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import dagster as dg

from unde_catalog.settings.environment import Settings, SettingsError, load_settings
from unde_catalog.stage_specs import DEFAULT_QUEUE
from unde_catalog.stores.queues import QUEUED_AT, broker_url

if TYPE_CHECKING:
    from dagster_celery.executor import CeleryExecutor

# Runs of sensors end after 15 minutes and availability after an hour; all others start no new product after this time.
LONGEST_STEP = timedelta(hours=2)
_MARGIN = timedelta(hours=1)  # for what a step had begun when its time was over
_KEEP_RESULTS = timedelta(days=1)  # a result is read within a second


def executor_of(settings: Settings) -> dg.ExecutorDefinition | None:
    """The executor of jobs that have none of their own; None is Dagster's default, a process for each step.

    `SettingsError` if the extra is not installed.
    """
    if settings.executor == "multiprocess":
        return None
    if find_spec("dagster_celery") is None:
        raise SettingsError("EXECUTOR: celery needs the extra [celery]; pip install 'unde-catalog[celery]' adds it")
    return _celery


# The broker is read when a run starts, so that its password is in no definition and in no run configuration.
@dg.executor(name="celery", requirements=dg.multiple_process_executor_requirements())
def _celery(_context: dg.InitExecutorContext) -> dg.Executor:
    from celery.signals import before_task_publish

    before_task_publish.connect(_note_time)
    return celery_executor(load_settings())


def celery_executor(settings: Settings) -> "CeleryExecutor":
    """dagster-celery's executor with this project's Celery configuration."""
    from dagster._core.execution.retries import RetryMode
    from dagster_celery.executor import CeleryExecutor

    url = broker_url(settings)
    return CeleryExecutor(RetryMode.ENABLED, broker=url, backend=url, config_source=celery_configuration(settings))


def celery_configuration(settings: Settings) -> dict[str, Any]:
    """The configuration of Celery, the same for runs and workers."""
    return {
        # A step is done when it has ended: what a killed worker had begun goes to another one.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "task_default_queue": DEFAULT_QUEUE,
        "result_expires": int(_KEEP_RESULTS.total_seconds()),
        # Redis delivers a step of a killed worker again after this time, and that of a living one that takes longer.
        # One list for each queue, whatever the priority: Dagster has ordered the runs already.
        "broker_transport_options": {"visibility_timeout": visibility_timeout(settings), "priority_steps": [0]},
        "broker_connection_retry_on_startup": True,
        "worker_soft_shutdown_timeout": 60.0,
    }


def visibility_timeout(settings: Settings) -> int:
    """Seconds after which Redis delivers an unfinished step again: longer than any step takes."""
    longest = max(LONGEST_STEP, timedelta(seconds=settings.apify_run_timeout))
    return int((longest + _MARGIN).total_seconds())


def step_minutes(settings: Settings, requested: float | None) -> float | None:
    """The `max_minutes` in force for a step: on a Celery worker at most `LONGEST_STEP`."""
    if settings.executor == "multiprocess":
        return requested
    longest = LONGEST_STEP / timedelta(minutes=1)
    return longest if requested is None else min(requested, longest)


def _note_time(headers: dict[str, Any], **_: object) -> None:
    """So that `stores/queues.py` can tell how long a step has waited: Celery's messages carry no time."""
    headers[QUEUED_AT] = time.time()
