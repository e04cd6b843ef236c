"""The four shapes in which the shops tell their stock (spec 6). No HTTP here, and no look at what lies where.

`Stock` is what lies in the shops that were asked: shop id -> size name -> how many; sizes without any are left out.
"""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

Stock = Mapping[int, Mapping[str, int]]


def campaign_stock(stock: Stock) -> dict[str, Any]:
    """Shape A. `sizeId` is a running number that means nothing; a size that looks like a number is one."""
    ids = count(1)
    return {
        "stocks": [
            {
                "physicalStoreId": shop,
                "sizeStocks": [
                    {"sizeId": next(ids), "size": _number(name), "quantity": many} for name, many in sizes.items()
                ],
            }
            for shop, sizes in stock.items()
            if sizes
        ]
    }


def available_sizes(product: str, stock: Stock, wanted: Iterable[str]) -> dict[str, Any]:
    """Shape B, of these sizes only (none: of all); what is absent is not there."""
    chosen = set(wanted)
    shown = {
        shop: [
            {"sizeId": name, "size": name, "stock": many}
            for name, many in sizes.items()
            if not chosen or name in chosen
        ]
        for shop, sizes in stock.items()
    }
    return {
        "productId": _number(product),
        "sizesAvailableByPhysicalStores": [
            {"physicalStoreId": shop, "sizesAvailability": sizes} for shop, sizes in shown.items() if sizes
        ],
    }


def skus_availability(stock: Mapping[int, Mapping[str, tuple[str, int]]]) -> dict[str, Any]:
    """Shape C, from shop id -> sku -> size name and how many: a sku that is not there is told with a stock of 0."""
    return {
        str(shop): {sku: {"size": name, "stock": many} for sku, (name, many) in skus.items()}
        for shop, skus in stock.items()
    }


def store_product_availability(stock: Stock) -> dict[str, Any]:
    """Shape D; what is absent is not there."""
    return {
        "sizesAvailableAndLocationsByPhysicalStores": [
            {
                "physicalStoreId": shop,
                "sizesAvailability": [{"size": name, "stock": many} for name, many in sizes.items()],
            }
            for shop, sizes in stock.items()
            if sizes
        ]
    }


def _number(text: str) -> int | str:
    """The number that a text is, but for one that would lose a leading 0."""
    return int(text) if text.isascii() and text.isdigit() and str(int(text)) == text else text
