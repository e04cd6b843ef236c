"""What a list of images hands out: products with the places of their photos, page by page, never all at once.

Where a list comes from is `lists.py`'s, what a place is called as a file `names.py`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

ListName = Literal["database", "api", "bucket", "storage"]


@dataclass(frozen=True, slots=True)
class ImageItem:
    """A product: external id, category (None: it has none) and where its photos are, in order.

    A place is what the list's fetcher takes: a URL, or a key of the object store.
    """

    external_id: str
    category: str | None
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item of a list that names no product. `missed`: there may be an image that is wanted."""

    reason: str
    missed: bool


Item = ImageItem | UnreadableItem


class ImageList(Protocol):
    """A list of products with images. Its methods block, and are called from one thread."""

    limit_counts: Literal["images", "products"]

    def total(self) -> int | None:
        """How many of `limit_counts` there are, None where that is not known before the end."""
        ...

    def pages(self) -> Iterator[Sequence[Item]]:
        """All of it; what is raised is one sentence."""
        ...
