"""Dagster's default queue of runs, which also sees to it that every run has the tags it is looked for by.

What waits and what goes first is Dagster's own (`concurrency` in dagster.yaml); which tags, is `automation/`'s.
"""

from dagster import DagsterRun
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

from unde_catalog.defs.automation.run_tags import missing_tags


class CatalogueRunCoordinator(QueuedRunCoordinator):
    """Tags a run when it is queued: here all of them pass, whoever launched them."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Add the tags that are missing, and queue the run."""
        run = context.dagster_run
        if tags := missing_tags(run):
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)
