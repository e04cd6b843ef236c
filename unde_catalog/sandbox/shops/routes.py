"""The shops of every brand as their apps see them (spec 6): a finder and four shapes of stock, below `/shops/<brand>`.

Every brand answers in every shape. What the JSON looks like is `payloads.py`; only routes, lookups and the log here.

The lines of stock in the request log also hold, whether or not a fault struck

    brand, shops   the brand, and how many shops were asked about
    product        the id of the item (null: unknown); of several, in shape C, the first
    products       of several: all of them
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import BRAND_NAMES
from unde_catalog.sandbox.request_log import KIND, NOTED, RequestLog
from unde_catalog.sandbox.shops import payloads as shapes
from unde_catalog.sandbox.shops import stores as places
from unde_catalog.sandbox.shops.overrides import ShopTerms, seconds
from unde_catalog.sandbox.shops.products import Product, Shelf, Size
from unde_catalog.sandbox.shops.requests import BadRequestError, coordinate, exactly, number_lists, numbers, one_number
from unde_catalog.sandbox.shops.stock import quantity

_MOST_KILOMETRES = 1000.0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was understood: what it is about, and how it is answered (None: not found)."""

    products: list[Product]
    shops: list[int]
    answer: Callable[[], dict[str, Any] | None]


_Reader = Callable[[web.Request, str], Awaitable[_Asked]]


@dataclass(slots=True)
class ShopsApi:
    """The routes below `/shops`, and the truth about all of it at `/_stock`."""

    shelf: Shelf
    terms: ShopTerms
    faults: Faults
    log: RequestLog

    def routes(self) -> list[web.RouteDef]:
        """Every route; the kind in the log and for the faults is `stock` or `finder`."""
        brand = "/shops/{brand}"
        store = f"{brand}/api/storefront/1/stores/{{channel:[0-9]+}}"
        part = "campaign/{campaign}/product/part-number/{digits}"
        return [
            web.get(f"{brand}/itxrest/2/bam/store/{{channel:[0-9]+}}/physical-store", self._finder),
            web.get(f"{brand}/common/1/stock/{part}", self._handler(self._campaign)),
            web.get(f"{store}/products/{{product}}/available-sizes", self._handler(self._sizes)),
            web.post(f"{store}/skus-availability-in-stores/actions/filter", self._handler(self._skus)),
            web.get(
                f"{brand}/{{country:[a-z]{{2}}}}/{{language:[a-z]{{2}}}}/store-product-availability",
                self._handler(self._colour),
            ),
            web.get("/_stock", self._truth),
            web.route("*", "/shops/{rest:.*}", self._unknown),
        ]

    def _handler(self, read: _Reader) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[KIND] = "stock"
            brand = request.match_info["brand"]
            if brand not in BRAND_NAMES:
                return await self._unknown(request)
            try:
                asked = await read(request, brand)
            except BadRequestError as error:
                return _problem(400, str(error))
            ids = [product.id for product in asked.products]
            request[NOTED] = {"brand": brand, "product": ids[0] if ids else None, "shops": len(asked.shops)}
            if len(ids) > 1:
                request[NOTED]["products"] = ids

            async def work(_: web.Request) -> web.StreamResponse:
                body = asked.answer()
                response = _problem(404, "There is no such product") if body is None else web.json_response(body)
                self.log.work_done(request, response, {})
                return response

            # In shapes C and D all products have one path: which of them a fault strikes is up to the product.
            key = f"{brand} {ids[0]}" if ids else f"{brand} {request.path_qs}"
            return await self.faults.around("stock", request, work, key)

        return handle

    async def _campaign(self, request: web.Request, brand: str) -> _Asked:
        """Shape A: a colour by its part number. An empty list of stocks says nothing, as also for what is unknown."""
        shops = numbers(request, "physicalStoreId")
        part = request.match_info["campaign"], request.match_info["digits"]
        found = self.shelf.of(brand).parts.get(part)
        if found is None:
            return _Asked([], shops, lambda: shapes.campaign_stock({}))
        product, place = found
        if self.terms.is_withheld(brand, product.id):
            return _Asked([product], shops, lambda: shapes.campaign_stock({}))
        return _Asked(
            [product], shops, lambda: shapes.campaign_stock(self._stock(brand, product, product.colours[place], shops))
        )

    async def _sizes(self, request: web.Request, brand: str) -> _Asked:
        """Shape B: an item by its id, all its colours in one."""
        one_number(request, "appId")
        shops = numbers(request, "physicalStoreIds", commas=True)
        wanted = [name for value in request.query.getall("sizeIds", []) for name in value.split(",") if name]
        product = self.shelf.of(brand).items.get(request.match_info["product"])
        if product is None:
            return _Asked([], shops, lambda: None)
        return _Asked(
            [product],
            shops,
            lambda: shapes.available_sizes(product.id, self._stock(brand, product, product.sizes(), shops), wanted),
        )

    async def _skus(self, request: web.Request, brand: str) -> _Asked:
        """Shape C: sizes by their skus, of any number of items; what is unknown is left out."""
        shops, skus = number_lists(await request.read(), "physicalStoreIds", "skus")
        known = self.shelf.of(brand).skus
        found = [known[str(sku)] for sku in skus if str(sku) in known]

        def answer() -> dict[str, Any]:
            moment, there = self.terms.moment, places.shops(brand)
            stock = {
                shop: {
                    size.sku: (size.name, self._quantity(brand, product, shop, size, moment)) for product, size in found
                }
                for shop in shops
                if shop in there
            }
            return shapes.skus_availability(stock)

        products = {product.id: product for product, _ in found}
        return _Asked(list(products.values()), shops, answer)

    async def _colour(self, request: web.Request, brand: str) -> _Asked:
        """Shape D: a colour by its product id, and only for the brand's app."""
        agent = request.headers.get("User-Agent", "")
        if not (agent.startswith("ZaraApp/") if brand == "zara" else "App/" in agent):
            raise web.HTTPForbidden(text="<html><body><h1>Access Denied</h1></body></html>", content_type="text/html")
        exactly(request, "ajax", "true")
        number, shops = one_number(request, "productId"), numbers(request, "physicalStoreIds")
        found = self.shelf.of(brand).colours.get(str(number))
        if found is None:
            return _Asked([], shops, lambda: None)
        product, place = found
        return _Asked(
            [product],
            shops,
            lambda: shapes.store_product_availability(self._stock(brand, product, product.colours[place], shops)),
        )

    async def _finder(self, request: web.Request) -> web.StreamResponse:
        request[KIND] = "finder"
        brand = request.match_info["brand"]
        if brand not in BRAND_NAMES:
            return await self._unknown(request)
        try:
            one_number(request, "appId")
            latitude, longitude = coordinate(request, "latitude", 90), coordinate(request, "longitude", 180)
            radius = coordinate(request, "radioMax", _MOST_KILOMETRES)
        except BadRequestError as error:
            return _problem(400, str(error))
        request[NOTED] = {"brand": brand}

        async def work(_: web.Request) -> web.StreamResponse:
            country = request.query.get("countryCode", "")
            response = web.json_response(places.closer(brand, country, latitude, longitude, radius))
            self.log.work_done(request, response, {})
            return response

        return await self.faults.around("finder", request, work)

    async def _truth(self, request: web.Request) -> web.Response:
        request[KIND] = "sandbox.stock"
        brand, at = request.query.get("brand", ""), request.query.get("at", "")
        if brand not in BRAND_NAMES:
            return _problem(400, f"brand must be one of {', '.join(BRAND_NAMES)}")
        try:
            moment = seconds(at) if at else self.terms.moment
        except ValueError:
            return _problem(400, "at must be a time like 2026-03-01T12:00:00Z")
        products = list(self.shelf.of(brand).items.values())
        return web.json_response(await asyncio.to_thread(self._everything, brand, products, moment))

    def _everything(self, brand: str, products: Iterable[Product], moment: int) -> dict[str, dict[str, list[str]]]:
        """Every product's sizes in stock, by shop; this takes a second for a brand of 18,000 products."""
        shops = list(places.shops(brand))
        return {
            product.id: {
                str(shop): list(self._in_shop(brand, product, product.sizes(), shop, moment)) for shop in shops
            }
            for product in products
        }

    async def _unknown(self, request: web.Request) -> web.Response:
        request[KIND] = "shops.other"
        return _problem(404, f"There is no {request.path}")

    def _stock(self, brand: str, product: Product, sizes: Iterable[Size], shops: list[int]) -> shapes.Stock:
        moment, listed, there = self.terms.moment, list(sizes), places.shops(brand)
        return {shop: self._in_shop(brand, product, listed, shop, moment) for shop in shops if shop in there}

    def _in_shop(self, brand: str, product: Product, sizes: Iterable[Size], shop: int, moment: int) -> dict[str, int]:
        """How many of each size a shop has, sizes of one name together, those without any left out."""
        found: dict[str, int] = {}
        for size in sizes:
            many = self._quantity(brand, product, shop, size, moment)
            found[size.name] = found.get(size.name, 0) + many
        return {name: many for name, many in found.items() if many}

    def _quantity(self, brand: str, product: Product, shop: int, size: Size, moment: int) -> int:
        return 0 if self.terms.is_sold_out(brand, product.id) else quantity(brand, shop, size.sku, moment)


def _problem(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
