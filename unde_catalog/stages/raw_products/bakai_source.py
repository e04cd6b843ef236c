"""BakaiMarket as a source: nothing is started or paid for; its listing is read in pages and can be resumed.

Pages come from `bakai_api.py` and `bakai_bucket.py`; items are read in `bakai_item.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from unde_catalog.stages.raw_products import bakai_item
from unde_catalog.stages.raw_products.collect_run import CollectRun
from unde_catalog.stages.raw_products.errors import ListingBroken
from unde_catalog.stages.raw_products.source import IncompleteReason, SourcePage
from unde_catalog.stores.staging.products import scrapes
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog.stores.staging.products.scrapes import Scrape


class PagedListing(Protocol):
    """A listing in pages, each of which says where the next one begins."""

    def pages(self, after: str | None = None) -> Iterator[SourcePage]:
        """The pages from the beginning, or from a page's `after`."""
        ...


class BakaiListing:
    """One reading of the listing. `place` is `N@AFTER`: the number of items before a page, and how to request it."""

    noun = "list"
    empty_message = (
        "BakaiMarket's product list is empty: run unde-catalog doctor --only bakai. No product was marked inactive"
    )

    def __init__(self, paged: PagedListing) -> None:
        self._paged = paged
        self._totals: list[int] = []  # the smallest and the largest total that the listing reported
        self._broken: str | None = None
        self.offset = 0
        self.place: str | None = None

    def pages(self, read_to: int, place: str | None) -> Iterator[list[Any]]:
        """The items from `read_to` on; those of the page at `place` that were read before are skipped."""
        before, _, token = (place or "0@").partition("@")
        position, after = int(before), token or None
        self.offset = read_to
        try:
            for page in self._paged.pages(after):
                self.place = f"{position}@{after or ''}"
                if page.total is not None:
                    self._totals = [min([page.total, *self._totals]), max([page.total, *self._totals])]
                items = page.items[max(read_to - position, 0) :]
                position, after = position + len(page.items), page.after
                if items or not page.items:  # an empty page, too: the reader renews its lease
                    self.offset += len(items)
                    yield items
        except ListingBroken as error:
            self._broken = str(error)

    @property
    def incomplete(self) -> IncompleteReason | None:
        """The listing is incomplete if it has no end or if its total differs from the number of items it returned.

        A marketplace that sells while its listing is read may report several totals; any number between them is fine.
        """
        if self._broken is not None:
            return IncompleteReason("listing_broken", self._broken)
        if self._totals and not self._totals[0] <= self.offset <= self._totals[1]:
            return IncompleteReason(
                "total_disagrees",
                f"the list reports {self._totals[1]} items but returned {self.offset}, so it is incomplete",
            )
        return None


class BakaiSource:
    """Read in full every day; an interrupted scrape is resumed within 12 hours."""

    abandon_after = timedelta(hours=12)
    prices_are_fils = False

    def __init__(self, paged: PagedListing) -> None:
        self._paged = paged

    def listing(self, run: CollectRun, scrape: Scrape) -> BakaiListing:
        """The listing, which is available at once."""
        run.db.run(scrapes.mark_started, scrape, None, None)
        return BakaiListing(self._paged)

    def read_item(self, raw: Any) -> CollectedProduct | RejectedItem:
        """See `bakai_item.read_item`."""
        return bakai_item.read_item(raw)

    def is_price_unreadable(self, product: CollectedProduct) -> bool:
        """See `bakai_item.is_price_unreadable`."""
        return bakai_item.is_price_unreadable(product)

    def combine(self, raws: Sequence[Mapping[str, Any]]) -> list[CollectedProduct] | None:
        """The marketplace lists a product once; of two items, one is chosen."""
        return None
