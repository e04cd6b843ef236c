import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from unde_catalog.stages.raw_products.apify_item import is_price_unreadable, read_item
from unde_catalog.stages.raw_products.clean import TooDeep
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog_tests.unit.odd_items import nested, odd_items

ITEM = {
    "id": 512913640, "reference": "02086797-V2026", "brand": "Zara", "name": "ZW COLLECTION ASYMMETRIC BLAZER",
    "description": "Blazer with a notched lapel collar...", "price": 69900, "category": "woman-outerwear-padded",
    "colors": "Black", "sizes": "XS, S, M, L", "detailedComposition": {"parts": []},
    "colorsSizesImagesJSON": [
        {"id": "800", "name": "Black", "productId": 512918856,
         "xmedia": ["https://static.zara.net/02086797800-p.jpg?w={width}", "https://static.zara.net/e1.jpg?w={width}"],
         "sizes": [{"name": "XS", "sku": 512913641, "availability": "in_stock", "price": 69900}]}],
}  # fmt: skip


def product(**changes: Any) -> CollectedProduct:
    result = read_item({**ITEM, **changes})
    assert isinstance(result, CollectedProduct)
    return result


def photos(*colours: Any) -> tuple[str, ...]:
    return product(colorsSizesImagesJSON=list(colours)).original_image_urls


def test_a_complete_item_becomes_a_product() -> None:
    assert product() == CollectedProduct(
        external_id="512913640",
        name="ZW COLLECTION ASYMMETRIC BLAZER",
        description="Blazer with a notched lapel collar...",
        price=Decimal("699.00"),
        currency="AED",
        category="woman-outerwear-padded",
        colour="Black",
        sizes="XS, S, M, L",
        composition='{"parts": []}',
        original_image_urls=(
            "https://static.zara.net/02086797800-p.jpg?w=1920",
            "https://static.zara.net/e1.jpg?w=1920",
        ),
        raw_data=ITEM,
    )


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (69900, "699.00"),
        ("69900", "699.00"),
        (" 69900 ", "699.00"),
        (69900.0, "699.00"),
        (1, "0.01"),
        (9_999_999_999, "99999999.99"),
        (10_000_000_000, None),
        (0, None),
        ("0", None),
        (-5, None),
        (None, None),
        ("699.00", None),  # dirhams or fils? a price a hundred times too low is worse than none
        ("59.9", None),
        (699.5, None),
        ("12,50", None),
        ("6_99", None),
        ("٦٩٩", None),
        ("1e4", None),
        ("NaN", None),
        ("Infinity", None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        pytest.param(10**5000, None, id="endless"),
        (True, None),
        ([69900], None),
        ("", None),
    ],
)
def test_a_price_is_read_as_exact_fils_or_not_at_all(price: Any, expected: str | None) -> None:
    result = product(price=price).price
    assert result == (None if expected is None else Decimal(expected))
    assert result is None or (type(result) is Decimal and result.as_tuple().exponent == -2)


def test_a_malformed_price_is_distinguished_from_a_missing_one() -> None:
    assert not is_price_unreadable(product())
    assert not any(is_price_unreadable(product(price=price)) for price in (0, "0", None, ""))
    assert all(is_price_unreadable(product(price=price)) for price in ("699.00", -1, [1], 1e300))


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        (7, "7"),
        ("464990655", "464990655"),
        (" 7 ", "7"),
        (7.0, "7"),
        ("x" * 100, "x" * 100),
        ("a\x00\ud800", "a?"),
        ("x" * 101, None),
        (10**100, None),
        pytest.param(10**5000, None, id="endless"),
        ("", None),
        (" ", None),
        (None, None),
        (True, None),
        (7.5, None),
        (float("nan"), None),
        ([7], None),
    ],
)
def test_an_id_is_a_whole_number_or_a_text_that_fits_its_column(id_: Any, expected: str | None) -> None:
    result = read_item({**ITEM, "id": id_})
    assert result.external_id == expected
    assert isinstance(result, CollectedProduct) is (expected is not None)


def test_photos_are_the_first_five_of_every_colour_at_full_width() -> None:
    one = {"xmedia": [f"https://a/{n}.jpg?w={{width}}" for n in range(7)]}
    two = {"xmedia": ["https://b/1.jpg?ts=1&w=:width:", "https://b/2.jpg"]}
    assert photos(one, two) == (
        *(f"https://a/{n}.jpg?w=1920" for n in range(5)),
        "https://b/1.jpg?ts=1&w=1920",
        "https://b/2.jpg",
    )


def test_a_photo_with_another_timestamp_is_a_repeat_of_the_first() -> None:
    assert photos(
        {"xmedia": ["https://a/1.jpg?ts=1&w={width}", "https://a/1.jpg?ts=2&w={width}", "https://a/2.jpg?ts=2"]},
        {"xmedia": ["https://a/2.jpg?ts=9", "https://a/1.jpg?w={width}&ts=5", "https://a/1.jpg?lots=1&w={width}"]},
    ) == ("https://a/1.jpg?ts=1&w=1920", "https://a/2.jpg?ts=2", "https://a/1.jpg?lots=1&w=1920")


@pytest.mark.parametrize(
    "colours", [None, {}, "x", [], [None, 7, "x"], [{"xmedia": None}], [{"xmedia": [None, " ", 7, {}]}], [{}]]
)
def test_a_product_without_photos_is_accepted(colours: Any) -> None:
    assert product(colorsSizesImagesJSON=colours).original_image_urls == ()


def test_an_overlong_photo_url_is_skipped() -> None:
    assert photos({"xmedia": ["https://a/" + "x" * 2_000, "https://a/1.jpg"]}) == ("https://a/1.jpg",)


def test_sizes_are_kept_unchanged_including_repeats() -> None:
    assert product(sizes="S, S, S, M").sizes == "S, S, S, M"
    assert product(sizes=["S", {"name": "S"}]).sizes == ["S", {"name": "S"}]
    assert product(sizes=None).sizes is None


@pytest.mark.parametrize(
    ("colour", "expected"),
    [("Black ", "Black"), ("", None), ("  ", None), (None, None), (["Black"], "Black"), ("é" * 150, "é" * 100)],
)
def test_colours_fit_their_column(colour: Any, expected: str | None) -> None:
    assert product(colors=colour).colour == expected


def test_mojibake_is_kept_unchanged() -> None:
    assert product(category="niÃ±a-abrigos").category == "niÃ±a-abrigos"


def test_an_overlong_name_is_cut_and_kept_whole_in_the_raw_item() -> None:
    result = product(name="x" * 1_000_000)
    assert result.name == "x" * 2_000
    assert len(result.raw_data["name"]) == 1_000_000


@pytest.mark.parametrize("field", [field for field in ITEM if field != "id"])
@pytest.mark.parametrize("value", [None, True, 7, 1.5, "x", [], {}, [[]], {"a": 1}], ids=repr)
def test_a_field_of_a_wrong_type_loses_only_that_field(field: str, value: Any) -> None:
    result = product(**{field: value})
    assert (result.external_id, result.currency) == ("512913640", "AED")
    assert field == "name" or result.name == ITEM["name"]
    assert field == "price" or result.price == Decimal("699.00")
    assert result.raw_data[field] == value


@pytest.mark.parametrize(
    ("raw", "id_", "reason", "kept"),
    [
        ("text\x00", None, "not_an_object", "text"),
        (None, None, "not_an_object", None),
        ([1, 2], None, "not_an_object", [1, 2]),
        ("x" * 200_000, None, "not_an_object", None),
        pytest.param(10**5000, None, "not_an_object", None, id="endless"),
        (float("nan"), None, "not_an_object", None),
        pytest.param(nested(200), None, "not_an_object", None, id="deep"),
        ({"name": "A\x00"}, None, "no_id", {"name": "A"}),
        ({"id": "a\ud800", "deep": nested(200)}, "a?", "too_deep", None),
        (TooDeep("nested too deeply for Python"), None, "too_deep", None),
    ],
)
def test_an_invalid_item_is_rejected_with_its_reason(raw: Any, id_: str | None, reason: str, kept: Any) -> None:
    result = read_item(raw)
    assert isinstance(result, RejectedItem)
    assert (result.external_id, result.reason, result.raw) == (id_, reason, kept)


@given(odd_items())
def test_any_item_becomes_a_product_that_fits_the_columns_or_a_rejection(raw: Any) -> None:
    result = read_item(raw)
    if isinstance(result, RejectedItem):
        json.dumps(result.raw, allow_nan=False)
        return
    assert 0 < len(result.external_id) <= 100
    assert result.colour is None or 0 < len(result.colour) <= 100
    assert result.price is None or 0 < result.price <= Decimal("99999999.99")
    assert len(set(result.original_image_urls)) == len(result.original_image_urls)
    json.dumps([result.sizes, result.raw_data, result.original_image_urls], allow_nan=False)
    for text in (
        result.external_id,
        result.name,
        result.description,
        result.category,
        result.colour,
        result.composition,
    ):
        assert text is None or "\x00" not in text
        (text or "").encode()
