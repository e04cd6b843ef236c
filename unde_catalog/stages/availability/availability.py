"""The availability stage: which sizes of a product each store has in stock, checked evenly over the interval.

Stock is in stock, not in stock or unknown; unknown stock is never written. The APIs' formats are in `protocols.py`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from unde_catalog.stages.availability.item import StockItem, parse_stock_item
from unde_catalog.stages.availability.pace import HostPace
from unde_catalog.stages.availability.protocols import Sizes, StockProtocol, UnexpectedResponse, merge_sizes
from unde_catalog.stages.availability.store_api import NoResponse, StockApi
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.stock import availability
from unde_catalog.stores.staging.stock.availability import CheckedProduct
from unde_catalog.worker.handler import Outcome, done, given_up, retry_later

STAGE = "availability"


@dataclass(frozen=True, slots=True)
class StockWork:
    """A leased product."""

    lease: Lease
    item: StockItem


class AvailabilityStage:
    """Handler of the stage: one product per call, all stores of the brand in each request."""

    stage = STAGE
    batch = 1
    tries = 3
    lease = timedelta(minutes=15)

    def __init__(
        self,
        brand: str,
        api: StockApi,
        protocol: StockProtocol,
        stores: Sequence[int],
        pace: HostPace,
        *,
        interval: timedelta,
        take_limit: int,
    ) -> None:
        self._brand, self._api, self._protocol, self._stores, self._pace = brand, api, protocol, tuple(stores), pace
        self.interval: timedelta | None = interval
        self.take_limit = take_limit

    @property
    def concurrency(self) -> int:
        """How many products are handled at once."""
        return self._pace.concurrency

    @property
    def poll_interval(self) -> float:
        """Seconds between two polls for due products."""
        return self._pace.poll_interval

    async def __aenter__(self) -> "AvailabilityStage":
        await self._api.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.__aexit__()

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[StockWork]:
        """Load the products' ids and sizes, which requests are made of."""
        fields = availability.load(cursor, [lease.product_id for lease in leases])
        return [
            StockWork(lease, parse_stock_item(lease.external_id, one.reference, one.colours))
            for lease in leases
            if (one := fields.get(lease.product_id)) is not None
        ]

    async def handle(self, work: Sequence[StockWork]) -> AsyncIterator[Outcome]:
        """Check each product's stock."""
        for one in work:
            yield await self._check(one)

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Write the known stock, also of products that changed meanwhile: it is current either way."""
        availability.record(cursor, self._brand, [one.payload for one, _ in outcomes if one.payload is not None])

    async def _check(self, one: StockWork) -> Outcome:
        requests = self._protocol.requests(one.item, self._stores)
        if not requests:
            return given_up(one.lease, "nothing_to_ask", "the item lacks the ids that the stock API requires")
        sizes_by_store: list[Sizes] = []
        for request in requests:
            response = await self._send(request.path, request.query, request.body)
            if isinstance(response, NoResponse):
                return retry_later(one.lease, response.reason, response.detail, item_fault=False, unknown=1)
            try:
                sizes_by_store.append(self._protocol.parse(request, one.item, self._stores, response))
            except UnexpectedResponse as error:
                return retry_later(one.lease, "unknown_stock", str(error), item_fault=False, unknown=1)
        known = merge_sizes(one.item, self._stores, sizes_by_store)
        in_stock = sum(bool(sizes) for sizes in known.values())
        return done(
            one.lease, CheckedProduct(one.lease.external_id, known), in_stock=in_stock, sold_out=len(known) - in_stock
        )

    async def _send(self, path: str, query: Sequence[tuple[str, str]], body: Any) -> Any:
        async with self._pace.slot() as slot:
            response = await self._api.request(path, query, body)
        await self._pace.record_response(slot, response)
        return response
