"""Requests to the sandbox's shops over plain HTTP in each of the four shapes, for tests of responses and faults."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import requests

from unde_catalog.sandbox.photos import catalogue
from unde_catalog_tests.support.servers import Sandbox

BRANDS = ("zara", "bershka", "pullandbear", "stradivarius", "massimodutti", "oysho")
NOON = "2026-03-01T12:00:00Z"
HERE = {"latitude": "25.2048", "longitude": "55.2708"}

Item = dict[str, Any]
Found = dict[str, set[str]]  # shop id -> size names


def distances(shops: Iterable[dict[str, Any]]) -> list[float]:
    """Approximate distances of shops from HERE, in degrees of latitude, precise enough to sort them."""
    north, east = float(HERE["latitude"]), float(HERE["longitude"])
    return [math.hypot(shop["latitude"] - north, 0.905 * (shop["longitude"] - east)) for shop in shops]


@dataclass(slots=True)
class Shops:
    """A strict client for the shops of all brands, which parses each shape exactly as documented."""

    sandbox: Sandbox

    @property
    def url(self) -> str:
        return self.sandbox.url

    def get(
        self, brand: str, path: str, agent: str = "ZaraApp/15 (test)", timeout: float = 10, **query: Any
    ) -> requests.Response:
        headers = {"User-Agent": agent}
        return requests.get(f"{self.url}/shops/{brand}{path}", params=query, headers=headers, timeout=timeout)

    def configured(self, brand: str) -> list[str]:
        return self.sandbox.environment[f"DUBAI_{brand.upper()}_STORES"].split(",")

    def found(self, brand: str, **overrides: str) -> list[dict[str, Any]]:
        """The shops that the finder lists within 100 km of HERE."""
        query: dict[str, Any] = {
            **HERE,
            "countryCode": "AE",
            "appId": "1",
            "languageId": "-1",
            "radioMax": "100",
            **overrides,
        }
        return self.get(brand, "/itxrest/2/bam/store/11700/physical-store", **query).json()["closerStores"]

    def all_ids(self, brand: str) -> list[str]:
        return sorted(shop["id"] for shop in self.found(brand))

    def truth(self, brand: str, at: str = "") -> dict[str, dict[str, list[str]]]:
        query = {"brand": brand, **({"at": at} if at else {})}
        return requests.get(f"{self.url}/_stock", params=query, timeout=30).json()

    def items(self, brand: str) -> list[Item]:
        return catalogue.items(brand, f"{self.url}/cdn")

    def named(self, brand: str, name: str) -> Item:
        return next(item for item in self.items(brand) if item["name"] == name)

    def part(self, brand: str, item: Item, colour: Item, shops: list[str]) -> Any:
        """A response in shape A."""
        digits, campaign = item["reference"].split("-")
        path = f"/common/1/stock/campaign/{campaign}/product/part-number/{digits}{colour['id']}"
        return self.get(brand, path, physicalStoreId=shops).json()

    def sizes(self, brand: str, item: Item, **query: Any) -> Any:
        """A response in shape B."""
        path = f"/api/storefront/1/stores/11700/products/{item['id']}/available-sizes"
        return self.get(brand, path, appId="1", **query).json()

    def skus(self, brand: str, shops: list[int], skus: list[int]) -> Any:
        """A response in shape C."""
        path = "/api/storefront/1/stores/11700/skus-availability-in-stores/actions/filter"
        body = {"physicalStoreIds": shops, "skus": skus}
        return requests.post(f"{self.url}/shops/{brand}{path}", json=body, timeout=10).json()

    def every_sku(self, brand: str, item: Item, shop: str) -> list[dict[str, Any]]:
        skus = [size["sku"] for colour in item["colorsSizesImagesJSON"] for size in colour["sizes"]]
        return list(self.skus(brand, [int(shop)], skus).get(shop, {}).values())

    def by_part(self, brand: str, item: Item, shops: list[str]) -> Found:
        """The stock of a product by shape A."""
        found: Found = {}
        for colour in item["colorsSizesImagesJSON"]:
            for stock in self.part(brand, item, colour, shops)["stocks"]:
                names = {str(size["size"]) for size in stock["sizeStocks"]}
                found.setdefault(str(stock["physicalStoreId"]), set()).update(names)
        return found

    def by_item(self, brand: str, item: Item, shops: list[str]) -> Found:
        """The stock of a product by shape B."""
        body = self.sizes(brand, item, physicalStoreIds=shops)["sizesAvailableByPhysicalStores"]
        return {str(shop["physicalStoreId"]): {size["size"] for size in shop["sizesAvailability"]} for shop in body}

    def by_skus(self, brand: str, item: Item, shops: list[str]) -> Found:
        """The stock of a product by shape C."""
        skus = [size["sku"] for colour in item["colorsSizesImagesJSON"] for size in colour["sizes"]]
        body = self.skus(brand, [int(shop) for shop in shops], skus)
        return {shop: {one["size"] for one in sizes.values() if one["stock"]} for shop, sizes in body.items()}

    def by_colour(self, brand: str, item: Item, shops: list[str]) -> Found:
        """The stock of a product by shape D."""
        found: Found = {}
        for colour in item["colorsSizesImagesJSON"]:
            query = {"productId": colour["productId"], "physicalStoreIds": shops, "ajax": "true"}
            body = self.get(brand, "/ae/en/store-product-availability", **query).json()
            for shop in body["sizesAvailableAndLocationsByPhysicalStores"]:
                names = {size["size"] for size in shop["sizesAvailability"]}
                found.setdefault(str(shop["physicalStoreId"]), set()).update(names)
        return found
