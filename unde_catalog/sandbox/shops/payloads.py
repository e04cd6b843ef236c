"""JSON bodies of the four stock APIs: campaign, available-sizes, skus and zara.

HTTP and the computation of stock belong elsewhere. `Stock` is store id -> size name -> quantity, without sizes of
quantity 0.
"""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

Stock = Mapping[int, Mapping[str, int]]


def campaign_stock(stock: Stock) -> dict[str, Any]:
    """Returns the `campaign` body. `sizeId` is a meaningless running number; a numeric size is a number."""
    ids = count(1)
    return {
        "stocks": [
            {
                "physicalStoreId": store_id,
                "sizeStocks": [
                    {"sizeId": next(ids), "size": _number(name), "quantity": quantity}
                    for name, quantity in sizes.items()
                ],
            }
            for store_id, sizes in stock.items()
            if sizes
        ]
    }


def available_sizes(product: str, stock: Stock, size_ids: Iterable[str]) -> dict[str, Any]:
    """Returns the `available-sizes` body for these sizes (none: all of them); an absent size is not in stock."""
    requested = set(size_ids)
    sizes_by_store = {
        store_id: [
            {"sizeId": name, "size": name, "stock": quantity}
            for name, quantity in sizes.items()
            if not requested or name in requested
        ]
        for store_id, sizes in stock.items()
    }
    return {
        "productId": _number(product),
        "sizesAvailableByPhysicalStores": [
            {"physicalStoreId": store_id, "sizesAvailability": sizes}
            for store_id, sizes in sizes_by_store.items()
            if sizes
        ],
    }


def skus_availability(stock: Mapping[int, Mapping[str, tuple[str, int]]]) -> dict[str, Any]:
    """Returns the `skus` body from store id -> SKU -> size name and quantity; a sold-out SKU has a stock of 0."""
    return {
        str(store_id): {sku: {"size": name, "stock": quantity} for sku, (name, quantity) in skus.items()}
        for store_id, skus in stock.items()
    }


def store_product_availability(stock: Stock) -> dict[str, Any]:
    """Returns the `zara` body; an absent size is not in stock."""
    return {
        "sizesAvailableAndLocationsByPhysicalStores": [
            {
                "physicalStoreId": store_id,
                "sizesAvailability": [{"size": name, "stock": quantity} for name, quantity in sizes.items()],
            }
            for store_id, sizes in stock.items()
            if sizes
        ]
    }


def _number(text: str) -> int | str:
    """Returns a numeric text as a number, unless a leading 0 would get lost."""
    return int(text) if text.isascii() and text.isdigit() and str(int(text)) == text else text
