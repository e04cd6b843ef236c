"""The interface of an image list: products with the locations of their photos, in pages.

`sources.py` implements it. `names.py` names the files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

ListName = Literal["database", "api", "bucket", "storage"]


@dataclass(frozen=True, slots=True)
class ImageItem:
    """A product: external id, category (None: it has none) and the locations of its photos, in order.

    A location is a URL or an object key, whichever the list's fetcher accepts.
    """

    external_id: str
    category: str | None
    locations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item without a readable product. `missed`: it may have an image that belongs in the copy."""

    reason: str
    missed: bool


Item = ImageItem | UnreadableItem


class ImageList(Protocol):
    """A list of products with images. Its methods block and are called from one thread."""

    limit_counts: Literal["images", "products"]

    def total(self) -> int | None:
        """The number of `limit_counts`. None if it is unknown before the end."""
        ...

    def pages(self) -> Iterator[Sequence[Item]]:
        """All pages. The message of an exception is shown to the user."""
        ...
