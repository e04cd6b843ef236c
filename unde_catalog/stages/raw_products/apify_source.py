"""A brand's Apify task as a source: selects or starts a run, waits for it, and reads its dataset.

The run is selected in `apify_run.py`, pages are read in `apify_dataset.py`, items in `apify_item.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from unde_catalog.stages.raw_products import apify_item, apify_run
from unde_catalog.stages.raw_products.apify import ApifyTask
from unde_catalog.stages.raw_products.apify_dataset import Dataset
from unde_catalog.stages.raw_products.collect_run import CollectRun
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog.stores.staging.products.scrapes import Scrape


class ApifySource:
    """Each run costs money, so a scrape starts at most one, and an interrupted scrape is resumed."""

    abandon_after = apify_run.MAX_ADOPTION_AGE
    prices_are_fils = True

    def __init__(self, task: ApifyTask) -> None:
        self._task = task

    def listing(self, run: CollectRun, scrape: Scrape) -> Dataset | None:
        """The dataset of the scrape's run, after that has succeeded."""
        task_run = apify_run.select_run(run, self._task, scrape)
        succeeded = apify_run.wait_for_success(run, self._task, scrape, task_run)
        return None if succeeded is None else Dataset(self._task, succeeded)

    def read_item(self, raw: Any) -> CollectedProduct | RejectedItem:
        """See `apify_item.read_item`."""
        return apify_item.read_item(raw)

    def is_price_unreadable(self, product: CollectedProduct) -> bool:
        """See `apify_item.is_price_unreadable`."""
        return apify_item.is_price_unreadable(product)

    def combine(self, raws: Sequence[Mapping[str, Any]]) -> list[CollectedProduct] | None:
        """See `apify_item.combine`."""
        return apify_item.combine(raws)
