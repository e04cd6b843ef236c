"""A brand's Apify task as a source: a run of it is started or adopted, waited for, and its dataset read.

Which run that is is `task_run.py`'s, its pages `dataset.py`'s, an item `apify_item.py`'s.
"""

from typing import Any

from unde_catalog.stages.raw_products import apify_item, task_run
from unde_catalog.stages.raw_products.apify import ApifyTask
from unde_catalog.stages.raw_products.collect_run import CollectRun
from unde_catalog.stages.raw_products.dataset import Dataset
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog.stores.staging.products.scrapes import Scrape


class ApifySource:
    """Paid for by the run, so at most one is started; what was read of it is gone on with."""

    abandon_after = task_run.ADOPT

    def __init__(self, task: ApifyTask) -> None:
        self._task = task

    def listing(self, run: CollectRun, scrape: Scrape) -> Dataset | None:
        """The dataset of the run that answers the scrape, when that has ended."""
        ended = task_run.ended(run, self._task, scrape, task_run.answering(run, self._task, scrape))
        return None if ended is None else Dataset(self._task, ended)

    def read_item(self, raw: Any) -> CollectedProduct | RejectedItem:
        """As `apify_item.py` reads it."""
        return apify_item.read_item(raw)

    def price_not_understood(self, product: CollectedProduct) -> bool:
        """As `apify_item.py` says."""
        return apify_item.price_not_understood(product)
