"""A file in which every image that is not there is named with its reason: `app_<date>.log`.

What is shown while it goes on is `commands/`'s.
"""

import time
from pathlib import Path
from typing import TextIO

from unde_catalog.services.export.encode import EncodeProblem
from unde_catalog.services.export.folder import CopyStopped
from unde_catalog.services.export.listing import CopyJob
from unde_catalog.stores.objects.objects import explain
from unde_catalog.text import printable


class FailureLog:
    """Appends to the day's file in a folder, which is made; a context manager. `CopyStopped` where that can't be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: TextIO | None = None
        self._day = ""

    def __enter__(self) -> "FailureLog":
        self.write("INFO", "export begins")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def failed(self, job: CopyJob, problem: EncodeProblem) -> None:
        """An image did not get through."""
        what = "invalid image" if problem.kind == "invalid" else "download failed"
        place = printable(job.place.partition("?")[0])  # what follows may be a signature
        said = f"{what}: {job.category}/{job.file}: {problem.reason}: {printable(problem.detail)} ({place})"
        self.write("WARNING", said)

    def write(self, level: str, sentence: str) -> None:
        """A line."""
        now = time.localtime()
        day = time.strftime("%Y-%m-%d", now)
        path = self._folder / f"app_{day}.log"
        try:
            if day != self._day:
                if self._file is not None:
                    self._file.close()
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file, self._day = path.open("a", encoding="utf-8", errors="replace", buffering=1), day
            assert self._file is not None  # opened with the day
            self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', now)} {level} {sentence}\n")
        except OSError as error:
            raise CopyStopped(explain(error, "writing", str(path))) from None
