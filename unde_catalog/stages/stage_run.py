"""One run of a stage: what `run.py` passes to the stage's package.

What a run did is a `StageReport`, in `worker/report.py`.
"""

import logging
from dataclasses import dataclass

from unde_catalog.backends import Backends
from unde_catalog.worker.handler import OnStored
from unde_catalog.worker.report import RunOptions


@dataclass(frozen=True, slots=True)
class StageRun:
    """A run of a stage for one brand.

    `on_stored` receives the objects that the run stored, after their outcomes are committed.
    """

    brand: str
    backends: Backends
    options: RunOptions
    log: logging.Logger
    on_stored: OnStored | None = None
