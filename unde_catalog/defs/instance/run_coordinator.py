"""Dagster's default run queue, which also tags runs and refuses those that name products which do not exist.

Order and limits are Dagster's (`concurrency` in dagster.yaml); the tags are decided in `automation/run_tags.py`, and
what is refused in `automation/run_input.py`.
"""

from dagster import DagsterRun
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

from unde_catalog.defs.automation.in_flight import stages_of
from unde_catalog.defs.automation.pod_resources import TAG, pod_tags
from unde_catalog.defs.automation.run_input import why_refused
from unde_catalog.defs.automation.run_tags import missing_tags
from unde_catalog.settings.environment import load_settings


class CatalogueRunCoordinator(QueuedRunCoordinator):
    """Tags a run when it is queued; every run passes here, however it was launched."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Add the missing tags, and queue the run; a run that is refused is canceled with the reason.

        A canceled run is no failure: its partitions keep their colour, and nobody is alerted.
        """
        run = context.dagster_run
        tags = dict(missing_tags(run))
        # By its name, since only Kubernetes needs the package; a tag of the operator's stays.
        if type(self._instance.run_launcher).__name__ == "K8sRunLauncher" and TAG not in run.tags:
            stages = stages_of(run)
            is_of_assets = stages is not None or run.job_name.startswith("__ASSET_JOB")
            tags |= pod_tags(stages if is_of_assets else ())
        if tags:
            self._instance.add_run_tags(run.run_id, tags)
        if reason := why_refused(run, load_settings()):
            self._instance.report_run_canceled(run, f"Refused: {reason}")
            return self._instance.get_run_by_id(run.run_id) or run
        return super().submit_run(context)
