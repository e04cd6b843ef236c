"""Requests to the brands' stock APIs, and the meaning of responses: one small adapter for each of four formats.

Nothing is sent here. The formats are in docs/reference/external-services.md. The APIs are unofficial and change: a
response that can't be read raises `UnexpectedResponse` and never counts as "not in stock".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from unde_catalog.brands import StockProtocolName
from unde_catalog.stages.availability.item import StockItem, parse_integer, parse_size

Sizes = Mapping[int, frozenset[str]]  # sizes in stock by store; the stock of a store that is missing is unknown


class UnexpectedResponse(ValueError):
    """The response does not tell the stock with certainty; the message says why."""


@dataclass(frozen=True, slots=True)
class StockRequest:
    """A request: the path below the API's URL, the query, and a JSON body, which makes it a POST."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None


class StockProtocol(Protocol):
    """The format of a stock API."""

    def requests(self, item: StockItem, stores: Sequence[int]) -> list[StockRequest]:
        """The requests for a product; empty if the item lacks an id that the API requires of each colour."""
        ...

    def parse(self, request: StockRequest, item: StockItem, stores: Sequence[int], body: Any) -> Sizes:
        """The stock of these stores; `UnexpectedResponse` if the response does not tell it with certainty."""
        ...


@dataclass(frozen=True, slots=True)
class CampaignProtocol:
    """`campaign`: the part number in a campaign (`02086797-V2026` in colour 800 is 02086797800 of V2026)."""

    def requests(self, item: StockItem, stores: Sequence[int]) -> list[StockRequest]:
        """One request for each colour."""
        query = tuple(("physicalStoreId", str(store)) for store in stores)
        if not item.digits or not all(colour.id and colour.id.isdigit() for colour in item.colours):
            return []
        return [
            StockRequest(
                f"common/1/stock/campaign/{item.campaign}/product/part-number/{item.digits}{colour.id}",
                query,
            )
            for colour in item.colours
        ]

    def parse(self, request: StockRequest, item: StockItem, stores: Sequence[int], body: Any) -> Sizes:
        """Sizes are matched by `size`, not by `sizeId`. An empty list is unknown; a store that is absent has none."""
        listed = _list(body, "stocks")
        if not listed:
            raise UnexpectedResponse("`stocks` is empty")
        return _listed(listed, stores, "sizeStocks", "quantity")


@dataclass(frozen=True, slots=True)
class AvailableSizesProtocol:
    """`available-sizes`: all colours of a product by its id."""

    channel: str

    def requests(self, item: StockItem, stores: Sequence[int]) -> list[StockRequest]:
        """One request for the product."""
        if not item.external_id.isascii() or not item.external_id.isdigit():
            return []
        query = [("appId", "1"), *(("physicalStoreIds", str(store)) for store in stores)]
        query += [("sizeIds", name) for name in item.sizes]
        path = f"api/storefront/1/stores/{self.channel}/products/{item.external_id}/available-sizes"
        return [StockRequest(path, tuple(query))]

    def parse(self, request: StockRequest, item: StockItem, stores: Sequence[int], body: Any) -> Sizes:
        """Absent means not in stock. A response about another product is refused."""
        listed = _list(body, "sizesAvailableByPhysicalStores")
        about = parse_integer(body.get("productId"))
        if about is not None and str(about) != item.external_id:
            raise UnexpectedResponse(f"the response is about product {about}")
        return _listed(listed, stores, "sizesAvailability", "stock")


@dataclass(frozen=True, slots=True)
class SkusProtocol:
    """`skus`: the SKUs of all colours and sizes in one request."""

    channel: str

    def requests(self, item: StockItem, stores: Sequence[int]) -> list[StockRequest]:
        """One request for the product."""
        skus = [sku for colour in item.colours for sku in colour.sizes_by_sku]
        if not skus or not set(item.sizes).issubset(_names(item).values()):
            return []
        path = f"api/storefront/1/stores/{self.channel}/skus-availability-in-stores/actions/filter"
        return [StockRequest(path, body={"physicalStoreIds": list(stores), "skus": skus})]

    def parse(self, request: StockRequest, item: StockItem, stores: Sequence[int], body: Any) -> Sizes:
        """The response is by store and SKU; the item names the size. Absent means not in stock."""
        names = _names(item)
        if not isinstance(body, dict):
            raise UnexpectedResponse(f"the response is a {type(body).__name__}, expected an object")
        found: dict[int, frozenset[str]] = {}
        for key, stocks in body.items():
            store = parse_integer(key)
            if store is None or not isinstance(stocks, dict):
                raise UnexpectedResponse("the response is not an object of SKUs by store")
            quantities = [(parse_integer(sku), _quantity(one, "stock")) for sku, one in stocks.items()]
            found[store] = frozenset(names[sku] for sku, quantity in quantities if sku in names and quantity > 0)
        return {store: found.get(store, frozenset()) for store in stores}


@dataclass(frozen=True, slots=True)
class ZaraProtocol:
    """`zara`: a colour by its product id, from the brand's site for a country and language (`ae/en`)."""

    locale: str

    def requests(self, item: StockItem, stores: Sequence[int]) -> list[StockRequest]:
        """One request for each colour."""
        if any(colour.product_id is None for colour in item.colours):
            return []
        store_ids = tuple(("physicalStoreIds", str(store)) for store in stores)
        return [
            StockRequest(
                f"{self.locale}/store-product-availability",
                (("productId", str(colour.product_id)), *store_ids, ("ajax", "true")),
            )
            for colour in item.colours
        ]

    def parse(self, request: StockRequest, item: StockItem, stores: Sequence[int], body: Any) -> Sizes:
        """Absent means not in stock."""
        listed = _list(body, "sizesAvailableAndLocationsByPhysicalStores")
        return _listed(listed, stores, "sizesAvailability", "stock")


def protocol_for(name: StockProtocolName, channel: str | None, locale: str) -> StockProtocol:
    """The adapter of that name; ValueError if it requires a channel and none is configured."""
    if name == "campaign":
        return CampaignProtocol()
    if name == "zara":
        return ZaraProtocol(locale)
    if channel is None:
        raise ValueError(f"the stock protocol {name} requires a channel")
    return AvailableSizesProtocol(channel) if name == "available-sizes" else SkusProtocol(channel)


def merge_sizes(item: StockItem, stores: Sequence[int], responses: Sequence[Sizes]) -> dict[int, list[str]]:
    """The sizes of a product in stock by store, over the responses to all its requests, in the item's order.

    Sizes that the item does not name come last. A store is included only if it is in every response; otherwise some
    colours would be taken for all.
    """
    known: dict[int, list[str]] = {}
    for store in stores:
        if all(store in response for response in responses):
            in_stock = frozenset[str]().union(*(response[store] for response in responses))
            named = [name for name in item.sizes if name in in_stock]
            known[store] = named + sorted(in_stock.difference(named))
    return known


def _list(body: Any, name: str) -> list[Any]:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list):
        raise UnexpectedResponse(f"the response has no list `{name}`")
    return found


def _names(item: StockItem) -> dict[int, str]:
    return {sku: name for colour in item.colours for sku, name in colour.sizes_by_sku.items()}


def _listed(listed: Sequence[Any], stores: Sequence[int], sizes: str, quantity: str) -> Sizes:
    """The sizes in stock in each store of a list; a store that is not in the list has none."""
    found: dict[int, frozenset[str]] = dict.fromkeys(stores, frozenset())
    for one in listed:
        store = parse_integer(one.get("physicalStoreId")) if isinstance(one, dict) else None
        if store is None:
            raise UnexpectedResponse("a store without `physicalStoreId`")
        if store in found:
            found[store] |= _in_stock(_list(one, sizes), quantity)
    return found


def _in_stock(sizes: Sequence[Any], quantity: str) -> frozenset[str]:
    in_stock = set()
    for one in sizes:
        name = parse_size(one.get("size")) if isinstance(one, dict) else None
        if name is None:
            raise UnexpectedResponse("a size without a name")
        if _quantity(one, quantity) > 0:
            in_stock.add(name)
    return frozenset(in_stock)


def _quantity(one: Any, name: str) -> int:
    quantity = parse_integer(one.get(name)) if isinstance(one, dict) else None
    if quantity is None:
        raise UnexpectedResponse(f"a size without a number as `{name}`")
    return quantity
