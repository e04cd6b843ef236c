"""Which product and category an object key of BakaiMarket's bucket belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.stages.raw_products.bakai_key import ProductKey, natural_sort_key, parse_key


@pytest.mark.parametrize(
    ("key", "product_id", "category"),
    [
        ("products/12345/1.jpg", "12345", None),
        ("products/12345/front.webp", "12345", None),
        ("products/12345/12345_1.png", "12345", None),
        ("products/electronics/12345/1.jpg", "12345", "electronics"),
        ("electronics/12345/1.jpg", "12345", "electronics"),
        ("home/kitchen/12345/1.jpg", "12345", "kitchen"),
        ("electronics/12345.jpg", "12345", "electronics"),
        ("electronics/12345_2.jpg", "12345", "electronics"),
        ("12345_2.jpg", "12345", None),
        ("12345-2.jpg", "12345", None),
        ("12345.jpg", "12345", None),
        ("products/12345.jpg", "12345", None),
        ("12345/1.jpg", "12345", None),
        ("kettle/1.jpg", "kettle", None),
        ("//products//12345//1.jpg", "12345", None),
        ("products/../1.jpg", "..", None),
    ],
)
def test_a_key_contains_a_product_and_possibly_a_category(key: str, product_id: str, category: str | None) -> None:
    assert parse_key(key) == ProductKey(product_id, category)


@pytest.mark.parametrize(
    "key", ["", "/", "products/12345/.DS_Store", ".jpg", " ", "products/readme.txt", "products/12345/meta.JSON"]
)
def test_a_key_of_no_photo_is_ignored(key: str) -> None:
    assert parse_key(key) is None


def test_photos_are_sorted_by_their_numbers() -> None:
    keys = ["p/7/10.jpg", "p/7/2.jpg", "p/7/1.jpg", "p/7/\u00b23.jpg"]
    assert sorted(keys, key=natural_sort_key) == ["p/7/1.jpg", "p/7/2.jpg", "p/7/10.jpg", "p/7/\u00b23.jpg"]


@given(st.lists(st.text(alphabet="a1/._-\u00b2\u0661 ", max_size=30), max_size=5))
def test_any_key_can_be_parsed_and_sorted(keys: list[str]) -> None:
    assert len(sorted(keys, key=natural_sort_key)) == len(keys)
    for key in keys:
        parse_key(key)
