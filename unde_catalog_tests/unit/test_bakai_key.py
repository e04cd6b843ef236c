"""Which product and category an object key of BakaiMarket's bucket belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.stages.raw_products.bakai_key import (
    ProductKey,
    is_folder_mark,
    key_problem,
    natural_sort_key,
    parse_key,
)


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
        ("/products/12345/1.jpg", "12345", None),
        ("products/12345 /1.jpg", "12345 ", None),
        ("products/12345%20/1.jpg", "12345%20", None),
        ("обувь/12345+7/1.jpg", "12345+7", "обувь"),
        ("shoes/12345_front.jpg", "12345", "shoes"),
        ("shoes/12345-Back_2.jpg", "12345", "shoes"),
        ("12345_detail.jpg", "12345", None),
        ("shoes/12345_red.jpg", "12345_red", "shoes"),
        ("shoes-2024/12345.jpg", "12345", "shoes-2024"),
        ("shoes-2024/12345_2.jpg", "12345", "shoes-2024"),
        ("shoes-2024/1.jpg", "shoes-2024", None),
        ("ab-2024/12345.jpg", "ab-2024", None),
        ("12345-2024/67890.jpg", "12345-2024", None),
    ],
)
def test_a_key_contains_a_product_and_possibly_a_category(key: str, product_id: str, category: str | None) -> None:
    assert parse_key(key) == ProductKey(product_id, category)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "products/12345/.DS_Store",
        ".jpg",
        "products/readme.txt",
        "products/12345/meta.JSON",
        "products/12345/sizes.xlsx",
        "shoes/12345.PSD",
        "12345/1.m4v",
    ],
)
def test_a_key_of_no_photo_is_ignored(key: str) -> None:
    assert parse_key(key) is None


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("products//12345/1.jpg", "empty folder or file name"),
        ("//products/12345/1.jpg", "empty folder or file name"),
        ("products/ /1.jpg", "empty folder or file name"),
        ("products/./1.jpg", "`.` or `..`"),
        ("products/../1.jpg", "`.` or `..`"),
        ("products/123\t45/1.jpg", "control character"),
        ("products/12345/1\n.jpg", "control character"),
        ("products/12345/\x7f.jpg", "control character"),
        ("products/12345/\ufffd.jpg", "not valid UTF-8"),
    ],
)
def test_a_key_that_not_every_client_requests_as_it_is_has_a_problem(key: str, problem: str) -> None:
    assert problem in key_problem(key)


@pytest.mark.parametrize("key", ["/a/12345/1.jpg", "a/12345 /1.jpg", "a/1 2%20+3/é.jpg", "обувь/👟\u200d12345/1.jpg"])
def test_unusual_characters_are_no_problem(key: str) -> None:
    assert key_problem(key) == ""


@pytest.mark.parametrize(
    ("key", "size", "mark"),
    [
        ("products/", 0, True),
        ("products/12345/", 0, True),
        ("products/12345/", 11, True),
        ("products/12345", 0, True),
        ("products/12345_$folder$", 0, True),
        ("products/12345/1.jpg", 0, False),  # an empty photo, as its download says
        ("products/12345", 9_000, False),
    ],
)
def test_an_object_that_marks_a_folder_is_no_photo(key: str, size: int, mark: bool) -> None:
    assert is_folder_mark(key, size) is mark


def test_photos_are_sorted_by_their_numbers() -> None:
    keys = ["p/7/10.jpg", "p/7/2.jpg", "p/7/1.jpg", "p/7/\u00b23.jpg"]
    assert sorted(keys, key=natural_sort_key) == ["p/7/1.jpg", "p/7/2.jpg", "p/7/10.jpg", "p/7/\u00b23.jpg"]


def test_the_front_of_a_product_comes_before_its_back() -> None:
    keys = ["p/7_back.jpg", "p/7_zoom.jpg", "p/7_Front.jpg", "p/7_front_2.jpg", "p/7.jpg"]
    assert sorted(keys, key=natural_sort_key) == [
        "p/7.jpg", "p/7_Front.jpg", "p/7_front_2.jpg", "p/7_back.jpg", "p/7_zoom.jpg"
    ]  # fmt: skip
    assert sorted(["p/7/back.jpg", "p/7/front.jpg"], key=natural_sort_key) == ["p/7/front.jpg", "p/7/back.jpg"]


@given(st.lists(st.text(alphabet="a1/._-\u00b2\u0661 ", max_size=30), max_size=5))
def test_any_key_can_be_parsed_and_sorted(keys: list[str]) -> None:
    assert len(sorted(keys, key=natural_sort_key)) == len(keys)
    for key in keys:
        parse_key(key)
