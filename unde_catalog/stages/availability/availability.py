"""The availability stage: which sizes of a product each shop has in stock, asked evenly over the hour (specs 1, 5, 6).

In stock, not in stock, unknown: what is not certain is not written. How APIs answer is `protocols.py`'s.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from unde_catalog.stages.availability.item import StockItem, read_stock_item
from unde_catalog.stages.availability.pace import HostPace
from unde_catalog.stages.availability.protocols import Sizes, StockProtocol, UnexpectedResponse, together
from unde_catalog.stages.availability.shop_api import NoResponse, StockApi
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.stock import availability
from unde_catalog.stores.staging.stock.availability import CheckedProduct
from unde_catalog.worker.handler import Outcome, done, given_up, retry_later

STAGE = "availability"


@dataclass(frozen=True, slots=True)
class StockWork:
    """A product in hand."""

    lease: Lease
    item: StockItem


class AvailabilityStage:
    """Handler of the stage: a product a call, all shops of the brand in each request."""

    stage = STAGE
    batch = 1
    tries = 3
    lease = timedelta(minutes=15)

    def __init__(
        self,
        brand: str,
        api: StockApi,
        shape: StockProtocol,
        shops: Sequence[int],
        pace: HostPace,
        *,
        interval: timedelta,
        take_limit: int,
    ) -> None:
        self._brand, self._api, self._shape, self._shops, self._pace = brand, api, shape, tuple(shops), pace
        self.interval: timedelta | None = interval
        self.take_limit = take_limit

    @property
    def concurrency(self) -> int:
        """How many products are in hand at once."""
        return self._pace.at_once

    @property
    def poll_interval(self) -> float:
        """Seconds after which a run that stays looks for what came due."""
        return self._pace.poll_interval

    async def __aenter__(self) -> "AvailabilityStage":
        await self._api.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.__aexit__()

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[StockWork]:
        """What the APIs are asked with."""
        found = availability.load(cursor, [lease.product_id for lease in leases])
        return [
            StockWork(lease, read_stock_item(lease.external_id, one.reference, one.colours))
            for lease in leases
            if (one := found.get(lease.product_id)) is not None
        ]

    async def handle(self, work: Sequence[StockWork]) -> AsyncIterator[Outcome]:
        """Ask for each product's stock."""
        for one in work:
            yield await self._check(one)

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """The known stock; also where a newer change waits, as it is true all the same."""
        availability.record(cursor, self._brand, [one.payload for one, _ in outcomes if one.payload is not None])

    async def _check(self, one: StockWork) -> Outcome:
        questions = self._shape.questions(one.item, self._shops)
        if not questions:
            return given_up(one.lease, "nothing_to_ask", "its item lacks the ids that the shop's API asks for")
        answers: list[Sizes] = []
        for question in questions:
            answer = await self._ask(question.path, question.query, question.body)
            if isinstance(answer, NoResponse):
                return retry_later(one.lease, answer.reason, answer.detail, item_fault=False, unknown=1)
            try:
                answers.append(self._shape.understand(question, one.item, self._shops, answer))
            except UnexpectedResponse as unknown:
                return retry_later(one.lease, "unknown_stock", str(unknown), item_fault=False, unknown=1)
        known = together(one.item, self._shops, answers)
        in_stock = sum(bool(sizes) for sizes in known.values())
        return done(
            one.lease, CheckedProduct(one.lease.external_id, known), in_stock=in_stock, sold_out=len(known) - in_stock
        )

    async def _ask(self, path: str, query: Sequence[tuple[str, str]], body: Any) -> Any:
        async with self._pace.turn() as turn:
            answer = await self._api.ask(path, query, body)
        await self._pace.told(turn, answer)
        return answer
