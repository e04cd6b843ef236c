"""How the brands' stock APIs are asked and what answers mean: four shapes, each behind one small adapter (spec 6).

Pure: nothing is sent here. The APIs are unofficial and change; what can't be read is `UnexpectedResponse`, never
"none".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from unde_catalog.brands import StockProtocolName
from unde_catalog.stages.availability.item import StockItem, size_name, whole_number

Sizes = Mapping[int, frozenset[str]]  # by shop: the sizes in stock; a shop that is missing is unknown


class UnexpectedResponse(ValueError):
    """An answer that says nothing certain about the stock; why."""


@dataclass(frozen=True, slots=True)
class StockRequest:
    """One request: a path below the API's address, its query, and a JSON body (then it is a POST)."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None


class StockProtocol(Protocol):
    """A way of asking."""

    def questions(self, item: StockItem, shops: Sequence[int]) -> list[StockRequest]:
        """What to ask for a product; empty where the item lacks what the API wants to know of any of its colours."""
        ...

    def understand(self, question: StockRequest, item: StockItem, shops: Sequence[int], body: Any) -> Sizes:
        """What an answer says of these shops; `UnexpectedResponse` where it says nothing certain."""
        ...


@dataclass(frozen=True, slots=True)
class ByCampaign:
    """Shape A: a part number of a campaign (`02086797-V2026` in colour 800 is 02086797800 of V2026)."""

    def questions(self, item: StockItem, shops: Sequence[int]) -> list[StockRequest]:
        """One for each colour."""
        query = tuple(("physicalStoreId", str(shop)) for shop in shops)
        if not item.digits or not all(colour.id and colour.id.isdigit() for colour in item.colours):
            return []
        return [
            StockRequest(
                f"common/1/stock/campaign/{item.campaign}/product/part-number/{item.digits}{colour.id}",
                query,
            )
            for colour in item.colours
        ]

    def understand(self, question: StockRequest, item: StockItem, shops: Sequence[int], body: Any) -> Sizes:
        """By size, not by sizeId. An empty list is unknown; a shop that is not among those listed has none."""
        listed = _list(body, "stocks")
        if not listed:
            raise UnexpectedResponse("`stocks` is empty")
        return _listed(listed, shops, "sizeStocks", "quantity")


@dataclass(frozen=True, slots=True)
class ByAvailableSizes:
    """Shape B: all colours of a product by its id."""

    channel: str

    def questions(self, item: StockItem, shops: Sequence[int]) -> list[StockRequest]:
        """One for the product."""
        if not item.external_id.isascii() or not item.external_id.isdigit():
            return []
        query = [("appId", "1"), *(("physicalStoreIds", str(shop)) for shop in shops)]
        query += [("sizeIds", name) for name in item.sizes]
        path = f"api/storefront/1/stores/{self.channel}/products/{item.external_id}/available-sizes"
        return [StockRequest(path, tuple(query))]

    def understand(self, question: StockRequest, item: StockItem, shops: Sequence[int], body: Any) -> Sizes:
        """Absent means none. An answer about another product is none."""
        listed = _list(body, "sizesAvailableByPhysicalStores")
        about = whole_number(body.get("productId"))
        if about is not None and str(about) != item.external_id:
            raise UnexpectedResponse(f"an answer about product {about}")
        return _listed(listed, shops, "sizesAvailability", "stock")


@dataclass(frozen=True, slots=True)
class BySkus:
    """Shape C: the SKUs of all colours and sizes at once."""

    channel: str

    def questions(self, item: StockItem, shops: Sequence[int]) -> list[StockRequest]:
        """One for the product."""
        skus = [sku for colour in item.colours for sku in colour.sizes_by_sku]
        if not skus or not set(item.sizes).issubset(_names(item).values()):
            return []
        path = f"api/storefront/1/stores/{self.channel}/skus-availability-in-stores/actions/filter"
        return [StockRequest(path, body={"physicalStoreIds": list(shops), "skus": skus})]

    def understand(self, question: StockRequest, item: StockItem, shops: Sequence[int], body: Any) -> Sizes:
        """By shop and SKU, the size named by our item; absent means none."""
        names = _names(item)
        if not isinstance(body, dict):
            raise UnexpectedResponse(f"the answer is a {type(body).__name__}")
        found: dict[int, frozenset[str]] = {}
        for key, stocks in body.items():
            shop = whole_number(key)
            if shop is None or not isinstance(stocks, dict):
                raise UnexpectedResponse("it is not shops with their SKUs")
            there = [(whole_number(sku), _quantity(one, "stock")) for sku, one in stocks.items()]
            found[shop] = frozenset(names[sku] for sku, quantity in there if sku in names and quantity > 0)
        return {shop: found.get(shop, frozenset()) for shop in shops}


@dataclass(frozen=True, slots=True)
class OfZara:
    """Shape D: a colour by its product id, from the shop's site in a country and language (`ae/en`)."""

    locale: str

    def questions(self, item: StockItem, shops: Sequence[int]) -> list[StockRequest]:
        """One for each colour."""
        if any(colour.product_id is None for colour in item.colours):
            return []
        asked = tuple(("physicalStoreIds", str(shop)) for shop in shops)
        return [
            StockRequest(
                f"{self.locale}/store-product-availability",
                (("productId", str(colour.product_id)), *asked, ("ajax", "true")),
            )
            for colour in item.colours
        ]

    def understand(self, question: StockRequest, item: StockItem, shops: Sequence[int], body: Any) -> Sizes:
        """Absent means none."""
        listed = _list(body, "sizesAvailableAndLocationsByPhysicalStores")
        return _listed(listed, shops, "sizesAvailability", "stock")


def protocol_for(name: StockProtocolName, channel: str | None, locale: str) -> StockProtocol:
    """The adapter of that name; ValueError where it wants a channel and there is none."""
    if name == "campaign":
        return ByCampaign()
    if name == "zara":
        return OfZara(locale)
    if channel is None:
        raise ValueError(f"the shape {name} wants a channel")
    return ByAvailableSizes(channel) if name == "available-sizes" else BySkus(channel)


def together(item: StockItem, shops: Sequence[int], answers: Sequence[Sizes]) -> dict[int, list[str]]:
    """What shops have of a product over all its questions: sizes in the item's order, others behind them.

    A shop is known only where every answer knows it: half of the colours would be taken for all.
    """
    known: dict[int, list[str]] = {}
    for shop in shops:
        if all(shop in answer for answer in answers):
            there = frozenset[str]().union(*(answer[shop] for answer in answers))
            own = [name for name in item.sizes if name in there]
            known[shop] = own + sorted(there.difference(own))
    return known


def _list(body: Any, name: str) -> list[Any]:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list):
        raise UnexpectedResponse(f"there is no list `{name}`")
    return found


def _names(item: StockItem) -> dict[int, str]:
    return {sku: name for colour in item.colours for sku, name in colour.sizes_by_sku.items()}


def _listed(listed: Sequence[Any], shops: Sequence[int], sizes: str, quantity: str) -> Sizes:
    """The sizes in stock in each shop of a list; none in one that is not in it."""
    found: dict[int, frozenset[str]] = dict.fromkeys(shops, frozenset())
    for one in listed:
        shop = whole_number(one.get("physicalStoreId")) if isinstance(one, dict) else None
        if shop is None:
            raise UnexpectedResponse("a shop without `physicalStoreId`")
        if shop in found:
            found[shop] |= _in_stock(_list(one, sizes), quantity)
    return found


def _in_stock(sizes: Sequence[Any], quantity: str) -> frozenset[str]:
    there = set()
    for one in sizes:
        name = size_name(one.get("size")) if isinstance(one, dict) else None
        if name is None:
            raise UnexpectedResponse("a size without a name")
        if _quantity(one, quantity) > 0:
            there.add(name)
    return frozenset(there)


def _quantity(one: Any, name: str) -> int:
    quantity = whole_number(one.get(name)) if isinstance(one, dict) else None
    if quantity is None:
        raise UnexpectedResponse(f"a size without a number as its `{name}`")
    return quantity
