"""The folder of a local copy: what lies there, and files put there whole or not at all.

Everything is reached from the folder itself, without following a link that lies in it. What files are called is
`names.py`'s; the checkpoint and the journal beside them are `checkpoint.py`'s and `journal.py`'s.
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
_KEPT_OPEN = 200  # folders of categories; what more there are is opened for every file
_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ = os.O_RDONLY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER = _READ | os.O_DIRECTORY | os.O_NOFOLLOW


class CopyStopped(RuntimeError):
    """The copy can't go on: one sentence that says why and what to do."""


class DiskFull(CopyStopped):
    """There is no room for more."""


class PathConflict(Exception):
    """Something stands where one file, or one category's folder, must be: that item's fault alone."""


class CopyFolder:
    """A folder that one process at a time fills; a context manager. Its methods are safe in threads."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._categories: dict[str, int] = {}
        self._root = self._unfinished = self._journal = -1

    def __enter__(self) -> Self:
        with self.told("opening", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._root = os.open(self.path, _READ | os.O_DIRECTORY)
        try:
            self._take()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another process have the folder."""
        if self._unfinished >= 0:
            with contextlib.suppress(OSError):  # something may have been left there
                os.rmdir(UNFINISHED, dir_fd=self._root)
        for handle in (*self._categories.values(), self._unfinished, self._journal, self._root):
            if handle >= 0:
                os.close(handle)
        self._categories.clear()
        self._root = self._unfinished = self._journal = -1

    @property
    def journal(self) -> int:
        """The journal's file, open for reading and appending; it is what holds the folder for this process."""
        return self._journal

    @property
    def free(self) -> int:
        """Bytes that may still be written."""
        found = os.fstatvfs(self._root)
        return found.f_bavail * found.f_frsize

    def case_matters(self) -> bool:
        """Whether the file system tells `A` from `a`."""
        with self.scratch() as (name, _):
            try:
                os.stat(name.upper(), dir_fd=self._unfinished, follow_symlinks=False)
            except FileNotFoundError:
                return True
            return False

    def now(self) -> int:
        """Nanoseconds of the clock that the folder's files are stamped with."""
        with self.scratch() as (_, file):
            return os.fstat(file.fileno()).st_mtime_ns

    def there(self, category: str, file: str, since: int = 0) -> bool:
        """Whether a file lies there, not empty, and last changed at `since` (as `now` tells it) or later."""
        try:
            handle = self._categories.get(category)
            if handle is not None:  # one look a file, and nothing else: there are 200,000
                found = os.stat(file, dir_fd=handle, follow_symlinks=False)
            else:
                with self._category(category) as handle:
                    found = os.stat(file, dir_fd=handle, follow_symlinks=False)
        except OSError:
            return False  # whatever is wrong shows when it is to be written
        return stat.S_ISREG(found.st_mode) and found.st_size > 0 and found.st_mtime_ns >= since

    def put(self, category: str, file: str, data: bytes) -> None:
        """Write a file and give it its name; `PathConflict`, `DiskFull` or `CopyStopped` where that can't be."""
        with self.told("writing", self.path / category / file):
            name = f"{secrets.token_hex(8)}.part"
            handle = os.open(name, _NEW, 0o666, dir_fd=self._unfinished)
            try:
                try:
                    left = memoryview(data)
                    while left:
                        left = left[os.write(handle, left) :]
                finally:
                    os.close(handle)
                with self._in_the_way(), self._category(category, make=True) as folder:
                    os.rename(name, file, src_dir_fd=self._unfinished, dst_dir_fd=folder)
            except BaseException:
                self._forget(name)
                raise

    def read(self, name: str) -> BinaryIO | None:
        """A file beside the categories, open for reading; None where there is none."""
        with self.told("reading", self.path / name):
            try:
                handle = os.open(name, _READ | os.O_NOFOLLOW, dir_fd=self._root)
            except FileNotFoundError:
                return None
            return os.fdopen(handle, "rb")

    @contextmanager
    def scratch(self, keep_as: str | None = None) -> Iterator[tuple[str, BinaryIO]]:
        """A file of one's own to write and read again; it is kept under this name beside the categories, or goes."""
        name = f"scratch-{secrets.token_hex(8)}.part"
        with self.told("writing", self.path / (keep_as or UNFINISHED)):
            flags = _NEW & ~os.O_WRONLY | os.O_RDWR
            with os.fdopen(os.open(name, flags, 0o666, dir_fd=self._unfinished), "w+b") as file:
                try:
                    yield name, file
                    if keep_as is not None:
                        file.flush()
                        os.rename(name, keep_as, src_dir_fd=self._unfinished, dst_dir_fd=self._root)
                finally:
                    self._forget(name)

    def set_aside(self, name: str) -> str:
        """Give a file beside the categories another name, which is told."""
        aside = f"{name}.{secrets.token_hex(4)}"
        with self.told("renaming", self.path / name):
            os.rename(name, aside, src_dir_fd=self._root, dst_dir_fd=self._root)
        return aside

    def _take(self) -> None:
        """Keep others out, and remove what a killed process has left unfinished."""
        with self.told("opening", self.path / JOURNAL):
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._journal = os.open(JOURNAL, flags, 0o666, dir_fd=self._root)
            try:
                fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CopyStopped(
                    f"another export fills {self.path}: wait for its end, or name another folder"
                ) from None
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):  # file systems without locks
                    raise
        with self.told("opening", self.path / UNFINISHED):
            with contextlib.suppress(FileExistsError):
                os.mkdir(UNFINISHED, dir_fd=self._root)
            self._unfinished = os.open(UNFINISHED, _FOLDER, dir_fd=self._root)
            for name in os.listdir(self._unfinished):
                if name.endswith(".part"):
                    os.unlink(name, dir_fd=self._unfinished)

    @contextmanager
    def _category(self, name: str, make: bool = False) -> Iterator[int]:
        """The folder of a category, open; OSError for a link, a file or, unless it is to be made, none."""
        handle = self._categories.get(name)
        if handle is not None:
            yield handle
            return
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=self._root)
        handle = os.open(name, _FOLDER, dir_fd=self._root)
        if len(self._categories) < _KEPT_OPEN and self._categories.setdefault(name, handle) == handle:
            yield handle
            return
        try:
            yield handle
        finally:
            os.close(handle)

    def _forget(self, name: str) -> None:
        with contextlib.suppress(OSError):  # another error says more, and the next start looks again
            os.unlink(name, dir_fd=self._unfinished)

    @contextmanager
    def _in_the_way(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise PathConflict("a folder, a file or a link stands where another thing must be") from None
            raise

    @contextmanager
    def told(self, doing: str, where: Path) -> Iterator[None]:
        """Raise what the operating system says as `DiskFull` or `CopyStopped`."""
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFull(explain(error, doing, str(where))) from None
            if error.errno == errno.ENOENT:
                raise CopyStopped(f"{doing} {where} failed: {self.path} is gone; is its disk mounted?") from None
            raise CopyStopped(explain(error, doing, str(where))) from None
