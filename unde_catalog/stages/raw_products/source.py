"""What a source of products is to the raw_products stage, whatever brand and service it is: one list, read once.

The stage is `collect.py`'s, the sources are `apify_source.py` and `bakai_source.py`; `open.py` says whose is which.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog.stores.staging.products.scrapes import Scrape

if TYPE_CHECKING:
    from unde_catalog.stages.raw_products.collect_run import CollectRun


@dataclass(frozen=True, slots=True)
class IncompleteReason:
    """Why a list that was read to its end may not be whole: as `scrapes.reason` keeps it, and in a sentence."""

    reason: str
    sentence: str


class SourceListing(Protocol):
    """The list that answers one scrape. `called`: a word for it; `when_empty`: what to do where it holds nothing.

    `offset` items were read so far; `place` says where the page that was read last begins, for sources whose pages
    can't be counted to.
    """

    called: str
    when_empty: str
    offset: int
    place: str | None

    def pages(self, read_to: int, place: str | None) -> Iterator[list[Any]]:
        """The items from `read_to` on, as an earlier run left it, up to an end that can be believed.

        `SourceUnusable` where they can't be read now, `PlaceLost` where there is no going on from `place`.
        """
        ...

    @property
    def doubt(self) -> IncompleteReason | None:
        """To be asked at the end: why what was not seen may be there all the same; None: the list is whole."""
        ...


class Source(Protocol):
    """Where a brand's products are listed. A scrape that was open for `abandon_after` is not gone on with."""

    abandon_after: timedelta

    def listing(self, run: "CollectRun", scrape: Scrape) -> SourceListing | None:
        """The list that answers the scrape, started and paid for if need be; None when `max_minutes` were over first.

        Writes that the scrape has begun. `SourceUnusable` where there will be none.
        """
        ...

    def read_item(self, raw: Any) -> CollectedProduct | RejectedItem:
        """The product in an item, or why there is none; never raises for a bad item."""
        ...

    def price_not_understood(self, product: CollectedProduct) -> bool:
        """Whether the item has a price, and it is none that we dare to publish."""
        ...
