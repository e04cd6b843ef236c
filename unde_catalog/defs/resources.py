"""Dagster's resources: they hand out plain domain objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from unde_catalog.backends import Workplace
from unde_catalog.net.clock import REAL, Waiting
from unde_catalog.settings.environment import Settings


@dataclass(frozen=True, slots=True)
class WorkplaceResource:
    """Opens the stores that stages work with; under the key `workplace`."""

    settings: Settings
    waiting: Waiting = REAL

    @contextmanager
    def open(self) -> Iterator[Workplace]:
        """The workplace, closed afterwards."""
        with Workplace(self.settings, self.waiting) as workplace:
            yield workplace
