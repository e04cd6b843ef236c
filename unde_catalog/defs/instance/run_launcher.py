"""Dagster's default run launcher, which also detects that a run's code server died together with its run worker.

The default launcher leaves such a run "started" forever: it keeps its pool slots, and no sensor requests its brand.
"""

import json

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

_ADDRESS_TAG = ".dagster/grpc_info"  # the address of the run's code server


class CatalogueRunLauncher(dg.DefaultRunLauncher):
    """Asks the code server of a run whether it is alive. Run monitoring fails a dead run; run retries repeat it."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring only asks launchers that return True."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the code server knows the run. A live code server reports dead run workers itself."""
        if _ADDRESS_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        address = json.loads(run.tags[_ADDRESS_TAG])
        client = DagsterGrpcClient(
            port=address.get("port"),
            socket=address.get("socket"),
            host=address.get("host"),
            use_ssl=bool(address.get("use_ssl")),
        )
        try:
            response = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=10)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.FAILED, "The code server that started the run is gone.")
        if deserialize_value(response, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "The code server was restarted and does not know the run.")
