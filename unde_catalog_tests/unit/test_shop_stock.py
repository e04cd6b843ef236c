"""The stock of the sandbox's shops, hour by hour."""

import itertools

import pytest

from unde_catalog.sandbox.identity import BRAND_NAMES
from unde_catalog.sandbox.photos import catalogue
from unde_catalog.sandbox.shops import stores as shop_places
from unde_catalog.sandbox.shops.stock import DAY, quantity

MIDNIGHT = 20_513 * DAY
HOUR = 3600


def _stock_of_all(brand: str, moment: int) -> list[frozenset[str]]:
    """The sizes in stock of every product of the sample catalogue in every shop."""
    return [
        frozenset(
            size["name"]
            for colour in item["colorsSizesImagesJSON"]
            for size in colour["sizes"]
            if quantity(brand, shop, str(size["sku"]), moment)
        )
        for item in catalogue.items(brand, "")
        for shop in shop_places.brand_stores(brand)
    ]


def _skus(moment: int) -> list[int]:
    return [quantity("zara", shop, str(sku), moment) for shop in (4480, 4483) for sku in range(500)]


@pytest.mark.parametrize("brand", BRAND_NAMES)
def test_from_hour_to_hour_little_stock_changes(brand: str) -> None:
    hours = [_stock_of_all(brand, MIDNIGHT + hour * HOUR) for hour in range(25)]
    changed = [
        sum(old != new for old, new in zip(before, after, strict=True)) / len(before)
        for before, after in itertools.pairwise(hours)
    ]
    assert min(changed) > 0.04 and max(changed) < 0.35
    assert 0.10 < sum(changed) / len(changed) < 0.20


def test_some_sizes_are_never_in_stock_some_always_others_at_times() -> None:
    days = [_skus(MIDNIGHT + day * DAY + hour * HOUR) for day in range(2) for hour in range(24)]
    shares = [sum(map(bool, hours)) / len(days) for hours in zip(*days, strict=True)]
    never, always = (sum(share == value for share in shares) / len(shares) for value in (0, 1))
    assert 0.20 < never < 0.30 and 0.25 < always < 0.36


def test_a_delivered_size_is_sold_until_the_evening() -> None:
    for shop, sku in itertools.product((4480, 4483), map(str, range(200))):
        day = [quantity("zara", shop, sku, MIDNIGHT + hour * HOUR) for hour in range(24)]
        shares = [many for many in day if many]
        assert shares == sorted(shares, reverse=True) and max(day) <= 8
        assert len([1 for before, after in itertools.pairwise(day) if not before and after]) <= 1


def test_stock_is_deterministic_per_day_and_shop() -> None:
    moment = MIDNIGHT + 5 * HOUR
    assert _skus(moment) == _skus(moment)
    assert _skus(moment) != _skus(moment + DAY)
    one, other = _skus(moment)[:500], _skus(moment)[500:]
    assert one != other
