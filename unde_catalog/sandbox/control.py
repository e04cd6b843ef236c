"""The sandbox's own routes: its log, its health, and changes of its behaviour.

    GET    /_health?challenge=      {"sandbox": true, "data": "...", "pid": 123, "proof": "..."}; see own.py
    GET    /_log?since=&kind=       {"requests": [...], "next": n}; `since` is the `next` of an earlier response
    GET    /_stock?brand=&at=       {"<item id>": {"<store id>": ["XS", "M"]}}: the actual stock of every store
    DELETE /_log                    empties the log
    POST   /_control                changes the behaviour; an invalid request (400) changes nothing:

    {"brand": "zara",                     the brand of the fields below; runs already started keep their items
     "price": {"512913640": 5990},        new prices in fils, by product id (0: none)
     "drop": ["512913640"],               removes products from the catalogue
     "restore": ["512913640"],            undoes `drop`
     "photos": {"512913640": "v2"},       another version of all photos (other URLs, other pictures)
     "reset": true,                       first undoes all changes of the brand
     "lose_start_answers": 1,             this many requests start a run and get no response
     "late_items": 2.5,                   seconds after a run's end during which its dataset lacks a fifth of its items
     "pages": "repeat",                   or "grow", "shrink": how a dataset changes between two requests ("": not)
     "ximilar": {"size": 100,             the capacity of a collection in records
                 "token": "another",      the only valid token; the old one is revoked
                 "delay": 0.5,            seconds between the work and its response
                 "remove": ["an _id"]},   deletes records without any client's request
     "shops": {"now": "2026-03-01T12:00:00Z",            a fixed time for the stock APIs ("": the real time)
               "sold_out": {"zara": ["512913640"]},      products that no store has
               "withhold": {"bershka": ["512913640"]}},  products whose stock the `campaign` API does not know
     "bakai": {"size": 200000,            the number of products (40); names after the 40th have a number
               "photos": 1,               the maximum of photos per product, 1 to 4 (4)
               "large": true,             photos of about 600 KB instead of 30 KB
               "shape": "nested",         or "strings", "page-numbers", "bare", "": see bakai/payloads.py
               "categories": ["a", null], assigned in turn, null: none; []: each product's own
               "drop": ["10000015"],      removes products, also from the bucket
               "price": {"10000045": "99.00"},             new prices in som
               "repeat_cursor": true,     every page names the second page as the next one
               "odd": 50},                5 of 50 products have an odd first photo (bakai/photos.py), 0: none
     "faults": "ximilar.insert:503=1",    replaces all fault rules (faults.py), "": no faults
     "next_faults": {"ximilar.insert": ["lost", "500"]}}   faults for the next requests of a kind, before any rule

Only a brand's fields need `brand`. Changes of a brand add up; `late_items`, `lose_start_answers` and `pages` take
effect at once, also for old runs. Lists in "shops" and "bakai" replace earlier ones. The response is the resulting
state of what the request changed: the brand's changes, {"ximilar": {"size", "delay", "records"}}, {"shops": {...}},
{"bakai": {...}}. A restart resets "ximilar" (except `remove`) and everything after it.
"""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.apify.runs import Changes, RunStore
from unde_catalog.sandbox.bakai.catalogue import MAX_PHOTOS, MAX_PRODUCTS, SHAPES, BakaiOverrides
from unde_catalog.sandbox.faults import Faults, FaultSpecError, check_fault_name, parse_rules
from unde_catalog.sandbox.identity import BRAND_NAMES
from unde_catalog.sandbox.own import proof
from unde_catalog.sandbox.request_log import KIND, RequestLog
from unde_catalog.sandbox.shops.overrides import StockOverrides, parse_time
from unde_catalog.sandbox.ximilar.records import XimilarStore

Fields = dict[str, tuple[Any, Callable[[Any], bool]]]

_BRAND_FIELDS: Fields = {
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
_XIMILAR_FIELDS: Fields = {
    "size": (int, lambda size: size >= 0),
    "token": (str, bool),
    "delay": (int | float, lambda seconds: seconds >= 0),
    "remove": (list, lambda ids: all(isinstance(id_, str) for id_ in ids)),
}
_STORE_FIELDS: Fields = {
    "now": (str, lambda now: not now or _is_time(now)),
    "sold_out": (dict, lambda ids: _are_ids_by_brand(ids)),
    "withhold": (dict, lambda ids: _are_ids_by_brand(ids)),
}
_BAKAI_FIELDS: Fields = {
    "size": (int, lambda size: 0 <= size <= MAX_PRODUCTS),
    "photos": (int, lambda maximum: 1 <= maximum <= MAX_PHOTOS),
    "large": (bool, lambda _: True),
    "shape": (str, lambda shape: shape in SHAPES),
    "categories": (list, lambda names: all(name is None or isinstance(name, str) for name in names)),
    "drop": (list, lambda ids: all(isinstance(id_, str | int) for id_ in ids)),
    "price": (dict, lambda prices: all(isinstance(price, str) for price in prices.values())),
    "repeat_cursor": (bool, lambda _: True),
    "odd": (int, lambda every: every >= 0),
}
_FIELDS: Fields = {
    **_BRAND_FIELDS,
    "ximilar": (dict, lambda changes: _validate(changes, _XIMILAR_FIELDS) is None),
    "shops": (dict, lambda changes: _validate(changes, _STORE_FIELDS) is None),
    "bakai": (dict, lambda changes: _validate(changes, _BAKAI_FIELDS) is None),
    "faults": (str, lambda _: True),
    "next_faults": (dict, lambda queues: all(isinstance(names, list) for names in queues.values())),
}


@dataclass(slots=True)
class Control:
    """The routes that begin with an underscore. `data` describes what the sandbox serves, `token` is its owner's."""

    runs: RunStore
    ximilar: XimilarStore
    stock: StockOverrides
    bakai: BakaiOverrides
    faults: Faults
    log: RequestLog
    data: str
    token: str | None = None

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes of log, health and control."""
        return [
            web.get("/_health", self._health),
            web.get("/_log", self._read_log),
            web.delete("/_log", self._clear_log),
            web.post("/_control", self._control),
        ]

    async def _health(self, request: web.Request) -> web.Response:
        request[KIND] = "sandbox.health"
        health: dict[str, Any] = {"sandbox": True, "data": self.data, "pid": os.getpid()}
        if self.token is not None and "challenge" in request.query:
            health["proof"] = proof(self.token, request.query["challenge"])
        return web.json_response(health)

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
            body: Any = await request.json()
        except ValueError:
            body = {}
        problem = _validate(body, _FIELDS) or _missing_brand(body) or _unknown_fault(body)
        if problem:
            return web.json_response({"error": problem}, status=400)
        if "faults" in body:
            self.faults.replace(parse_rules(body["faults"]))
        for kind, names in body.get("next_faults", {}).items():
            self.faults.queue(kind, [str(name) for name in names])
        result: dict[str, Any] = {}
        if "brand" in body:
            result |= self._change_brand(body)
        if "ximilar" in body:
            result["ximilar"] = self._change_ximilar(body["ximilar"])
        if "shops" in body:
            result["shops"] = self._change_stock(body["shops"])
        if "bakai" in body:
            result["bakai"] = self._change_bakai(body["bakai"])
        return web.json_response(result)

    def _change_brand(self, body: dict[str, Any]) -> dict[str, Any]:
        old = Changes() if body.get("reset") else self.runs.changes_of(body["brand"])
        restored = {str(id_) for id_ in body.get("restore", [])}
        dropped = dict.fromkeys([*old.drop, *(str(id_) for id_ in body.get("drop", []))])
        changes = Changes(
            price={**old.price, **body.get("price", {})},
            drop=[id_ for id_ in dropped if id_ not in restored],
            photos={**old.photos, **body.get("photos", {})},
        )
        self.runs.change(body["brand"], changes)
        overrides = self.runs.overrides_of(body["brand"])
        for name in ("lose_start_answers", "late_items", "pages"):
            setattr(overrides, name, body.get(name, getattr(overrides, name)))
        return {"brand": body["brand"], **asdict(changes)}

    def _change_ximilar(self, changes: dict[str, Any]) -> dict[str, Any]:
        overrides = self.ximilar.overrides
        for name in ("size", "token", "delay"):
            setattr(overrides, name, changes.get(name, getattr(overrides, name)))
        self.ximilar.remove(changes.get("remove", []))
        return {"size": overrides.size, "delay": overrides.delay, "records": self.ximilar.counts()}

    def _change_stock(self, changes: dict[str, Any]) -> dict[str, Any]:
        overrides = self.stock
        overrides.now = changes.get("now", overrides.now)
        for name in ("sold_out", "withhold"):
            ids_by_brand = {brand: frozenset(map(str, ids)) for brand, ids in changes.get(name, {}).items()}
            setattr(overrides, name, {**getattr(overrides, name), **ids_by_brand})
        return {
            "now": overrides.now,
            "sold_out": {brand: sorted(ids) for brand, ids in overrides.sold_out.items()},
            "withhold": {brand: sorted(ids) for brand, ids in overrides.withhold.items()},
        }

    def _change_bakai(self, changes: dict[str, Any]) -> dict[str, Any]:
        convert: dict[str, Callable[[Any], Any]] = {"drop": lambda ids: frozenset(map(str, ids)), "categories": tuple}
        for name, value in changes.items():
            setattr(self.bakai, name, convert[name](value) if name in convert else value)
        return {**asdict(self.bakai), "drop": sorted(self.bakai.drop)}


def _is_time(text: str) -> bool:
    try:
        return parse_time(text) > 0
    except ValueError:
        return False


def _are_ids_by_brand(value: dict[str, Any]) -> bool:
    return value.keys() <= BRAND_NAMES.keys() and all(
        isinstance(ids, list) and all(isinstance(id_, str | int) for id_ in ids) for ids in value.values()
    )


def _validate(body: Any, fields: Fields) -> str | None:
    """Returns what is wrong with (a part of) a request to /_control, or None."""
    if not isinstance(body, dict) or not body:
        return "the body must be a JSON object with at least one field"
    for name, value in body.items():
        if name not in fields:
            return f"unknown field {name!r}; known fields: {', '.join(fields)}"
        type_, is_valid = fields[name]
        if not isinstance(value, type_) or not is_valid(value):
            return f"{name} has an invalid value; see unde_catalog/sandbox/control.py"
    return None


def _missing_brand(body: dict[str, Any]) -> str | None:
    has_brand_fields = body.keys() & _BRAND_FIELDS.keys()
    return "brand is missing: these fields change a brand" if has_brand_fields and "brand" not in body else None


def _unknown_fault(body: dict[str, Any]) -> str | None:
    try:
        parse_rules(body.get("faults"))
        for names in body.get("next_faults", {}).values():
            for name in names:
                check_fault_name(str(name))
    except FaultSpecError as error:
        return str(error)
    return None
