"""The interface between the raw_products stage and a source of products: one listing, read once per scrape.

The stage is in `collect.py`, the sources are `apify_source.py` and `bakai_source.py`; `factory.py` selects one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from unde_catalog.stages.raw_products.collect_run import CollectRun
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog.stores.staging.products.scrapes import Scrape


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One page of a source's listing, with its items unchanged.

    `after`: where the next page begins, None at the end. `total`: how many items the source says its whole listing
    has, None if it does not say.
    """

    items: list[Any]
    after: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class IncompleteReason:
    """Why a listing may be incomplete although it was read to its end: the code for `scrapes.reason`, and a message."""

    reason: str
    message: str


class SourceListing(Protocol):
    """The listing that a scrape reads. `noun` names it in messages; `empty_message` says what to do if it is empty.

    `offset` items were read so far. `place` is where the last page begins, for sources whose pages have no number.
    """

    noun: str
    empty_message: str
    offset: int
    place: str | None

    def pages(self, read_to: int, place: str | None) -> Iterator[list[Any]]:
        """The items from `read_to` on, where an earlier run stopped, up to a reliable end.

        Raises `SourceUnusable` if they cannot be read now, `CursorLost` if reading cannot resume at `place`.
        """
        ...

    @property
    def incomplete(self) -> IncompleteReason | None:
        """After the last page: why products that were not seen may still exist; None if the listing is complete."""
        ...


class Source(Protocol):
    """Where a brand's products are listed. A scrape that has been open for `abandon_after` is not resumed."""

    abandon_after: timedelta
    prices_are_fils: bool  # by contract; a dataset that breaks it is recognised

    def listing(self, run: CollectRun, scrape: Scrape) -> SourceListing | None:
        """The listing for the scrape, started (and paid for) if necessary; None if `max_minutes` passed first.

        Records that the scrape has begun. Raises `SourceUnusable` if there is no listing to read.
        """
        ...

    def read_item(self, raw: Any) -> CollectedProduct | RejectedItem:
        """The product in an item, or why there is none; never raises for a bad item."""
        ...

    def is_price_unreadable(self, product: CollectedProduct) -> bool:
        """Whether the item has a price that is not safe to publish."""
        ...

    def combine(self, raws: Sequence[Mapping[str, Any]]) -> list[CollectedProduct] | None:
        """Items of one product as products that have all that these items say, in their order; None to choose one."""
        ...
