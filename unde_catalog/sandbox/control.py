"""The sandbox's own routes: its log, its health, and what the next scrape will find changed.

    GET    /_health                 {"sandbox": true, "data": "...", "pid": 123}
    GET    /_log?since=&kind=       {"requests": [...], "next": n}; `since` is the `next` of an earlier answer
    DELETE /_log                    starts the log anew
    POST   /_control                changes what the next runs of a brand's task find; runs already started keep theirs:

    {"brand": "zara",                     the brand, the only field that must be there
     "price": {"512913640": 5990},        new prices in fils, by product id (0: none)
     "drop": ["512913640"],               products that left the shop
     "restore": ["512913640"],            products that come back as they were
     "photos": {"512913640": "v2"},       another version of all photos (another address, another picture)
     "reset": true,                       first forget all changes of the brand
     "lose_start_answers": 1,             so many starts begin a run and cut the connection instead of answering
     "late_items": 2.5,                   for so many seconds after a run's end its dataset lacks a fifth of its items
     "pages": "repeat"}                   or "grow", "shrink": what datasets do while they are read ("": nothing odd)

Changes add up; the answer is the brand's changes as they now stand. The last three hold at once, also for old runs.
"""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.identity import BRAND_NAMES
from unde_catalog.sandbox.request_log import KIND, RequestLog
from unde_catalog.sandbox.runs import Changes, RunStore

_FIELDS: dict[str, tuple[Any, Callable[[Any], bool]]] = {
    "brand": (str, lambda brand: brand in BRAND_NAMES),
    "price": (dict, lambda prices: all(type(price) is int and price >= 0 for price in prices.values())),
    "drop": (list, lambda ids: all(isinstance(id_, str | int) for id_ in ids)),
    "restore": (list, lambda ids: all(isinstance(id_, str | int) for id_ in ids)),
    "photos": (dict, lambda versions: all(isinstance(version, str) for version in versions.values())),
    "reset": (bool, lambda _: True),
    "lose_start_answers": (int, lambda times: times >= 0),
    "late_items": (int | float, lambda seconds: seconds >= 0),
    "pages": (str, lambda pages: pages in ("", "repeat", "grow", "shrink")),
}


@dataclass(slots=True)
class Control:
    """The routes that begin with an underscore. `data` says what is served, for people."""

    store: RunStore
    log: RequestLog
    data: str

    def routes(self) -> list[web.RouteDef]:
        """All four."""
        return [
            web.get("/_health", self._health),
            web.get("/_log", self._read_log),
            web.delete("/_log", self._clear_log),
            web.post("/_control", self._control),
        ]

    async def _health(self, request: web.Request) -> web.Response:
        request[KIND] = "sandbox.health"
        return web.json_response({"sandbox": True, "data": self.data, "pid": os.getpid()})

    async def _read_log(self, request: web.Request) -> web.Response:
        request[KIND] = "sandbox.log"
        since = request.query.get("since", "0")
        position = int(since) if since.isascii() and since.isdigit() else 0
        requests, next_position = self.log.read(position, request.query.get("kind"))
        return web.json_response({"requests": requests, "next": next_position})

    async def _clear_log(self, request: web.Request) -> web.Response:
        request[KIND] = "sandbox.log"
        self.log.clear()
        return web.json_response({"requests": [], "next": 0})

    async def _control(self, request: web.Request) -> web.Response:
        request[KIND] = "sandbox.control"
        try:
            order: Any = await request.json()
        except ValueError:
            order = {}
        problem = _problem(order)
        if problem:
            return web.json_response({"error": problem}, status=400)
        old = Changes() if order.get("reset") else self.store.changes_of(order["brand"])
        back = {str(id_) for id_ in order.get("restore", [])}
        gone = dict.fromkeys([*old.drop, *(str(id_) for id_ in order.get("drop", []))])
        changes = Changes(
            price={**old.price, **order.get("price", {})},
            drop=[id_ for id_ in gone if id_ not in back],
            photos={**old.photos, **order.get("photos", {})},
        )
        self.store.change(order["brand"], changes)
        trouble = self.store.trouble_of(order["brand"])
        for name in ("lose_start_answers", "late_items", "pages"):
            setattr(trouble, name, order.get(name, getattr(trouble, name)))
        return web.json_response({"brand": order["brand"], **asdict(changes)})


def _problem(order: Any) -> str | None:
    """What is wrong with an order to /_control, or None."""
    if not isinstance(order, dict) or "brand" not in order:
        return "a JSON object with a brand is wanted"
    for name, value in order.items():
        if name not in _FIELDS:
            return f"unknown field {name!r}; known are {', '.join(_FIELDS)}"
        type_, fits = _FIELDS[name]
        if not isinstance(value, type_) or not fits(value):
            return f"{name} is not what the sandbox's documentation says"
    return None
