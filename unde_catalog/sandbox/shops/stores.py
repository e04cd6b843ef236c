"""The stores of every brand and the responses of the store finder. The stores are invented, their malls are real.

Stock belongs in `stock.py`.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

COUNTRY = "AE"
_EARTH_KM = 6371.0

_MALLS: dict[str, tuple[str, str, float, float]] = {  # address, city, latitude, longitude
    "Dubai Mall": ("Financial Centre Road, Downtown", "Dubai", 25.1972, 55.2797),
    "Mall of the Emirates": ("Sheikh Zayed Road, Al Barsha 1", "Dubai", 25.1181, 55.2006),
    "City Centre Mirdif": ("Sheikh Mohammed Bin Zayed Road, Mirdif", "Dubai", 25.2163, 55.4077),
    "City Centre Deira": ("8th Street, Port Saeed, Deira", "Dubai", 25.2520, 55.3328),
    "Festival City Mall": ("Crescent Drive, Festival City", "Dubai", 25.2222, 55.3526),
    "Ibn Battuta Mall": ("Sheikh Zayed Road, Jebel Ali Village", "Dubai", 25.0443, 55.1203),
    "Dubai Hills Mall": ("Umm Suqeim Road, Dubai Hills Estate", "Dubai", 25.1025, 55.2384),
    "City Centre Sharjah": ("Al Wahda Street, Industrial Area 1", "Sharjah", 25.3251, 55.3935),
    "Deerfields Mall": ("Al Bahyah Al Qadimah", "Abu Dhabi", 24.5445, 54.6738),
}
_UNITS: dict[str, tuple[int, tuple[str, ...]]] = {  # a brand's first store id, and its unit in each mall (-: none)
    "zara": (4480, ("GF-231", "L1-118", "G-044", "B-102", "L1-066", "CH-019", "F-207", "G-031", "G-12")),
    "bershka": (16880, ("GF-174", "L2-051", "F-112", "-", "G-083", "-", "F-140", "F-017", "G-20")),
    "pullandbear": (12010, ("SF-090", "L2-047", "F-120", "-", "G-079", "CH-044", "-", "F-022", "-")),
    "stradivarius": (2855, ("SF-103", "L1-203", "F-131", "B-057", "-", "-", "F-152", "F-026", "G-24")),
    "massimodutti": (7340, ("FF-016", "L1-009", "-", "G-011", "L1-020", "-", "G-075", "-", "G-08")),
    "oysho": (9120, ("FF-211", "L1-240", "F-149", "-", "L1-088", "-", "F-161", "F-030", "-")),
}


@dataclass(frozen=True, slots=True)
class Store:
    """A store of a brand."""

    id: int
    mall: str
    unit: str
    address: str
    city: str
    latitude: float
    longitude: float

    def distance(self, latitude: float, longitude: float) -> float:
        """Returns the great-circle distance to a point, in kilometres."""
        here, there = math.radians(self.latitude), math.radians(latitude)
        difference = math.radians(longitude - self.longitude)
        cosine = math.sin(here) * math.sin(there) + math.cos(here) * math.cos(there) * math.cos(difference)
        return _EARTH_KM * math.acos(min(max(cosine, -1.0), 1.0))


def stock_channel(brand: str) -> int:
    """Returns the id of the brand's online store that its URLs carry; the sandbox accepts any other, too."""
    return 11_700 + list(_UNITS).index(brand)


@cache
def brand_stores(brand: str) -> dict[int, Store]:
    """Returns the brand's stores by id, those in Dubai first."""
    first_id, units = _UNITS[brand]
    stores = (
        Store(first_id + 3 * index, mall, unit, *_MALLS[mall])
        for index, (mall, unit) in enumerate(zip(_MALLS, units, strict=True))
        if unit != "-"
    )
    return {store.id: store for store in stores}


def configured_stores(brand: str) -> list[int]:
    """Returns the ids that clients get by configuration: the stores in Dubai but one, which only the finder knows."""
    return [store.id for store in brand_stores(brand).values() if store.city == "Dubai"][:-1]


def nearby_stores(brand: str, country: str, latitude: float, longitude: float, kilometres: float) -> dict[str, Any]:
    """Returns the finder's response: the stores within this distance of a point, nearest first."""
    stores = [store for store in brand_stores(brand).values() if country == COUNTRY]
    by_distance = sorted((store.distance(latitude, longitude), store.id, store) for store in stores)
    return {"closerStores": [_store_body(brand, store) for distance, _, store in by_distance if distance <= kilometres]}


def _store_body(brand: str, store: Store) -> dict[str, Any]:
    name = {} if brand == "zara" else {"name": store.mall}  # Zara's finder returns no name
    return {
        "id": str(store.id),
        **name,
        "addressLines": [store.mall, f"Unit {store.unit}, {store.address}"],
        "city": store.city,
        "countryCode": COUNTRY,
        "latitude": store.latitude,
        "longitude": store.longitude,
    }
