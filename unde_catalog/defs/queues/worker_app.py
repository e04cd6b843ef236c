"""The Celery app of a worker: `unde-catalog worker` starts `celery -A unde_catalog.defs.queues.worker_app worker`."""

from typing import Any

import celery
from celery import Celery
from dagster import DagsterInstance, DagsterRunStatus
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import unpack_value
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task

from unde_catalog.defs.queues.executor import celery_executor
from unde_catalog.settings.environment import load_settings

_ENDING = (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED, DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS)


class StepTask(celery.Task):
    """A step, delivered once or, after a worker was killed, again."""

    def __call__(self, execute_step_args_packed: Any, executable_dict: Any) -> Any:
        """Execute the step unless its run is over: nobody waits for it then, and the next run does its work."""
        arguments = unpack_value(execute_step_args_packed, as_type=ExecuteStepArgs)
        assert arguments.instance_ref is not None  # the executor sends it
        with DagsterInstance.from_ref(arguments.instance_ref) as instance:
            run = instance.get_run_by_id(arguments.run_id)
        if run is None or run.status in _ENDING:
            return []
        return super().__call__(execute_step_args_packed, executable_dict)


def build_app(**overrides: Any) -> Celery:
    """The app, with entries of Celery's configuration that tests override."""
    app = make_app(celery_executor(load_settings()).app_args())
    app.conf.update(overrides)
    create_task(app, base=StepTask)
    return app


app = build_app()
