"""Dagster's default run launcher, which also notices that a run's code server died together with its run worker.

The default one leaves such a run "started" for ever: it holds its pools, and no sensor asks for its brand again.
"""

import json

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

_ADDRESS_TAG = ".dagster/grpc_info"  # where the run's code server listens


class CatalogueRunLauncher(dg.DefaultRunLauncher):
    """Asks the code server that started a run for it; run monitoring fails what is gone, and run retries repeat it."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks only launchers that say so."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the code server has the run in hand; one that lives reports its dead workers itself."""
        if _ADDRESS_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        at = json.loads(run.tags[_ADDRESS_TAG])
        client = DagsterGrpcClient(
            port=at.get("port"), socket=at.get("socket"), host=at.get("host"), use_ssl=bool(at.get("use_ssl"))
        )
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=10)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.FAILED, "the code server that started the run is gone")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "its code server was started anew and does not know the run"
        )
