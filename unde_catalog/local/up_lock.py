"""One `up` at a time for a state: its lock file, which says where the UI is."""

import os
from pathlib import Path

from unde_catalog.stores.embedded.locks import FileLock


class UpLock:
    """Held while `up` runs; the kernel releases it when its process dies. `OSError` if the file can't be opened."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._file = home / "up.lock"
        self._lock = FileLock(self._file)

    def take(self, ui: str) -> str | None:
        """Take the lock and write the UI's address to it; where the UI is already if another `up` has the lock."""
        if not self._lock.take():
            return self._file.read_text().strip() or "an address that is not known yet: it is starting"
        os.ftruncate(self._lock.descriptor, 0)
        os.pwrite(self._lock.descriptor, f"{ui} (process {os.getpid()})\n".encode(), 0)
        return None

    def __enter__(self) -> "UpLock":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()
