"""BakaiMarket as a source: nothing is started or paid for, its list is read in pages and gone on with by its places.

The lists are `bakai_api.py`'s and `bakai_bucket.py`'s, an item is `bakai_item.py`'s.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Protocol

from unde_catalog.stages.raw_products import bakai_item
from unde_catalog.stages.raw_products.collect_run import CollectRun
from unde_catalog.stages.raw_products.errors import ListingBroken
from unde_catalog.stages.raw_products.page import SourcePage
from unde_catalog.stages.raw_products.source import IncompleteReason
from unde_catalog.stores.staging.products import scrapes
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog.stores.staging.products.scrapes import Scrape


class Pages(Protocol):
    """A list in pages: each names where the next one begins."""

    def pages(self, after: str | None = None) -> Iterator[SourcePage]:
        """From the beginning, or from where a page said."""
        ...


class BakaiListing:
    """One reading of the list. A `place` is how many items are before a page, and what was asked for to get it."""

    called = "list"
    when_empty = (
        "BakaiMarket's list of products is empty: look at unde-catalog doctor --only bakai. Nothing was marked inactive"
    )

    def __init__(self, pages: Pages) -> None:
        self._list = pages
        self._totals: list[int] = []  # the smallest and the largest that was named
        self._broken: str | None = None
        self.offset = 0
        self.place: str | None = None

    def pages(self, read_to: int, place: str | None) -> Iterator[list[Any]]:
        """The items from `read_to` on; of the page at `place`, what was read of it is left out."""
        before, _, named = (place or "0@").partition("@")
        begins, after = int(before), named or None
        self.offset = read_to
        try:
            for page in self._list.pages(after):
                self.place = f"{begins}@{after or ''}"
                if page.total is not None:
                    self._totals = [min([page.total, *self._totals]), max([page.total, *self._totals])]
                items = page.items[max(read_to - begins, 0) :]
                begins, after = begins + len(page.items), page.after
                if items:
                    self.offset += len(items)
                    yield items
        except ListingBroken as error:
            self._broken = str(error)

    @property
    def doubt(self) -> IncompleteReason | None:
        """That it has no end, or says that it has another number of items than it gave.

        A shop that sells while its list is read may name several numbers; any between them is believed.
        """
        if self._broken is not None:
            return IncompleteReason("listing_broken", self._broken)
        if self._totals and not self._totals[0] <= self.offset <= self._totals[1]:
            return IncompleteReason(
                "total_disagrees",
                f"the list says that it has {self._totals[1]} items and gave {self.offset}, it is not whole",
            )
        return None


class BakaiSource:
    """Read anew each day; a list that was left half read is gone on with for half a day."""

    abandon_after = timedelta(hours=12)

    def __init__(self, pages: Pages) -> None:
        self._list = pages

    def listing(self, run: CollectRun, scrape: Scrape) -> BakaiListing:
        """A list that is there at once."""
        run.db.run(scrapes.begun, scrape, None, None)
        return BakaiListing(self._list)

    def read_item(self, raw: Any) -> CollectedProduct | RejectedItem:
        """As `bakai_item.py` reads it."""
        return bakai_item.read_item(raw)

    def price_not_understood(self, product: CollectedProduct) -> bool:
        """As `bakai_item.py` says."""
        return bakai_item.price_not_understood(product)
