"""The shops of every brand, all invented but for the malls they stand in, and what their finder tells of them.

What lies in them is `stock.py`.
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
_UNITS: dict[str, tuple[int, tuple[str, ...]]] = {  # a brand's first shop id, and its unit in each of the malls
    "zara": (4480, ("GF-231", "L1-118", "G-044", "B-102", "L1-066", "CH-019", "F-207", "G-031", "G-12")),
    "bershka": (16880, ("GF-174", "L2-051", "F-112", "-", "G-083", "-", "F-140", "F-017", "G-20")),
    "pullandbear": (12010, ("SF-090", "L2-047", "F-120", "-", "G-079", "CH-044", "-", "F-022", "-")),
    "stradivarius": (2855, ("SF-103", "L1-203", "F-131", "B-057", "-", "-", "F-152", "F-026", "G-24")),
    "massimodutti": (7340, ("FF-016", "L1-009", "-", "G-011", "L1-020", "-", "G-075", "-", "G-08")),
    "oysho": (9120, ("FF-211", "L1-240", "F-149", "-", "L1-088", "-", "F-161", "F-030", "-")),
}


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop of a brand."""

    id: int
    mall: str
    unit: str
    address: str
    city: str
    latitude: float
    longitude: float

    def distance(self, latitude: float, longitude: float) -> float:
        """Kilometres to a place, by the great circle."""
        here, there = math.radians(self.latitude), math.radians(latitude)
        apart = math.radians(longitude - self.longitude)
        cosine = math.sin(here) * math.sin(there) + math.cos(here) * math.cos(there) * math.cos(apart)
        return _EARTH_KM * math.acos(min(max(cosine, -1.0), 1.0))


def channel(brand: str) -> int:
    """The number of the brand's online shop that its addresses carry; any other is served, too."""
    return 11_700 + list(_UNITS).index(brand)


@cache
def shops(brand: str) -> dict[int, Shop]:
    """The brand's shops by id, those in Dubai first."""
    first, units = _UNITS[brand]
    found = (
        Shop(first + 3 * place, mall, unit, *_MALLS[mall])
        for place, (mall, unit) in enumerate(zip(_MALLS, units, strict=True))
        if unit != "-"
    )
    return {shop.id: shop for shop in found}


def configured(brand: str) -> list[int]:
    """The shops that clients are told of beforehand: those in Dubai but for one, which only the finder knows."""
    return [shop.id for shop in shops(brand).values() if shop.city == "Dubai"][:-1]


def closer(brand: str, country: str, latitude: float, longitude: float, kilometres: float) -> dict[str, Any]:
    """The finder's answer (spec 6): the shops within so many kilometres of a place, the nearest first."""
    near = [(shop.distance(latitude, longitude), shop) for shop in shops(brand).values() if country == COUNTRY]
    near = sorted((one for one in near if one[0] <= kilometres), key=lambda one: (one[0], one[1].id))
    return {"closerStores": [_shown(brand, shop) for _, shop in near]}


def _shown(brand: str, shop: Shop) -> dict[str, Any]:
    named = {} if brand == "zara" else {"name": shop.mall}  # Zara's finder tells no name
    return {
        "id": str(shop.id),
        **named,
        "addressLines": [shop.mall, f"Unit {shop.unit}, {shop.address}"],
        "city": shop.city,
        "countryCode": COUNTRY,
        "latitude": shop.latitude,
        "longitude": shop.longitude,
    }
