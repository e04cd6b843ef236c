"""One export from its beginning to its end: the folder, what an earlier run left there, the list, the copying.

Nothing is shown here, and no store is opened: that is `cli/export.py`'s.
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
from unde_catalog.services.export.copying import Copying, CopyOptions, Fetch, TellFailed
from unde_catalog.services.export.encode import Encoder
from unde_catalog.services.export.figures import ExportTotals
from unde_catalog.services.export.folder import CopyFolder
from unde_catalog.services.export.image_list import ImageList, ListName
from unde_catalog.services.export.journal import RunJournal, RunStart
from unde_catalog.services.export.listing import ExportFilter, ImageListing
from unde_catalog.stages.photos.image import DEFAULT_LIMITS, ImageLimits

ExportResult = Literal["whole", "interrupted", "terminated"]


@dataclass(frozen=True, slots=True)
class Export:
    """What is wanted: `anew` fetches also what lies there, `reencode` encodes also what could stay as it is."""

    output: Path
    source: ListName
    choice: ExportFilter
    anew: bool = False
    reencode: bool = False
    limits: ImageLimits = DEFAULT_LIMITS
    options: CopyOptions = CopyOptions()

    @property
    def refresh(self) -> str | None:
        """The name of what is fetched anew, so that one that was broken off is known again; None: nothing is."""
        choice = self.choice
        wanted = [self.source, choice.brand, choice.category, choice.limit, choice.all_photos, self.reencode]
        return json.dumps(wanted) if self.anew else None


async def export(
    wanted: Export,
    images: ImageList,
    fetch: Fetch,
    figures: ExportTotals,
    *,
    look: Callable[[ExportTotals], None] = lambda figures: None,
    note: Callable[[str], None] = lambda sentence: None,
    tell_failed: TellFailed = lambda job, problem: None,
) -> ExportResult:
    """Fill the folder; how far it is stands in `figures`. Raises `CopyStopped`, and what list and fetcher raise.

    SIGINT and SIGTERM end it soon, with all saved; a second one ends the process.
    """
    with CopyFolder(wanted.output) as folder:
        journal = RunJournal(folder)
        begun = _begin(folder, journal, wanted.refresh, note)
        maker = Encoder(folder, wanted.limits, reencode=wanted.reencode)
        copying = Copying(folder, journal, fetch, maker, wanted.options, figures, tell_failed)
        listing = ImageListing(images, folder, wanted.choice, begun.at if wanted.anew else 0)
        with _signals(copying) as came:
            whole = await copying.run(listing, begun, look)
    if whole:
        return "whole"
    return "terminated" if signal.SIGTERM in came else "interrupted"


def _begin(folder: CopyFolder, journal: RunJournal, refresh: str | None, note: Callable[[str], None]) -> RunStart:
    """Bring what earlier runs left into the checkpoint; how this one begins, or goes on."""
    left = journal.left_over()
    if said := checkpoint.adopt(folder):
        note(said)
    begin, end = journal.since_checkpoint()
    if end > begin:
        checkpoint.save(folder, journal.lines(begin, end), time.time())
    begun = RunStart(refresh, folder.now())
    if left is not None and refresh is not None and left.refresh == refresh:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(left.at / 1e9))
        note(f"going on with the run that began at {began}: what it has fetched is not fetched again")
        begun = left
    journal.begin(begun)
    return begun


@contextmanager
def _signals(copying: Copying) -> Iterator[set[int]]:
    """Which of the two signals came; they stop the copying, and the second ends the process."""
    loop, came = asyncio.get_running_loop(), set[int]()

    def stop(number: int) -> None:
        if came:
            os._exit(128 + number)  # whole files are what lies there, whenever it ends
        came.add(number)
        copying.stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield came
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
