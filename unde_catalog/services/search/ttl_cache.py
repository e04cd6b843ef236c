"""A value that costs something to find out and may be a little old. Nothing is kept beside this process."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class TtlCache(Generic[T]):
    """What `find` said, for `seconds`. Safe in several threads: one asks again, the others go on with the old value."""

    def __init__(self, find: Callable[[], T], seconds: float, now: Callable[[], float] = monotonic) -> None:
        self._find, self._seconds, self._now = find, seconds, now
        self._found: tuple[T, float] | None = None
        self._finding = threading.Lock()

    def get(self) -> T:
        """The value; whatever `find` raises where there is none yet, or it is too old."""
        found = self._found
        if found is not None and self._now() < found[1]:
            return found[0]
        if not self._finding.acquire(blocking=found is None):
            assert found is not None  # else this one waits
            return found[0]
        try:
            now = self._found
            if now is None or now is found:  # else another one was first
                self._found = now = (self._find(), self._now() + self._seconds)
            return now[0]
        finally:
            self._finding.release()
