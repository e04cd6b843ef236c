"""Of which product an object of BakaiMarket's bucket is a photo, told by its key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.stages.raw_products.bakai_key import ProductKey, in_order, read_key


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
def test_a_key_names_a_product_and_perhaps_a_category(key: str, product_id: str, category: str | None) -> None:
    assert read_key(key) == ProductKey(product_id, category)


@pytest.mark.parametrize(
    "key", ["", "/", "products/12345/.DS_Store", ".jpg", " ", "products/readme.txt", "products/12345/meta.JSON"]
)
def test_a_key_may_name_none(key: str) -> None:
    assert read_key(key) is None


def test_photos_are_in_the_order_in_which_people_number_them() -> None:
    keys = ["p/7/10.jpg", "p/7/2.jpg", "p/7/1.jpg", "p/7/\u00b23.jpg"]
    assert sorted(keys, key=in_order) == ["p/7/1.jpg", "p/7/2.jpg", "p/7/10.jpg", "p/7/\u00b23.jpg"]


@given(st.lists(st.text(alphabet="a1/._-\u00b2\u0661 ", max_size=30), max_size=5))
def test_no_key_is_too_odd(keys: list[str]) -> None:
    assert len(sorted(keys, key=in_order)) == len(keys)
    for key in keys:
        read_key(key)
