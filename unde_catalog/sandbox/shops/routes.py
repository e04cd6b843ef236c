"""The stock APIs and store finders of every brand, below `/shops/<brand>`: routes, lookups and log details.

Every brand serves all four stock APIs (`campaign`, `available-sizes`, `skus`, `zara`). JSON bodies belong in
`payloads.py`.

With or without a fault, stock requests also have these fields in the request log:

    brand, shops   the brand, and the number of stores in the request
    product        the id of the item (null: unknown); of several, in `skus`, the first
    products       the ids of all items, if there are several
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import BRAND_NAMES
from unde_catalog.sandbox.request_log import DETAILS, KIND, RequestLog
from unde_catalog.sandbox.shops import payloads
from unde_catalog.sandbox.shops.overrides import StockOverrides, parse_time
from unde_catalog.sandbox.shops.products import Product, ProductIndex, Size
from unde_catalog.sandbox.shops.requests import (
    BadRequestError,
    coordinate,
    require_value,
    whole_number,
    whole_number_lists,
    whole_numbers,
)
from unde_catalog.sandbox.shops.stock import quantity
from unde_catalog.sandbox.shops.stores import brand_stores, nearby_stores

_MAX_KILOMETRES = 1000.0


@dataclass(frozen=True, slots=True)
class _StockQuery:
    """A valid request: its products and stores, and a function for the response body (None: not found)."""

    products: list[Product]
    store_ids: list[int]
    body: Callable[[], dict[str, Any] | None]


_QueryParser = Callable[[web.Request, str], Awaitable[_StockQuery]]


@dataclass(slots=True)
class StockApi:
    """The routes below `/shops`, and the actual stock at `/_stock`."""

    products: ProductIndex
    overrides: StockOverrides
    faults: Faults
    log: RequestLog

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes; their kind in the request log and in fault rules is `stock` or `finder`."""
        brand = "/shops/{brand}"
        storefront = f"{brand}/api/storefront/1/stores/{{channel:[0-9]+}}"
        part = "campaign/{campaign}/product/part-number/{digits}"
        return [
            web.get(f"{brand}/itxrest/2/bam/store/{{channel:[0-9]+}}/physical-store", self._finder),
            web.get(f"{brand}/common/1/stock/{part}", self._handler(self._campaign)),
            web.get(f"{storefront}/products/{{product}}/available-sizes", self._handler(self._available_sizes)),
            web.post(f"{storefront}/skus-availability-in-stores/actions/filter", self._handler(self._skus)),
            web.get(
                f"{brand}/{{country:[a-z]{{2}}}}/{{language:[a-z]{{2}}}}/store-product-availability",
                self._handler(self._zara),
            ),
            web.get("/_stock", self._actual_stock),
            web.route("*", "/shops/{rest:.*}", self._unknown),
        ]

    def _handler(self, parse: _QueryParser) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[KIND] = "stock"
            brand = request.match_info["brand"]
            if brand not in BRAND_NAMES:
                return await self._unknown(request)
            try:
                query = await parse(request, brand)
            except BadRequestError as error:
                return _error(400, str(error))
            ids = [product.id for product in query.products]
            request[DETAILS] = {"brand": brand, "product": ids[0] if ids else None, "shops": len(query.store_ids)}
            if len(ids) > 1:
                request[DETAILS]["products"] = ids

            async def respond(_: web.Request) -> web.StreamResponse:
                body = query.body()
                response = _error(404, "There is no such product") if body is None else web.json_response(body)
                self.log.write_now(request, response, {})
                return response

            # `skus` and `zara` have the same path for all products, so fault rules go by product.
            key = f"{brand} {ids[0]}" if ids else f"{brand} {request.path_qs}"
            return await self.faults.around("stock", request, respond, key)

        return handle

    async def _campaign(self, request: web.Request, brand: str) -> _StockQuery:
        """`campaign`: a colour by its part number. An empty `stocks` means unknown stock or an unknown product."""
        store_ids = whole_numbers(request, "physicalStoreId")
        part = request.match_info["campaign"], request.match_info["digits"]
        entry = self.products.of(brand).parts.get(part)
        if entry is None:
            return _StockQuery([], store_ids, lambda: payloads.campaign_stock({}))
        product, index = entry
        if self.overrides.is_withheld(brand, product.id):
            return _StockQuery([product], store_ids, lambda: payloads.campaign_stock({}))
        sizes = product.colours[index]
        return _StockQuery(
            [product], store_ids, lambda: payloads.campaign_stock(self._stock(brand, product, sizes, store_ids))
        )

    async def _available_sizes(self, request: web.Request, brand: str) -> _StockQuery:
        """`available-sizes`: an item by its id, the sizes of all colours added up."""
        whole_number(request, "appId")
        store_ids = whole_numbers(request, "physicalStoreIds", commas=True)
        size_ids = [name for value in request.query.getall("sizeIds", []) for name in value.split(",") if name]
        product = self.products.of(brand).items.get(request.match_info["product"])
        if product is None:
            return _StockQuery([], store_ids, lambda: None)

        def body() -> dict[str, Any]:
            stock = self._stock(brand, product, product.sizes(), store_ids)
            return payloads.available_sizes(product.id, stock, size_ids)

        return _StockQuery([product], store_ids, body)

    async def _skus(self, request: web.Request, brand: str) -> _StockQuery:
        """`skus`: sizes of any number of items by SKU; unknown SKUs are left out."""
        store_ids, skus = whole_number_lists(await request.read(), "physicalStoreIds", "skus")
        known = self.products.of(brand).skus
        entries = [known[str(sku)] for sku in skus if str(sku) in known]

        def body() -> dict[str, Any]:
            time, stores = self.overrides.current_time, brand_stores(brand)
            stock = {
                store_id: {
                    size.sku: (size.name, self._quantity(brand, product, store_id, size, time))
                    for product, size in entries
                }
                for store_id in store_ids
                if store_id in stores
            }
            return payloads.skus_availability(stock)

        products = {product.id: product for product, _ in entries}
        return _StockQuery(list(products.values()), store_ids, body)

    async def _zara(self, request: web.Request, brand: str) -> _StockQuery:
        """`zara`: a colour by its product id, and only for the brand's app."""
        agent = request.headers.get("User-Agent", "")
        if not (agent.startswith("ZaraApp/") if brand == "zara" else "App/" in agent):
            raise web.HTTPForbidden(text="<html><body><h1>Access Denied</h1></body></html>", content_type="text/html")
        require_value(request, "ajax", "true")
        number, store_ids = whole_number(request, "productId"), whole_numbers(request, "physicalStoreIds")
        entry = self.products.of(brand).colours.get(str(number))
        if entry is None:
            return _StockQuery([], store_ids, lambda: None)
        product, index = entry

        def body() -> dict[str, Any]:
            stock = self._stock(brand, product, product.colours[index], store_ids)
            return payloads.store_product_availability(stock)

        return _StockQuery([product], store_ids, body)

    async def _finder(self, request: web.Request) -> web.StreamResponse:
        request[KIND] = "finder"
        brand = request.match_info["brand"]
        if brand not in BRAND_NAMES:
            return await self._unknown(request)
        try:
            whole_number(request, "appId")
            latitude, longitude = coordinate(request, "latitude", 90), coordinate(request, "longitude", 180)
            radius = coordinate(request, "radioMax", _MAX_KILOMETRES)
        except BadRequestError as error:
            return _error(400, str(error))
        request[DETAILS] = {"brand": brand}

        async def respond(_: web.Request) -> web.StreamResponse:
            country = request.query.get("countryCode", "")
            response = web.json_response(nearby_stores(brand, country, latitude, longitude, radius))
            self.log.write_now(request, response, {})
            return response

        return await self.faults.around("finder", request, respond)

    async def _actual_stock(self, request: web.Request) -> web.Response:
        request[KIND] = "sandbox.stock"
        brand, at = request.query.get("brand", ""), request.query.get("at", "")
        if brand not in BRAND_NAMES:
            return _error(400, f"brand must be one of {', '.join(BRAND_NAMES)}")
        try:
            time = parse_time(at) if at else self.overrides.current_time
        except ValueError:
            return _error(400, "at must be a time such as 2026-03-01T12:00:00Z")
        products = list(self.products.of(brand).items.values())
        return web.json_response(await asyncio.to_thread(self._stock_of_all, brand, products, time))

    def _stock_of_all(self, brand: str, products: Iterable[Product], time: int) -> dict[str, dict[str, list[str]]]:
        """Returns the sizes in stock by product and store; takes a second for a brand with 18,000 products."""
        store_ids = list(brand_stores(brand))
        return {
            product.id: {
                str(store_id): list(self._store_stock(brand, product, product.sizes(), store_id, time))
                for store_id in store_ids
            }
            for product in products
        }

    async def _unknown(self, request: web.Request) -> web.Response:
        request[KIND] = "shops.other"
        return _error(404, f"There is no {request.path}")

    def _stock(self, brand: str, product: Product, sizes: Iterable[Size], store_ids: list[int]) -> payloads.Stock:
        time, sizes, stores = self.overrides.current_time, list(sizes), brand_stores(brand)
        return {
            store_id: self._store_stock(brand, product, sizes, store_id, time)
            for store_id in store_ids
            if store_id in stores
        }

    def _store_stock(
        self, brand: str, product: Product, sizes: Iterable[Size], store_id: int, time: int
    ) -> dict[str, int]:
        """Returns a store's quantities by size name, without zeros; sizes of one name are added up."""
        quantities: dict[str, int] = {}
        for size in sizes:
            number = self._quantity(brand, product, store_id, size, time)
            quantities[size.name] = quantities.get(size.name, 0) + number
        return {name: number for name, number in quantities.items() if number}

    def _quantity(self, brand: str, product: Product, store_id: int, size: Size, time: int) -> int:
        return 0 if self.overrides.is_sold_out(brand, product.id) else quantity(brand, store_id, size.sku, time)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
