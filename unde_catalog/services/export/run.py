"""Runs one export: locks the folder, recovers an interrupted run, and copies the images of the list.

`cli/export.py` opens the backends and shows the progress.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unde_catalog.services.export import checkpoint
from unde_catalog.services.export.batches import BatchReader, ExportFilter
from unde_catalog.services.export.copier import Copier, CopyOptions, Fetch, OnFailure, OnProgress
from unde_catalog.services.export.encode import Encoder
from unde_catalog.services.export.folder import CopyFolder
from unde_catalog.services.export.image_list import ImageList, ListName
from unde_catalog.services.export.journal import RunJournal, RunStart
from unde_catalog.services.export.totals import ExportTotals
from unde_catalog.stages.photos.image import DEFAULT_LIMITS, ImageLimits

ExportResult = Literal["completed", "interrupted", "terminated"]
OnMessage = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """`refresh`: download existing files again. `reencode`: also encode plain JPEGs, which are otherwise kept."""

    output: Path
    source: ListName
    selection: ExportFilter
    refresh: bool = False
    reencode: bool = False
    limits: ImageLimits = DEFAULT_LIMITS
    options: CopyOptions = CopyOptions()

    @property
    def refresh_id(self) -> str | None:
        """Identifies a refresh, so that an interrupted one can be resumed. None without `refresh`."""
        selection = self.selection
        fields = [
            self.source, selection.brand, selection.category, selection.limit, selection.all_photos, self.reencode,
        ]  # fmt: skip
        return json.dumps(fields) if self.refresh else None


async def export(
    config: ExportConfig,
    images: ImageList,
    fetch: Fetch,
    totals: ExportTotals,
    *,
    on_progress: OnProgress = lambda totals: None,
    on_message: OnMessage = lambda message: None,
    on_failure: OnFailure = lambda job, failure: None,
) -> ExportResult:
    """Fill the folder and count in `totals`. Raises `CopyStopped` and what the list and `fetch` raise.

    SIGINT and SIGTERM save the progress and stop the export. A second signal ends the process at once.
    """
    with CopyFolder(config.output) as folder:
        journal = RunJournal(folder)
        start = _start(folder, journal, config.refresh_id, on_message)
        encoder = Encoder(folder, config.limits, reencode=config.reencode)
        copier = Copier(folder, journal, fetch, encoder, config.options, totals, on_failure)
        batches = BatchReader(images, folder, config.selection, start.at if config.refresh else 0)
        with _stop_on_signals(copier) as received:
            completed = await copier.run(batches, start, on_progress)
    if completed:
        return "completed"
    return "terminated" if signal.SIGTERM in received else "interrupted"


def _start(folder: CopyFolder, journal: RunJournal, refresh_id: str | None, on_message: OnMessage) -> RunStart:
    """Merge the journal of earlier runs into the checkpoint. Resumes an interrupted refresh."""
    unfinished = journal.unfinished()
    if message := checkpoint.convert_foreign(folder):
        on_message(message)
    begin, end = journal.unsaved()
    if end > begin:
        checkpoint.save(folder, journal.lines(begin, end), time.time())
    start = RunStart(refresh_id, folder.now())
    if unfinished is not None and refresh_id is not None and unfinished.refresh == refresh_id:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unfinished.at / 1e9))
        on_message(f"Resuming the run that started at {started}. Its downloads are not repeated.")
        start = unfinished
    journal.start(start)
    return start


@contextmanager
def _stop_on_signals(copier: Copier) -> Iterator[set[int]]:
    """SIGINT and SIGTERM stop the copier, and a second one ends the process. Yields the signals received."""
    loop, received = asyncio.get_running_loop(), set[int]()

    def stop(number: int) -> None:
        if received:
            os._exit(128 + number)  # safe at any time: files under their final names are complete
        received.add(number)
        copier.stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield received
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
