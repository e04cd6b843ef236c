"""A page of a source's list, as it came; what an item says is for whoever knows the source to read."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SourcePage:
    """Items as they are. `after`: where the next page begins, None at the end.

    `total`: how many items the source says its whole list has, None where it does not say.
    """

    items: list[Any]
    after: str | None
    total: int | None
