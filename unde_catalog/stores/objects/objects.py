"""One interface over obstore for everything kept as an object: a directory here, S3 beside it.

A missing object is `ObjectMissing`, a fact about one item. Whatever else goes wrong is `StorageUnavailable`: the
store as a whole, so a stage stops and hands its work back. A key that no store of ours could keep is a ValueError.
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

PUT_SECONDS = 60.0  # the longest one put may take: less lease than that left, and it must not begin

# What a directory, S3 and a URL all keep as it is; obstore decodes a "%" and hides names that end in "#1".
_SEGMENT = re.compile(r"[A-Za-z0-9._=@+,:-]{1,200}")

_WHAT_TO_DO = {
    errno.ENOSPC: "the disk is full: free space or give it more",
    errno.EDQUOT: "the quota is used up: free space or raise it",
    errno.EFBIG: "the file size limit of this process (ulimit -f) is reached: raise it",
    errno.EROFS: "the file system is read-only: mount it for writing",
    errno.EACCES: "this user may not write or read here: change the owner or the permissions",
    errno.EPERM: "this user may not write or read here: change the owner or the permissions",
    errno.ENOTDIR: "a file stands where a folder must be: move it away",
    errno.EEXIST: "a file stands where a folder must be: move it away",
    errno.EISDIR: "a folder stands where an object must be: move it away",
    errno.EIO: "the disk reports errors: look at the kernel's log",
    errno.EMFILE: "too many open files: raise ulimit -n",
}


class ObjectMissing(Exception):
    """There is no object of this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no object {key}")
        self.key = key


class StorageUnavailable(Exception):
    """The store can't be used at all, which is no item's fault: what went wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object without reading it: key, bytes, when it was written (UTC)."""

    key: str
    size: int
    modified: datetime


class ObjectStore(ABC):
    """Objects by key, where a key is like `originals/zara/495689099/1.jpg`. Safe to share between threads."""

    def __init__(self, backend: Backend, where: str) -> None:
        self._backend = backend
        self.where = where

    @abstractmethod
    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data`, replacing what was there. When it returns, the object outlives a power cut.

        Nobody ever sees half an object under its key, also when this process is killed.
        """

    async def put_async(self, key: str, data: bytes, content_type: str) -> None:
        """Do what `put` does in a thread, without blocking the event loop."""
        await asyncio.to_thread(self.put, key, data, content_type)

    @abstractmethod
    def public_url(self, key: str) -> str:
        """Where others read the object; not checked for existence."""

    def get(self, key: str) -> bytes:
        """Everything in an object; raises `ObjectMissing`."""
        with self._request("reading", checked(key)):
            return obstore.get(self._backend, key).bytes().to_bytes()

    async def get_async(self, key: str) -> bytes:
        """Do what `get` does in a thread, without blocking the event loop."""
        return await asyncio.to_thread(self.get, key)

    def head(self, key: str) -> ObjectInfo | None:
        """Size and time of an object, None where there is none."""
        try:
            with self._request("looking up", checked(key)):
                return _info(obstore.head(self._backend, key))
        except ObjectMissing:
            return None

    def exists(self, key: str) -> bool:
        """Whether there is an object of this key."""
        return self.head(key) is not None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are missing already are fine."""
        for key in keys:
            try:
                with self._request("deleting", checked(key)):
                    obstore.delete(self._backend, key)
            except ObjectMissing:
                continue

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below a folder such as `originals/zara` ("" for all), in no order, page by page.

        `originals/zara` doesn't find `originals/zarahome`. Unfinished writes are never among them.
        """
        folder = prefix.rstrip("/")
        self._alive()  # obstore lists nothing where there is no directory
        pages = iter(obstore.list(self._backend, checked(folder) if folder else None, chunk_size=1000))
        while True:
            with self._request("listing", folder):
                page = next(pages, None)
            if page is None:
                return
            yield from map(_info, page)

    def folders(self, prefix: str) -> Sequence[str]:
        """The names of the folders right below a folder such as `manifests/originals/zara`, in no order."""
        folder = prefix.rstrip("/")
        self._alive()
        with self._request("listing", folder):
            found = obstore.list_with_delimiter(self._backend, checked(folder) if folder else None)
        return [path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"]]

    @abstractmethod
    def remove_leftovers(self, before: datetime) -> int:
        """Remove what killed writers left unfinished before that moment; how many."""

    @abstractmethod
    def _alive(self) -> None:
        """Raise `StorageUnavailable` where a missing object is really a missing store."""

    @contextmanager
    def _request(self, doing: str, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:  # obstore raises the builtin
            self._alive()
            raise ObjectMissing(key) from None
        except (BaseError, OSError) as error:
            raise self._down(error, doing, key) from None  # the cause is a dump that may repeat a key

    def _down(self, error: Exception, doing: str, key: str) -> StorageUnavailable:
        return StorageUnavailable(explain(error, doing, f"{self.where}/{key}"))


def checked(key: str) -> str:
    """The key itself, or a ValueError: every segment is 1 to 200 of `[A-Za-z0-9._=@+,:-]` and not dots alone."""
    for segment in key.split("/"):
        if not _SEGMENT.fullmatch(segment) or not segment.strip("."):
            raise ValueError(f"not an object key: {key!r}")
    return key


def explain(error: BaseException, doing: str, where: str) -> str:
    """A sentence for an operator: what failed, where, why, and what to do about it."""
    number = error.errno if isinstance(error, OSError) else _os_error(str(error))
    reason = _WHAT_TO_DO.get(number or 0)
    said = first_line(error)  # obstore appends a debug dump
    return f"{doing} {where} failed: {reason} ({said})" if reason else f"{doing} {where} failed: {said}"


def _os_error(message: str) -> int | None:
    found = re.search(r"\(os error (\d+)\)", message)
    return int(found[1]) if found else None


def _info(meta: "obstore.ObjectMeta") -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"])
