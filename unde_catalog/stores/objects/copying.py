"""Copies all objects from one store to another, and verifies them there."""

import mimetypes
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Literal

from unde_catalog.stores.objects.objects import ObjectInfo, ObjectMissing, ObjectStore, StorageUnavailable

AT_ONCE = 8  # whole objects in memory: a photo has at most 20 MB, a collage rarely more
_FAILURES_SHOWN = 20
_CONSECUTIVE_FAULTS = 50  # then the store is down, and the rest would only wait

Result = Literal["copied", "present", "vanished", "failed"]


@dataclass(slots=True)
class CopyReport:
    """Numbers of objects: copied, already present, deleted from the source meanwhile, failed; the first failures."""

    copied: int = 0
    present: int = 0
    vanished: int = 0
    failed: int = 0
    bytes_copied: int = 0
    failures: list[str] = field(default_factory=list)
    stopped: bool = False

    @property
    def complete(self) -> bool:
        """Whether the target has every object of the source, verified."""
        return not self.failed and not self.stopped

    @property
    def seen(self) -> int:
        """Number of objects that were listed and checked."""
        return self.copied + self.present + self.vanished + self.failed


@dataclass(frozen=True, slots=True)
class _Copied:
    result: Result
    size: int = 0
    failure: str = ""
    store_fault: bool = False


def copy_objects(
    source: ObjectStore,
    target: ObjectStore,
    prefix: str = "",
    *,
    content: bool = True,
    on_progress: Callable[[CopyReport], None] = lambda report: None,
) -> CopyReport:
    """Copy the objects below `prefix`; resumes an interrupted copy. `on_progress` is called after every object.

    `content`: read every object back and compare it, also one that was present; copy it again if it differs. Otherwise
    an object that is present is correct if it has the same size and is not older than the source's. Nothing is deleted.
    A fault of one object is counted and does not stop the others. `StorageUnavailable` if the source cannot be listed.
    """
    report = CopyReport()
    faults = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pending: set[Future[_Copied]] = set()
        try:
            for info in source.list(prefix):
                pending.add(pool.submit(_copy, source, target, info, content))
                if len(pending) >= 2 * AT_ONCE:  # bounds the memory, however many objects there are
                    faults = _collect(report, pending, faults, on_progress)
                    if faults >= _CONSECUTIVE_FAULTS:
                        report.stopped = True
                        break
        finally:
            while pending:
                faults = _collect(report, pending, faults, on_progress)
    return report


def _collect(
    report: CopyReport, pending: set[Future[_Copied]], faults: int, on_progress: Callable[[CopyReport], None]
) -> int:
    for future in wait(pending, return_when=FIRST_COMPLETED).done:
        pending.remove(future)
        copied = future.result()
        setattr(report, copied.result, getattr(report, copied.result) + 1)
        report.bytes_copied += copied.size
        if copied.failure and len(report.failures) < _FAILURES_SHOWN:
            report.failures.append(copied.failure)
        faults = faults + 1 if copied.store_fault else 0
        on_progress(report)
    return faults


def _copy(source: ObjectStore, target: ObjectStore, info: ObjectInfo, content: bool) -> _Copied:
    key = info.key
    try:
        present = target.head(key)
        if not content and present and present.size == info.size and present.modified >= info.modified:
            return _Copied("present")
        try:
            data = source.get(key)
        except ObjectMissing:  # deleted since it was listed
            return _Copied("vanished")
        if content and present and present.size == len(data) and _holds(target, key, data):
            return _Copied("present")
        target.put(key, data, _content_type(key))
        if not (_holds(target, key, data) if content else _has_size(target, key, len(data))):
            return _Copied("failed", failure=f"{key}: the target does not have what was written")
        return _Copied("copied", len(data))
    except StorageUnavailable as down:
        return _Copied("failed", failure=f"{key}: {down}", store_fault=True)
    except ValueError as error:  # a key that the stores do not accept
        return _Copied("failed", failure=str(error))


def _holds(store: ObjectStore, key: str, data: bytes) -> bool:
    try:
        return store.get(key) == data
    except ObjectMissing:
        return False


def _has_size(store: ObjectStore, key: str, size: int) -> bool:
    info = store.head(key)
    return info is not None and info.size == size


def _content_type(key: str) -> str:
    """By the file name, because a folder keeps no content types. Older Pythons do not know .parquet."""
    if key.endswith(".parquet"):
        return "application/vnd.apache.parquet"
    return mimetypes.guess_type(key)[0] or "application/octet-stream"
