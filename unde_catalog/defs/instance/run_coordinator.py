"""Dagster's default run queue, which also adds the tags that every run should have.

Order and limits are Dagster's (`concurrency` in dagster.yaml); the tags are decided in `automation/run_tags.py`.
"""

from dagster import DagsterRun
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

from unde_catalog.defs.automation.run_tags import missing_tags


class CatalogueRunCoordinator(QueuedRunCoordinator):
    """Tags a run when it is queued; every run passes here, however it was launched."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Add the missing tags, and queue the run."""
        run = context.dagster_run
        if tags := missing_tags(run):
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)
