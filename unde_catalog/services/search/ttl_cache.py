"""Caches one value in memory for a limited time."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class TtlCache(Generic[T]):
    """The result of `load`, for `seconds`. Thread-safe: one thread refreshes it, the others use the old value."""

    def __init__(self, load: Callable[[], T], seconds: float, now: Callable[[], float] = monotonic) -> None:
        self._load, self._seconds, self._now = load, seconds, now
        self._entry: tuple[T, float] | None = None  # value, expiry
        self._refreshing = threading.Lock()

    def get(self) -> T:
        """The value. Raises what `load` raises."""
        entry = self._entry
        if entry is not None and self._now() < entry[1]:
            return entry[0]
        if not self._refreshing.acquire(blocking=entry is None):
            assert entry is not None  # without a value this thread waits for the lock
            return entry[0]
        try:
            current = self._entry
            if current is None or current is entry:  # no other thread has refreshed it
                self._entry = current = (self._load(), self._now() + self._seconds)
            return current[0]
        finally:
            self._refreshing.release()
