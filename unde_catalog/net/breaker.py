"""A circuit breaker for one host. It separates a host that is down from single products that fail.

The first limit is 20 failures in a row from at least 3 products: one product has five photos and may retry each, so a
broken product cannot trip the breaker alone. The host then gets a cooldown of 30 seconds. After that, 5 more failures
in a row from at least 2 products open the breaker for good. One success resets everything.

A 403, another refusal or a 500 may be the file's own: some hosts send them for photos that are gone. Once the host has
answered another request, only 100 of them in a row say something about the host.
"""

from collections.abc import Callable, Hashable

FAILURES, OWNERS = 20, 3
COOLDOWN_SECONDS = 30.0
REFUSED = 100
FAILURES_AFTER_COOLDOWN, OWNERS_AFTER_COOLDOWN = 5, 2


class Breaker:
    """Counts a host's consecutive failures. Once open it stays open, and `down_cause` holds the last failure."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._cooldown_ends: float | None = None
        self._failures = 0
        self._owners: set[Hashable] = set()
        self._refused = 0
        self.has_answered = False  # any request, in the life of this breaker
        self.down_cause: str | None = None

    def succeeded(self) -> None:
        """Record a valid response."""
        self._reset()
        self._refused = 0
        self._cooldown_ends = None
        self.has_answered = True

    def failed(self, owner: Hashable, cause: str, started_at: float, *, may_be_the_files: bool = False) -> float | None:
        """Record a failed request of `owner` (a product). Returns the end of a cooldown that begins with it."""
        if may_be_the_files and self.has_answered:
            self._refused += 1
            if self._refused <= REFUSED:
                return None
        if self._cooldown_ends is not None and started_at < self._cooldown_ends:
            return None  # the request started before the cooldown and says nothing about the host after it
        self._failures += 1
        self._owners.add(owner)
        cooled_down = self._cooldown_ends is not None
        failures, owners = (FAILURES_AFTER_COOLDOWN, OWNERS_AFTER_COOLDOWN) if cooled_down else (FAILURES, OWNERS)
        if self._failures < failures or len(self._owners) < owners:
            return None
        if cooled_down:
            self.down_cause = cause
            return None
        self._reset()
        self._cooldown_ends = self._now() + COOLDOWN_SECONDS
        return self._cooldown_ends

    def _reset(self) -> None:
        self._failures = 0
        self._owners.clear()
