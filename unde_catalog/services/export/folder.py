"""The folder of a local copy. Files are written atomically: a file under its final name is always complete.

All access is relative to the open folder and follows no symbolic links inside it. `names.py` names the files,
`checkpoint.py` and `journal.py` write the two files beside the categories.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from unde_catalog.stores.objects.objects import explain

CHECKPOINT, JOURNAL, UNFINISHED = ".download_checkpoint.json", ".download_journal", ".download_unfinished"
_MAX_OPEN = 200  # category folders that stay open; others are opened for every file
_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ = os.O_RDONLY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER = _READ | os.O_DIRECTORY | os.O_NOFOLLOW


class CopyStopped(RuntimeError):
    """The copy can't continue. The message says why and what to do."""


class DiskFull(CopyStopped):
    """The disk is full."""


class PathConflict(Exception):
    """Something else exists at the path of one file or category folder. Only that image fails."""


class CopyFolder:
    """A folder that one process at a time can fill. A context manager. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._categories: dict[str, int] = {}
        self._root = self._unfinished = self._journal = -1

    def __enter__(self) -> Self:
        with self.os_errors("opening", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._root = os.open(self.path, _READ | os.O_DIRECTORY)
        try:
            self._lock()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder for other processes."""
        if self._unfinished >= 0:
            with contextlib.suppress(OSError):  # it may not be empty
                os.rmdir(UNFINISHED, dir_fd=self._root)
        for handle in (*self._categories.values(), self._unfinished, self._journal, self._root):
            if handle >= 0:
                os.close(handle)
        self._categories.clear()
        self._root = self._unfinished = self._journal = -1

    @property
    def journal(self) -> int:
        """The descriptor of the journal file, for reading and appending. Its lock holds the folder for this process."""
        return self._journal

    @property
    def free_bytes(self) -> int:
        """Free bytes on the disk."""
        status = os.fstatvfs(self._root)
        return status.f_bavail * status.f_frsize

    def is_case_sensitive(self) -> bool:
        """Whether the file system distinguishes `A` and `a`."""
        with self.temporary_file() as (name, _):
            try:
                os.stat(name.upper(), dir_fd=self._unfinished, follow_symlinks=False)
            except FileNotFoundError:
                return True
            return False

    def now(self) -> int:
        """The time in nanoseconds, by the clock of the folder's file system."""
        with self.temporary_file() as (_, file):
            return os.fstat(file.fileno()).st_mtime_ns

    def has(self, category: str, file: str, since: int = 0) -> bool:
        """Whether a non-empty file exists that was last changed at `since` (see `now`) or later."""
        try:
            handle = self._categories.get(category)
            if handle is not None:  # the fast path: one stat per file, for 200,000 files
                status = os.stat(file, dir_fd=handle, follow_symlinks=False)
            else:
                with self._category(category) as handle:
                    status = os.stat(file, dir_fd=handle, follow_symlinks=False)
        except OSError:
            return False  # if it is a real problem, writing reports it
        return stat.S_ISREG(status.st_mode) and status.st_size > 0 and status.st_mtime_ns >= since

    def write(self, category: str, file: str, data: bytes) -> None:
        """Write a file atomically. Raises `PathConflict`, `DiskFull` or `CopyStopped`."""
        with self.os_errors("writing", self.path / category / file):
            name = f"{secrets.token_hex(8)}.part"
            handle = os.open(name, _NEW, 0o666, dir_fd=self._unfinished)
            try:
                try:
                    remaining = memoryview(data)
                    while remaining:
                        remaining = remaining[os.write(handle, remaining) :]
                finally:
                    os.close(handle)
                with self._path_conflicts(), self._category(category, make=True) as folder:
                    os.rename(name, file, src_dir_fd=self._unfinished, dst_dir_fd=folder)
            except BaseException:
                self._remove(name)
                raise

    def open(self, name: str) -> BinaryIO | None:
        """Open a file beside the categories for reading. None if it does not exist."""
        with self.os_errors("reading", self.path / name):
            try:
                handle = os.open(name, _READ | os.O_NOFOLLOW, dir_fd=self._root)
            except FileNotFoundError:
                return None
            return os.fdopen(handle, "rb")

    @contextmanager
    def temporary_file(self, keep_as: str | None = None) -> Iterator[tuple[str, BinaryIO]]:
        """A temporary file for writing and reading. `keep_as`: at the end it gets this name beside the categories."""
        name = f"scratch-{secrets.token_hex(8)}.part"
        with self.os_errors("writing", self.path / (keep_as or UNFINISHED)):
            flags = _NEW & ~os.O_WRONLY | os.O_RDWR
            with os.fdopen(os.open(name, flags, 0o666, dir_fd=self._unfinished), "w+b") as file:
                try:
                    yield name, file
                    if keep_as is not None:
                        file.flush()
                        os.rename(name, keep_as, src_dir_fd=self._unfinished, dst_dir_fd=self._root)
                finally:
                    self._remove(name)

    def rename_aside(self, name: str) -> str:
        """Rename a file beside the categories. Returns the new name."""
        new_name = f"{name}.{secrets.token_hex(4)}"
        with self.os_errors("renaming", self.path / name):
            os.rename(name, new_name, src_dir_fd=self._root, dst_dir_fd=self._root)
        return new_name

    def _lock(self) -> None:
        """Lock the folder, and remove the unfinished files of a killed process."""
        with self.os_errors("opening", self.path / JOURNAL):
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._journal = os.open(JOURNAL, flags, 0o666, dir_fd=self._root)
            try:
                fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CopyStopped(
                    f"another export is writing to {self.path}: wait for it to finish, or use another folder"
                ) from None
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):  # file systems without locks
                    raise
        with self.os_errors("opening", self.path / UNFINISHED):
            with contextlib.suppress(FileExistsError):
                os.mkdir(UNFINISHED, dir_fd=self._root)
            self._unfinished = os.open(UNFINISHED, _FOLDER, dir_fd=self._root)
            for name in os.listdir(self._unfinished):
                if name.endswith(".part"):
                    os.unlink(name, dir_fd=self._unfinished)

    @contextmanager
    def _category(self, name: str, make: bool = False) -> Iterator[int]:
        """The descriptor of a category's folder. Raises OSError if it is a link, a file or, without `make`, missing."""
        handle = self._categories.get(name)
        if handle is not None:
            yield handle
            return
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=self._root)
        handle = os.open(name, _FOLDER, dir_fd=self._root)
        if len(self._categories) < _MAX_OPEN and self._categories.setdefault(name, handle) == handle:
            yield handle
            return
        try:
            yield handle
        finally:
            os.close(handle)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):  # the first error matters more, and the next run removes the file
            os.unlink(name, dir_fd=self._unfinished)

    @contextmanager
    def _path_conflicts(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise PathConflict("a file, folder or link of another kind exists at this path") from None
            raise

    @contextmanager
    def os_errors(self, doing: str, path: Path) -> Iterator[None]:
        """Turn an OSError into `DiskFull` or `CopyStopped`. `doing` is part of the message, e.g. "writing"."""
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFull(explain(error, doing, str(path))) from None
            if error.errno == errno.ENOENT:
                raise CopyStopped(
                    f"{doing} {path} failed: {self.path} does not exist any more. Is its disk mounted?"
                ) from None
            raise CopyStopped(explain(error, doing, str(path))) from None
