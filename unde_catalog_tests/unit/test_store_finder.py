"""Parsing the responses of a store finder, with the documented example."""

from decimal import Decimal
from typing import Any

import pytest

from unde_catalog.stages.availability.store_finder import StoreFinderUnavailable, parse_stores

MALL = {
    "id": "4483", "name": "Dubai Mall", "addressLines": ["THE DUBAI MALL", "FINANCIAL CENTER ROAD"], "city": "DUBAI",
    "countryCode": "AE", "latitude": 25.19715, "longitude": "55.2788",
}  # fmt: skip


def test_a_store_is_read_with_the_columns_of_raw_stores() -> None:
    (store,) = parse_stores("bershka", {"closerStores": [MALL]}).stores
    assert (store.store_id, store.name, store.mall_name) == (4483, "Dubai Mall", "Dubai Mall")
    assert (store.address, store.city, store.country) == ("THE DUBAI MALL, FINANCIAL CENTER ROAD", "Dubai", "AE")
    assert (store.latitude, store.longitude) == (Decimal("25.1971500"), Decimal("55.2788000"))


def test_a_store_without_a_name_is_named_by_brand_and_mall() -> None:
    (store,) = parse_stores("zara", {"closerStores": [{**MALL, "name": None}]}).stores
    assert (store.name, store.mall_name) == ("Zara, THE DUBAI MALL", "THE DUBAI MALL")
    (store,) = parse_stores("zara", {"closerStores": [{"id": 7, "addressLines": ["AL WASL ROAD 12"]}]}).stores
    assert (store.name, store.mall_name, store.city) == ("Zara, AL WASL ROAD 12", None, "Dubai")


@pytest.mark.parametrize(
    "odd",
    [None, 7, {}, {"id": None}, {"id": True}, {"id": "x"}, {"id": 0}, {"id": -4}, {"id": 2**31}],
)
def test_stores_without_a_usable_id_are_skipped_and_counted(odd: Any) -> None:
    found = parse_stores("oysho", {"closerStores": [odd, MALL, MALL]})
    assert ([store.store_id for store in found.stores], found.unreadable) == ([4483], 1)


@pytest.mark.parametrize("degrees", [None, True, "NaN", "Infinity", 91, "north", [], "1e400"])
def test_invalid_coordinates_are_unknown(degrees: Any) -> None:
    (store,) = parse_stores("oysho", {"closerStores": [{**MALL, "latitude": degrees}]}).stores
    assert store.latitude is None


@pytest.mark.parametrize("body", [None, [], "denied", {}, {"closerStores": {}}, {"closerStores": None}])
def test_a_response_without_a_list_is_reported(body: Any) -> None:
    with pytest.raises(StoreFinderUnavailable, match="no list `closerStores`"):
        parse_stores("zara", body)
