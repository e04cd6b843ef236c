"""The sandbox's own routes: its log, its health, and orders that change what it answers from now on.

    GET    /_health                 {"sandbox": true, "data": "...", "pid": 123}
    GET    /_log?since=&kind=       {"requests": [...], "next": n}; `since` is the `next` of an earlier answer
    GET    /_stock?brand=&at=       {"<item id>": {"<shop id>": ["XS", "M"]}}: what truly lies in every shop (shops.py)
    DELETE /_log                    starts the log anew
    POST   /_control                one order, all of it or (400) nothing:

    {"brand": "zara",                     which is scraped; runs already started keep what they found
     "price": {"512913640": 5990},        new prices in fils, by product id (0: none)
     "drop": ["512913640"],               products that left the shop
     "restore": ["512913640"],            products that come back as they were
     "photos": {"512913640": "v2"},       another version of all photos (another address, another picture)
     "reset": true,                       first forget all changes of the brand
     "lose_start_answers": 1,             so many starts begin a run and cut the connection instead of answering
     "late_items": 2.5,                   for so many seconds after a run's end its dataset lacks a fifth of its items
     "pages": "repeat",                   or "grow", "shrink": what datasets do while they are read ("": nothing odd)
     "ximilar": {"size": 100,             the most records that a collection takes
                 "token": "another",      the only token that is accepted; the old one is revoked
                 "delay": 0.5,            for so many seconds an answer waits after its work is done
                 "remove": ["an _id"]},   records that vanish behind our back
     "shops": {"now": "2026-03-01T12:00:00Z",            the time in the shops, which stands still ("": the real one)
               "sold_out": {"zara": ["512913640"]},      products of which no shop has any
               "withhold": {"bershka": ["512913640"]}},  products for which shape A tells no stocks
     "bakai": {"size": 200000,             how many products there are (40); past the 40th their names have a number
               "photos": 1,               the most photos of a product, 1 to 4 (4)
               "large": true,             photos of about 600 KB and not of about 30 KB
               "shape": "nested",         or "strings", "page-numbers", "bare", "": how the API answers: bakai_shapes.py
               "categories": ["a", null], by turns, null: none; []: each product's own
               "drop": ["10000015"],      products that are gone, also from the bucket
               "price": {"10000045": "99.00"},             new prices in som
               "repeat_cursor": true,     every page names the second one as the next
               "odd": 50},                of 50 products five have an odd first photo (bakai_photos.py: ODD), 0: none
     "faults": "ximilar.insert:503=1",    replaces the dial (faults.py), "": nothing goes wrong
     "next_faults": {"ximilar.insert": ["lost", "500"]}}   one each for the next requests of a kind, before the dial

Only a brand's fields need a brand. Its changes add up; `late_items`, `lose_start_answers` and `pages` hold at once,
also for old runs. The answer is what was ordered as it now stands: the brand's changes, {"ximilar": {"size", "delay",
"records"}}, {"shops": {...}}, {"bakai": {...}} (a list under "shops" or "bakai" replaces the earlier one). What is
under "ximilar" and after it is forgotten by a restart, but for records that vanished.
"""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.apify.runs import Changes, RunStore
from unde_catalog.sandbox.bakai.catalogue import MOST_PHOTOS, MOST_PRODUCTS, SHAPES, BakaiTerms
from unde_catalog.sandbox.faults import Faults, FaultSpecError, check, rules_of
from unde_catalog.sandbox.identity import BRAND_NAMES
from unde_catalog.sandbox.request_log import KIND, RequestLog
from unde_catalog.sandbox.shops.overrides import ShopTerms, seconds
from unde_catalog.sandbox.ximilar.records import XimilarStore

Fields = dict[str, tuple[Any, Callable[[Any], bool]]]

_OF_A_BRAND: Fields = {
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
_OF_XIMILAR: Fields = {
    "size": (int, lambda size: size >= 0),
    "token": (str, bool),
    "delay": (int | float, lambda seconds: seconds >= 0),
    "remove": (list, lambda ids: all(isinstance(id_, str) for id_ in ids)),
}
_OF_SHOPS: Fields = {
    "now": (str, lambda now: not now or _is_moment(now)),
    "sold_out": (dict, lambda ids: _are_ids_by_brand(ids)),
    "withhold": (dict, lambda ids: _are_ids_by_brand(ids)),
}
_OF_BAKAI: Fields = {
    "size": (int, lambda size: 0 <= size <= MOST_PRODUCTS),
    "photos": (int, lambda most: 1 <= most <= MOST_PHOTOS),
    "large": (bool, lambda _: True),
    "shape": (str, lambda shape: shape in SHAPES),
    "categories": (list, lambda names: all(name is None or isinstance(name, str) for name in names)),
    "drop": (list, lambda ids: all(isinstance(id_, str | int) for id_ in ids)),
    "price": (dict, lambda prices: all(isinstance(price, str) for price in prices.values())),
    "repeat_cursor": (bool, lambda _: True),
    "odd": (int, lambda every: every >= 0),
}
_FIELDS: Fields = {
    **_OF_A_BRAND,
    "ximilar": (dict, lambda order: _problem(order, _OF_XIMILAR) is None),
    "shops": (dict, lambda order: _problem(order, _OF_SHOPS) is None),
    "bakai": (dict, lambda order: _problem(order, _OF_BAKAI) is None),
    "faults": (str, lambda _: True),
    "next_faults": (dict, lambda queues: all(isinstance(names, list) for names in queues.values())),
}


@dataclass(slots=True)
class Control:
    """The routes that begin with an underscore. `data` says what is served, for people."""

    store: RunStore
    ximilar: XimilarStore
    shops: ShopTerms
    bakai: BakaiTerms
    dial: Faults
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
        problem = _problem(order, _FIELDS) or _missing_brand(order) or _unknown_fault(order)
        if problem:
            return web.json_response({"error": problem}, status=400)
        if "faults" in order:
            self.dial.replace(rules_of(order["faults"]))
        for kind, names in order.get("next_faults", {}).items():
            self.dial.queue(kind, [str(name) for name in names])
        standing: dict[str, Any] = {}
        if "brand" in order:
            standing |= self._change(order)
        if "ximilar" in order:
            standing["ximilar"] = self._change_ximilar(order["ximilar"])
        if "shops" in order:
            standing["shops"] = self._change_shops(order["shops"])
        if "bakai" in order:
            standing["bakai"] = self._change_bakai(order["bakai"])
        return web.json_response(standing)

    def _change(self, order: dict[str, Any]) -> dict[str, Any]:
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
        return {"brand": order["brand"], **asdict(changes)}

    def _change_ximilar(self, order: dict[str, Any]) -> dict[str, Any]:
        terms = self.ximilar.terms
        for name in ("size", "token", "delay"):
            setattr(terms, name, order.get(name, getattr(terms, name)))
        self.ximilar.remove(order.get("remove", []))
        return {"size": terms.size, "delay": terms.delay, "records": self.ximilar.counts()}

    def _change_shops(self, order: dict[str, Any]) -> dict[str, Any]:
        terms = self.shops
        terms.now = order.get("now", terms.now)
        for name in ("sold_out", "withhold"):
            new = {brand: frozenset(map(str, ids)) for brand, ids in order.get(name, {}).items()}
            setattr(terms, name, {**getattr(terms, name), **new})
        return {
            "now": terms.now,
            "sold_out": {brand: sorted(ids) for brand, ids in terms.sold_out.items()},
            "withhold": {brand: sorted(ids) for brand, ids in terms.withhold.items()},
        }

    def _change_bakai(self, order: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Callable[[Any], Any]] = {"drop": lambda ids: frozenset(map(str, ids)), "categories": tuple}
        for name, value in order.items():
            setattr(self.bakai, name, made[name](value) if name in made else value)
        return {**asdict(self.bakai), "drop": sorted(self.bakai.drop)}


def _is_moment(text: str) -> bool:
    try:
        return seconds(text) > 0
    except ValueError:
        return False


def _are_ids_by_brand(listed: dict[str, Any]) -> bool:
    return listed.keys() <= BRAND_NAMES.keys() and all(
        isinstance(ids, list) and all(isinstance(id_, str | int) for id_ in ids) for ids in listed.values()
    )


def _problem(order: Any, fields: Fields) -> str | None:
    """What is wrong with an order to /_control, or None."""
    if not isinstance(order, dict) or not order:
        return "a JSON object that orders something is wanted"
    for name, value in order.items():
        if name not in fields:
            return f"unknown field {name!r}; known are {', '.join(fields)}"
        type_, fits = fields[name]
        if not isinstance(value, type_) or not fits(value):
            return f"{name} is not what the sandbox's documentation says"
    return None


def _missing_brand(order: dict[str, Any]) -> str | None:
    return "a brand is wanted with its changes" if order.keys() & _OF_A_BRAND.keys() and "brand" not in order else None


def _unknown_fault(order: dict[str, Any]) -> str | None:
    try:
        rules_of(order.get("faults"))
        for names in order.get("next_faults", {}).values():
            for name in names:
                check(str(name))
    except FaultSpecError as error:
        return str(error)
    return None
