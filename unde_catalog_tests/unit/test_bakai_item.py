"""Conversion of BakaiMarket's items into products, for well-formed and malformed items."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.stages.raw_products.bakai_item import is_price_unreadable, read_item
from unde_catalog.stages.raw_products.clean import TooDeep
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog_tests.support.bakai_responses import ITEM
from unde_catalog_tests.unit.odd_items import nested, odd_items


def product(**changes: Any) -> CollectedProduct:
    result = read_item({**ITEM, **changes})
    assert isinstance(result, CollectedProduct)
    return result


def test_an_item_becomes_a_product() -> None:
    assert product() == CollectedProduct(
        external_id="bakai_12345",
        name="Electric kettle",
        description="1.7 litres, steel.",
        price=Decimal("1299.00"),
        currency="KGS",
        category="electronics",
        colour=None,
        sizes=None,
        composition=None,
        original_image_urls=tuple(ITEM["images"]),
        raw_data=ITEM,
    )


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("1299.00", "1299.00"), (" 1299.5 ", "1299.50"), (1299, "1299.00"), (Decimal("1299.90"), "1299.90"),
        (Decimal("1.299E+3"), "1299.00"), (12.1, "12.10"), ("99999999.99", "99999999.99"), ("12.5000", "12.50"),
        ("100000000.00", None), (0, None), ("0.00", None), (-5, None), ("12.345", None), ("1 299", None),
        ("NaN", None), (Decimal("1E+999999999"), None), (Decimal("1E-999999999"), None), (10**400, None), (True, None),
        (None, None), ([1299], None), ("1,299", None), ("\u0661\u0662", None),
    ],
)  # fmt: skip
def test_a_price_is_read_exactly_or_not_at_all(price: Any, expected: str | None) -> None:
    assert product(price=price).price == (None if expected is None else Decimal(expected))


def test_a_malformed_price_is_distinguished_from_a_missing_one() -> None:
    assert [is_price_unreadable(product(price=price)) for price in ("1,299", "12.345", "0.00", 0, None, "5")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("electronics", "electronics"), (" Garden ", "Garden"), ({"id": 3, "name": "Toys"}, "Toys"),
        (["Home", "Kitchen"], "Home/Kitchen"), ([{"name": "Home"}, {"title": "Kitchen"}], "Home/Kitchen"),
        ("", "uncategorized"), (None, "uncategorized"), ([], "uncategorized"), ({}, "uncategorized"),
        (7, "7"), (nested(50), "uncategorized"), ("../../etc", "../../etc"),
    ],
)  # fmt: skip
def test_a_category_is_read_in_every_form(category: Any, expected: str) -> None:
    assert product(category=category).category == expected


@pytest.mark.parametrize(
    ("category", "expected"),
    [({"id": 7}, "uncategorized"), (["women", ["shoes"]], "women"), (["women", {"id": 7}], "women")],
)
def test_a_part_of_a_category_that_is_no_text_is_counted(category: Any, expected: str) -> None:
    result = product(category=category)
    assert result.category == expected
    assert result.notes["texts_not_understood"] == 1


@pytest.mark.parametrize(
    ("field", "value", "urls"),
    [
        ("images", ["https://a/1.jpg", "https://a/1.jpg", "http://a/2.jpg"], ["https://a/1.jpg", "http://a/2.jpg"]),
        ("images", [{"url": "https://a/1.jpg"}, {"src": "//a/2.jpg"}, {"image_url": "https://a/3.jpg"}, {"id": 4}],
         ["https://a/1.jpg", "https://a/2.jpg", "https://a/3.jpg"]),
        ("photos", ["https://a/1.jpg"], ["https://a/1.jpg"]),
        ("image_urls", ["https://a/1.jpg"], ["https://a/1.jpg"]),
        ("image_url", "https://a/1.jpg", ["https://a/1.jpg"]),
        ("images", ["file:///etc/passwd", "javascript:alert(1)", "1.jpg", "", None, 7, [], "https://" + "a" * 3_000],
         []),
        ("images", None, []),
        ("images", [f"https://a/{n}.jpg" for n in range(500)], [f"https://a/{n}.jpg" for n in range(100)]),
    ],
)  # fmt: skip
def test_photos_are_read_from_every_known_field_if_they_are_web_urls(field: str, value: Any, urls: list[str]) -> None:
    result = read_item({"id": 1, field: value})
    assert isinstance(result, CollectedProduct)
    assert list(result.original_image_urls) == urls


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        (12345, "bakai_12345"), ("A-7", "bakai_A-7"), (" 7 ", "bakai_7"), (7.0, "bakai_7"),
        ("x" * 94, "bakai_" + "x" * 94),
        ("x" * 95, None), ("", None), (None, None), (True, None), (7.5, None), ([7], None), (10**5000, None),
        ("../../x", "bakai_../../x"), ("a\x00b", "bakai_ab"), (Decimal("7"), "bakai_7"), (float("nan"), None),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) or value < 10**9 else "a long number",
)  # fmt: skip
def test_an_id_is_a_whole_number_or_a_short_text(id: Any, expected: str | None) -> None:
    assert read_item({**ITEM, "id": id}).external_id == expected


def test_a_missing_currency_becomes_iso_4217s_code_for_none() -> None:
    assert [product(currency=one).currency for one in ("kgs", " USD ", "som", "", None, "KGS2", 7)] == [
        "KGS", "USD", "SOM", "XXX", "XXX", "XXX", "XXX",
    ]  # fmt: skip


def test_decimal_numbers_stay_exact_in_the_raw_item() -> None:
    raw = product(price=Decimal("1299.90"), weight=Decimal("0.1234567890123456789012")).raw_data
    assert json.dumps([raw["price"], raw["weight"]]) == '[1299.9, "0.1234567890123456789012"]'


def test_a_malformed_item_is_rejected_with_a_reason() -> None:
    reasons = {
        "text": "not_an_object", "[]": "not_an_object", "no id": "no_id", "deep": "too_deep", "unread": "too_deep"
    }  # fmt: skip
    items = {"text": "x", "[]": [], "no id": {"name": "x"}, "deep": {"id": 5, "x": nested(200)}, "unread": TooDeep("x")}
    results = {name: read_item(raw) for name, raw in items.items()}
    assert {name: one.reason for name, one in results.items() if isinstance(one, RejectedItem)} == reasons
    assert results["deep"].external_id == "bakai_5"


@given(st.one_of(odd_items(), st.fixed_dictionaries({"id": st.integers(1, 9), "images": st.lists(odd_items())})))
def test_any_item_becomes_a_storable_product_or_a_rejection(raw: Any) -> None:
    result = read_item(raw)
    if isinstance(result, RejectedItem):
        json.dumps(result.raw, allow_nan=False)
        return
    texts = [result.name, result.description, result.category, *result.original_image_urls, json.dumps(result.raw_data)]
    for text in filter(None, texts):
        assert "\x00" not in text
        text.encode()
    assert 6 < len(result.external_id) <= 100 and result.external_id.startswith("bakai_")
    assert result.price is None or (Decimal(0) < result.price < 10**8 and result.price.as_tuple().exponent == -2)
    assert result.category and len(result.currency) == 3
