"""`unde-catalog worker`: becomes a Celery worker that executes steps of the queues it serves."""

import os
import sys
from typing import Annotated

import typer

from unde_catalog.settings.environment import load_settings
from unde_catalog.settings.sources import child_environment
from unde_catalog.stage_specs import QUEUES
from unde_catalog.stores.queues import broker_url

_APP = "unde_catalog.defs.queues.worker_app"


def worker_command(
    queues: Annotated[str, typer.Option(help=f"Comma-separated queues, of {', '.join(QUEUES)}.")] = ",".join(QUEUES),
    concurrency: Annotated[int, typer.Option(min=1, help="Steps at once, each in a process of its own.")] = 2,
) -> None:
    """Execute steps from queues until SIGTERM, with EXECUTOR=celery and REDIS_URL.

    SIGTERM waits a minute for steps that run; then they go back to their queues, and another worker repeats them.
    """
    names = [one.strip() for one in queues.split(",") if one.strip()]
    if unknown := sorted(set(names) - set(QUEUES)) or ([queues] if not names else []):
        raise ValueError(f"unknown queue {', '.join(unknown)}: --queues takes {', '.join(QUEUES)}")
    settings = load_settings()
    if settings.executor != "celery":
        raise ValueError("EXECUTOR: set it to celery here and for Dagster, or no step reaches this worker")
    broker_url(settings)  # SettingsError now, not in Celery
    command = [
        sys.executable, "-m", "celery", "-A", _APP, "worker", "-Q", ",".join(names), "-c", str(concurrency),
        "-n", f"unde-{os.getpid()}@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle",
    ]  # fmt: skip
    # Celery waits for steps without limit after SIGTERM, and puts them back after SIGQUIT.
    os.execve(sys.executable, command, child_environment({"REMAP_SIGTERM": "SIGQUIT"}))
