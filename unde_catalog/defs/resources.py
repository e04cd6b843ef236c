"""Dagster's resources: they hand out plain domain objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from unde_catalog.backends import Backends
from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.settings.environment import Settings


@dataclass(frozen=True, slots=True)
class BackendsResource:
    """Opens the stores that stages work with; under the key `backends`."""

    settings: Settings
    clock: Clock = SYSTEM_CLOCK

    @contextmanager
    def open(self) -> Iterator[Backends]:
        """The backends, closed afterwards."""
        with Backends(self.settings, self.clock) as backends:
            yield backends
