"""A breaker for one host: it tells a host that is down from products that are, and stops asking the former.

Twenty failures in a row, of three products or more, and the host is left alone for half a minute (a single bad
product has five photos and may repeat each: it never gets there alone). If it then fails five times in a row, for
two products, it is down. One good answer forgives everything.
"""

from collections.abc import Callable, Hashable

FAILURES, OWNERS = 20, 3
REST_SECONDS = 30.0
FAILURES_AFTER_REST, OWNERS_AFTER_REST = 5, 2


class Breaker:
    """Counts a host's failures; `down` holds the last one's cause once it is open, for good."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rested_at: float | None = None  # when its rest is over, if it has one
        self._failures = 0
        self._owners: set[Hashable] = set()
        self.down: str | None = None

    def succeeded(self) -> None:
        """The host answered as it should."""
        self._forget()
        self._rested_at = None

    def failed(self, owner: Hashable, cause: str, began: float) -> float | None:
        """A request of `owner` (a product), begun at `began`, failed; the moment until which the host rests, if so."""
        if self._rested_at is not None and began < self._rested_at:
            return None  # it was under way when the rest began: no news
        self._failures += 1
        self._owners.add(owner)
        failures, owners = (FAILURES, OWNERS) if self._rested_at is None else (FAILURES_AFTER_REST, OWNERS_AFTER_REST)
        if self._failures < failures or len(self._owners) < owners:
            return None
        if self._rested_at is not None:
            self.down = cause
            return None
        self._forget()
        self._rested_at = self._now() + REST_SECONDS
        return self._rested_at

    def _forget(self) -> None:
        self._failures = 0
        self._owners.clear()
