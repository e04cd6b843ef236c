"""Dagster resources; they return plain domain objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from unde_catalog.backends import Backends
from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.settings.environment import Settings


@dataclass(frozen=True, slots=True)
class BackendsResource:
    """Opens the databases and the object store; the resource key is `backends`."""

    settings: Settings
    clock: Clock = SYSTEM_CLOCK

    @contextmanager
    def open(self) -> Iterator[Backends]:
        """The backends; they are closed afterwards."""
        with Backends(self.settings, self.clock) as backends:
            yield backends
