"""Objects as files in a directory: where they are kept while no S3 is configured."""

import contextlib
import errno
import os
import secrets
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from obstore.store import LocalStore

from unde_catalog.stores.objects.objects import ObjectStore, StorageUnavailable, checked, explain

_UNFINISHED = ".unfinished"  # in the root, so on the same file system, and found without walking the tree


def directory_store(root: Path, public_base_url: str | None = None) -> ObjectStore:
    """A store in `root`, which is made if missing; raises `StorageUnavailable` where that can't be.

    Its public URLs are `public_base_url/key`, or `file://` where none is given.
    """
    root = root.absolute()
    try:
        (root / _UNFINISHED).mkdir(parents=True, exist_ok=True)
        backend = LocalStore(prefix=root)
    except OSError as error:
        raise StorageUnavailable(explain(error, "opening", str(root))) from error
    return DirectoryStore(backend, root, public_base_url)


def is_store(root: Path) -> bool:
    """Whether a store was made there, and is there now."""
    return os.path.isdir(root / _UNFINISHED)


def not_mounted(root: Path) -> StorageUnavailable:
    """What to raise where a store should be and none is."""
    return StorageUnavailable(f"{root} is gone or can't be read: is its disk mounted?")


class DirectoryStore(ObjectStore):
    """Reading, listing and deleting are obstore's; writing is our own.

    obstore's LocalStore writes a temporary file and renames it, too, but never calls fsync: after a power cut
    the row in the database could name an empty object. And what a `kill -9` leaves (`1.jpg#1`) lies scattered
    over the whole tree. Two fsyncs cost about half a millisecond an object on an SSD.
    """

    def __init__(self, backend: LocalStore, root: Path, public_base_url: str | None) -> None:
        super().__init__(backend, str(root))
        self._root = root
        self._base_url = public_base_url.rstrip("/") if public_base_url else None

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data` atomically and durably; a directory has no place for `content_type`."""
        target = self._root / checked(key)
        # LocalStore's list passes over names that end in "#" and digits.
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
            with contextlib.suppress(OSError):  # the first error says more
                unfinished.unlink()
            if error.errno == errno.ENOENT:
                self._alive()
            raise StorageUnavailable(explain(error, "writing", str(target))) from error

    def public_url(self, key: str) -> str:
        """The configured base URL and the key, else a `file://` URI."""
        if self._base_url is None:
            return (self._root / checked(key)).as_uri()
        return f"{self._base_url}/{quote(checked(key))}"

    def remove_leftovers(self, before: datetime) -> int:
        """Remove files that writers killed before that moment had not finished; how many."""
        removed = 0
        try:
            for entry in os.scandir(self._root / _UNFINISHED):
                if entry.stat().st_mtime < before.timestamp():
                    os.unlink(entry.path)
                    removed += 1
        except OSError as error:
            raise StorageUnavailable(explain(error, "cleaning", str(self._root / _UNFINISHED))) from error
        return removed

    def _alive(self) -> None:
        # A disk that was unmounted must not look like a store where every object is gone.
        if not is_store(self._root):
            raise not_mounted(self._root)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if folder == self._root:
            self._alive()
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
