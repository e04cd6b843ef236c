"""Copying all objects from one store to another, and making sure that they are there and right."""

import mimetypes
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Literal

from unde_catalog.stores.objects.objects import ObjectInfo, ObjectMissing, ObjectStore, StorageUnavailable

AT_ONCE = 8  # whole objects in memory: a photo has 20 MB at the most, a collage rarely more
_FAILURES_SHOWN = 20
_IN_A_ROW = 50  # so many faults of a store and nothing else between: it is gone, and the rest would only wait

Result = Literal["copied", "there", "gone", "failed"]


@dataclass(slots=True)
class CopyReport:
    """How many objects were copied, were there already, left the source meanwhile, or failed; the first failures."""

    copied: int = 0
    there: int = 0
    gone: int = 0
    failed: int = 0
    bytes_copied: int = 0
    failures: list[str] = field(default_factory=list)
    stopped: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything that the source holds is in the target, and right."""
        return not self.failed and not self.stopped

    @property
    def seen(self) -> int:
        """All objects looked at."""
        return self.copied + self.there + self.gone + self.failed


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
    tell: Callable[[CopyReport], None] = lambda report: None,
) -> CopyReport:
    """Copy what is below `prefix`, also after an earlier copy that was cut short; `tell` hears of every object.

    With `content`, every object is read back and compared, also one that was there already; one that differs
    is copied again. Without, sizes are compared, and an object that is there is right when it has the size
    and is not older than the source's. Nothing is deleted. A fault of one object is counted, and the rest goes on.
    `StorageUnavailable` where the source can't be listed to the end.
    """
    report = CopyReport()
    in_a_row = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pending: set[Future[_Copied]] = set()
        try:
            for info in source.list(prefix):
                pending.add(pool.submit(_copy, source, target, info, content))
                if len(pending) >= 2 * AT_ONCE:  # memory stays flat, however many objects there are
                    in_a_row = _collect(report, pending, in_a_row, tell)
                    if in_a_row >= _IN_A_ROW:
                        report.stopped = True
                        break
        finally:
            while pending:
                in_a_row = _collect(report, pending, in_a_row, tell)
    return report


def _collect(
    report: CopyReport, pending: set[Future[_Copied]], in_a_row: int, tell: Callable[[CopyReport], None]
) -> int:
    for future in wait(pending, return_when=FIRST_COMPLETED).done:
        pending.remove(future)
        copied = future.result()
        setattr(report, copied.result, getattr(report, copied.result) + 1)
        report.bytes_copied += copied.size
        if copied.failure and len(report.failures) < _FAILURES_SHOWN:
            report.failures.append(copied.failure)
        in_a_row = in_a_row + 1 if copied.store_fault else 0
        tell(report)
    return in_a_row


def _copy(source: ObjectStore, target: ObjectStore, info: ObjectInfo, content: bool) -> _Copied:
    key = info.key
    try:
        there = target.head(key)
        if not content and there and there.size == info.size and there.modified >= info.modified:
            return _Copied("there")
        try:
            data = source.get(key)
        except ObjectMissing:  # left the source since it was listed
            return _Copied("gone")
        if content and there and there.size == len(data) and _holds(target, key, data):
            return _Copied("there")
        target.put(key, data, _content_type(key))
        if not (_holds(target, key, data) if content else _has_size(target, key, len(data))):
            return _Copied("failed", failure=f"{key}: what is there now is not what was written")
        return _Copied("copied", len(data))
    except StorageUnavailable as down:
        return _Copied("failed", failure=f"{key}: {down}", store_fault=True)
    except ValueError as error:  # a key that our stores don't take
        return _Copied("failed", failure=str(error))


def _holds(store: ObjectStore, key: str, data: bytes) -> bool:
    try:
        return store.get(key) == data
    except ObjectMissing:
        return False


def _has_size(store: ObjectStore, key: str, size: int) -> bool:
    there = store.head(key)
    return there is not None and there.size == size


def _content_type(key: str) -> str:
    """By the name, as a folder keeps no content types; .parquet is unknown to older Pythons."""
    if key.endswith(".parquet"):
        return "application/vnd.apache.parquet"
    return mimetypes.guess_type(key)[0] or "application/octet-stream"
