"""Objects as files in a directory: the store while no S3 is configured."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from obstore.store import LocalStore

from unde_catalog.stores.objects.objects import ObjectInfo, ObjectStore, StorageUnavailable, checked, explain

_PAGE = 1_000  # objects of one folder that are listed at once
_UNFINISHED = ".unfinished"  # below the root: on the same file system, and found without walking the tree


def directory_store(root: Path, public_base_url: str | None = None) -> ObjectStore:
    """A store in `root`, which is created if missing; raises `StorageUnavailable` if it cannot be.

    Its public URLs are `public_base_url/key`, or `file://` URLs by default.
    """
    root = root.absolute()
    try:
        (root / _UNFINISHED).mkdir(parents=True, exist_ok=True)
        backend = LocalStore(prefix=root)
    except OSError as error:
        raise StorageUnavailable(explain(error, "opening", str(root))) from error
    return DirectoryStore(backend, root, public_base_url)


def is_store(root: Path) -> bool:
    """Whether a store was created there and is present now."""
    return os.path.isdir(root / _UNFINISHED)


def not_mounted(root: Path) -> StorageUnavailable:
    """The error for a store that should be there and is not."""
    return StorageUnavailable(f"{root} is missing or can't be read: is its disk mounted?")


class DirectoryStore(ObjectStore):
    """Reads and deletes with obstore's LocalStore; writes and lists itself.

    LocalStore also writes a temporary file and renames it, but never calls fsync: after a power cut the database could
    name an empty object. And the files that a `kill -9` leaves (`1.jpg#1`) are scattered over the whole tree. Two
    fsyncs cost about half a millisecond per object on an SSD. Its list ends at a name that it could not write.
    """

    def __init__(self, backend: LocalStore, root: Path, public_base_url: str | None) -> None:
        super().__init__(backend, str(root))
        self._root = root
        self._base_url = public_base_url.rstrip("/") if public_base_url else None

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data` atomically and durably; a directory does not keep `content_type`."""
        target = self._root / checked(key)
        # LocalStore does not list names that end in "#" and digits.
        unfinished = self._root / _UNFINISHED / f"{secrets.token_hex(8)}#0"
        try:
            self._make_folder(target.parent)
            with open(unfinished, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, target)
            _sync(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):  # the first error is the more useful one
                unfinished.unlink()
            if error.errno == errno.ENOENT:
                self._check_present()
            raise StorageUnavailable(explain(error, "writing", str(target))) from error

    def public_url(self, key: str) -> str:
        """The key below the configured base URL, or a `file://` URI."""
        if self._base_url is None:
            return (self._root / checked(key)).as_uri()
        return f"{self._base_url}/{quote(checked(key))}"

    def remove_leftovers(self, before: datetime) -> int:
        """Remove unfinished files older than `before`, which killed writers left; returns their number."""
        removed = 0
        try:
            for entry in os.scandir(self._root / _UNFINISHED):
                if entry.stat().st_mtime < before.timestamp():
                    os.unlink(entry.path)
                    removed += 1
        except OSError as error:
            raise StorageUnavailable(explain(error, "cleaning", str(self._root / _UNFINISHED))) from error
        return removed

    def _pages(self, folder: str) -> Iterator[list[ObjectInfo]]:
        waiting = [folder]
        while waiting:
            page = []
            path = waiting.pop()
            for entry in self._entries(path):
                key = f"{path}/{entry.name}" if path else entry.name
                if entry.is_dir():
                    waiting.append(key)
                elif entry.is_file():
                    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                        page.append(_info(key, entry.stat()))
                if len(page) == _PAGE:
                    yield page
                    page = []
            if page:
                yield page

    def _folders(self, folder: str) -> list[str]:
        return [entry.name for entry in self._entries(folder) if entry.is_dir()]

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / folder) as entries:
                yield from (entry for entry in entries if folder or entry.name != _UNFINISHED)
        except FileNotFoundError:  # no object has this prefix, or the folder was removed meanwhile
            return

    def _check_present(self) -> None:
        # An unmounted disk must not look like a store without objects.
        if not is_store(self._root):
            raise not_mounted(self._root)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if folder == self._root:
            self._check_present()
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    key = os.fsencode(key).decode(errors="replace")  # a name that is no UTF-8 can only be shown
    return ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
