"""File locks, which the kernel releases when their holder dies. What each lock means is in `layout.py`."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

_PAUSE = 0.02


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that only the owner of its folder can open; the file is created if missing."""
    flags |= os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    if os.geteuid() == 0:  # root must not lock the owner of the folder out
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


class FileLock:
    """An open file that can be locked; `OSError` when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = open_private(path, os.O_RDWR)

    def take(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free; returns whether it was taken."""
        try:
            fcntl.flock(self.descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def take_before(self, deadline: float, *, shared: bool = False) -> bool:
        """As `take`, but retry until `deadline`, a value of `time.monotonic()`."""
        while not self.take(shared=shared):
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        return True

    def is_current(self) -> bool:
        """Whether the path still names this file, so that other processes use the same lock."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        opened = os.fstat(self.descriptor)
        return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)

    def release(self) -> None:
        """Unlock for every process that holds this open file, forked ones included, and close it."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        self.close()

    def close(self) -> None:
        """Close it in this process only: a process that inherited the open file keeps the lock."""
        os.close(self.descriptor)

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
