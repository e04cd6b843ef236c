"""A log file with every image that was not copied and the reason: `app_<date>.log`.

`cli/export_progress.py` shows progress.
"""

import time
from pathlib import Path
from typing import TextIO

from unde_catalog.services.export.batches import CopyJob
from unde_catalog.services.export.encode import ImageFailure
from unde_catalog.services.export.folder import CopyStopped
from unde_catalog.stores.objects.objects import explain
from unde_catalog.text import printable


class FailureLog:
    """Appends to a file per day. A context manager. Creates the folder. Raises `CopyStopped`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: TextIO | None = None
        self._day = ""

    def __enter__(self) -> "FailureLog":
        self.write("INFO", "export started")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def failed(self, job: CopyJob, failure: ImageFailure) -> None:
        """Log an image that was not copied."""
        kind = "invalid image" if failure.kind == "invalid" else "download failed"
        location = printable(job.location.partition("?")[0])  # the query may contain a signature
        detail = printable(failure.detail)
        self.write("WARNING", f"{kind}: {job.category}/{job.file}: {failure.reason}: {detail} ({location})")

    def write(self, level: str, message: str) -> None:
        """Write one line."""
        now = time.localtime()
        day = time.strftime("%Y-%m-%d", now)
        path = self._folder / f"app_{day}.log"
        try:
            if day != self._day:
                if self._file is not None:
                    self._file.close()
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file, self._day = path.open("a", encoding="utf-8", errors="replace", buffering=1), day
            assert self._file is not None  # opened above, at the latest
            self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', now)} {level} {message}\n")
        except OSError as error:
            raise CopyStopped(explain(error, "writing", str(path))) from None
