"""One interface over obstore for object stores; the directory is in `directory.py`, S3 in `s3.py`.

A missing object is `ObjectMissing`, a fact about one item. Any other fault is `StorageUnavailable`: it concerns the
whole store, so a stage stops and releases its work. A key that some store could not keep is a ValueError.
"""

import asyncio
import errno
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore as Backend

from unde_catalog.text import first_line

PUT_SECONDS = 60.0  # the longest duration of a put: with less lease left, it must not begin

# What a directory, S3 and a URL all keep unchanged; obstore decodes "%" and hides names that end in "#1".
_SEGMENT = re.compile(r"[A-Za-z0-9._=@+,:-]{1,200}")

_ADVICE = {
    errno.ENOSPC: "the disk is full: free space or enlarge it",
    errno.EDQUOT: "the quota is used up: free space or raise it",
    errno.EFBIG: "the file size limit of this process (ulimit -f) is reached: raise it",
    errno.EROFS: "the file system is read-only: mount it for writing",
    errno.EACCES: "this user may not write or read here: change the owner or the permissions",
    errno.EPERM: "this user may not write or read here: change the owner or the permissions",
    errno.ENOTDIR: "there is a file where a folder must be: move it away",
    errno.EEXIST: "there is a file where a folder must be: move it away",
    errno.EISDIR: "there is a folder where an object must be: move it away",
    errno.EIO: "the disk reports errors: check the kernel log",
    errno.EMFILE: "too many open files: raise ulimit -n",
}


class ObjectMissing(Exception):
    """There is no object of this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no object {key}")
        self.key = key


class StorageUnavailable(Exception):
    """The object store cannot be used, which is no item's fault; the message says what failed and what to do."""


class RequestFailed(Exception):
    """A request to a store failed; the message says why. `passing`: it may succeed when it is repeated."""

    def __init__(self, reason: str, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Key, size in bytes and time of writing (UTC) of an object."""

    key: str
    size: int
    modified: datetime


class ObjectStore(ABC):
    """Objects by key, e.g. `originals/zara/495689099/1.jpg`. Thread-safe."""

    def __init__(self, backend: Backend, where: str) -> None:
        self._backend = backend
        self.where = where

    @abstractmethod
    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data`, replacing any object of this key. When it returns, the object survives a power cut.

        Readers never see a partial object, even if this process is killed.
        """

    async def put_async(self, key: str, data: bytes, content_type: str) -> None:
        """`put` in a thread, without blocking the event loop."""
        await asyncio.to_thread(self.put, key, data, content_type)

    @abstractmethod
    def public_url(self, key: str) -> str:
        """The URL where others read the object; does not check that it exists."""

    def get(self, key: str) -> bytes:
        """The content of an object; raises `ObjectMissing`."""
        with self._request("reading", checked(key)):
            return obstore.get(self._backend, key).bytes().to_bytes()

    def get_named(self, key: str) -> bytes:
        """`get` for a key of another program, which may contain characters that this project's keys never do."""
        if any(not segment.strip(".") for segment in key.split("/")) or not key.isprintable():
            raise ValueError(f"not an object key: {key!r}")
        with self._request("reading", key):
            return obstore.get(self._backend, key).bytes().to_bytes()

    async def get_async(self, key: str) -> bytes:
        """`get` in a thread, without blocking the event loop."""
        return await asyncio.to_thread(self.get, key)

    def head(self, key: str) -> ObjectInfo | None:
        """Size and time of an object, None if it is missing."""
        try:
            with self._request("looking up", checked(key)):
                return _info(obstore.head(self._backend, key))
        except ObjectMissing:
            return None

    def exists(self, key: str) -> bool:
        """Whether there is an object of this key."""
        return self.head(key) is not None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""
        for key in keys:
            try:
                with self._request("deleting", checked(key)):
                    obstore.delete(self._backend, key)
            except ObjectMissing:
                continue

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below a folder such as `originals/zara` ("" for all), in no order, page by page.

        `originals/zara` does not match `originals/zarahome`. Unfinished writes are not listed.
        Keys are as the store has them, also one that `checked` refuses.
        """
        folder = prefix.rstrip("/")
        self._check_present()
        pages = self._pages(checked(folder) if folder else "")
        while True:
            with self._request("listing", folder):
                page = next(pages, None)
            if page is None:
                return
            yield from page

    def folders(self, prefix: str) -> Sequence[str]:
        """The names of the direct subfolders of a folder such as `manifests/originals/zara`, in no order."""
        folder = prefix.rstrip("/")
        self._check_present()
        with self._request("listing", folder):
            found = self._folders(checked(folder) if folder else "")
        return [path.rstrip("/").rpartition("/")[2] for path in found]

    @abstractmethod
    def remove_leftovers(self, before: datetime) -> int:
        """Remove what killed writers left unfinished before `before`; returns their number."""

    @abstractmethod
    def _pages(self, folder: str) -> Iterator[Sequence[ObjectInfo]]:
        """All objects below a folder ("" for all), page by page, whatever their keys."""

    @abstractmethod
    def _folders(self, folder: str) -> Sequence[str]:
        """The names or paths of the direct subfolders of a folder."""

    @abstractmethod
    def _check_present(self) -> None:
        """Raise `StorageUnavailable` if the store itself is missing, not only an object."""

    @contextmanager
    def _request(self, doing: str, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:  # obstore raises the builtin
            self._check_present()
            raise ObjectMissing(key) from None
        except (BaseError, OSError, RequestFailed) as error:
            raise self._unavailable(error, doing, key) from None  # the cause is a dump that may contain a key

    def _unavailable(self, error: Exception, doing: str, key: str) -> StorageUnavailable:
        return StorageUnavailable(explain(error, doing, f"{self.where}/{key}"))


def checked(key: str) -> str:
    """The key; ValueError unless every segment is 1 to 200 of `[A-Za-z0-9._=@+,:-]` and not only dots."""
    if not is_usable(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


def is_usable(key: str) -> bool:
    """Whether `checked` accepts the key."""
    return all(_SEGMENT.fullmatch(segment) and segment.strip(".") for segment in key.split("/"))


def explain(error: BaseException, doing: str, where: str) -> str:
    """A sentence for an operator: what failed, where, why, and what to do."""
    number = error.errno if isinstance(error, OSError) else _os_error(str(error))
    advice = _ADVICE.get(number or 0)
    cause = first_line(error)  # obstore appends a debug dump
    return f"{doing} {where} failed: {advice} ({cause})" if advice else f"{doing} {where} failed: {cause}"


def _os_error(message: str) -> int | None:
    found = re.search(r"\(os error (\d+)\)", message)
    return int(found[1]) if found else None


def _info(meta: "obstore.ObjectMeta") -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"])
